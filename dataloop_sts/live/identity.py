"""The IAM user and the role as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dataloop_sts.live.iam_policies import attached_policies, everything, inline_policies
from dataloop_sts.live.models import AccessKey, LastUse, Role, User
from dataloop_sts.live.seeing import Unseen, in_aws, there_in_aws

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def look_at_user(iam: IAMClient, name: str) -> User | Unseen | None:
    """The user of that name, with everything that can be a credential or a permission of its own."""
    found = in_aws(lambda: iam.get_user(UserName=name)["User"], f"user {name}", "iam:GetUser")
    if found is None or isinstance(found, Unseen):
        return found
    whose = f"user {name}"
    tags = _tags(found.get("Tags", []))

    def names(what: str, needs: str, list_them: Callable[[], Sequence[str]]) -> tuple[str, ...] | Unseen:
        return there_in_aws(lambda: tuple(list_them()), f"the {what} of {whose}", needs)

    login = in_aws(lambda: iam.get_login_profile(UserName=name), f"the console login of {whose}", "iam:GetLoginProfile")
    return User(
        name=name,
        arn=found["Arn"],
        unique_id=found["UserId"],
        path=found["Path"],
        created=found["CreateDate"],
        boundary=found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        tags=tags,
        keys=look_at_keys(iam, name, tags),
        inline_policies=inline_policies(
            lambda: everything(iam.get_paginator("list_user_policies").paginate(UserName=name), "PolicyNames"),
            lambda policy: _plain(iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"]),
            whose,
            "User",
        ),
        attached_policies=attached_policies(
            iam,
            lambda: _arns(iam.get_paginator("list_attached_user_policies").paginate(UserName=name)),
            whose,
            "User",
        ),
        groups=names(
            "groups",
            "iam:ListGroupsForUser",
            lambda: [
                group["GroupName"]
                for group in everything(iam.get_paginator("list_groups_for_user").paginate(UserName=name), "Groups")
            ],
        ),
        console_login=login if isinstance(login, Unseen) else login is not None,
        mfa_devices=names(
            "MFA devices",
            "iam:ListMFADevices",
            lambda: [
                device["SerialNumber"]
                for device in everything(iam.get_paginator("list_mfa_devices").paginate(UserName=name), "MFADevices")
            ],
        ),
        ssh_keys=names(
            "SSH keys",
            "iam:ListSSHPublicKeys",
            lambda: [key["SSHPublicKeyId"] for key in iam.list_ssh_public_keys(UserName=name)["SSHPublicKeys"]],
        ),
        signing_certificates=names(
            "signing certificates",
            "iam:ListSigningCertificates",
            lambda: [each["CertificateId"] for each in iam.list_signing_certificates(UserName=name)["Certificates"]],
        ),
        service_credentials=names(
            "service-specific credentials",
            "iam:ListServiceSpecificCredentials",
            lambda: [
                f"{each['ServiceName']} {each['ServiceSpecificCredentialId']}"
                for each in iam.list_service_specific_credentials(UserName=name).get("ServiceSpecificCredentials", [])
            ],
        ),
    )


def look_at_role(iam: IAMClient, name: str) -> Role | Unseen | None:
    """The role of that name."""
    found = in_aws(lambda: iam.get_role(RoleName=name)["Role"], f"role {name}", "iam:GetRole")
    if found is None or isinstance(found, Unseen):
        return found
    whose = f"role {name}"
    return Role(
        name=name,
        arn=found["Arn"],
        unique_id=found["RoleId"],
        path=found["Path"],
        created=found["CreateDate"],
        boundary=found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        tags=_tags(found.get("Tags", [])),
        max_session_seconds=found.get("MaxSessionDuration", 3600),
        last_used=found.get("RoleLastUsed", {}).get("LastUsedDate"),
        trust=_plain(found.get("AssumeRolePolicyDocument", {})),
        inline_policies=inline_policies(
            lambda: everything(iam.get_paginator("list_role_policies").paginate(RoleName=name), "PolicyNames"),
            lambda policy: _plain(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]),
            whose,
            "Role",
        ),
        attached_policies=attached_policies(
            iam,
            lambda: _arns(iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)),
            whose,
            "Role",
        ),
        instance_profiles=there_in_aws(
            lambda: tuple(
                profile["InstanceProfileName"]
                for profile in everything(
                    iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=name), "InstanceProfiles"
                )
            ),
            f"the instance profiles of {whose}",
            "iam:ListInstanceProfilesForRole",
        ),
    )


def look_at_keys(iam: IAMClient, user: str, tags: Mapping[str, str]) -> tuple[AccessKey, ...] | Unseen:
    """The user's access keys; ``tags`` are the user's, of which some describe keys."""
    listed = there_in_aws(
        lambda: everything(iam.get_paginator("list_access_keys").paginate(UserName=user), "AccessKeyMetadata"),
        f"the access keys of user {user}",
        "iam:ListAccessKeys",
    )
    if isinstance(listed, Unseen):
        return listed
    return tuple(
        AccessKey(
            id=key["AccessKeyId"],
            active=key["Status"] == "Active",
            created=key["CreateDate"],
            last_used=_last_use(iam, key["AccessKeyId"]),
            description=tags.get(key["AccessKeyId"]),
        )
        for key in listed
    )


def _last_use(iam: IAMClient, key: str) -> LastUse | Unseen | None:
    def get() -> LastUse | None:
        used: Any = iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
        # a key that was never used has no date, and N/A for the rest
        at = used.get("LastUsedDate")
        return LastUse(at=at, service=used["ServiceName"], region=used["Region"]) if at else None

    return in_aws(get, f"the last use of access key {key}", "iam:GetAccessKeyLastUsed")


def _arns(pages: Any) -> list[str]:
    return [policy["PolicyArn"] for policy in everything(pages, "AttachedPolicies")]


def _tags(tags: Sequence[Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _plain(document: Any) -> dict[str, Any]:
    """A document, which botocore has decoded already."""
    return dict(document)

"""aws:iam/role:Role, aws:iam/policy:Policy and aws:iam/rolePolicyAttachment:RolePolicyAttachment.

https://www.pulumi.com/registry/packages/aws/api-docs/iam/role/, .../iam/policy/ and .../iam/rolepolicyattachment/.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from sandbox.plugins.aws import documents
from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.aws.handler import TAGS, Handler, error_code, retrying, unless_missing
from sandbox.plugins.aws.iam_users import MISSING
from sandbox.plugins.aws.tags import from_list, to_list
from sandbox.plugins.errors import ProviderError
from sandbox.plugins.schema import Property, ResourceType
from sandbox.plugins.values import Properties

_SHORTEST_SESSION: Final = 3600
_LONGEST_SESSION: Final = 43200
_KEPT_VERSIONS: Final = 5  # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html


class Role(Handler):
    """An IAM role; its id is its name."""

    label = "IAM role"
    write_only = ("forceDetachPolicies",)
    imported: ClassVar = {"forceDetachPolicies": False}
    type = ResourceType(
        "aws:iam/role:Role",
        {
            "name": Property(autonamed=True, replaces=True),
            "assumeRolePolicy": Property("document", required=True, problem=documents.problem),
            "description": Property(),
            "forceDetachPolicies": Property("boolean", default=False),
            "maxSessionDuration": Property(
                "integer",
                default=_SHORTEST_SESSION,
                problem=lambda seconds: (
                    None
                    if _SHORTEST_SESSION <= seconds <= _LONGEST_SESSION
                    else f"must lie between {_SHORTEST_SESSION} and {_LONGEST_SESSION} seconds, not {seconds}"
                ),
            ),
            "path": Property(default="/", replaces=True),
            "permissionsBoundary": Property(),
            "tags": TAGS,
        },
        computed=("arn", "createDate", "tagsAll", "uniqueId"),
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        request: dict[str, Any] = {
            "RoleName": inputs["name"],
            "AssumeRolePolicyDocument": _compact(inputs["assumeRolePolicy"]),
            "Path": inputs["path"],
            "MaxSessionDuration": inputs["maxSessionDuration"],
        }
        if description := inputs.get("description"):
            request["Description"] = description
        if boundary := inputs.get("permissionsBoundary"):
            request["PermissionsBoundary"] = boundary
        if tags := clients.config.tags.merged(inputs.get("tags")):
            request["Tags"] = to_list(tags)
        return retrying(lambda: clients.iam.create_role(**request), _unknown_principal)["Role"]["RoleName"], {}

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        answer: Any = unless_missing(lambda: clients.iam.get_role(RoleName=resource_id), MISSING)
        if answer is None:
            return None
        role = answer["Role"]
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": documents.kept_or_live(
                recorded.get("assumeRolePolicy"), json.dumps(role["AssumeRolePolicyDocument"])
            ),
            "createDate": role["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": role.get("Description"),
            "maxSessionDuration": role.get("MaxSessionDuration", _SHORTEST_SESSION),
            "name": role["RoleName"],
            "path": role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "uniqueId": role["RoleId"],
            "tags": from_list(role.get("Tags", [])),
        }

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        iam = clients.iam
        if not documents.equivalent(olds.get("assumeRolePolicy"), news["assumeRolePolicy"]):
            document = _compact(news["assumeRolePolicy"])
            retrying(
                lambda: iam.update_assume_role_policy(RoleName=resource_id, PolicyDocument=document),
                _unknown_principal,
            )
        if any((news.get(key) or "") != (olds.get(key) or "") for key in ("description", "maxSessionDuration")):
            iam.update_role(
                RoleName=resource_id,
                Description=news.get("description") or "",
                MaxSessionDuration=news["maxSessionDuration"],
            )
        if (boundary := news.get("permissionsBoundary")) != olds.get("permissionsBoundary"):
            if boundary:
                iam.put_role_permissions_boundary(RoleName=resource_id, PermissionsBoundary=boundary)
            else:
                iam.delete_role_permissions_boundary(RoleName=resource_id)
        write, remove = clients.config.tags.updates(olds.get("tagsAll") or {}, news["tagsAll"])
        if remove:
            iam.untag_role(RoleName=resource_id, TagKeys=remove)
        if write:
            iam.tag_role(RoleName=resource_id, Tags=to_list(write))

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        iam = clients.iam

        def delete() -> None:
            for profile in iam.list_instance_profiles_for_role(RoleName=resource_id)["InstanceProfiles"]:
                iam.remove_role_from_instance_profile(
                    InstanceProfileName=profile["InstanceProfileName"], RoleName=resource_id
                )
            if state.get("forceDetachPolicies"):
                for policy in iam.list_attached_role_policies(RoleName=resource_id)["AttachedPolicies"]:
                    iam.detach_role_policy(RoleName=resource_id, PolicyArn=policy["PolicyArn"])
                for name in iam.list_role_policies(RoleName=resource_id)["PolicyNames"]:
                    iam.delete_role_policy(RoleName=resource_id, PolicyName=name)
            iam.delete_role(RoleName=resource_id)

        unless_missing(delete, MISSING)


class Policy(Handler):
    """A customer-managed IAM policy; its id is its ARN."""

    label = "IAM policy"
    type = ResourceType(
        "aws:iam/policy:Policy",
        {
            "name": Property(autonamed=True, replaces=True),
            "description": Property(replaces=True),
            "path": Property(default="/", replaces=True),
            "policy": Property("document", required=True, problem=documents.problem),
            "tags": TAGS,
        },
        computed=("arn", "attachmentCount", "policyId", "tagsAll"),
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        request: dict[str, Any] = {
            "PolicyName": inputs["name"],
            "PolicyDocument": _compact(inputs["policy"]),
            "Path": inputs["path"],
        }
        if description := inputs.get("description"):
            request["Description"] = description
        if tags := clients.config.tags.merged(inputs.get("tags")):
            request["Tags"] = to_list(tags)
        return clients.iam.create_policy(**request)["Policy"]["Arn"], {}

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        iam = clients.iam

        def read() -> Properties:
            policy = iam.get_policy(PolicyArn=resource_id)["Policy"]
            version = iam.get_policy_version(PolicyArn=resource_id, VersionId=policy["DefaultVersionId"])
            return {
                "arn": policy["Arn"],
                "attachmentCount": policy["AttachmentCount"],
                "description": policy.get("Description"),
                "name": policy["PolicyName"],
                "path": policy["Path"],
                "policy": documents.kept_or_live(
                    recorded.get("policy"), json.dumps(version["PolicyVersion"]["Document"])
                ),
                "policyId": policy["PolicyId"],
                "tags": from_list(policy.get("Tags", [])),
            }

        return unless_missing(read, MISSING)

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        iam = clients.iam
        if not documents.equivalent(olds.get("policy"), news["policy"]):
            _make_room_for_a_version(iam, resource_id)
            iam.create_policy_version(PolicyArn=resource_id, PolicyDocument=_compact(news["policy"]), SetAsDefault=True)
        write, remove = clients.config.tags.updates(olds.get("tagsAll") or {}, news["tagsAll"])
        if remove:
            iam.untag_policy(PolicyArn=resource_id, TagKeys=remove)
        if write:
            iam.tag_policy(PolicyArn=resource_id, Tags=to_list(write))

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        iam = clients.iam

        def delete() -> None:
            for version in iam.list_policy_versions(PolicyArn=resource_id)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=resource_id, VersionId=version["VersionId"])
            iam.delete_policy(PolicyArn=resource_id)

        unless_missing(delete, MISSING)


class RolePolicyAttachment(Handler):
    """A managed policy on a role; its id, as an import writes it, is the role's name, a slash, and the policy's ARN."""

    label = "IAM role policy attachment"
    type = ResourceType(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        {
            "policyArn": Property(required=True, replaces=True),
            "role": Property(required=True, replaces=True),
        },
        # Otherwise the deletion of the old attachment would undo an equal new one
        # (https://github.com/pulumi/pulumi-aws/blob/master/provider/resources.go).
        delete_before_replace=True,
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        role, arn = inputs["role"], inputs["policyArn"]
        clients.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return f"{role}/{arn}", {}

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        role, arn = _attachment(resource_id, recorded)
        iam = clients.iam

        def attached() -> list[Any]:
            pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
            return [policy for page in pages for policy in page["AttachedPolicies"]]

        found = unless_missing(attached, MISSING) or []
        return {"policyArn": arn, "role": role} if any(policy["PolicyArn"] == arn for policy in found) else None

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        role, arn = _attachment(resource_id, state)
        unless_missing(lambda: clients.iam.detach_role_policy(RoleName=role, PolicyArn=arn), MISSING)


def _attachment(resource_id: str, recorded: Properties) -> tuple[str, str]:
    if recorded.get("role") and recorded.get("policyArn"):
        return recorded["role"], recorded["policyArn"]
    role, separator, arn = resource_id.partition("/")
    if not separator or not arn.startswith("arn:"):
        raise ProviderError(f"{resource_id!r} is not the id of a role policy attachment: ROLE_NAME/POLICY_ARN")
    return role, arn


def _make_room_for_a_version(iam: Any, arn: str) -> None:
    """Deletes the oldest version that is not the default one, if the policy has as many as IAM keeps."""
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    idle = sorted((v for v in versions if not v["IsDefaultVersion"]), key=lambda version: version["CreateDate"])
    if len(versions) >= _KEPT_VERSIONS and idle:
        iam.delete_policy_version(PolicyArn=arn, VersionId=idle[0]["VersionId"])


def _unknown_principal(error: Exception) -> bool:
    """A principal that was created a moment ago may not be known yet."""
    return error_code(error) == "MalformedPolicyDocument" and "invalid principal" in str(error).lower()


def _compact(document: str) -> str:
    """IAM counts a document's size without white space, yet limits what it receives."""
    return json.dumps(json.loads(document), separators=(",", ":"))

"""What an audit and an adoption ask IAM, each by its own action; what is in use is not deleted."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

SSH_KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ== someone"


def managed(world: Any, name: str = "policy", path: str = "/") -> str:
    document = world.policy(world.allow("s3:ListBucket", "*"))
    iam = world.client("iam")
    made = iam.create_policy(PolicyName=f"{name}-{world.tag}", Path=path, PolicyDocument=document, Tags=tags("p"))
    return str(made["Policy"]["Arn"])


def tags(value: str) -> list[dict[str, str]]:
    return [{"Key": "of", "Value": value}]


def test_everything_that_hangs_on_a_user_is_listed(world: Any) -> None:
    iam, name, group = world.client("iam"), f"user-{world.tag}", f"group-{world.tag}"
    iam.create_user(UserName=name, Tags=tags("u"))
    user = {"UserName": name}
    empty = [
        iam.list_access_keys(**user)["AccessKeyMetadata"],
        iam.list_user_policies(**user)["PolicyNames"],
        iam.list_attached_user_policies(**user)["AttachedPolicies"],
        iam.list_groups_for_user(**user)["Groups"],
        iam.list_mfa_devices(**user)["MFADevices"],
        iam.list_ssh_public_keys(**user)["SSHPublicKeys"],
        iam.list_signing_certificates(**user)["Certificates"],
        iam.list_service_specific_credentials(**user)["ServiceSpecificCredentials"],
    ]
    assert empty == [[]] * len(empty)
    assert world.refused(lambda: iam.get_login_profile(**user)) == ("NoSuchEntity", 404)
    document = world.policy(world.allow("s3:*", "*"))
    iam.put_user_policy(**user, PolicyName="inline", PolicyDocument=document)
    arn = managed(world)
    iam.attach_user_policy(**user, PolicyArn=arn)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, **user)
    iam.create_login_profile(**user, Password="Correct-horse-1")
    iam.upload_ssh_public_key(**user, SSHPublicKeyBody=SSH_KEY)
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(**user, SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="654321")
    assert iam.list_user_policies(**user)["PolicyNames"] == ["inline"]
    assert iam.get_user_policy(**user, PolicyName="inline")["PolicyDocument"] == json.loads(document)
    attached = iam.list_attached_user_policies(**user)["AttachedPolicies"]
    assert attached == [{"PolicyName": f"policy-{world.tag}", "PolicyArn": arn}]
    assert [entry["GroupName"] for entry in iam.list_groups_for_user(**user)["Groups"]] == [group]
    assert iam.get_login_profile(**user)["LoginProfile"]["UserName"] == name
    assert len(iam.list_ssh_public_keys(**user)["SSHPublicKeys"]) == 1
    assert [device["SerialNumber"] for device in iam.list_mfa_devices(**user)["MFADevices"]] == [serial]
    assert iam.list_user_tags(**user)["Tags"] == tags("u")
    assert world.refused(lambda: iam.get_user_policy(**user, PolicyName="none")) == ("NoSuchEntity", 404)


def test_everything_that_hangs_on_a_role_is_listed(world: Any) -> None:
    iam, profile = world.client("iam"), f"profile-{world.tag}"
    world.role(world.user()[0], Tags=tags("r"), Path="/dataloop/")
    role = {"RoleName": f"role-{world.tag}"}
    assert iam.list_role_policies(**role)["PolicyNames"] == []
    assert iam.list_attached_role_policies(**role)["AttachedPolicies"] == []
    assert iam.list_instance_profiles_for_role(**role)["InstanceProfiles"] == []
    document, arn = world.policy(world.allow("s3:*", "*")), managed(world)
    iam.put_role_policy(**role, PolicyName="inline", PolicyDocument=document)
    iam.attach_role_policy(**role, PolicyArn=arn)
    made = iam.create_instance_profile(InstanceProfileName=profile, Path="/dataloop/")["InstanceProfile"]
    assert made["Arn"] == f"arn:aws:iam::{world.server.account_id}:instance-profile/dataloop/{profile}"
    iam.add_role_to_instance_profile(InstanceProfileName=profile, **role)
    assert iam.list_role_policies(**role)["PolicyNames"] == ["inline"]
    assert iam.get_role_policy(**role, PolicyName="inline")["PolicyDocument"] == json.loads(document)
    assert [entry["PolicyArn"] for entry in iam.list_attached_role_policies(**role)["AttachedPolicies"]] == [arn]
    found = iam.list_instance_profiles_for_role(**role)["InstanceProfiles"]
    assert [entry["InstanceProfileName"] for entry in found] == [profile]
    assert iam.list_role_tags(**role)["Tags"] == tags("r")
    iam.delete_role_policy(**role, PolicyName="inline")
    assert world.refused(lambda: iam.get_role_policy(**role, PolicyName="inline")) == ("NoSuchEntity", 404)


def test_uses_and_versions_of_a_policy_are_told(world: Any) -> None:
    iam, (user_arn, _) = world.client("iam"), world.user()
    world.role(user_arn)
    iam.create_group(GroupName=f"group-{world.tag}")
    arn = managed(world)
    nothing = iam.list_entities_for_policy(PolicyArn=arn)
    assert (nothing["PolicyUsers"], nothing["PolicyRoles"], nothing["PolicyGroups"]) == ([], [], [])
    iam.attach_role_policy(RoleName=f"role-{world.tag}", PolicyArn=arn)
    iam.attach_group_policy(GroupName=f"group-{world.tag}", PolicyArn=arn)
    iam.put_user_permissions_boundary(UserName=f"user-{world.tag}", PermissionsBoundary=arn)

    def using(**more: str) -> tuple[list[str], list[str], list[str]]:
        found = iam.list_entities_for_policy(PolicyArn=arn, **more)
        kinds = (("PolicyUsers", "UserName"), ("PolicyRoles", "RoleName"), ("PolicyGroups", "GroupName"))
        users, roles, groups = ([entry[name] for entry in found[kind]] for kind, name in kinds)
        return users, roles, groups

    user, role, group = [f"user-{world.tag}"], [f"role-{world.tag}"], [f"group-{world.tag}"]
    assert using() == (user, role, group)
    assert using(PolicyUsageFilter="PermissionsPolicy") == ([], role, group)
    assert using(PolicyUsageFilter="PermissionsBoundary") == (user, [], [])
    assert using(EntityFilter="Role") == ([], role, [])
    assert using(PathPrefix="/elsewhere/") == ([], [], [])
    wider = world.policy(world.allow("s3:*", "*"))
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=wider, SetAsDefault=True)
    versions = {
        entry["VersionId"]: entry["IsDefaultVersion"] for entry in iam.list_policy_versions(PolicyArn=arn)["Versions"]
    }
    assert versions == {"v1": False, "v2": True}
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]
    assert document == json.loads(wider)
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == tags("p")


def test_policies_that_aws_keeps_can_be_attached_and_limit(world: Any) -> None:
    bucket, (arn, user), iam = world.bucket(), world.user(), world.client("iam")
    role, name = world.role(arn), f"role-{world.tag}"
    full, read = (f"arn:aws:iam::aws:policy/AmazonS3{what}Access" for what in ("Full", "ReadOnly"))
    iam.attach_role_policy(RoleName=name, PolicyArn=full)
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"][0]["PolicyArn"] == full
    version = iam.get_policy(PolicyArn=full)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=full, VersionId=version)["PolicyVersion"]["Document"]
    assert "s3:*" in document["Statement"][0]["Action"]
    s3 = world.client("s3", **world.session(user, role))
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=read)
    s3.get_object(Bucket=bucket, Key="k")
    assert world.refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"")) == ("AccessDenied", 403)
    none = {"RoleName": name, "PolicyArn": "arn:aws:iam::aws:policy/NoSuchPolicy"}
    assert world.refused(lambda: iam.attach_role_policy(**none)) == ("NoSuchEntity", 404)


def test_boundary_is_put_shown_and_taken_away_on_role_and_user(world: Any) -> None:
    iam, (user_arn, _), boundary = world.client("iam"), world.user(), managed(world, path="/limits/")
    world.role(user_arn)
    for kind, name in (("user", "UserName"), ("role", "RoleName")):
        bearer = {name: f"{kind}-{world.tag}"}
        put, get = getattr(iam, f"put_{kind}_permissions_boundary"), getattr(iam, f"get_{kind}")
        put(**bearer, PermissionsBoundary=boundary)
        shown = get(**bearer)[kind.title()]["PermissionsBoundary"]
        assert shown["PermissionsBoundaryArn"] == boundary
        getattr(iam, f"delete_{kind}_permissions_boundary")(**bearer)
        assert "PermissionsBoundary" not in get(**bearer)[kind.title()]
        missing = f"{boundary}-none"
        refused = world.refused(lambda put=put, bearer=bearer, m=missing: put(**bearer, PermissionsBoundary=m))
        assert refused == ("NoSuchEntity", 404)


def test_renamed_user_keeps_id_keys_tags_groups_and_trust(world: Any) -> None:
    iam, (arn, user) = world.client("iam"), world.user()
    old, new, group = f"user-{world.tag}", f"renamed-{world.tag}", f"group-{world.tag}"
    role = world.role(arn)
    iam.tag_user(UserName=old, Tags=tags("u"))
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=old)
    user_id = iam.get_user(UserName=old)["User"]["UserId"]
    iam.create_user(UserName=f"taken-{world.tag}")
    taken = world.refused(lambda: iam.update_user(UserName=old, NewUserName=f"taken-{world.tag}"))
    assert taken == ("EntityAlreadyExists", 409)
    iam.update_user(UserName=old, NewUserName=new, NewPath="/moved/")
    found = iam.get_user(UserName=new)["User"]
    assert (found["UserId"], found["Tags"]) == (user_id, tags("u"))
    assert found["Arn"] == f"arn:aws:iam::{world.server.account_id}:user/moved/{new}"
    assert iam.list_user_tags(UserName=new)["Tags"] == tags("u")
    assert [entry["GroupName"] for entry in iam.list_groups_for_user(UserName=new)["Groups"]] == [group]
    shown = iam.get_role(RoleName=f"role-{world.tag}")["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"]["AWS"] == found["Arn"]
    assert world.session(user, role)["token"]
    assert iam.get_access_key_last_used(AccessKeyId=user["key"])["UserName"] == new
    iam.create_user(UserName=old)
    assert iam.list_user_tags(UserName=old)["Tags"] == []


def test_names_with_a_path_have_it_in_their_arn_and_are_decided_by_it(world: Any) -> None:
    iam, account = world.client("iam"), world.server.account_id
    arn = iam.create_user(UserName=f"inside-{world.tag}", Path="/dataloop/")["User"]["Arn"]
    assert arn == f"arn:aws:iam::{account}:user/dataloop/inside-{world.tag}"
    assert managed(world, path="/dataloop/") == f"arn:aws:iam::{account}:policy/dataloop/policy-{world.tag}"
    role = world.role(arn, Path="/dataloop/")
    assert role == f"arn:aws:iam::{account}:role/dataloop/role-{world.tag}"
    iam.create_user(UserName=f"outside-{world.tag}")
    _, limited = world.user("limited")
    document = world.policy(world.allow("iam:*", f"arn:aws:iam::{account}:user/dataloop/*"))
    iam.put_user_policy(UserName=f"limited-{world.tag}", PolicyName="path", PolicyDocument=document)
    by_path = world.client("iam", **limited)
    assert by_path.get_user(UserName=f"inside-{world.tag}")["User"]["Arn"] == arn
    assert by_path.create_user(UserName=f"new-{world.tag}", Path="/dataloop/")["User"]["Path"] == "/dataloop/"
    for call in (
        lambda: by_path.get_user(UserName=f"outside-{world.tag}"),
        lambda: by_path.create_user(UserName=f"other-{world.tag}"),
        lambda: by_path.get_role(RoleName=f"role-{world.tag}"),
    ):
        assert world.refused(call) == ("AccessDenied", 403)


# Call of the audit -> what it is about; each must need the action of its own name on just that.
READS: dict[str, str] = {
    "list_access_keys": "user",
    "list_user_policies": "user",
    "get_user_policy": "user",
    "list_attached_user_policies": "user",
    "list_groups_for_user": "user",
    "get_login_profile": "user",
    "list_mfa_devices": "user",
    "list_ssh_public_keys": "user",
    "list_signing_certificates": "user",
    "list_service_specific_credentials": "user",
    "list_user_tags": "user",
    "get_user": "user",
    "list_role_policies": "role",
    "get_role_policy": "role",
    "list_attached_role_policies": "role",
    "list_instance_profiles_for_role": "role",
    "list_role_tags": "role",
    "get_role": "role",
    "get_policy": "policy",
    "list_entities_for_policy": "policy",
    "list_policy_versions": "policy",
    "get_policy_version": "policy",
    "list_policy_tags": "policy",
    "list_roles": "*",
}


@pytest.fixture(scope="module")
def audited(shared_world: Any) -> Any:
    """A user, a role and a policy with something of each kind, and an auditor."""
    world = shared_world
    iam, (arn, _) = world.client("iam"), world.user()
    world.role(arn)
    document = world.policy(world.allow("s3:*", "*"))
    iam.put_user_policy(UserName=f"user-{world.tag}", PolicyName="inline", PolicyDocument=document)
    iam.put_role_policy(RoleName=f"role-{world.tag}", PolicyName="inline", PolicyDocument=document)
    iam.create_login_profile(UserName=f"user-{world.tag}", Password="Correct-horse-1")
    managed(world)
    return world, world.user("auditor")[1]


@pytest.mark.parametrize("call", READS)
def test_each_question_needs_the_action_of_its_own_name(audited: Any, call: str) -> None:
    world, auditor = audited
    account, kind = f"arn:aws:iam::{world.server.account_id}", READS[call]
    resource = "*" if kind == "*" else f"{account}:{kind}/{kind}-{world.tag}"
    names = {"user": {"UserName": f"user-{world.tag}"}, "role": {"RoleName": f"role-{world.tag}"}, "*": {}}
    arguments: dict[str, str] = dict(names.get(kind, {"PolicyArn": resource}))
    if call in ("get_user_policy", "get_role_policy"):
        arguments["PolicyName"] = "inline"
    if call == "get_policy_version":
        arguments["VersionId"] = "v1"
    iam = world.client("iam", **auditor)
    action = f"iam:{iam.meta.method_to_api_mapping[call]}"

    def ask() -> Any:
        return getattr(iam, call)(**arguments)

    def grant(*statements: Any) -> None:
        document = world.policy(*statements)
        world.client("iam").put_user_policy(UserName=f"auditor-{world.tag}", PolicyName="own", PolicyDocument=document)

    grant({"Effect": "Allow", "NotAction": action, "Resource": "*"})
    code, message = world.refusal(ask)
    assert code == "AccessDenied"
    assert f"perform: {action} on resource: {resource} because no identity-based policy" in message
    grant(world.allow(action, resource))
    ask()


def test_tags_at_creation_roles_in_profiles_and_group_members_need_their_own_permission(world: Any) -> None:
    _, maker = world.user("maker")
    iam, admin = world.client("iam", **maker), world.client("iam")

    def grant(*actions: str) -> None:
        document = world.policy(world.allow(list(actions), "*"))
        admin.put_user_policy(UserName=f"maker-{world.tag}", PolicyName="own", PolicyDocument=document)

    world.role(world.user()[0])
    admin.create_instance_profile(InstanceProfileName=f"profile-{world.tag}")
    tagged: dict[str, Callable[[], Any]] = {
        "User": lambda: iam.create_user(UserName=f"tagged-{world.tag}", Tags=tags("u")),
        "Policy": lambda: iam.create_policy(
            PolicyName=f"tagged-{world.tag}", PolicyDocument=world.policy(world.allow("s3:*", "*")), Tags=tags("p")
        ),
    }
    for kind, call in tagged.items():
        grant(f"iam:Create{kind}")
        assert f"iam:Tag{kind}" in world.refusal(call)[1]
        grant(f"iam:Create{kind}", f"iam:Tag{kind}")
        call()
    add = {"InstanceProfileName": f"profile-{world.tag}", "RoleName": f"role-{world.tag}"}
    grant("iam:AddRoleToInstanceProfile")
    assert "iam:PassRole" in world.refusal(lambda: iam.add_role_to_instance_profile(**add))[1]
    grant("iam:AddRoleToInstanceProfile", "iam:PassRole")
    iam.add_role_to_instance_profile(**add)
    admin.create_group(GroupName=f"group-{world.tag}")
    document = world.policy(world.allow("iam:AddUserToGroup", f"arn:aws:iam::{world.server.account_id}:user/*"))
    admin.put_user_policy(UserName=f"maker-{world.tag}", PolicyName="own", PolicyDocument=document)
    join = {"GroupName": f"group-{world.tag}", "UserName": f"maker-{world.tag}"}
    assert f":group/group-{world.tag}" in world.refusal(lambda: iam.add_user_to_group(**join))[1]


def test_a_boundary_of_the_target_is_a_condition(world: Any) -> None:
    admin, boundary = world.client("iam"), managed(world)
    _, deployer = world.user("deployer")
    world.role(world.user()[0])
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    document = world.policy(world.allow(["iam:CreateRole", "iam:PutRolePolicy"], "*", Condition=condition))
    admin.put_user_policy(UserName=f"deployer-{world.tag}", PolicyName="own", PolicyDocument=document)
    iam, inline = world.client("iam", **deployer), world.policy(world.allow("s3:*", "*"))
    put = {"RoleName": f"role-{world.tag}", "PolicyName": "inline", "PolicyDocument": inline}
    assert world.refused(lambda: iam.put_role_policy(**put)) == ("AccessDenied", 403)
    admin.put_role_permissions_boundary(RoleName=f"role-{world.tag}", PermissionsBoundary=boundary)
    iam.put_role_policy(**put)
    trust = world.policy({"Effect": "Allow", "Principal": {"AWS": world.server.account_id}, "Action": "sts:AssumeRole"})
    new = {"RoleName": f"new-{world.tag}", "AssumeRolePolicyDocument": trust}
    assert world.refused(lambda: iam.create_role(**new)) == ("AccessDenied", 403)
    iam.create_role(**new, PermissionsBoundary=boundary)


def test_a_user_goes_only_once_all_that_hangs_on_it_is_gone(world: Any) -> None:
    iam, name, group = world.client("iam"), f"user-{world.tag}", f"group-{world.tag}"
    world.user()
    key = iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"]
    user, arn = {"UserName": name}, managed(world)
    iam.put_user_policy(**user, PolicyName="inline", PolicyDocument=world.policy(world.allow("s3:*", "*")))
    iam.attach_user_policy(**user, PolicyArn=arn)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, **user)
    iam.create_login_profile(**user, Password="Correct-horse-1")
    ssh = iam.upload_ssh_public_key(**user, SSHPublicKeyBody=SSH_KEY)["SSHPublicKey"]["SSHPublicKeyId"]
    git = iam.create_service_specific_credential(**user, ServiceName="codecommit.amazonaws.com")
    git_id = git["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    obstacles: list[tuple[str, Callable[[], Any]]] = [
        ("must delete access keys first", lambda: iam.delete_access_key(**user, AccessKeyId=key)),
        ("must delete login profile first", lambda: iam.delete_login_profile(**user)),
        ("must delete SSH public keys", lambda: iam.delete_ssh_public_key(**user, SSHPublicKeyId=ssh)),
        (
            "must delete service specific credentials",
            lambda: iam.delete_service_specific_credential(**user, ServiceSpecificCredentialId=git_id),
        ),
        ("must remove users from group first", lambda: iam.remove_user_from_group(GroupName=group, **user)),
        ("must detach all policies first", lambda: iam.detach_user_policy(**user, PolicyArn=arn)),
        ("must delete policies first", lambda: iam.delete_user_policy(**user, PolicyName="inline")),
    ]
    for word, mend in obstacles:
        code, message = world.refusal(lambda: iam.delete_user(**user))
        assert (code, word in message) == ("DeleteConflict", True), message
        mend()
    iam.delete_user(**user)
    assert world.refused(lambda: iam.get_user(**user)) == ("NoSuchEntity", 404)


def test_a_role_a_group_and_a_policy_in_use_stay(world: Any) -> None:
    iam, (user_arn, _), arn = world.client("iam"), world.user(), managed(world)
    world.role(user_arn)
    role, group, profile = f"role-{world.tag}", f"group-{world.tag}", f"profile-{world.tag}"
    inline = world.policy(world.allow("s3:*", "*"))
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=inline)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    iam.put_user_permissions_boundary(UserName=f"user-{world.tag}", PermissionsBoundary=arn)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=f"user-{world.tag}")

    def conflicts(call: Callable[[], Any]) -> None:
        assert world.refused(call) == ("DeleteConflict", 409)

    conflicts(lambda: iam.delete_instance_profile(InstanceProfileName=profile))
    for mend in (
        lambda: iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role),
        lambda: iam.detach_role_policy(RoleName=role, PolicyArn=arn),
        lambda: iam.delete_role_policy(RoleName=role, PolicyName="inline"),
    ):
        conflicts(lambda: iam.delete_role(RoleName=role))
        mend()
    iam.delete_role(RoleName=role)
    conflicts(lambda: iam.delete_policy(PolicyArn=arn))
    iam.delete_user_permissions_boundary(UserName=f"user-{world.tag}")
    iam.delete_policy(PolicyArn=arn)
    conflicts(lambda: iam.delete_group(GroupName=group))
    iam.remove_user_from_group(GroupName=group, UserName=f"user-{world.tag}")
    iam.delete_group(GroupName=group)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_group(GroupName=group)

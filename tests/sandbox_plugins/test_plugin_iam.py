"""The IAM resource types, through a served plugin, on the sandbox AWS."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from plugin_driver import PluginProcess, Resource, call_error

from sandbox.plugins.values import UNKNOWN, Secret, Unknown

USER, KEY = "aws:iam/user:User", "aws:iam/accessKey:AccessKey"
ROLE, POLICY = "aws:iam/role:Role", "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def trust(arn: str, sid: str = "Trust") -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def permission(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "arn:aws:s3:::some-bucket/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def name() -> str:
    return f"plugin-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def user(aws_plugin: PluginProcess, name: str) -> Iterator[Resource]:
    resource = aws_plugin.resource(USER)
    resource.create({"name": name, "forceDestroy": True})
    yield resource
    resource.delete()


@pytest.fixture
def policy(aws_plugin: PluginProcess, name: str) -> Iterator[Resource]:
    resource = aws_plugin.resource(POLICY)
    resource.create({"name": name, "policy": permission("s3:GetObject")})
    yield resource
    resource.delete()


@pytest.fixture
def role(aws_plugin: PluginProcess, user: Resource, name: str) -> Iterator[Resource]:
    resource = aws_plugin.resource(ROLE)
    resource.create({"name": name, "assumeRolePolicy": json.dumps(trust(user.outputs["arn"]))})
    yield resource
    resource.delete()


def test_a_user_goes_through_its_life(aws_plugin: PluginProcess, policy: Resource, iam: Any, name: str) -> None:
    user, inputs = aws_plugin.resource(USER), {"name": name, "tags": {"team": "data"}}
    created = user.create(inputs)
    assert user.id == name
    assert created["path"] == "/" and created["uniqueId"].startswith("AIDA")
    assert created["tagsAll"] == {"managed-by": "pulumi", "team": "data"}
    assert user.refresh() == created
    assert user.changes(inputs) == {}

    changed = {"name": name, "permissionsBoundary": policy.id, "tags": {"team": "ml"}}
    assert user.changes(changed) == {"permissionsBoundary": "ADD", "tags.team": "UPDATE"}
    assert user.update(changed)["permissionsBoundary"] == policy.id
    assert user.changes(changed) == {}
    assert user.changes(inputs) == {"permissionsBoundary": "DELETE", "tags.team": "UPDATE"}
    user.update(inputs)
    assert "PermissionsBoundary" not in iam.get_user(UserName=name)["User"]

    user.delete()
    assert user.refresh() is None
    user.delete()


def test_a_user_is_renamed_and_moved_in_place(user: Resource, iam: Any, name: str) -> None:
    wanted = {"name": f"{name}-new", "path": "/dataloop/", "forceDestroy": True}
    answer = user.diff(wanted)
    assert set(answer.detailedDiff) == {"name", "path"} and not answer.replaces
    assert user.update(wanted, preview=True)["arn"] == user.outputs["arn"]
    unique_id = user.outputs["uniqueId"]
    updated = user.update(wanted)
    assert updated["arn"].endswith(f":user/dataloop/{name}-new") and updated["uniqueId"] == unique_id
    assert iam.get_user(UserName=f"{name}-new")["User"]["UserId"] == unique_id
    # moto forgets a user's tags when it is renamed, so that only these are looked at
    assert not {"name", "path"} & set(user.changes(wanted))


def test_a_user_that_was_renamed_in_place_is_not_found_by_its_id(user: Resource, iam: Any, name: str) -> None:
    renamed = {"name": f"{name}-new", "forceDestroy": True}
    user.update(renamed)
    assert user.id == name
    user.outputs["tagsAll"] = {"managed-by": "pulumi"}  # IAM keeps the tags of a renamed user, moto forgets them

    assert "NoSuchEntity" in call_error(user.update, {**renamed, "tags": {"team": "ml"}}).details()
    assert "it is gone" in call_error(user.update, {**renamed, "forceDestroy": False}).details()
    # A rename alone goes by the recorded name.
    renamed["name"] = f"{name}-newer"
    assert user.update(renamed)["name"] == f"{name}-newer"

    user.delete()
    assert iam.get_user(UserName=f"{name}-newer")["User"]["UserName"] == f"{name}-newer"
    assert user.refresh() is None


def test_the_key_of_a_user_that_was_renamed_in_place_is_left_behind(
    aws_plugin: PluginProcess, user: Resource, iam: Any, name: str
) -> None:
    key = aws_plugin.resource(KEY)
    key.create({"user": name})
    user.update({"name": f"{name}-new", "forceDestroy": True})
    key.delete()
    left = iam.list_access_keys(UserName=f"{name}-new")["AccessKeyMetadata"]
    assert [found["AccessKeyId"] for found in left] == [key.id]
    assert key.refresh() is None


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (KEY, {"user": "nobody-by-this-name"}),
        (ATTACHMENT, {"role": "nobody-by-this-name", "policyArn": "arn:aws:iam::123456789012:policy/none"}),
    ],
)
def test_what_belongs_to_nothing_is_refused_without_a_wait(
    aws_plugin: PluginProcess, token: str, inputs: dict[str, Any]
) -> None:
    started = time.monotonic()
    assert "NoSuchEntity" in call_error(aws_plugin.resource(token).create, inputs).details()
    assert time.monotonic() - started < 5


def test_drift_of_a_users_tags_is_seen_and_mended(user: Resource, iam: Any, name: str) -> None:
    inputs = {"name": name, "forceDestroy": True}
    iam.untag_user(UserName=name, TagKeys=["managed-by"])
    iam.tag_user(UserName=name, Tags=[{"Key": "stray", "Value": "1"}, {"Key": "AKIAEXAMPLE", "Value": "DataLoop"}])
    user.refresh()
    assert user.outputs["tags"] == {"stray": "1"}
    assert user.changes(inputs) == {"tags": "DELETE"}
    user.update(inputs)
    live = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=name)["Tags"]}
    assert live == {"managed-by": "pulumi", "AKIAEXAMPLE": "DataLoop"}


def test_a_lost_default_tag_alone_is_a_change(user: Resource, iam: Any, name: str) -> None:
    iam.untag_user(UserName=name, TagKeys=["managed-by"])
    user.refresh()
    assert user.changes({"name": name, "forceDestroy": True}) == {'tagsAll["managed-by"]': "ADD"}


def test_a_user_with_a_foreign_key_is_only_deleted_by_force(aws_plugin: PluginProcess, iam: Any, name: str) -> None:
    user = aws_plugin.resource(USER)
    user.create({"name": name})
    iam.create_access_key(UserName=name)
    error = call_error(user.delete)
    assert "DeleteConflict" in error.details() and name in error.details()
    user.update({"name": name, "forceDestroy": True})
    user.delete()
    assert user.refresh() is None


def test_an_access_key_goes_through_its_life(aws_plugin: PluginProcess, user: Resource, iam: Any, name: str) -> None:
    key = aws_plugin.resource(KEY)
    created = key.create({"user": name})
    assert key.id.startswith("AKIA") and created["status"] == "Active"
    assert isinstance(created["secret"], Secret) and isinstance(created["sesSmtpPasswordV4"], Secret)
    secret = created["secret"].value
    refreshed = key.refresh()
    assert refreshed is not None and refreshed["secret"] == secret
    assert key.changes({"user": name}) == {}

    assert key.changes({"user": name, "status": "Inactive"}) == {"status": "UPDATE"}
    key.update({"user": name, "status": "Inactive"})
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    assert key.outputs["secret"] == Secret(secret)

    elsewhere = key.diff({"user": "somebody-else"})
    assert list(elsewhere.replaces) == ["user"] and not elsewhere.deleteBeforeReplace
    unknown = key.diff({"user": UNKNOWN})
    assert list(unknown.replaces) == ["user"]

    imported = aws_plugin.resource(KEY)
    assert imported.import_(key.id) == {"status": "Inactive", "user": name}
    key.delete()
    assert key.refresh() is None
    key.delete()


def test_an_access_key_can_be_created_inactive(aws_plugin: PluginProcess, user: Resource, name: str) -> None:
    key = aws_plugin.resource(KEY)
    assert key.create({"user": name, "status": "Inactive"})["status"] == "Inactive"
    assert key.changes({"user": name, "status": "Inactive"}) == {}


def test_a_role_goes_through_its_life(
    aws_plugin: PluginProcess, user: Resource, policy: Resource, iam: Any, name: str
) -> None:
    arn = user.outputs["arn"]
    role, inputs = aws_plugin.resource(ROLE), {"name": name, "assumeRolePolicy": json.dumps(trust(arn))}
    created = role.create(inputs)
    assert role.id == name and created["maxSessionDuration"] == 3600 and created["uniqueId"].startswith("AROA")
    assert role.refresh() == created
    assert role.changes(inputs) == {}
    respelled = trust(arn)
    respelled["Statement"][0].update(Action=["sts:AssumeRole"], Principal={"AWS": [arn]})
    assert role.changes({**inputs, "assumeRolePolicy": json.dumps(respelled, indent=1)}) == {}

    changed = {
        "name": name,
        "assumeRolePolicy": json.dumps(trust(arn, "Other")),
        "description": "for Dataloop",
        "maxSessionDuration": 7200,
        "permissionsBoundary": policy.id,
        "tags": {"team": "ml"},
    }
    assert role.changes(changed) == {
        "assumeRolePolicy": "UPDATE",
        "description": "ADD",
        "maxSessionDuration": "UPDATE",
        "permissionsBoundary": "ADD",
        "tags.team": "ADD",
    }
    role.update(changed)
    assert role.changes(changed) == {}
    live = iam.get_role(RoleName=name)["Role"]
    assert live["MaxSessionDuration"] == 7200 and live["Description"] == "for Dataloop"
    assert live["AssumeRolePolicyDocument"]["Statement"][0]["Sid"] == "Other"

    for replacing in ({"path": "/x/"}, {"name": f"{name}-2"}):
        answer = role.diff({**changed, **replacing})
        assert list(answer.replaces) == list(replacing) and answer.deleteBeforeReplace
    role.delete()
    assert role.refresh() is None
    role.delete()


def test_a_trust_that_lost_its_user_shows_the_orphaned_id(
    aws_plugin: PluginProcess, role: Resource, iam: Any, name: str
) -> None:
    old_id, arn = iam.get_user(UserName=name)["User"]["UserId"], iam.get_user(UserName=name)["User"]["Arn"]
    iam.delete_user(UserName=name)
    iam.create_user(UserName=name)
    refreshed = role.refresh()
    assert refreshed is not None and old_id in refreshed["assumeRolePolicy"]
    inputs = {"name": name, "assumeRolePolicy": json.dumps(trust(arn))}
    assert role.changes(inputs) == {"assumeRolePolicy": "UPDATE"}
    role.update(inputs)
    refreshed = role.refresh()
    assert refreshed is not None and old_id not in refreshed["assumeRolePolicy"]


def test_a_policy_goes_through_more_versions_than_iam_keeps(policy: Resource, iam: Any, name: str) -> None:
    for number in range(7):
        wanted = {"name": name, "policy": permission("s3:GetObject", f"s3:Get{number}*")}
        assert policy.changes(wanted) == {"policy": "UPDATE"}
        policy.update(wanted)
        assert policy.changes(wanted) == {}
    versions = iam.list_policy_versions(PolicyArn=policy.id)["Versions"]
    assert len(versions) == 5
    default = next(version["VersionId"] for version in versions if version["IsDefaultVersion"])
    live = iam.get_policy_version(PolicyArn=policy.id, VersionId=default)["PolicyVersion"]["Document"]
    assert live["Statement"][0]["Action"] == ["s3:GetObject", "s3:Get6*"]


def test_a_policy_is_read_compared_and_replaced(
    policy: Resource, aws_plugin: PluginProcess, iam: Any, name: str
) -> None:
    assert policy.id == policy.outputs["arn"]
    assert policy.changes({"name": name, "policy": json.dumps(json.loads(permission("s3:GetObject")), indent=4)}) == {}
    iam.create_policy_version(PolicyArn=policy.id, PolicyDocument=permission("s3:PutObject"), SetAsDefault=True)
    policy.refresh()
    assert policy.changes({"name": name, "policy": permission("s3:GetObject")}) == {"policy": "UPDATE"}
    described = policy.diff({"name": name, "policy": permission("s3:PutObject"), "description": "new"})
    assert list(described.replaces) == ["description"] and described.deleteBeforeReplace
    imported = aws_plugin.resource(POLICY)
    assert imported.import_(policy.id)["name"] == name
    assert imported.changes({"name": name, "policy": permission("s3:PutObject")}) == {}


def test_a_policy_of_a_user_s_own_goes_through_its_life(
    aws_plugin: PluginProcess, user: Resource, iam: Any, name: str
) -> None:
    policy = aws_plugin.resource("aws:iam/userPolicy:UserPolicy")
    inputs = {"user": name, "name": "own", "policy": permission("s3:GetObject")}
    policy.create(inputs)
    assert policy.id == f"{name}:own"
    assert policy.refresh() == inputs
    assert policy.changes(inputs) == {}
    policy.update(inputs | {"policy": permission("s3:PutObject")})
    live = iam.get_user_policy(UserName=name, PolicyName="own")["PolicyDocument"]
    assert live["Statement"][0]["Action"] == ["s3:PutObject"]
    policy.delete()
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []


def test_an_attachment_goes_through_its_life(
    aws_plugin: PluginProcess, role: Resource, policy: Resource, iam: Any, name: str
) -> None:
    attachment, inputs = aws_plugin.resource(ATTACHMENT), {"role": name, "policyArn": policy.id}
    attachment.create(inputs)
    assert attachment.id == f"{name}/{policy.id}"
    assert attachment.refresh() == inputs
    assert attachment.changes(inputs) == {}
    replaced = attachment.diff({"role": name, "policyArn": UNKNOWN})
    assert list(replaced.replaces) == ["policyArn"] and replaced.deleteBeforeReplace

    conflict = call_error(role.delete)
    assert "DeleteConflict" in conflict.details()
    imported = aws_plugin.resource(ATTACHMENT)
    assert imported.import_(attachment.id) == inputs
    iam.detach_role_policy(RoleName=name, PolicyArn=policy.id)
    assert attachment.refresh() is None
    attachment.delete()


def test_a_role_that_detaches_by_force_is_deleted_with_its_policies(
    aws_plugin: PluginProcess, user: Resource, policy: Resource, iam: Any, name: str
) -> None:
    role = aws_plugin.resource(ROLE)
    role.create(
        {
            "name": f"{name}-f",
            "assumeRolePolicy": json.dumps(trust(user.outputs["arn"])),
            "forceDetachPolicies": True,
        }
    )
    iam.attach_role_policy(RoleName=role.id, PolicyArn=policy.id)
    iam.put_role_policy(RoleName=role.id, PolicyName="inline", PolicyDocument=permission("s3:GetObject"))
    role.delete()
    assert role.refresh() is None


def test_a_name_that_is_taken_is_a_clear_error(aws_plugin: PluginProcess, user: Resource, name: str) -> None:
    error = call_error(aws_plugin.resource(USER).create, {"name": name})
    assert error.details().startswith(f"creating IAM user ({name}): EntityAlreadyExists")
    assert "\n" not in error.details()


def test_an_import_tells_inputs_that_change_nothing(aws_plugin: PluginProcess, role: Resource, name: str) -> None:
    imported = aws_plugin.resource(ROLE)
    inputs = imported.import_(name)
    assert inputs["name"] == name and "description" not in inputs
    assert imported.changes(inputs) == {}
    assert aws_plugin.resource(ROLE).import_("nobody-by-this-name") == {}


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        (USER, {"pgpKey": "x"}, "pgpKey", "not served"),
        (KEY, {}, "user", "required"),
        (KEY, {"user": "u", "status": "Sleeping"}, "status", "Active, Inactive"),
        (ROLE, {"assumeRolePolicy": "{", "name": "r"}, "assumeRolePolicy", "not valid JSON"),
        (ROLE, {"assumeRolePolicy": "{}", "maxSessionDuration": 60}, "maxSessionDuration", "3600"),
        (ROLE, {"assumeRolePolicy": "{}", "path": 7}, "path", "string"),
        (ROLE, {"assumeRolePolicy": "{}", "managedPolicyArns": []}, "managedPolicyArns", "not served"),
        (POLICY, {"name": "p"}, "policy", "required"),
    ],
)
def test_check_refuses_what_is_wrong_by_name(
    aws_plugin: PluginProcess, token: str, inputs: dict[str, Any], path: str, reason: str
) -> None:
    failures = aws_plugin.resource(token).check(inputs)
    assert set(failures) == {path} and reason in failures[path]


def test_check_accepts_unknowns_anywhere(aws_plugin: PluginProcess) -> None:
    role = aws_plugin.resource(ROLE)
    assert role.check({"assumeRolePolicy": UNKNOWN, "maxSessionDuration": UNKNOWN, "name": UNKNOWN}) == {}
    assert isinstance(role.checked["assumeRolePolicy"], Unknown)


def test_a_type_that_is_not_served_is_refused_by_name(aws_plugin: PluginProcess) -> None:
    error = call_error(aws_plugin.resource("aws:ec2/vpc:Vpc").check, {})
    assert "aws:ec2/vpc:Vpc is not served" in error.details()

"""The stand-ins under the real engine, with the official SDKs."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_command as command
import pytest
from engine_stacks import MakeStack, aws_provider, changes, steps_of
from pulumi import automation

from sandbox.aws.server import AwsServer

# importing pulumi_aws warns of each old resource type that it still has
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws.*")


@dataclass
class Wanted:
    """What the program of these tests is to declare; a test changes it between two updates."""

    server: AwsServer
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:10])
    actions: tuple[str, ...] = ("s3:GetObject", "s3:DeleteObject")
    allowed_account: str = ""

    def program(self) -> None:
        name = f"engine-test-{self.suffix}"
        provider = aws_provider(self.server, allowed_account_ids=[self.allowed_account or self.server.account_id])
        options = pulumi.ResourceOptions(provider=provider)
        bucket = aws.s3.Bucket("bucket", bucket=name, force_destroy=True, opts=options)
        aws.s3.BucketOwnershipControls(
            "ownership",
            bucket=bucket.bucket,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=options,
        )
        user = aws.iam.User("user", name=name, opts=options)
        key = aws.iam.AccessKey("key", user=user.name, opts=options)
        role = aws.iam.Role("role", name=name, assume_role_policy=user.arn.apply(_trust), opts=options)
        policy = aws.iam.Policy("policy", name=name, policy=bucket.arn.apply(self._permission), opts=options)
        attachment = aws.iam.RolePolicyAttachment("attachment", role=role.name, policy_arn=policy.arn, opts=options)
        check = command.local.Command(
            "check",
            create="cat > /dev/null; echo checked",
            stdin=pulumi.Output.json_dumps({"secret": key.secret, "policy": policy.policy}),
            logging=command.local.Logging.NONE,
            opts=pulumi.ResourceOptions(depends_on=[attachment]),
        )
        pulumi.export("secret", key.secret)
        pulumi.export("checked", pulumi.Output.unsecret(check.stdout))
        pulumi.export(
            "account", aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider)).account_id
        )

    def _permission(self, arn: str) -> str:
        statement = {"Effect": "Allow", "Action": list(self.actions), "Resource": f"{arn}/*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _trust(arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_program_is_created_changed_refreshed_and_destroyed(
    stack_of: MakeStack, aws_server: AwsServer, iam: Any, s3: Any, tmp_path: Path
) -> None:
    wanted = Wanted(aws_server)
    stack, name = stack_of(wanted.program), f"engine-test-{wanted.suffix}"
    created = stack.up()
    assert changes(created) == {"create": 10}
    assert created.outputs["checked"].value == "checked" and not created.outputs["checked"].secret
    assert created.outputs["account"].value == aws_server.account_id
    secret = created.outputs["secret"].value
    assert created.outputs["secret"].secret and len(secret) == 40
    for path in (tmp_path / "backend").rglob("*.json*"):
        assert secret not in path.read_text(errors="replace")
    assert secret not in created.stdout

    s3.put_object(Bucket=name, Key="a", Body=b"x")
    iam.update_role(RoleName=name, Description="edited by hand")
    iam.tag_user(UserName=name, Tags=[{"Key": "AKIAEXAMPLE", "Value": "DataLoop"}])
    wanted.actions = ("s3:GetObject",)
    mended = stack.up(refresh=True)
    assert changes(mended) == {"same": 7, "update": 3}, (
        mended.stdout
    )  # the policy, the check, and the role's description
    assert (
        "Description" not in iam.get_role(RoleName=name)["Role"]
        or not iam.get_role(RoleName=name)["Role"]["Description"]
    )
    assert changes(stack.up()) == {"same": 10}

    stack.destroy()
    assert name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert name not in {user["UserName"] for user in iam.list_users()["Users"]}
    assert name not in {role["RoleName"] for role in iam.list_roles()["Roles"]}


def test_another_account_stops_everything_with_a_clear_message(
    stack_of: MakeStack, aws_server: AwsServer, iam: Any
) -> None:
    wanted = Wanted(aws_server, allowed_account=aws_server.other_account_id)
    with pytest.raises(automation.CommandError) as caught:
        stack_of(wanted.program).up()
    message = str(caught.value)
    assert f"belong to account {aws_server.account_id}" in message and aws_server.other_account_id in message
    assert "Traceback" not in message.split("stderr:")[0]
    assert f"engine-test-{wanted.suffix}" not in {user["UserName"] for user in iam.list_users()["Users"]}


@dataclass
class UserWithKey:
    """A user and its key; the user's name and options change between two updates."""

    server: AwsServer
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def program(self) -> None:
        provider = aws_provider(self.server)
        user = aws.iam.User("user", name=self.name, opts=pulumi.ResourceOptions(provider=provider, **self.options))
        aws.iam.AccessKey("key", user=user.name, opts=pulumi.ResourceOptions(provider=provider))


def _user_names(iam: Any, prefix: str) -> list[str]:
    return sorted(user["UserName"] for user in iam.list_users()["Users"] if user["UserName"].startswith(prefix))


def test_a_user_renamed_in_place_is_lost_to_the_engine(stack_of: MakeStack, aws_server: AwsServer, iam: Any) -> None:
    name = f"engine-test-{uuid.uuid4().hex[:10]}"
    wanted = UserWithKey(aws_server, name)
    stack = stack_of(wanted.program)
    stack.up()
    wanted.name = f"{name}-new"
    assert steps_of(stack.up) == ["update user", "create-replacement key", "delete-replaced key"]
    assert len(iam.list_access_keys(UserName=wanted.name)["AccessKeyMetadata"]) == 2  # no key is deleted
    assert changes(stack.refresh())["delete"] == 1
    stack.destroy()
    assert _user_names(iam, name) == [f"{name}-new"]


def test_replace_on_changes_replaces_a_renamed_user_and_creates_first(
    stack_of: MakeStack, aws_server: AwsServer, iam: Any
) -> None:
    name = f"engine-test-{uuid.uuid4().hex[:10]}"
    wanted = UserWithKey(aws_server, name, {"replace_on_changes": ["name"]})
    stack = stack_of(wanted.program)
    stack.up()
    wanted.name = f"{name}-new"
    assert steps_of(stack.up) == [
        "create-replacement user",
        "create-replacement key",
        "delete-replaced key",
        "delete-replaced user",
    ]
    assert _user_names(iam, name) == [f"{name}-new"]
    assert len(iam.list_access_keys(UserName=wanted.name)["AccessKeyMetadata"]) == 1
    assert changes(stack.refresh()) == {"same": 4}
    stack.destroy()
    assert _user_names(iam, name) == []


def test_another_region_of_the_provider_moves_a_bucket_with_its_settings(
    stack_of: MakeStack, aws_server: AwsServer, s3: Any
) -> None:
    name, region = f"engine-test-{uuid.uuid4().hex[:10]}", ["us-east-1"]

    def program() -> None:
        options = pulumi.ResourceOptions(provider=aws_provider(aws_server, region=region[0]))
        bucket = aws.s3.Bucket("bucket", bucket=name, opts=options)
        aws.s3.BucketPublicAccessBlock("access", bucket=bucket.bucket, block_public_acls=True, opts=options)

    stack = stack_of(program)
    stack.up()
    region[0] = "eu-west-1"
    assert steps_of(stack.up) == [
        "delete-replaced access",
        "delete-replaced bucket",
        "create-replacement bucket",
        "create-replacement access",
    ]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert changes(stack.up()) == {"same": 4}
    stack.destroy()

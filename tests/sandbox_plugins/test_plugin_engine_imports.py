"""How the real engine adopts what was made by hand, with the option `import_` and by `pulumi import`."""

from __future__ import annotations

import functools
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import handmade
import pulumi
import pulumi_aws as aws
import pytest
from engine_stacks import MakeStack, aws_provider, steps_of
from handmade import HandMade
from pulumi import automation

from sandbox.aws.server import AwsServer

# importing pulumi_aws warns of each old resource type that it still has
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws.*")

# What each resource must ignore for an import that changes nothing. A wildcard does not do: it leaves out the default
# tags and what the provider cannot read, and it takes over whatever else the import has read.
EVERYTHING = {
    "bucket": ["forceDestroy", "tags", "tagsAll"],
    "access": ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"],
    "ownership": ["rule"],
    "encryption": ["rules"],
    "tls": ["policy"],
    "user": ["forceDestroy", "path", "permissionsBoundary", "tags", "tagsAll"],
    "key": ["status"],
    "role": ["assumeRolePolicy", "description", "maxSessionDuration", "permissionsBoundary", "tags", "tagsAll"],
    "policy": ["policy", "description", "tags", "tagsAll"],
    "attachment": [],
}
# A policy's description can only be replaced.
DESCRIPTION = {"policy": ["description"]}


@dataclass
class Adopted:
    """A program that wants what was made by hand, with other settings than it has."""

    server: AwsServer
    made: HandMade
    ignored: dict[str, list[str]] = field(default_factory=dict)
    importing: bool = True
    secret: list[Any] = field(default_factory=list)

    def program(self) -> None:
        self._provider = aws_provider(self.server)
        name = self.made.name
        aws.s3.Bucket("bucket", bucket=name, opts=self._options("bucket", "s3/bucket:Bucket"))
        aws.s3.BucketPublicAccessBlock(
            "access",
            bucket=name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._options("access", "s3/bucketPublicAccessBlock:BucketPublicAccessBlock"),
        )
        aws.s3.BucketOwnershipControls(
            "ownership",
            bucket=name,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self._options("ownership", "s3/bucketOwnershipControls:BucketOwnershipControls"),
        )
        encryption = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
        aws.s3.BucketServerSideEncryptionConfiguration(
            "encryption",
            bucket=name,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=self._options("encryption", encryption),
        )
        aws.s3.BucketPolicy(
            "tls",
            bucket=name,
            policy=handmade.no_plain_http(name, "Ours"),
            opts=self._options("tls", "s3/bucketPolicy:BucketPolicy"),
        )
        user = aws.iam.User("user", name=name, opts=self._options("user", "iam/user:User"))
        key = aws.iam.AccessKey("key", user=user.name, opts=self._options("key", "iam/accessKey:AccessKey"))
        key.secret.apply(self.secret.append)
        role = aws.iam.Role(
            "role",
            name=name,
            assume_role_policy=pulumi.Output.all(user.arn, user.unique_id).apply(lambda of: handmade.trust(*of)),
            opts=self._options("role", "iam/role:Role"),
        )
        policy = aws.iam.Policy(
            "policy",
            name=name,
            policy=handmade.permission("s3:GetObject"),
            opts=self._options("policy", "iam/policy:Policy"),
        )
        aws.iam.RolePolicyAttachment(
            "attachment",
            role=role.name,
            policy_arn=policy.arn,
            opts=self._options("attachment", "iam/rolePolicyAttachment:RolePolicyAttachment"),
        )

    def _options(self, name: str, token: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            provider=self._provider,
            import_=self.made.ids[f"aws:{token}"] if self.importing else None,
            ignore_changes=self.ignored.get(name),
        )


def _live(iam: Any, s3: Any, made: HandMade) -> dict[str, Any]:
    """What the program may change of it."""
    name, policy = made.name, iam.get_policy(PolicyArn=made.policy_arn)["Policy"]
    role = iam.get_role(RoleName=name)["Role"]
    version = iam.get_policy_version(PolicyArn=made.policy_arn, VersionId=policy["DefaultVersionId"])
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    return {
        "bucket tags": _tags(s3.get_bucket_tagging(Bucket=name)["TagSet"]),
        "access": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
        "ownership": s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"],
        "encryption": rules[0]["ApplyServerSideEncryptionByDefault"],
        "tls": json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"][0]["Sid"],
        "user tags": _tags(iam.list_user_tags(UserName=name)["Tags"]),
        "key": [key["AccessKeyId"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]],
        "role": (role.get("Description"), role["MaxSessionDuration"], _tags(role["Tags"])),
        "trust": role["AssumeRolePolicyDocument"]["Statement"][0]["Sid"],
        "policy": (policy["Description"], version["PolicyVersion"]["Document"]["Statement"][0]["Action"]),
    }


def _tags(tags: list[dict[str, str]]) -> list[str]:
    return sorted(tag["Key"] for tag in tags if not tag["Key"].startswith("AKIA"))


@pytest.fixture
def made(iam: Any, s3: Any) -> HandMade:
    return handmade.make(iam, s3, f"engine-test-{uuid.uuid4().hex[:10]}")


def test_what_was_made_by_hand_is_adopted_unchanged_and_brought_in_line_in_place(
    stack_of: MakeStack, aws_server: AwsServer, iam: Any, s3: Any, made: HandMade
) -> None:
    before = _live(iam, s3, made)
    adopted = Adopted(aws_server, made, EVERYTHING)
    stack = stack_of(adopted.program)
    imports = sorted(f"import {name}" for name in EVERYTHING)
    assert sorted(steps_of(stack.preview)) == imports
    assert sorted(steps_of(stack.up)) == imports
    assert _live(iam, s3, made) == before
    assert adopted.secret == [None]
    assert steps_of(stack.preview) == []
    assert adopted.secret == [None]  # in a preview the SDK takes what is not there as unknown

    adopted.ignored = DESCRIPTION
    changed = ("access", "bucket", "encryption", "ownership", "policy", "role", "tls", "user")
    assert sorted(steps_of(stack.up)) == [f"update {name}" for name in changed]
    after = _live(iam, s3, made)
    assert after["bucket tags"] == after["user tags"] == ["managed-by"]
    assert all(after["access"].values()) and after["encryption"] == {"SSEAlgorithm": "AES256"}
    assert after["ownership"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert (after["tls"], after["trust"]) == ("Ours", iam.get_user(UserName=made.name)["User"]["UserId"])
    assert after["key"] == before["key"] == [made.access_key_id]
    assert after["role"] == ("", 3600, ["managed-by"]) and after["policy"] == ("by hand", ["s3:GetObject"])

    adopted.importing = False
    steps = steps_of(functools.partial(stack.up, refresh=True))
    assert sorted(steps) == sorted(f"refresh {name}" for name in EVERYTHING)
    adopted.ignored = {}
    assert "create-replacement policy" in steps_of(stack.preview)


def test_an_import_that_would_replace_fails_and_the_next_run_goes_on(
    stack_of: MakeStack, aws_server: AwsServer, iam: Any, s3: Any, made: HandMade
) -> None:
    adopted = Adopted(aws_server, made)
    stack = stack_of(adopted.program)
    with pytest.raises(automation.CommandError, match="previously-imported resources that still specify an ID may not"):
        stack.up()
    adopted.ignored = DESCRIPTION
    steps = steps_of(stack.up)  # an import is followed by the update that it needs
    assert {"import role", "update role", "import key", "import attachment"} <= set(steps)
    assert not [step for step in steps if step.startswith(("create", "delete"))]
    assert _live(iam, s3, made)["policy"] == ("by hand", ["s3:GetObject"])
    assert steps_of(stack.preview) == []


def test_pulumi_import_takes_a_user_in_and_refuses_one_that_is_not_there(
    stack_of: MakeStack, aws_server: AwsServer, iam: Any
) -> None:
    name, declared = f"engine-test-{uuid.uuid4().hex[:10]}", False
    iam.create_user(UserName=name, Tags=[{"Key": "managed-by", "Value": "pulumi"}])

    def program() -> None:
        options = pulumi.ResourceOptions(provider=aws_provider(aws_server))
        if declared:
            aws.iam.User("user", name=name, opts=options)

    stack = stack_of(program)
    stack.up()
    resources = stack.export_stack().deployment["resources"]
    provider = next(each["urn"] for each in resources if each["type"] == "pulumi:providers:aws")

    def take_in(user: str) -> None:
        resource: Any = {"type": "aws:iam/user:User", "name": "user", "id": user, "provider": "aws"}
        stack.import_resources(resources=[resource], name_table={"aws": provider}, protect=False, generate_code=False)

    with pytest.raises(automation.CommandError, match="resource 'nobody-by-this-name' does not exist"):
        take_in("nobody-by-this-name")
    take_in(name)
    declared = True
    assert steps_of(stack.up) == ["update user"]  # the default of forceDestroy, which no import can read

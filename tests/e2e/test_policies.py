"""Each policy of the pack stops a program that violates it, on the real engine, and lets the real program through."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.dynamic import Resource, ResourceProvider
from pulumi_command import local

from automation import engine
from automation.connection import Connection
from automation.environment import Environment, EnvironmentSettings
from automation.errors import PolicyViolated
from automation.events import Hearing
from dataloop_sts.rules import resources, stack
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.steps import frame
from tests.e2e.errors_page import is_printed
from tests.e2e.harness import CHECKOUT, Project

ACCOUNT = "123456789012"
TAGS = {"managed-by": "pulumi", "dataloop-sts:customer": "acme", "dataloop-sts:environment": "dev"}
FOLLOWING = {"preview failed", "update failed", "Resource monitor has terminated, shutting down"}
PRIVATE = {
    "block_public_acls": True,
    "block_public_policy": True,
    "ignore_public_acls": True,
    "restrict_public_buckets": True,
}


class Driver(Resource, module="dataloop", name="StorageDriver"):
    """A driver as the engine sees it; nobody makes it."""

    def __init__(self, name: str, **props: Any) -> None:
        super().__init__(ResourceProvider(), name, props)


class Programs:
    """Programs that violate one policy each, in a world where each could be made.

    Args:
        project: whose AWS it is.
    """

    def __init__(self, project: Project) -> None:
        self.endpoint = project.world.ready.aws.endpoint_url
        self.prefix = project.customer

    def provider(self, name: str, **changed: Any) -> pulumi.ResourceOptions:
        url = self.endpoint
        settings: dict[str, Any] = {
            "region": "eu-west-1",
            "allowed_account_ids": [ACCOUNT],
            "default_tags": aws.ProviderDefaultTagsArgs(tags=TAGS),
            "endpoints": [aws.ProviderEndpointArgs(iam=url, s3=url, sts=url)],
            "s3_use_path_style": True,
            "skip_metadata_api_check": True,
        }
        return pulumi.ResourceOptions(provider=aws.Provider(name, **(settings | changed)))

    def bucket(self, name: str, *, blocked: bool = True, guarded: bool = True, **more: Any) -> aws.s3.Bucket:
        bucket = aws.s3.Bucket(name, bucket=f"{self.prefix}-{name}", opts=self.opts, **more)
        if blocked:
            aws.s3.BucketPublicAccessBlock(f"{name}-block", bucket=bucket.bucket, opts=self.opts, **PRIVATE)
        if guarded:
            after = pulumi.ResourceOptions(depends_on=[bucket])
            local.Command(f"{name}-emptied", delete=frame.command("empty_bucket"), opts=after)
            local.Command(f"{name}-guard", delete=frame.command("guard"), opts=after)
        return bucket

    def role(self, name: str, principal: pulumi.Input[str]) -> aws.iam.Role:
        trust = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"},
        }
        document = pulumi.Output.json_dumps(trust)
        return aws.iam.Role(name, name=f"{self.prefix}-{name}", assume_role_policy=document, opts=self.opts)

    def described(self, name: str, description: pulumi.Input[str]) -> None:
        stdin = pulumi.Output.json_dumps({"description": description})
        local.Command(name, create=frame.command("key_description", "write"), stdin=stdin)

    def known(self) -> None:
        """One for each policy, under its name; what they violate is known in a preview."""
        self.opts = self.provider("aws")
        aws.s3.BucketPublicAccessBlock(
            "public-access-block", bucket="x", opts=self.opts, **{**PRIVATE, "block_public_policy": False}
        )
        self.bucket("public-access-block-present", blocked=False)
        self.bucket("no-forced-deletion", force_destroy=True)
        self.bucket("deletion-guarded", guarded=False)
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"}
        wide = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        aws.iam.Policy("no-wildcards", name=f"{self.prefix}-wide", policy=wide, opts=self.opts)
        theirs = f"arn:aws:iam::{ACCOUNT}:policy/theirs"
        aws.iam.RolePolicyAttachment("own-policies-only", role="x", policy_arn=theirs, opts=self.opts)
        self.role("trust-one-user", f"arn:aws:iam::{ACCOUNT}:root")
        statement["Action"] = "s3:GetObject"
        narrow = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        aws.iam.UserPolicy("user-only-assumes", user="x", policy=narrow, opts=self.opts)
        self.described("key-description", "for somebody")
        aws.iam.AccessKey("key-description-present", user="x", opts=self.opts)
        Driver("delete-flag-agrees", region="eu-west-1", bucket="x", path="raw/", allow_delete=True)
        aws.iam.User("required-tags", opts=self.provider("untagged", default_tags=None))
        self.opts = self.provider("allowed-regions", region="eu-central-1")
        aws.s3.BucketPublicAccessBlock("allowed-regions-block", bucket="x", opts=self.opts, **PRIVATE)

    def _user(self) -> aws.iam.User:
        """One that is all right; what is made of its unique id is not known in a preview."""
        self.opts = self.provider("aws")
        return aws.iam.User("user", name=f"{self.prefix}-user", opts=self.opts)

    def unknown_trust(self) -> None:
        self.role("trust-one-user", self._user().unique_id.apply(lambda _: f"arn:aws:iam::{ACCOUNT}:root"))

    def unknown_description(self) -> None:
        self.described("key-description", self._user().unique_id.apply(lambda _: "for somebody"))


def run(project: Project, program: Callable[[], None], *arguments: str) -> list[tuple[str, str]]:
    """Runs the program with the policy pack; what it was refused for, as policies and resources."""
    hearing = Hearing()
    config = project.folder / "policies.json"
    config.write_text(json.dumps({"allowed-regions": {"regions": ["eu-west-1"]}}))
    pack = ["--policy-pack", str(CHECKOUT / "policy"), "--policy-pack-config", str(config)]
    with mock.patch.dict(os.environ, project.environment), pytest.raises(engine.CommandFailed):
        engine.run(
            [*arguments, *pack, "--stack", project.stack, "--color", "never"],
            project.folder,
            project.environment,
            program=program,
            on_event=hearing,
        )
    violations = [each for each in hearing.errors if each.policy]
    assert {each.message for each in hearing.errors} - {each.message for each in violations} <= FOLLOWING
    return sorted({(each.policy, each.urn.rpartition("::")[2]) for each in violations})


def test_each_policy_stops_a_program_that_violates_it_in_the_preview(project: Project) -> None:
    """`up` too, since it begins with one: nothing at all is made."""
    before = project.world.inventory()
    violated = run(project, Programs(project).known, "up", "--yes")
    every = [rule.name for rule in (*resources.RULES, *stack.RULES)]
    assert violated == sorted([*((name, name) for name in every), ("allowed-regions", "allowed-regions-block")])
    assert project.world.inventory() == before


@pytest.mark.parametrize("policy", ["trust-one-user", "key-description"])
def test_what_a_preview_cannot_know_is_stopped_in_the_update_before_it_is_made(project: Project, policy: str) -> None:
    before, programs = project.world.inventory(), Programs(project)
    program = {"trust-one-user": programs.unknown_trust, "key-description": programs.unknown_description}[policy]
    assert run(project, program, "up", "--yes") == [(policy, policy)]
    made = {kind: sorted({*names} - {*before[kind]}) for kind, names in project.world.inventory().items()}
    assert {kind: names for kind, names in made.items() if names} == {"IAM users": [f"{project.customer}-user"]}
    assert not any("command:local:Command" in urn for urn in project.resources())


def test_settings_that_no_policy_takes_stop_the_run(empty_project: Project) -> None:
    """The engine itself passes over them, but for a policy's name without a level, which it has no words for."""
    config = empty_project.folder / "policies.json"
    config.write_text(
        json.dumps({"allowed-region": "mandatory", "required-tags": {"tag": ["team"]}, "all": "advisory"})
    )
    settings = ("--policy-pack", str(CHECKOUT / "policy"), "--policy-pack-config", str(config))
    told = empty_project.preview(*settings).refused().output
    assert is_printed("the policies' settings name 'allowed-region', which is no policy: there are <names>", told)
    assert is_printed("the policy required-tags has no setting 'tag': it takes tags", told)
    assert "'all'" not in told


def test_a_connection_is_held_to_the_policies_of_its_environment(empty_project: Project) -> None:
    project = empty_project
    config = project.folder / "policies.json"
    settings = EnvironmentSettings(sandbox=True, policy_pack=str(CHECKOUT / "policy"), policy_config=config.name)
    environment = Environment(project.stack, project.folder, settings)
    connection = Connection(environment, ConnectionSpec.parse(project.spec, environment=project.stack))
    config.write_text(json.dumps({"allowed-regions": {"regions": ["eu-central-1"]}}))
    with mock.patch.dict(os.environ, project.environment), pytest.raises(PolicyViolated) as told:
        connection.up()
    assert told.value.policies == ("allowed-regions",)
    assert "allowed-regions: user: it is in eu-west-1, and allowed is eu-central-1" in told.value.problems
    assert is_printed("Stack <stack>: refused by mandatory policies: <policy>: <resource>: <what>", str(told.value))
    assert project.owned() == {}

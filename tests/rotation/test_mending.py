"""What `repair` does with a state that notes things as under way; the engine's part is played by the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from automation import engine
from automation.cli.frame import DONE, FINDING, app
from automation.connection import Connection
from dataloop_sts.errors import AwsError
from tests.rotation.stacks import RECORD, Stack
from tests.steps.aws_world import Connected, World

URN = "urn:pulumi:dev.x::dataloop-sts::connection::"


class Engine:
    """Gives a state, and keeps what it is given back and what it is asked to read."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []
        self.pending: list[dict[str, Any]] = []
        self.backend = "file:///nowhere"
        self.imported: dict[str, Any] | None = None
        self.refreshed: list[str] = []

    def knows(self, kind: str, name: str, id_: str, /, **inputs: Any) -> None:
        """A resource of the state."""
        self.resources.append({"urn": URN + name, "type": kind, "id": id_, "inputs": inputs})

    def began(self, operation: str, kind: str, name: str, /, **inputs: Any) -> None:
        """An operation that the state notes as under way."""
        resource = {"urn": URN + name, "type": kind, "inputs": {**inputs, "__defaults": []}}
        self.pending.append({"type": operation, "resource": resource})

    def command(self, arguments: list[str]) -> str:
        """Of the CLI."""
        if arguments[:2] == ["stack", "import"]:
            self.imported = json.loads(Path(arguments[-1]).read_text())["deployment"]
        elif arguments[0] == "refresh":
            self.refreshed = [each.rpartition("::")[2] for each in arguments if each.startswith("--target")]
        manifest = {"time": datetime.now(UTC).isoformat()}
        state = {"manifest": manifest, "resources": self.resources, "pending_operations": self.pending}
        return json.dumps({"version": 3, "deployment": state})


@pytest.fixture
def pulumi(stack: Stack, world: World, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of a connection that has a record in the shell's folder."""
    made = Engine()
    stack.customer = world.tag
    stack.record()
    monkeypatch.chdir(stack.folder)
    monkeypatch.setattr(Connection, "command", lambda connection, arguments, **options: made.command(arguments))
    monkeypatch.setattr(engine, "run", lambda *arguments: json.dumps({"url": made.backend}))
    return made


@pytest.fixture
def repair(world: World) -> Callable[..., list[str]]:
    """Runs the command; returns its lines."""

    def run(code: int = DONE) -> list[str]:
        done = CliRunner().invoke(app, ["-e", "dev", "repair", world.tag], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.output.splitlines()

    return run


def _user(pulumi: Engine, connected: Connected) -> None:
    pulumi.knows("aws:iam/user:User", "user", connected.user, name=connected.user)


def test_where_nothing_is_broken_it_says_so_and_writes_nothing(
    world: World, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    connected = world.connect(make_bucket=False)
    _user(pulumi, connected)
    pulumi.knows("aws:iam/accessKey:AccessKey", "access-key-1", connected.access_key_id)
    assert repair() == [f"Nothing is broken in stack dev.{world.tag}."]
    assert pulumi.imported is None


def test_what_can_be_done_again_is_forgotten(world: World, pulumi: Engine, repair: Callable[..., list[str]]) -> None:
    pulumi.began("updating", "aws:iam/policy:Policy", "policy", name="p")
    pulumi.began("deleting", "aws:iam/accessKey:AccessKey", "access-key-1", user="u")
    pulumi.began("creating", "pulumi-python:dynamic/dataloop:Integration", "integration")
    pulumi.began("creating", "command:local:Command", "verification")
    pulumi.began("creating", "aws:iam/user:User", "user", name=f"never-made-{world.tag}")
    assert repair() == [
        "Policy policy was being changed: the next run does it again",
        "AccessKey access-key-1 was being deleted: the next run does it again",
        "Integration integration was being made: the next run does it again",
        "Command verification was being made: the next run does it again",
        "User user was being made: the next run does it again",
        f"Next: dataloop-sts -e dev up {world.tag}",
    ]
    assert pulumi.imported is not None
    assert (pulumi.imported["pending_operations"], pulumi.imported["resources"]) == ([], [])
    assert pulumi.refreshed == []


def test_what_was_made_gets_into_the_state_with_what_others_need_and_is_read(
    world: World, stack: Stack, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    name = f"dataloop-{world.tag}-dev"
    tags = [{"Key": key, "Value": value} for key, value in stack.record().spec.tags("dev").items()]
    user = world.iam.create_user(UserName=name, Tags=tags)["User"]
    pulumi.began("creating", "aws:iam/user:User", "user", name=name, path="/")
    assert repair()[0] == f"User user was made, and is in the stack now: {name}"
    assert pulumi.imported is not None
    (resource,) = pulumi.imported["resources"]
    assert resource["id"] == name
    assert resource["outputs"] == {
        "id": name,
        "name": name,
        "path": "/",
        "arn": user["Arn"],
        "uniqueId": user["UserId"],
    }
    assert pulumi.refreshed == ["user"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_key_is_the_killed_runs_only_where_the_state_says_that_one_was_being_made(
    begun: bool, world: World, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    connected = world.connect(make_bucket=False)
    _user(pulumi, connected)
    if begun:
        pulumi.began("creating", "aws:iam/accessKey:AccessKey", "access-key-1", user=connected.user)
    said = repair(DONE if begun else FINDING)[0]
    left = [key["AccessKeyId"] for key in world.iam.list_access_keys(UserName=connected.user)["AccessKeyMetadata"]]
    if begun:
        assert said == (
            f"Access key {connected.access_key_id} was made and its secret is lost with the run: it was deleted."
        )
        assert left == []
    else:
        assert f"{connected.access_key_id} of user {connected.user} (made on {datetime.now(UTC):%Y-%m-%d}" in said
        assert "never used, without a description) is not this stack's, and was left alone" in said
        assert left == [connected.access_key_id]
        assert pulumi.imported is None


def test_the_key_that_an_interrupted_adoption_found_is_its_business(
    world: World, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    connected = world.connect(make_bucket=False)
    _user(pulumi, connected)
    pulumi.knows("pulumi-python:dynamic/dataloop:Preflight", "preflight", "preflight", adopting=["user x"])
    key, following = repair(DONE)
    assert key.startswith(f"Access key {connected.access_key_id} of user {connected.user}")
    assert key.endswith("was there before the adoption: going on with that replaces it.")
    assert following == f"Next: dataloop-sts -e dev adopt {world.tag} --apply"


def test_somebody_elses_thing_of_that_name_keeps_the_state_as_it_is(
    world: World, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    connected = world.connect(make_bucket=False)  # by hand, without tags
    pulumi.began("creating", "aws:iam/user:User", "user", name=connected.user)
    pulumi.began("creating", "aws:iam/accessKey:AccessKey", "access-key-1", user=connected.user)
    said = repair(FINDING)
    assert f"IAM user {connected.user} is there without this connection's tags. Remove it where" in said[0]
    assert said[1] == "The rest of the repair waits for that: run it again."
    assert pulumi.imported is None
    assert len(world.iam.list_access_keys(UserName=connected.user)["AccessKeyMetadata"]) == 1


def test_somebody_elses_thing_is_in_nobodys_way_once_the_spec_has_another_name(
    world: World, stack: Stack, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    connected = world.connect(make_bucket=False)
    pulumi.began("creating", "aws:iam/user:User", "user", name=connected.user)
    names = f"{{region: eu-west-1, names: {{user: other-{world.tag}}}}}"
    stack.record(RECORD.replace("{region: eu-west-1}", names))
    assert repair()[0] == "User user was being made: the next run does it again"


def test_what_was_to_take_the_place_of_another_is_named(
    world: World, stack: Stack, pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    tags = [{"Key": key, "Value": value} for key, value in stack.record().spec.tags("dev").items()]
    new = f"dataloop-{world.tag}-dev"
    world.iam.create_user(UserName=new, Tags=tags)
    pulumi.knows("aws:iam/user:User", "user", f"old-{world.tag}", name=f"old-{world.tag}")
    pulumi.began("creating", "aws:iam/user:User", "user", name=new)
    assert f"{new}, in the place of old-{world.tag}" in repair(FINDING)[0]
    assert pulumi.imported is None


def test_with_another_accounts_credentials_nothing_is_looked_at(
    world: World, stack: Stack, pulumi: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = f'{{region: eu-west-1, account_id: "{world.aws.account_id}"}}'
    stack.record(RECORD.replace("{region: eu-west-1}", account))
    pulumi.began("creating", "aws:iam/user:User", "user", name="x")
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["-e", "dev", "repair", world.tag])
    assert isinstance(done.exception, AwsError)
    assert "nothing was touched" in str(done.exception)
    assert pulumi.imported is None


def test_it_says_where_to_look_for_the_locks_of_another_backend(
    pulumi: Engine, repair: Callable[..., list[str]]
) -> None:
    pulumi.backend = "https://api.pulumi.com"
    assert repair()[0].startswith("The locks of https://api.pulumi.com are not looked at: where `up` says that another")

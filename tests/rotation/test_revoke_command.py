"""`dataloop-sts revoke`: what it says, what it leaves in the record, and that it can be run again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from automation.cli.frame import app
from automation.connection import Connection
from automation.errors import StackError
from dataloop_sts.aws import Aws
from dataloop_sts.revocation import revoked_at
from tests.rotation.stacks import RECORD, Stack
from tests.steps.aws_world import REGION, World


@pytest.fixture
def keys(world: World, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The id of the key of a connection's user; the shell is in the folder with its record."""
    stack.customer = world.tag
    monkeypatch.chdir(stack.folder)
    stack.record()
    return [world.connect(make_bucket=False).access_key_id]


def _name(world: World) -> str:
    """Of user and role."""
    return f"dataloop-{world.tag}-dev"


def _revoke(world: World, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["-e", "dev", "revoke", world.tag, *arguments])
    assert done.exit_code == code, done.output
    return done.output


def _states(world: World) -> list[str]:
    return [key["Status"] for key in world.iam.list_access_keys(UserName=_name(world))["AccessKeyMetadata"]]


def test_it_says_what_it_did_that_the_connection_is_down_and_what_comes_next(
    world: World, stack: Stack, keys: list[str]
) -> None:
    lines = _revoke(world, "--yes").splitlines()
    assert lines[0] == f"  access key {keys[0]}: switched off"
    assert lines[1].startswith(f"  role {_name(world)}: every session that began before ")
    assert lines[2:] == [
        f"  {world.tag}.yaml: access_key.generation is 2 now",
        f"The connection of {world.tag} in dev is down. A new key, and it works again: "
        f"dataloop-sts -e dev up --refresh {world.tag}",
    ]
    assert _states(world) == ["Inactive"]
    assert stack.ups == 0

    # again: nothing but the sessions of in between, and no third generation
    told = json.loads(_revoke(world, "--yes", "--json"))
    assert told["done"][0] == f"access key {keys[0]}: was off already"
    assert told["done"][2] == f"{world.tag}.yaml: asks for generation 2 already, Dataloop holds 1"
    assert (told["failed"], told["next"]) == ([], f"dataloop-sts -e dev up --refresh {world.tag}")
    assert stack.record().spec.access_key.generation == 2


def test_it_asks_first(world: World, stack: Stack, keys: list[str]) -> None:
    assert keys
    asked = CliRunner().invoke(app, ["-e", "dev", "revoke", world.tag], input="n\n")
    assert asked.exit_code == 1
    assert f"Shut off the connection of {world.tag} in dev, until the next `up`?" in asked.output
    assert _states(world) == ["Active"]
    assert revoked_at(Aws(REGION).iam(), _name(world)) is None
    assert stack.record().spec.access_key.generation == 1


def test_aws_does_not_wait_for_a_stack_that_cannot_be_read(
    world: World, stack: Stack, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys

    def unreadable(connection: Connection) -> None:
        raise StackError("Stack dev.acme: the backend does not answer.")

    monkeypatch.setattr(Connection, "state", unreadable)
    said = _revoke(world, "--yes", code=1)
    assert (
        f"{world.tag}.yaml: access_key.generation is 2 now: NOT DONE. Stack dev.acme: the backend does not answer."
        in said
    )
    assert "Add one to access_key.generation by hand" in said
    assert "Not all was done" in said
    assert _states(world) == ["Inactive"]
    assert revoked_at(Aws(REGION).iam(), _name(world)) is not None
    assert stack.record().spec.access_key.generation == 1


def test_a_key_in_its_grace_is_no_longer_kept_and_stands_in_the_way_of_a_new_one(
    world: World, stack: Stack, keys: list[str]
) -> None:
    world.iam.create_access_key(UserName=_name(world))
    stack.record(RECORD.replace("GENERATION", "GENERATION, retiring: 1"), generation=2)
    stack.keys, stack.held, stack.told = {1: "Inactive", 2: "Active"}, 2, 2
    said = _revoke(world, "--yes")
    assert f"access key {keys[0]}: switched off" in said
    assert f"user {_name(world)}: may have two keys; where `up` says so, delete the one that is not AKIA2" in said
    key = stack.record().spec.access_key
    assert (key.generation, key.retiring) == (3, None)
    assert _states(world) == ["Inactive", "Inactive"]


def test_credentials_of_another_account_touch_nothing(
    world: World, stack: Stack, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys
    account = world.aws.account_id
    stack.record(RECORD.replace("{region: eu-west-1}", f'{{region: eu-west-1, account_id: "{account}"}}'))
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["-e", "dev", "revoke", world.tag, "--yes"])
    assert f"this connection is in {account}, nothing was touched" in str(done.exception)
    assert _states(world) == ["Active"]

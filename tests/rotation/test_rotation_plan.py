"""What `rotate` does by the record and the stack's state: it never asks for more than the one key that follows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from automation.cli.frame import app
from automation.connection import Connection
from automation.errors import NoSuchStack, RotationStopped, StackError
from automation.records import Record
from automation.rotation import key_in_use
from dataloop_sts.errors import DataloopStsError
from tests.rotation.stacks import RECORD, Stack


def _key(record: Record) -> tuple[int, int | None]:
    return record.spec.access_key.generation, record.spec.access_key.retiring


def test_a_rotation_asks_for_the_next_generation_and_keeps_the_old_one_for_its_grace(stack: Stack) -> None:
    done = Connection.of(stack.record()).rotate()
    assert (done.outcome, done.key.id, done.key.generation, done.key.age_days) == ("rotated", "AKIA2", 2, 0)
    assert f"kept until {datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}" in done.message
    assert _key(stack.record()) == (2, 1)
    text = stack.record().path.read_text()
    assert text.startswith("# acme's bucket, asked for by Ann\n")
    assert text.count("# a week") == 1
    with pytest.raises(DataloopStsError, match="Generation 1 of the key is still kept, and IAM allows a user two keys"):
        Connection.of(stack.record()).rotate()
    assert stack.ups == 1


def test_the_former_key_goes_when_its_grace_is_over_and_not_before(stack: Stack) -> None:
    Connection.of(stack.record()).rotate()
    early = Connection.of(stack.record()).rotate(finish=True)
    assert (early.outcome, _key(stack.record())) == ("kept", (2, 1))
    assert f"Generation 1 is kept until {stack.created + timedelta(days=7):%Y-%m-%d}" in early.message
    stack.created -= timedelta(days=7)
    assert Connection.of(stack.record()).rotate(finish=True).outcome == "finished"
    assert (_key(stack.record()), stack.keys) == ((2, None), {2: "Active"})
    assert Connection.of(stack.record()).rotate(finish=True).outcome == "nothing"
    assert stack.ups == 2


def test_without_grace_the_former_key_goes_at_once(stack: Stack) -> None:
    done = Connection.of(stack.record(RECORD.replace("grace_days: 7", "grace_days: 0"))).rotate()
    assert (_key(stack.record()), stack.keys) == ((2, None), {2: "Active"})
    assert done.message == "Dataloop holds the new key, the former one is deleted."


@pytest.mark.parametrize(("days", "outcome", "ups"), [(31, "young", 0), (30, "rotated", 1), (0, "rotated", 1)])
def test_a_key_that_is_younger_than_asked_stays(days: int, outcome: str, ups: int, stack: Stack) -> None:
    assert Connection.of(stack.record()).rotate(older_than=days).outcome == outcome
    assert stack.ups == ups


@pytest.mark.parametrize("failure", [StackError("AWS is down."), KeyboardInterrupt()])
def test_a_rotation_that_stopped_is_gone_on_with_and_asks_for_no_further_key(
    failure: BaseException, stack: Stack
) -> None:
    stack.failing = failure
    for _ in range(3):
        with pytest.raises(RotationStopped, match="asks for generation 2: the same command or `up` goes on with it"):
            Connection.of(stack.record()).rotate(
                older_than=90 if stack.ups else None
            )  # also where the key in use is young
    assert _key(stack.record()) == (2, 1)
    stack.failing = None
    assert Connection.of(stack.record()).rotate().key.generation == 2


def test_a_key_that_was_handed_over_but_whose_former_one_is_still_there_is_no_reason_for_another(
    stack: Stack,
) -> None:
    record = stack.record(RECORD.replace(", grace_days: 7", ""), generation=2)
    stack.held, stack.keys = 2, {1: "Active", 2: "Active"}
    assert not key_in_use(stack.state(Connection.of(record)), record.stack).settled
    assert Connection.of(record).rotate().key.generation == 2
    assert (stack.keys, stack.ups) == ({2: "Active"}, 1)

    # nor is one whose update is noted as under way, or never told its outputs
    stack.pending = [{"type": "deleting"}]
    assert Connection.of(stack.record()).rotate().key.generation == 2
    stack.told = 1
    assert Connection.of(stack.record()).rotate().key.generation == 2


def test_the_former_key_does_not_go_before_the_rotation_has_got_to_its_end(stack: Stack) -> None:
    stack.failing = StackError("AWS is down.")
    with pytest.raises(RotationStopped):
        Connection.of(stack.record()).rotate()
    with pytest.raises(DataloopStsError, match="has not got to its end: run `rotate` without --finish first"):
        Connection.of(stack.record()).rotate(finish=True)
    assert _key(stack.record()) == (2, 1)


def test_finishing_is_gone_on_with_where_it_was_interrupted(stack: Stack) -> None:
    Connection.of(stack.record()).rotate()
    stack.created -= timedelta(days=7)
    stack.failing = StackError("AWS is down.")
    with pytest.raises(RotationStopped):
        Connection.of(stack.record()).rotate(finish=True)
    stack.failing = None
    assert Connection.of(stack.record()).rotate(finish=True).outcome == "finished"
    assert stack.keys == {2: "Active"}


def test_a_stack_without_a_connection_has_no_key(stack: Stack) -> None:
    with pytest.raises(NoSuchStack, match="has no connection yet"):
        key_in_use({}, "dev.acme")
    stack.keys = {}
    with pytest.raises(NoSuchStack):
        Connection.of(stack.record()).rotate()


def test_the_command_tells_what_it_did_and_the_keys_age(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.record()
    monkeypatch.chdir(stack.folder)
    run = CliRunner()
    said = run.invoke(app, ["-e", "dev", "rotate", "acme", "--older-than", "90"]).output
    assert said.splitlines() == [
        "The key is younger than 90 days. Nothing was done.",
        f"Access key of acme in dev: AKIA1, generation 1, made on {stack.created:%Y-%m-%d}, 30 days old",
    ]
    told = json.loads(run.invoke(app, ["rotate", "acme", "--json"]).output)
    assert told["outcome"] == "rotated"
    assert told["access_key"] == {
        "id": "AKIA2",
        "generation": 2,
        "created_at": f"{stack.created:%Y-%m-%dT%H:%M:%S}+00:00",
        "age_days": 0,
    }

"""A command that does not end is ended, with all that it started; by a stand-in for the CLI that will not listen."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from automation import engine
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import EngineFailed, Interrupted, StackError, TimedOut
from dataloop_sts import program  # noqa: F401 - loads the SDK, which takes most of the second that a run has here
from dataloop_sts.errors import InvalidSetting
from dataloop_sts.spec import ConnectionSpec

_CLI = """#!/bin/sh
case "$*" in
  version) echo v3.274.1; exit ;;
  *"stack export"*) echo '{}'; exit ;;
esac
HOW
sleep 300 & echo $! > CHILD
wait
wait
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the CLI notes the process that it has started; the CLI does not heed an interrupt."""
    return _install(tmp_path, monkeypatch, "trap '' INT")


def _install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> Path:
    child, cli = tmp_path / "child", tmp_path / "bin" / "pulumi"
    cli.parent.mkdir()
    cli.write_text(_CLI.replace("CHILD", str(child)).replace("HOW", how))
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{cli.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(engine, "GRACE_S", 0.3)
    return child


def _connection(folder: Path, timeout_s: float | None = None) -> Connection:
    spec = ConnectionSpec.parse(
        {
            "customer": "acme",
            "organization_id": "org-1",
            "aws": {"region": "eu-west-1"},
            "drivers": [{"name": "images", "project_id": "project-1", "bucket": {"name": "dataloop-acme"}}],
        },
        environment="dev",
    )
    return Connection(Environment("dev", folder), spec, timeout_s=timeout_s)


def _is_gone(child: Path) -> bool:
    try:
        return psutil.Process(int(child.read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_run_over_its_time_is_killed_with_its_children_where_it_does_not_heed_the_interrupt(
    tmp_path: Path, child: Path
) -> None:
    with pytest.raises(TimedOut, match=r"did not end in 1 s and was interrupted") as caught:
        _connection(tmp_path, timeout_s=1).up()
    assert caught.value.seconds == 1
    assert _is_gone(child)


def test_a_run_that_heeds_the_interrupt_is_left_to_end_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    child = _install(tmp_path, monkeypatch, f"trap 'kill $!; echo ended > {said}; exit 255' INT")
    with pytest.raises(TimedOut):
        _connection(tmp_path, timeout_s=1).refresh()
    assert said.read_text() == "ended\n"
    assert _is_gone(child)


def test_an_interrupted_run_that_says_all_went_well_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So says the engine of a destroy that it had not begun."""
    _install(tmp_path, monkeypatch, "trap 'kill $!; exit 0' INT")
    with pytest.raises(TimedOut):
        _connection(tmp_path, timeout_s=1).destroy()


def test_a_cli_that_is_killed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, monkeypatch, "echo '+ aws:iam:User user creating'; kill -9 $$")
    with pytest.raises(EngineFailed, match=r"^Stack dev\.acme: signal 9 \(Killed\) has ended the Pulumi CLI, for want"):
        _connection(tmp_path).refresh()


def test_several_errors_of_the_cli_are_all_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(
        tmp_path, monkeypatch, r"printf 'error: 2 errors occurred:\n    1) write x: no room\n    2) Unknown\n'; exit 1"
    )
    with pytest.raises(EngineFailed, match=r"^Stack dev\.acme: 1\) write x: no room; 2\) Unknown$"):
        _connection(tmp_path).refresh()


def test_cancel_ends_the_run_of_another_thread_and_waits_for_it(tmp_path: Path, child: Path) -> None:
    connection = _connection(tmp_path)
    caught: list[StackError] = []

    def run() -> None:
        try:
            connection.up()
        except StackError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    assert not connection.cancel()
    thread.start()
    while not child.exists() or not child.read_text():
        time.sleep(0.02)
    assert _connection(tmp_path).cancel()  # the stack counts, not the object
    assert _is_gone(child)
    thread.join()
    assert [type(error) for error in caught] == [Interrupted]
    assert not connection.cancel()


def test_an_environment_takes_no_aws_credentials_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot have AWS_PROFILE of its own"):
        Environment.of("dev", tmp_path, {"AWS_PROFILE": "other"})
    assert "hidden-1" not in repr(Environment.of("dev", tmp_path, {"DATALOOP_TOKEN": "hidden-1"}))

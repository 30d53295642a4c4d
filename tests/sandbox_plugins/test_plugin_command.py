"""command:local:Command through a served plugin."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import empty_pb2
from plugin_driver import PluginProcess, Resource, call_error, start_plugin, stop_plugin
from pulumi.runtime.proto import provider_pb2

from sandbox.plugins.values import UNKNOWN, Secret, Unknown, has_unknown, marshal, plain

COMMAND = "command:local:Command"


@pytest.fixture
def command(command_plugin: PluginProcess) -> Resource:
    return command_plugin.resource(COMMAND, "run")


def test_a_command_runs_at_create_and_tells_what_it_wrote(command: Resource, tmp_path: Path) -> None:
    outputs = command.create(
        {
            "create": 'read line; echo "$line $GREETING"; pwd >&2',
            "stdin": "first\nsecond",
            "environment": {"GREETING": "hello"},
            "dir": str(tmp_path),
        }
    )
    assert command.id.startswith("run") and len(command.id) == len("run") + 8
    assert outputs["stdout"] == "first hello" and outputs["stderr"] == str(tmp_path)
    assert outputs["addPreviousOutputInEnv"] is True and "__defaults" not in command.inputs
    assert command.refresh() == outputs


def test_update_and_delete_know_the_previous_output(command: Resource, tmp_path: Path) -> None:
    log = tmp_path / "log"
    base = {"create": "echo one; echo two >&2", "delete": f'echo "$PULUMI_COMMAND_STDOUT" >> {log}'}
    command.create(base)
    updated = command.update({**base, "update": 'echo "was $PULUMI_COMMAND_STDOUT/$PULUMI_COMMAND_STDERR"'})
    assert updated["stdout"] == "was one/two"
    command.delete()
    assert log.read_text() == "was one/two\n"


def test_create_runs_again_where_there_is_no_update(command: Resource) -> None:
    command.create({"create": 'cat; echo "$PULUMI_COMMAND_STDOUT"', "stdin": "a"})
    again = command.update({"create": 'cat; echo "$PULUMI_COMMAND_STDOUT"', "stdin": "b"})
    assert again["stdout"] == "ba"
    silent = {"create": 'cat; echo "$PULUMI_COMMAND_STDOUT"', "stdin": "c", "addPreviousOutputInEnv": False}
    assert command.update(silent)["stdout"] == "c"


def test_without_create_nothing_runs(command: Resource) -> None:
    assert command.create({"delete": "echo"})["stdout"] == ""
    command.delete()


def test_an_interpreter_takes_the_shells_place(command: Resource) -> None:
    assert command.create({"create": "print(6 * 7)", "interpreter": [sys.executable, "-c"]})["stdout"] == "42"


def test_every_changed_input_is_a_change_and_nothing_else_is(command: Resource) -> None:
    inputs = {"create": "true", "stdin": "a", "environment": {"A": "1"}, "triggers": [1, {"x": "y"}]}
    command.create(inputs)
    assert command.changes(inputs) == {}
    assert command.changes({**inputs, "stdin": "b"}) == {"stdin": "UPDATE"}
    assert command.changes({**inputs, "environment": {"A": "1", "B": "2"}}) == {"environment.B": "ADD"}
    assert command.changes({**inputs, "triggers": [2, {"x": "y"}, 3]}) == {
        "triggers[0]": "UPDATE",
        "triggers[2]": "ADD",
    }
    assert command.changes({**inputs, "stdin": UNKNOWN}) == {"stdin": "UPDATE"}
    assert not command.diff({**inputs, "create": "false"}).replaces


def test_a_preview_runs_nothing_and_leaves_the_output_unknown(command: Resource, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    planned = command.create({"create": f"touch {mark}", "stdin": UNKNOWN}, preview=True)
    assert isinstance(planned["stdout"], Unknown) and isinstance(planned["stdin"], Unknown)
    command.create({"create": "true"})
    assert has_unknown(command.update({"create": f"touch {mark}"}, preview=True)["stdout"])
    assert not mark.exists()


def test_the_output_is_secret_as_soon_as_an_input_is(command: Resource) -> None:
    outputs = command.create({"create": "cat", "stdin": Secret("hush")})
    assert outputs["stdin"] == Secret("hush") and outputs["stdout"] == Secret("hush")
    assert outputs["stderr"] == Secret("") and outputs["create"] == "cat"
    updated = command.update({"create": "cat", "environment": {"A": Secret("b")}})
    assert isinstance(updated["stdout"], Secret)
    assert not isinstance(command.update({"create": "echo x"})["stdout"], Secret)


def test_a_secret_on_stdin_never_stands_in_the_process_list_or_the_error(command: Resource) -> None:
    secret = "not-for-the-process-list"
    look = "tr '\\0' ' ' < /proc/$$/cmdline; tr '\\0' ' ' < /proc/$PPID/cmdline; env"
    assert secret not in plain(command.create({"create": look, "stdin": Secret(secret)}))["stdout"]
    error = call_error(command.create, {"create": "cat; exit 1", "stdin": Secret(secret)})
    assert secret not in error.details() and "[secret]" in error.details()


def test_a_failing_command_tells_its_status_and_the_end_of_its_output(command: Resource) -> None:
    failing = "echo out; echo err >&2; exit 3"
    error = call_error(command.create, {"create": failing})
    assert error.details().startswith(f"exit status 3: running {json.dumps(failing)}:\n")
    assert "out\n" in error.details() and "err\n" in error.details()
    long = call_error(command.create, {"create": "seq 1 20000; echo the end; exit 1"})
    assert long.details().endswith("the end\n") and len(long.details()) < 5000
    killed = call_error(command.create, {"create": "kill -9 $$"})
    assert killed.details().startswith("signal: Killed")
    nowhere = call_error(command.create, {"create": "true", "dir": "/no/such/folder"})
    assert "/no/such/folder" in nowhere.details()


def test_what_is_not_served_is_refused_by_name(command_plugin: PluginProcess, command: Resource) -> None:
    assert "assetPaths is not served" in command.check({"assetPaths": ["*"]})["assetPaths"]
    assert set(command.check({"logging": "loud"})) == {"logging"}
    assert set(command.check({"create": 1, "environment": "x"})) == {"create", "environment"}
    remote = call_error(command_plugin.resource("command:remote:Command").check, {})
    assert "command:remote:Command is not served" in remote.details()
    assert set(command_plugin.check_config({"version": "1.2.1", "host": "x"})) == {"host"}


@pytest.mark.parametrize("how", ["cancel", "end of the engine"])
def test_a_running_command_is_killed_with_its_children(how: str, tmp_path: Path) -> None:
    plugin, pid_file = start_plugin("sandbox.plugins.command"), tmp_path / "pid"
    urn = f"urn:pulumi:dev::project::{COMMAND}::run"

    inputs = {"create": f"sleep 60 & echo $! > {pid_file}.new; mv {pid_file}.new {pid_file}; wait"}
    pending = plugin.stub.Create.future(provider_pb2.CreateRequest(urn=urn, properties=marshal(inputs)), timeout=30)
    _until(pid_file.exists)
    child = int(pid_file.read_text())
    assert _lives(child)
    if how == "cancel":
        plugin.stub.Cancel(empty_pb2.Empty(), timeout=5)
        assert pending.exception(timeout=10) is not None
    stop_plugin(plugin)
    _until(lambda: not _lives(child))


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", maxsplit=1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"

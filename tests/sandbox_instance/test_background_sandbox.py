"""One background sandbox of a state folder: found, shared, restarted, ended, whatever happened to it before."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
import requests

from sandbox.instance import Instance
from sandbox.ready import ReadyFile
from tests.sandbox_instance.command import SandboxCommand

NewCommand = Callable[..., SandboxCommand]


def _status(command: SandboxCommand) -> dict[str, object]:
    status: dict[str, object] = json.loads(command.done("status", "--json"))
    return status


def _account(ready: ReadyFile) -> str:
    sts = boto3.client(
        "sts",
        endpoint_url=ready.aws.endpoint_url,
        region_name=ready.aws.region,
        aws_access_key_id=ready.aws.access_key_id,
        aws_secret_access_key=ready.aws.secret_access_key,
    )
    return sts.get_caller_identity()["Account"]


def _user(ready: ReadyFile, token: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or ready.dataloop.token}"}
    return requests.get(f"{ready.dataloop.api_url}/users/me", headers=headers, timeout=5)


def test_up_answers_as_aws_and_dataloop_once_it_returns(running: SandboxCommand) -> None:
    ready = ReadyFile.read(running.state_dir / "ready.json")
    assert _account(ready) == ready.aws.account_id
    assert _user(ready).ok
    assert _user(ready, ready.dataloop.expired_token).status_code == 401


def test_a_second_up_finds_the_first_ones_sandbox(command: SandboxCommand) -> None:
    first = json.loads(command.done("up", "--json"))
    second = json.loads(command.done("up", "--json"))
    assert (first["started"], second["started"]) == (True, False)
    assert {**first, "started": False} == second


def test_two_up_at_once_start_one_sandbox(command: SandboxCommand) -> None:
    racing = [command.start("up", "--json") for _ in range(3)]
    answers = [json.loads(each.communicate(timeout=60)[0]) for each in racing]
    assert sorted(each["started"] for each in answers) == [False, False, True]
    assert {each["pid"] for each in answers} == {command.pid}


def test_the_sandbox_outlives_its_shell_in_a_session_of_its_own(running: SandboxCommand) -> None:
    assert running.pid is not None
    assert os.getsid(running.pid) == running.pid


def test_two_sandboxes_side_by_side_are_worlds_apart(new_command: NewCommand) -> None:
    one, other = new_command("one"), new_command("other")
    one.done("up")
    other.done("up")
    first, second = (ReadyFile.read(each.state_dir / "ready.json") for each in (one, other))
    assert first.aws.endpoint_url != second.aws.endpoint_url
    assert _user(first, second.dataloop.token).status_code == 401
    other.done("down")
    assert _account(first) == first.aws.account_id


def test_after_a_kill_up_starts_another_on_the_same_ports(command: SandboxCommand) -> None:
    before = json.loads(command.done("up", "--json"))
    command.kill()
    _wait_until_gone(command)
    assert (command.state_dir / "ready.json").exists()
    assert _status(command)["running"] is False
    after = json.loads(command.done("up", "--json"))
    assert after["started"]
    assert after["pid"] != before["pid"]
    assert after["aws_endpoint_url"] == before["aws_endpoint_url"]
    assert after["dataloop_api_url"] == before["dataloop_api_url"]
    assert _user(ReadyFile.read(command.state_dir / "ready.json")).ok


def test_a_remembered_port_that_something_else_took_is_given_up(command: SandboxCommand) -> None:
    port = int(json.loads(command.done("up", "--json"))["aws_endpoint_url"].rpartition(":")[2])
    command.done("down")
    with socket.create_server(("127.0.0.1", port)):
        after = json.loads(command.done("up", "--json"))
    assert not after["aws_endpoint_url"].endswith(f":{port}")


def test_a_process_id_that_now_belongs_to_something_else_is_left_alone(command: SandboxCommand) -> None:
    command.done("up")
    command.done("down")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (command.state_dir / "pid").write_text(f"{stranger.pid}\n")
            assert _status(command)["running"] is False
            assert "was not running" in command.done("down")
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_down_twice_ends_it_once(command: SandboxCommand) -> None:
    command.done("up")
    assert "is down" in command.done("down")
    assert command.pid is None
    assert not (command.state_dir / "ready.json").exists()
    assert "was not running" in command.done("down")


def test_down_ends_a_sandbox_that_does_not_react(command: SandboxCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    command.done("up")
    assert command.pid is not None
    os.kill(command.pid, signal.SIGSTOP)  # a stopped process takes no SIGTERM
    monkeypatch.setattr("sandbox.serve._END_S", 0.5)
    assert Instance(state_dir=command.state_dir).down()
    assert command.pid is None


def test_down_status_and_reset_make_no_folder_where_no_sandbox_was(command: SandboxCommand) -> None:
    command.done("down")
    command.done("status")
    command.done("reset")
    assert not command.state_dir.exists()


def test_a_sandbox_whose_folder_is_no_longer_there_ends_by_itself(command: SandboxCommand) -> None:
    pid = json.loads(command.done("up", "--json"))["pid"]
    moved = command.state_dir.with_name("moved")
    command.state_dir.rename(moved)
    command_of_moved = SandboxCommand(moved)
    assert command_of_moved.pid == pid  # it runs on until it looks again
    _wait_until_gone(command_of_moved)


def test_up_says_why_the_sandbox_did_not_start_and_leaves_none(command: SandboxCommand, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "moto"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no moto today')")
    finished = command.run("up", PYTHONPATH=str(broken.parent))
    assert finished.returncode == 1
    assert "no moto today" in finished.stderr
    assert str(command.state_dir / "serve.log") in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert command.pid is None


def test_up_in_place_of_a_file_is_refused_in_one_line(command: SandboxCommand) -> None:
    command.state_dir.touch()
    finished = command.run("up")
    assert finished.returncode == 1
    assert str(command.state_dir) in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_folder_with_files_of_someone_else_is_refused(command: SandboxCommand) -> None:
    precious = command.state_dir / "backend" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    for name in ("up", "reset"):
        refused = command.run(name)
        assert refused.returncode == 1
        assert "not a sandbox's" in refused.stderr
    assert precious.exists()


def test_the_state_folder_is_its_owners_alone(running: SandboxCommand) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in running.state_dir.iterdir()}
    assert running.state_dir.stat().st_mode & 0o777 == 0o700
    assert {modes["ready.json"], modes["serve.log"], modes["pid"]} == {0o600}
    assert {modes["pulumi-home"], modes["backend"]} == {0o700}
    ready = ReadyFile.read(running.state_dir / "ready.json")
    assert ready.aws.secret_access_key not in (running.state_dir / "serve.log").read_text()


def test_an_instance_is_a_library_too(tmp_path: Path) -> None:
    instance = Instance(state_dir=tmp_path / "state")
    assert instance.up()
    try:
        assert not instance.up()
        assert instance.status().ready == instance.ready()
        assert instance.environment()["AWS_ENDPOINT_URL"] == instance.ready().aws.endpoint_url
    finally:
        assert instance.down()
    assert not instance.status().running


def _wait_until_gone(command: SandboxCommand) -> None:
    deadline = time.monotonic() + 10
    while command.pid is not None:
        assert time.monotonic() < deadline, "the sandbox still runs"
        time.sleep(0.05)

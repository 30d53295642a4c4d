"""`serve` in the foreground: its ready file, its end, its ports; and a sandbox within a process."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr

from dataloop_sts.dataloop import DataloopClient, NewDriver, StsCredentials
from dataloop_sts.errors import DriverTestFailed
from sandbox import SandboxError
from sandbox.ready import ReadyFile
from sandbox.serve import running_sandbox
from tests.sandbox_instance.command import SandboxCommand


def _started(command: SandboxCommand, ready_file: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    process = command.start("serve", "--ready-file", str(ready_file), *options, **environment)
    deadline = time.monotonic() + 30
    while not ready_file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(command: SandboxCommand, tmp_path: Path, number: signal.Signals) -> None:
    ready_file = tmp_path / "ready.json"
    process = _started(command, ready_file)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (0, "")
    assert not ready_file.exists()


def test_the_ready_file_is_private_and_holds_the_agreed_names(command: SandboxCommand, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    process = _started(command, ready_file)
    try:
        assert ready_file.stat().st_mode & 0o777 == 0o600
        # Whole at first sight: it is read as soon as it exists, and both servers answer already.
        content = json.loads(ready_file.read_text())
        requests.get(content["aws"]["endpoint_url"], timeout=5)
        requests.get(content["dataloop"]["api_url"], timeout=5)
    finally:
        process.kill()
        process.communicate()
    aws = {"endpoint_url", "region", "account_id", "access_key_id", "secret_access_key"}
    dataloop = {"api_url", "token", "org_id", "project_id", "non_owner_token", "expired_token", "control_url"}
    assert aws <= set(content["aws"])
    assert dataloop <= set(content["dataloop"])
    assert {type(value) for part in content.values() for value in part.values()} == {str}


def test_a_ready_file_left_by_a_dead_sandbox_is_gone_before_the_new_one_answers(
    command: SandboxCommand, tmp_path: Path
) -> None:
    ready_file = tmp_path / "ready.json"
    ready_file.write_text("left behind")
    process = command.start("serve", "--ready-file", str(ready_file))
    seen = set()
    deadline = time.monotonic() + 30
    while not any(text.startswith("{") for text in seen):
        assert time.monotonic() < deadline
        try:
            seen.add(ready_file.read_text())
        except FileNotFoundError:
            seen.add("")
        time.sleep(0.001)
    process.terminate()
    process.communicate(timeout=10)
    assert "" in seen
    assert all(json.loads(text) for text in seen - {"", "left behind"})  # never half of it


def test_a_ready_file_that_another_sandbox_has_taken_over_stays(command: SandboxCommand, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    process = _started(command, ready_file)
    ours = ReadyFile.read(ready_file)
    theirs = ours.model_copy(update={"aws": ours.aws.model_copy(update={"endpoint_url": "http://127.0.0.1:1"})})
    theirs.write_atomically(ready_file)
    process.terminate()
    process.communicate(timeout=10)
    assert ReadyFile.read(ready_file) == theirs


@pytest.mark.parametrize("option", ["--aws-port", "--dataloop-port"])
def test_a_port_in_use_is_named_with_its_option(command: SandboxCommand, tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = command.run("serve", "--ready-file", str(tmp_path / "ready.json"), option, port)
    assert finished.returncode == 1
    assert port in finished.stderr
    assert option in finished.stderr
    assert not (tmp_path / "ready.json").exists()


def test_one_port_for_both_is_refused_before_anything_starts(command: SandboxCommand, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    ready_file = str(tmp_path / "ready.json")
    finished = command.run("serve", "--ready-file", ready_file, "--aws-port", port, "--dataloop-port", port)
    assert finished.returncode == 1
    assert (
        finished.stderr == f"Error: --aws-port and --dataloop-port are both {port}; name two, or 0 for any free one\n"
    )


def test_the_ports_asked_for_are_the_ports_taken(command: SandboxCommand, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        aws_port, dataloop_port = one.getsockname()[1], other.getsockname()[1]
    ready_file = tmp_path / "ready.json"
    process = _started(command, ready_file, "--aws-port", str(aws_port), "--dataloop-port", str(dataloop_port))
    ready = ReadyFile.read(ready_file)
    process.terminate()
    process.communicate(timeout=10)
    assert ready.aws.endpoint_url == f"http://127.0.0.1:{aws_port}"
    assert ready.dataloop.api_url == f"http://127.0.0.1:{dataloop_port}/api/v1"


def test_a_ready_file_in_no_folder_is_refused_at_once(command: SandboxCommand, tmp_path: Path) -> None:
    finished = command.run("serve", "--ready-file", str(tmp_path / "nowhere" / "ready.json"))
    assert finished.returncode == 1
    assert "a folder that exists" in finished.stderr


def test_a_pid_file_is_held_by_one_sandbox_only(command: SandboxCommand, tmp_path: Path) -> None:
    pid_file = ("--pid-file", str(tmp_path / "pid"))
    first = _started(command, tmp_path / "first.json", *pid_file)
    try:
        second = command.run("serve", "--ready-file", str(tmp_path / "second.json"), *pid_file)
    finally:
        first.kill()
        first.communicate()
    assert second.returncode == 1
    assert "another sandbox holds" in second.stderr


def test_the_shells_aws_settings_and_proxies_do_not_reach_it(command: SandboxCommand, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    settings = {"AWS_PROFILE": "not-there", "AWS_ENDPOINT_URL_STS": nowhere, "HTTP_PROXY": nowhere}
    process = _started(command, tmp_path / "ready.json", **settings)
    try:
        dataloop = ReadyFile.read(tmp_path / "ready.json").dataloop
        client = DataloopClient.from_environment(
            {"DATALOOP_API_URL": dataloop.api_url, "DATALOOP_TOKEN": dataloop.token, "NO_PROXY": "127.0.0.1"}
        )
        unknown = StsCredentials(
            access_key_id="AKIAUNKNOWN000000000",
            secret_access_key=SecretStr("wrong"),
            role_arn="arn:aws:iam::123456789012:role/some",
        )
        driver = NewDriver(
            name="images",
            project_id=dataloop.project_id,
            integration_id=client.create_integration(dataloop.org_id, "sts", unknown).id,
            bucket="some-bucket",
            region="us-east-1",
            path=None,
            allow_delete=False,
            creator=client.me().email,
        )
        with pytest.raises(DriverTestFailed, match="InvalidClientTokenId"):  # which is the sandbox's AWS speaking
            client.test_new_driver(driver)
    finally:
        process.kill()
        process.communicate()


def test_a_sandbox_runs_within_a_process_and_ends_with_its_block() -> None:
    with running_sandbox() as ready:
        assert requests.get(ready.aws.endpoint_url, timeout=5).status_code == 403
        assert ready.dataloop.token not in repr(ready)
    with pytest.raises(requests.ConnectionError):
        requests.get(ready.aws.endpoint_url, timeout=5)


def test_a_port_in_use_is_a_clear_error_within_a_process_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"port {port} .*--aws-port"), running_sandbox(aws_port=port):
            pass

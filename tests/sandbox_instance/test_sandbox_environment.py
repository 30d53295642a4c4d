"""What `python -m sandbox env` puts into a shell, and what is told of state that an earlier sandbox left."""

import gzip
import json
import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.instance import Instance
from sandbox.ready import FOREIGN_VARIABLES, ReadyFile
from tests.sandbox_instance.command import SandboxCommand


def _shell(script: str, environment: dict[str, str]) -> dict[str, str]:
    """The environment of `sh` after the script."""
    finished = subprocess.run(
        ["/bin/sh", "-euc", f"{script}\n/usr/bin/env -0"], env=environment, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in finished.stdout.split("\0") if line)


def _write_checkpoint(command: SandboxCommand, age: timedelta, *, compressed: bool = False) -> Path:
    """Writes a checkpoint as Pulumi's file backend has it, of resources of that age."""
    created = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"
    project = "urn:pulumi:dev::dataloop-sts::"
    resources: list[dict[str, Any]] = [
        {"urn": f"{project}pulumi:pulumi:Stack::s", "custom": False, "type": "pulumi:pulumi:Stack", "created": created},
        {"urn": f"{project}aws:iam/user:User::u", "custom": True, "type": "aws:iam/user:User", "created": created},
    ]
    content = json.dumps({"version": 3, "checkpoint": {"stack": "x", "latest": {"resources": resources}}}).encode()
    folder = command.state_dir / "backend" / ".pulumi" / "stacks" / "dataloop-sts"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ("dev.json.gz" if compressed else "dev.json")
    file.write_bytes(gzip.compress(content) if compressed else content)
    return file


@contextmanager
def _remembered(command: SandboxCommand, age: timedelta, *, compressed: bool = False) -> Iterator[Path]:
    """A checkpoint in a sandbox that others use too."""
    file = _write_checkpoint(command, age, compressed=compressed)
    try:
        yield file
    finally:
        file.unlink()


def test_env_leads_a_shell_into_the_sandbox_and_out_of_the_real_world(running: SandboxCommand) -> None:
    before = {"PATH": "/usr/bin:/bin", "AWS_PROFILE": "real", "AWS_ENDPOINT_URL_S3": "https://real", "NO_PROXY": "corp"}
    before |= {"DATALOOP_USERNAME": "me", "PULUMI_CONFIG_PASSPHRASE": "of a real environment"}
    after = _shell(running.done("env", **before), before)
    ready = ReadyFile.read(running.state_dir / "ready.json")
    assert not set(FOREIGN_VARIABLES) & set(after)
    assert after["AWS_ENDPOINT_URL"] == ready.aws.endpoint_url
    assert after["AWS_SECRET_ACCESS_KEY"] == ready.aws.secret_access_key
    assert after["DATALOOP_TOKEN"] == ready.dataloop.token
    assert after["PULUMI_CONFIG_PASSPHRASE"] == "sandbox"
    assert after["PULUMI_HOME"] == str(running.state_dir / "pulumi-home")
    assert after["PULUMI_BACKEND_URL"] == f"file://{quote(str(running.state_dir))}/backend"
    assert after["AWS_CONFIG_FILE"] == after["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert after["NO_PROXY"] == after["no_proxy"] == "corp,127.0.0.1,localhost,::1"
    assert after["PATH"].endswith("/.venv/bin:/usr/bin:/bin")


def test_env_twice_changes_nothing_more(running: SandboxCommand) -> None:
    before = {"PATH": "/usr/bin:/bin"}
    once = _shell(running.done("env", **before), before)
    assert _shell(running.done("env", **once), once) == once


def test_env_as_json_is_the_same_as_for_the_shell(running: SandboxCommand) -> None:
    answer = json.loads(running.done("env", "--json"))
    exported = [line.partition("=") for line in running.done("env").splitlines() if line.startswith("export ")]
    assert answer["set"] == {name.removeprefix("export "): shlex.split(value)[0] for name, _, value in exported}
    assert answer["unset"] == list(FOREIGN_VARIABLES)


def test_env_quotes_whatever_a_path_may_hold(running: SandboxCommand) -> None:
    path = '/usr/bin:/bin:/it\'s $(echo a) `trap` "quoted" folder'
    assert _shell(running.done("env", PATH=path), {"PATH": path})["PATH"].endswith(path)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_env_without_a_sandbox_prints_nothing_that_a_shell_would_take_over(
    command: SandboxCommand, options: tuple[str, ...]
) -> None:
    finished = command.run("env", *options)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "python -m sandbox up" in finished.stderr
    assert not command.state_dir.exists()


def test_stand_in_plugins_keep_the_engine_from_looking_for_others(running: SandboxCommand) -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    shutil.rmtree(running.state_dir / "pulumi-home" / "plugins", ignore_errors=True)
    assert name not in json.loads(running.done("env", "--json"))["set"]
    sources = {each["source"] for each in json.loads(running.done("setup", "--json"))["plugins"]}
    assert (name in json.loads(running.done("env", "--json"))["set"]) == ("stand-in" in sources)


def test_the_environment_of_a_child_process_has_no_foreign_variable(running: SandboxCommand) -> None:
    given = {"PATH": "/bin", "AWS_PROFILE": "real", "EDITOR": "vi"}
    environment = Instance(state_dir=running.state_dir).process_environment(given)
    assert "AWS_PROFILE" not in environment
    assert environment["EDITOR"] == "vi"


def test_old_engine_logs_are_trimmed_and_the_newest_kept(running: SandboxCommand) -> None:
    logs = running.state_dir / "pulumi-home" / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    for number in range(60):
        log = logs / f"{number}.log"
        log.touch()
        os.utime(log, (number, number))
    running.done("env")
    assert {int(log.stem) for log in logs.iterdir()} == set(range(20, 60))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_stack_of_an_earlier_sandbox_is_noticed_with_its_mend(running: SandboxCommand, compressed: bool) -> None:
    with _remembered(running, timedelta(hours=1), compressed=compressed):
        for name in ("up", "status", "env"):
            finished = running.run(name)
            assert finished.returncode == 0
            assert "stack dev (1 resources)" in finished.stderr
            assert "python -m sandbox reset" in finished.stderr
            assert "reset" not in finished.stdout


def test_a_stack_of_this_very_sandbox_is_no_notice(running: SandboxCommand) -> None:
    with _remembered(running, timedelta(0)):
        finished = running.run("status", "--json")
    status = json.loads(finished.stdout)
    assert status["stacks"] == [{"project": "dataloop-sts", "stack": "dev", "resources": 1, "stale": 0}]
    assert status["notice"] is None
    assert finished.stderr == ""


def test_a_damaged_checkpoint_is_left_to_pulumi(running: SandboxCommand) -> None:
    with _remembered(running, timedelta(hours=1)) as file:
        file.write_text("{")
        assert json.loads(running.done("status", "--json"))["stacks"] == []


def test_a_restart_makes_a_living_stack_stale_until_a_reset(command: SandboxCommand) -> None:
    command.done("up")
    _write_checkpoint(command, timedelta(0))
    command.done("down")
    assert "python -m sandbox reset" in command.run("up").stderr
    command.done("reset")
    assert command.run("up").stderr == ""


def test_reset_ends_the_sandbox_and_forgets_its_stacks_but_not_the_plugins(command: SandboxCommand) -> None:
    command.done("up")
    _write_checkpoint(command, timedelta(hours=1))
    plugin = command.state_dir / "pulumi-home" / "plugins" / "some"
    plugin.mkdir(parents=True)
    assert "Forgot stack dev of dataloop-sts (1 resources)" in command.done("reset")
    assert command.pid is None
    assert not (command.state_dir / "backend").exists()
    assert plugin.is_dir()
    assert json.loads(command.done("reset", "--json")) == {"running": False, "forgotten": []}


def test_reset_deletes_nothing_outside_the_sandbox(command: SandboxCommand, tmp_path: Path) -> None:
    Instance(state_dir=command.state_dir).prepare()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (command.state_dir / "backend").rmdir()
    (command.state_dir / "backend").symlink_to(outside)
    command.done("reset")
    assert (outside / "precious").exists()
    assert not (command.state_dir / "backend").is_symlink()


def test_doctor_says_what_is_missing_and_its_exit_code_too(command: SandboxCommand) -> None:
    finished = command.run("doctor", "--json")
    report = json.loads(finished.stdout)
    assert not report["ok"]
    assert finished.returncode == 1
    missing = {check["name"]: check["mend"] for check in report["checks"] if not check["ok"]}
    assert missing["plugin aws"] == "python -m sandbox setup"
    assert "python -m sandbox setup" in command.run("doctor").stdout


def test_setup_makes_a_private_home_for_the_plugins(command: SandboxCommand) -> None:
    answer = json.loads(command.done("setup", "--json"))
    assert {each["name"] for each in answer["plugins"]} == {"aws", "command"}
    home = command.state_dir / "pulumi-home"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert list(home.glob("plugins/resource-aws-*/pulumi-resource-aws"))

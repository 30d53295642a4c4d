"""Pulumi's engine in a background sandbox: set up once, and led by `env` to the state folder, whatever its name."""

import base64
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from sandbox.engine import cache
from sandbox.instance import STATE_DIR_VARIABLE
from sandbox.ready import FOREIGN_VARIABLES, ReadyFile
from tests.sandbox_instance.command import CHECKOUT, SandboxCommand

PROJECT = "name: some-project\nruntime: python\n"
HOURS = 3600


def _files(command: SandboxCommand) -> dict[Path, int]:
    plugins = command.state_dir / "pulumi-home" / "plugins"
    return {path: path.stat().st_mtime_ns for path in plugins.rglob("*")}


def test_a_second_setup_does_and_says_nothing_new(running: SandboxCommand) -> None:
    first = running.done("setup")
    files = _files(running)
    assert files
    second = running.run("setup")
    assert (second.stdout, second.stderr) == (first, "")
    assert _files(running) == files


def test_doctor_finds_nothing_missing_after_setup(running: SandboxCommand) -> None:
    running.done("setup")
    report = json.loads(running.done("doctor", "--json"))
    assert report["ok"]
    found = {check["name"]: check["found"] for check in report["checks"]}
    assert str(running.state_dir) in found["plugin aws"]


def test_a_shell_with_a_real_environment_uses_pulumi_in_the_sandbox(running: SandboxCommand, tmp_path: Path) -> None:
    running.done("setup")
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    environment = {
        **dict.fromkeys(FOREIGN_VARIABLES, "real"),
        "PULUMI_BACKEND_URL": "https://real.example",
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(cache.folder().parent),  # where the engine lies
        STATE_DIR_VARIABLE: str(running.state_dir),
    }
    script = f"""
        set -eu
        cd {shlex.quote(str(CHECKOUT))}
        eval "$({shlex.quote(sys.executable)} -m sandbox env)"
        cd {shlex.quote(str(tmp_path))}
        pulumi stack init first --non-interactive >&2
        env
    """
    shell = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert shell.returncode == 0, shell.stderr
    assert (running.state_dir / "backend" / ".pulumi" / "stacks" / "some-project" / "first.json").is_file()
    assert not set(FOREIGN_VARIABLES) & {line.partition("=")[0] for line in shell.stdout.splitlines()}
    assert not (tmp_path / ".pulumi").exists()  # Pulumi's home where nothing else is named


def test_the_tokens_outlast_a_working_day(running: SandboxCommand) -> None:
    dataloop = ReadyFile.read(running.state_dir / "ready.json").dataloop
    for token in (dataloop.token, dataloop.non_owner_token):
        assert _expiry(token) > time.time() + 12 * HOURS
    assert _expiry(dataloop.expired_token) < time.time()


def _expiry(token: str) -> float:
    claims = token.split(".")[1]
    decoded: dict[str, float] = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return decoded["exp"]

"""Whose folder it is: a sandbox takes, ends and forgets what is its own, and touches nothing of anyone else."""

import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import SandboxError
from sandbox.instance import Instance
from tests.sandbox_instance.command import SandboxCommand

# A daemon as many are: it locks the file that holds its number.
DAEMON = """
import fcntl, os, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(str(os.getpid()))
file.flush()
print("locked", flush=True)
time.sleep(60)
"""


def _contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def test_a_project_of_someone_else_stays_as_it_is(command: SandboxCommand) -> None:
    theirs = command.state_dir
    (theirs / "backend").mkdir(parents=True)
    (theirs / "backend" / "server.py").write_text("years of work")
    (theirs / ".gitignore").write_text("*.pyc\n")
    (theirs / "ready.json").write_text("{}")
    with subprocess.Popen([sys.executable, "-c", DAEMON, theirs / "pid"], stdout=subprocess.PIPE) as daemon:
        try:
            assert daemon.stdout
            daemon.stdout.readline()
            before = _contents(theirs)
            for name in ("up", "reset"):
                refused = command.run(name)
                assert refused.returncode == 1
                assert "not a sandbox's" in refused.stderr
            assert "was not running" in command.done("down")
            assert json.loads(command.done("status", "--json"))["running"] is False
            assert command.run("env").returncode == 1
            assert daemon.poll() is None
            assert _contents(theirs) == before
        finally:
            daemon.kill()


def test_a_checkout_whose_folder_holds_only_the_demos_sandbox_may_have_its_own(tmp_path: Path) -> None:
    demo = Instance(tmp_path, state_dir=tmp_path / ".sandbox" / "demo")
    demo.prepare()
    own = Instance(tmp_path)
    own.prepare()
    own.reset()
    assert demo.backend.is_dir()
    assert not own.backend.exists()


def test_a_folder_beside_the_demos_sandbox_keeps_a_checkout_from_taking_it(tmp_path: Path) -> None:
    Instance(tmp_path, state_dir=tmp_path / ".sandbox" / "demo").prepare()
    (tmp_path / ".sandbox" / "backend").mkdir()
    with pytest.raises(SandboxError, match=r"not a sandbox's \(backend\)"):
        Instance(tmp_path).prepare()


def test_commands_at_once_all_take_a_new_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(30):
            instances = [Instance(state_dir=tmp_path / str(number)) for _ in range(8)]
            list(pool.map(Instance.prepare, instances))
    assert {entry.name for entry in (tmp_path / "0").iterdir()} == {".gitignore", "backend", "pulumi-home"}


def test_a_compressed_checkpoint_that_is_damaged_is_left_to_pulumi(command: SandboxCommand) -> None:
    instance = Instance(state_dir=command.state_dir)
    instance.prepare()
    stacks = instance.backend / ".pulumi" / "stacks" / "dataloop-sts"
    stacks.mkdir(parents=True)
    damaged = bytearray(gzip.compress(b'{"checkpoint": {}}' * 20))
    damaged[10:14] = b"\xff\xff\xff\xff"
    (stacks / "dev.json.gz").write_bytes(damaged)
    assert json.loads(command.done("status", "--json"))["stacks"] == []


def test_after_down_up_answers_on_the_same_ports_whoever_has_its_number_now(command: SandboxCommand) -> None:
    before = json.loads(command.done("up", "--json"))
    command.done("down")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (command.state_dir / "pid").write_text(f"{stranger.pid}\n")
            after = json.loads(command.done("up", "--json"))
            assert after["started"]
            assert after["pid"] == command.pid != stranger.pid
            for url in ("aws_endpoint_url", "dataloop_api_url"):
                assert after[url] == before[url]
            assert stranger.poll() is None
        finally:
            stranger.kill()

"""Other programs fill the backend's disk in the middle, at once: each state stays whole, and nothing is done twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from drills.drill import Drill, seed
from tests.e2e.harness import eventually

NAMES = [f"c{number:02}" for number in range(8)]
SOME = NAMES[:4]
_SOME = ("--select", "c0[0-3]")
_LONGEST_DELAY_S = 2.0
_SIZE = "128m"


@pytest.fixture
def disk(drill: Drill, tmp_path: Path) -> Iterator[Path]:
    """A small file system, to which the drill's backend is moved."""
    if sys.platform != "linux":
        pytest.skip("a small file system is made on Linux alone")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "dataloop-sts-drill", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system may be mounted here: {made.stderr.strip()}")
    try:
        drill.world.environment["PULUMI_BACKEND_URL"] = f"file://{folder}"
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    """No byte is left on the disk, until the end."""
    file = disk / "of-somebody-else"
    with file.open("wb", buffering=0) as filling, suppress(OSError):
        while filling.write(bytes(1 << 20)):
            pass
    try:
        yield
    finally:
        file.unlink()


def _filled(drill: Drill, disk: Path, chance: random.Random, *arguments: str) -> None:
    """Starts a run, and fills the disk while customers are run: these fail, and so do all that follow."""
    process, delay_s = drill.start(*arguments), chance.uniform(0, _LONGEST_DELAY_S)
    eventually(lambda: len(drill.locks()) == 2 or process.poll() is not None, seconds=600)
    time.sleep(delay_s)
    with _full(disk):
        process.wait(600)
    rows = json.loads((drill.fleet_folder / f"{arguments[0]}.json").read_text())["customers"]
    failed = {row["customer"]: row["error"]["message"] for row in rows if row["outcome"] == "failed"}
    begun = [customer for customer, why in failed.items() if "Nothing was begun." not in why]
    drill.say(f"{arguments[0]}: the disk was full {delay_s:.1f} s after two had begun; ended early: {begun}")
    assert process.returncode == bool(failed)
    for why in failed.values():
        assert "MiB left" in why or "no space left" in why
    for state in (drill.backend / "stacks").rglob("*.json"):
        assert json.loads(state.read_bytes())["checkpoint"], state
    assert drill.locks() == []


def test_a_run_on_a_disk_that_fills_up_is_gone_on_with_when_there_is_room(drill: Drill, disk: Path) -> None:
    chance = random.Random(seed())  # noqa: S311 - repeatable
    drill.say(f"SEED={seed()}")
    for name in NAMES:
        drill.write(name)
    for _ in range(4):
        _filled(drill, disk, chance, "up")
    assert set(drill.run("up").counts) <= {"succeeded", "unchanged"}
    drill.assert_stands(NAMES)
    assert drill.run("verify").counts == {"succeeded": len(NAMES)}
    drill.learn_keys(NAMES)

    _filled(drill, disk, chance, "rotate", *_SOME)
    _filled(drill, disk, chance, "rotate", *_SOME, "--only-failed")
    assert set(drill.run("rotate", *_SOME, "--only-failed").counts) <= {"succeeded"}
    drill.assert_stands(NAMES)
    drill.learn_keys(NAMES)
    assert drill.run("audit").counts == {"succeeded": len(NAMES)}

    _filled(drill, disk, chance, "destroy", *_SOME, "--yes")
    assert set(drill.run("destroy", *_SOME, "--yes", "--only-failed").counts) <= {"succeeded", "unchanged"}
    drill.assert_stands([name for name in NAMES if name not in SOME])
    drill.assert_nothing_left()

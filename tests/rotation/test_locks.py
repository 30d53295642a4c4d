"""The lock of a killed run is told from that of a run that lives, here or elsewhere."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from automation.errors import StackError, StackLocked
from automation.repair.locks import LockFiles, lock_files, release
from dataloop_sts.errors import AwsError
from tests.steps.aws_world import REGION, World

PROJECT, STACK = "dataloop-sts", "prod.acme"
PLACE = f".pulumi/locks/organization/{PROJECT}/{STACK}"


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def alive() -> Iterator[int]:
    """The number of another process that runs."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


def _lock(pid: int, **changes: Any) -> str:
    content = {"pid": pid, "username": "ann", "hostname": socket.gethostname(), "timestamp": datetime.now(UTC)}
    return json.dumps({**content, **changes}, default=str)


def _files(folder: Path, *contents: str) -> LockFiles:
    place = folder / PLACE
    place.mkdir(parents=True)
    for number, content in enumerate(contents):
        (place / f"{number}.json").write_text(content)
        (place / f"{number}.json.attrs").write_text("{}")
    found = lock_files(f"file://{folder}", PROJECT, STACK)
    assert found
    return found


def _left(folder: Path) -> int:
    return len(list((folder / PLACE).iterdir()))


def test_a_lock_whose_process_is_dead_is_removed(tmp_path: Path, dead: int) -> None:
    released = list(release(_files(tmp_path, _lock(dead))))
    assert [lock.pid for lock in released] == [dead]
    assert str(released[0]).startswith(
        f"ann@{socket.gethostname()}, process {dead}, since {datetime.now(UTC):%Y-%m-%d}"
    )
    assert _left(tmp_path) == 0


def test_a_lock_whose_process_lives_stays(tmp_path: Path, alive: int) -> None:
    with pytest.raises(StackLocked, match=f"process {alive}, since .*, and its process lives"):
        list(release(_files(tmp_path, _lock(alive))))
    assert _left(tmp_path) == 2


def test_a_process_that_got_the_number_of_a_dead_one_holds_no_lock(tmp_path: Path, alive: int) -> None:
    started = datetime.fromtimestamp(psutil.Process(alive).create_time(), UTC)
    files = _files(tmp_path, _lock(alive, timestamp=started - timedelta(minutes=1)))
    assert [lock.pid for lock in release(files)] == [alive]


def test_a_process_that_nobody_has_waited_for_is_dead(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.read()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert [lock.pid for lock in release(_files(tmp_path, _lock(process.pid)))] == [process.pid]
    process.wait()


def test_a_lock_of_another_machine_stays_also_where_such_a_process_is_dead_here(tmp_path: Path, dead: int) -> None:
    with pytest.raises(StackLocked, match=f"ann@build-7, process {dead}, .* it was made on build-7: .*pulumi cancel"):
        list(release(_files(tmp_path, _lock(dead, hostname="build-7"))))
    assert _left(tmp_path) == 2


def test_what_is_no_lock_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"0\.json is not of the form that Pulumi writes"):
        list(release(_files(tmp_path, "{}")))
    assert _left(tmp_path) == 2


def test_only_the_stacks_own_locks_are_looked_at(tmp_path: Path, alive: int) -> None:
    other = tmp_path / ".pulumi/locks/organization" / PROJECT / f"{STACK}2"
    other.mkdir(parents=True)
    (other / "0.json").write_text(_lock(alive))
    files = lock_files(f"file://{tmp_path}?no_tmp_dir=true", PROJECT, STACK)
    assert files and list(release(files)) == []


@pytest.mark.parametrize("folder", ["", "/state/of/all"])
def test_locks_in_a_bucket_are_told_likewise(folder: str, world: World, alive: int, dead: int) -> None:
    bucket = world.make_bucket()
    prefix = f"{folder.strip('/')}/" if folder else ""
    names = [f"{prefix}{PLACE}/{number}.json" for number in (1, 2)]
    for name, pid in zip(names, (dead, alive), strict=True):
        world.s3.put_object(Bucket=bucket, Key=name, Body=_lock(pid))
    files = lock_files(f"s3://{bucket}{folder}?region={REGION}&awssdk=v2", PROJECT, STACK)
    assert files
    released = release(files)
    assert next(released).pid == dead
    with pytest.raises(StackLocked, match=f"process {alive}"):
        next(released)
    assert world.keys(bucket) == [names[1]]


@pytest.mark.parametrize("url", ["https://api.pulumi.com", "gs://bucket", "azblob://container", "postgres://host/db"])
def test_other_backends_keep_their_locks_to_themselves(url: str) -> None:
    assert lock_files(url, PROJECT, STACK) is None


def test_a_backend_whose_profile_does_not_exist_is_an_error_of_one_line(world: World) -> None:
    assert world.environment["AWS_CONFIG_FILE"]  # in which there is no profile
    with pytest.raises(AwsError, match="use the settings of the backend's bucket: The config profile"):
        lock_files("s3://bucket?region=eu-west-1&profile=nobody", PROJECT, STACK)

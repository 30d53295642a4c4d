"""What a backend's folder is asked for beside its files: room, and what somebody began to write in it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from automation.stores import HELD, RESERVE, ROOM, LocalStore, S3Store

LOCKS = ".pulumi/locks/organization/dataloop-sts/prod.acme"


def test_a_run_ends_long_before_there_is_no_room_and_long_after_none_may_begin() -> None:
    assert HELD * 2 < RESERVE < ROOM / 2


@pytest.mark.parametrize(("free", "full"), [(RESERVE, False), (RESERVE - 1, True), (0, True)])
def test_a_disk_with_less_than_the_reserve_is_nearly_full(
    free: int, full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    said = LocalStore(tmp_path).nearly_full()
    assert bool(said) is full
    assert not full or f"the disk of the backend {tmp_path} has {free >> 20} MiB left" in said


def test_room_is_held_while_it_lasts_and_nobody_sees_a_file(tmp_path: Path) -> None:
    def held() -> list[int]:
        """The sizes of the files without a name that this process has open there."""
        here = str(tmp_path)
        found = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - itself one
        return [path.stat().st_blocks * 512 for path in found if path.exists() and here in str(path.readlink())]

    with LocalStore(tmp_path).held_room():
        assert list(tmp_path.iterdir()) == []
        if Path("/proc/self/fd").exists():
            assert [size >= HELD for size in held()] == [True]
    assert list(tmp_path.iterdir()) == []


def test_where_no_room_can_be_held_a_run_goes_on(tmp_path: Path) -> None:
    with LocalStore(tmp_path / "gone").held_room(), S3Store(None, "bucket", "").held_room():
        pass


def _begun(store: LocalStore, seconds_ago: float) -> str:
    name = f"{LOCKS}/1.json.{time.time_ns() - int(seconds_ago * 1e9):x}.tmp"
    (store.root / LOCKS).mkdir(parents=True, exist_ok=True)
    (store.root / name).touch()
    return name


def test_what_was_begun_and_never_ended_is_found(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.unfinished(LOCKS) == []
    name = _begun(store, 3600)
    for other in ("1.json", "1.json.attrs", "1.tmp", "1.json.123.tmp"):
        (tmp_path / LOCKS / other).touch()
    assert store.unfinished(LOCKS) == [name]
    assert S3Store(None, "bucket", "").unfinished(LOCKS) == []


def test_what_is_being_written_gets_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation.stores._WRITTEN_S", 1.0)
    store = LocalStore(tmp_path)
    written = store.root / _begun(store, 0)
    threading.Timer(0.3, lambda: written.rename(written.with_name("1.json"))).start()
    assert store.unfinished(LOCKS) == []
    assert (store.root / LOCKS / "1.json").exists()
    began = time.monotonic()
    name = _begun(store, -3600)  # by a clock that is ahead
    assert store.unfinished(LOCKS) == [name]
    assert time.monotonic() - began < 3

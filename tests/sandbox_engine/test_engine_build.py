"""The build: once, whole or not at all, whoever interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import engine
from sandbox.engine import EngineError, cache

if TYPE_CHECKING:
    from tests.sandbox_engine.conftest import Machine

ENSURE = (
    "import functools; from sandbox import engine; print(engine.ensure(functools.partial(print, flush=True)).pulumi)"
)


def _visible(machine: Machine) -> list[str]:
    """What the cache holds for others to use, without locks."""
    if not machine.cache.exists():
        return []
    return sorted(each.name for each in machine.cache.iterdir() if not each.name.startswith(".") and each.is_dir())


def _hidden(machine: Machine) -> list[Path]:
    return [each for each in machine.cache.glob(".*") if each.is_dir()]


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def _build_held(machine: Machine) -> subprocess.Popen[str]:
    (machine.root / "hold").touch()
    process = machine.start(ENSURE)
    _wait_for(machine.root / "building")
    return process


def test_the_language_host_stands_beside_the_built_cli(machine: Machine, said: list[str]) -> None:
    machine.install_go()
    found = engine.ensure(said.append)
    assert found.language_host == "stand-in"
    assert subprocess.run([found.pulumi, "version"], capture_output=True, text=True).stdout == "v3.274.1\n"
    for name in ("pulumi-language-python", "pulumi-resource-pulumi-python"):
        assert os.access(found.bin_dir / name, os.X_OK)
    assert not found.pulumi.is_symlink()


def test_a_second_call_does_no_work_and_says_nothing(machine: Machine, said: list[str]) -> None:
    machine.install_go()
    first = engine.ensure(said.append)
    before = len(said), machine.calls
    assert engine.ensure(said.append) == first
    assert (len(said), machine.calls) == before


def test_a_changed_language_host_costs_no_second_build(
    machine: Machine, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install_go()
    first = engine.ensure(said.append)
    changed = tmp_path / "python_runtime.py"
    changed.write_text("# another checkout's\n")
    files = engine.engines._STAND_IN_FILES
    monkeypatch.setattr(engine.engines, "_STAND_IN_FILES", (*files[:-1], changed))
    second = engine.ensure(said.append)
    assert second.bin_dir != first.bin_dir
    assert (second.bin_dir / "python_runtime.py").read_text() == "# another checkout's\n"
    assert machine.calls.count("build") == 1


def test_an_old_go_is_not_used(machine: Machine, said: list[str]) -> None:
    machine.install_go(version="go1.20.1")
    machine.install("uv", "#!/bin/sh\nexit 2\n")
    with pytest.raises(EngineError):
        engine.ensure(said.append)
    assert "build" not in machine.calls


def test_a_failed_build_leaves_nothing_and_its_last_words_are_told(machine: Machine, said: list[str]) -> None:
    machine.install_go(then="echo 'no space left' >&2; exit 1")
    with pytest.raises(EngineError, match="no space left"):
        engine.ensure(said.append)
    assert _visible(machine) == []
    assert _hidden(machine) == []


def test_after_an_interrupt_nothing_is_left_and_no_compiler_runs_on(machine: Machine) -> None:
    finished = machine.root / "finished"
    machine.install_go(then=f"touch {finished}")
    process = _build_held(machine)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    (machine.root / "hold").unlink()
    time.sleep(0.3)
    assert not finished.exists()
    assert process.returncode != 0
    assert _visible(machine) == []
    assert _hidden(machine) == []


def test_after_a_kill_the_next_call_builds_anew_and_removes_what_was_left(machine: Machine) -> None:
    machine.install_go()
    process = _build_held(machine)
    process.kill()
    process.communicate(timeout=20)
    assert _visible(machine) == []
    left = _hidden(machine)
    assert len(left) == 1
    (machine.root / "hold").unlink()
    again = machine.start(ENSURE)
    out, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    assert Path(out.splitlines()[-1]).exists()
    assert _hidden(machine) == []


def test_two_at_once_build_once_and_the_second_says_that_it_waits(machine: Machine) -> None:
    machine.install_go()
    first = _build_held(machine)
    second = machine.start(ENSURE)
    try:
        assert second.stdout
        waiting = ""
        while "Waiting for another process" not in waiting:
            waiting = second.stdout.readline()
            assert waiting
    finally:
        (machine.root / "hold").unlink()
    outputs = [process.communicate(timeout=30)[0].splitlines()[-1] for process in (first, second)]
    assert outputs[0] == outputs[1]
    assert machine.calls.count("build") == 1


def test_a_relative_cache_folder_counts_as_unset(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert cache.folder() == Path.home() / ".cache" / "dataloop-sts"

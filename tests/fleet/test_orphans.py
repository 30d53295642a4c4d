"""An engine whose run was killed is waited for: it ends by itself, and frees the stack's lock."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import pytest

from automation.engine import RUN_BY_VARIABLE
from automation.fleet import leftovers
from tests.e2e.harness import eventually

_RUN = f"""
import os, subprocess, sys
engine = subprocess.Popen(["sleep", "60"], env={{**os.environ, "{RUN_BY_VARIABLE}": str(os.getpid())}})
print(engine.pid, flush=True)
engine.wait()
"""


def _lock(pid: int) -> str:
    return json.dumps(
        {"pid": pid, "username": "ops", "hostname": socket.gethostname(), "timestamp": datetime.now(UTC).isoformat()}
    )


@contextmanager
def _taking_in_orphans() -> Iterator[None]:
    """This process takes in the orphans below it, as a service manager does instead of process 1."""
    if sys.platform != "linux":
        pytest.skip("only Linux has it: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html")
    subreaper = 36
    libc = ctypes.CDLL(None)
    assert libc.prctl(subreaper, 1) == 0
    try:
        yield
    finally:
        libc.prctl(subreaper, 0)


def test_an_orphan_is_known_whoever_has_taken_it_in() -> None:
    with _taking_in_orphans():
        run = subprocess.Popen([sys.executable, "-c", _RUN], stdout=subprocess.PIPE, text=True)
        assert run.stdout
        with run.stdout:
            engine = int(run.stdout.readline())
        try:
            # one that was just started has no environment yet
            eventually(lambda: RUN_BY_VARIABLE in psutil.Process(engine).environ(), 10)
            assert not leftovers._is_an_orphans(_lock(engine)), "its run lives"
            run.kill()
            run.wait()
            assert leftovers._is_an_orphans(_lock(engine))
        finally:
            os.kill(engine, signal.SIGKILL)
        os.waitpid(engine, 0)
        assert not leftovers._is_an_orphans(_lock(engine)), "it is dead"


def test_a_process_that_was_not_started_by_a_run_is_no_orphan_of_one() -> None:
    assert not leftovers._is_an_orphans(_lock(1))
    assert not leftovers._is_an_orphans(_lock(os.getppid()))
    assert not leftovers._is_an_orphans("no lock")

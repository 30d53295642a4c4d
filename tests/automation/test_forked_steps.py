"""The steps that are forked: whose environment they have, and that each ends with the process that asked for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from automation.fork_server import client
from automation.fork_server.client import forks
from dataloop_sts.steps import entry
from tests.automation.forking import ends, fork_server
from tests.e2e.harness import eventually

REQUEST = json.dumps({"region": "r", "access_key_id": "a", "secret_access_key": "s", "role_arn": "r", "targets": []})
"""Of a verification that gets as far as its settings, which come from the environment."""
SETTING = "DATALOOP_STS_SETTLE_SECONDS"
KILLED = "The step ended without a result: something killed it, or memory ran out. Run the update again.\n"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a step runs where it is started")


@pytest.fixture(autouse=True)
def own_server() -> Iterator[None]:
    client.end()
    yield
    client.end()


def started(found: Mapping[str, str], folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A verification as pulumi-command starts it; it waits for its request."""
    return subprocess.Popen(
        [sys.executable, "-m", "dataloop_sts.verify", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **found, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str], stdin: str = REQUEST) -> str:
    """What a step says of its failure."""
    out, err = process.communicate(stdin, timeout=30)
    assert (process.returncode, out) == (1, "")
    return err


def forked_step(server: psutil.Process, seconds: float = 10) -> psutil.Process:
    """The one step that runs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for child in server.children():
            if child.name() == "sts-step":
                return child
        time.sleep(0.02)
    raise AssertionError("no step was handed over")


@contextmanager
def waiting_step(found: Mapping[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A step that waits for its request: the process that was started, and the one that runs it."""
    with started(found, folder, **{SETTING: "soon"}) as process:
        try:
            yield process, forked_step(fork_server())
        finally:
            process.kill()


def test_a_step_is_run_by_a_fork_of_what_has_imported_all(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found, waiting_step(found, tmp_path) as (process, step):
        assert fork_server().num_threads() == 1
        assert "'soon'" in said(process)
        assert ends(step.pid)


def test_each_step_has_its_own_environment_and_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "of the parent")

    def run(number: int) -> str:
        with started(found, tmp_path, **({SETTING: f"of {number}"} if number else {})) as process:
            return said(process, REQUEST if number else "{")

    with forks({SETTING: "of the provider"}, tmp_path) as found:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(run, range(12)))
        assert answers[0] == "The step's request on standard input is not valid at: the request.\n"
        for number, answer in enumerate(answers[1:], 1):
            assert f"not 'of {number}'." in answer
        server = fork_server()
        eventually(lambda: len(server.children()) == 1, 5)  # those that have ended are gone
        assert server.children()[0].name() == "sts-provider"


def test_a_step_gets_what_is_large_too(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found:
        with started(found, tmp_path, LARGE="x" * 100_000, LARGER="\u00e4" * 60_000) as process:
            text = said(process, json.dumps({"typo": "x" * 1_000_000}))
        assert text.startswith("The step's request on standard input is not valid at: ")


def test_an_error_of_ours_in_a_step_is_told_as_python_does(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found:
        environment = {"PATH": os.environ["PATH"], **found}
        command = [sys.executable, "-m", "dataloop_sts.key_description"]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback") and done.stderr.rstrip().endswith("IndexError: list index out of range")


def test_a_step_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found, waiting_step(found, tmp_path) as (process, step):
        process.kill()
        assert ends(step.pid)


def test_an_interrupted_step_says_so(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found, waiting_step(found, tmp_path) as (process, step):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 1
        assert said(process) == "Interrupted.\n"
        assert ends(step.pid)


def test_a_step_that_is_killed_has_failed(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found, waiting_step(found, tmp_path) as (process, step):
        step.kill()
        assert process.wait(10) == 1
        assert said(process) == KILLED


def test_where_what_is_forked_is_killed_a_step_goes_on_and_the_next_runs_by_itself(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found:
        with waiting_step(found, tmp_path) as (process, step):
            fork_server().kill()
            assert not ends(step.pid, 0.5)
            assert "'soon'" in said(process)
        with started(found, tmp_path, **{SETTING: "later"}) as process:
            assert "'later'" in said(process)


_STARTER = """
import json, sys, time
from pathlib import Path
from automation.fork_server.client import forks
with forks({}, Path(sys.argv[1])) as found:
    print(json.dumps(found), flush=True)
    time.sleep(60)
"""


def test_a_step_whose_run_s_starter_is_killed_goes_on(tmp_path: Path) -> None:
    """The engine has the step under way, whose result it wants to keep."""
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    found = json.loads(starter.stdout.readline())
    (server,) = psutil.Process(starter.pid).children()
    with started(found, tmp_path, **{SETTING: "soon"}) as process:
        step = forked_step(server)
        starter.kill()
        starter.communicate()
        assert ends(server.pid)
        assert not ends(step.pid, 0.5)
        assert "'soon'" in said(process)
        assert ends(step.pid)


def test_nothing_is_handed_to_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, _other = socket.socketpair(socket.AF_UNIX)
    assert entry.is_mine(mine)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0dataloop-sts-of-somebody-else")
        listening.listen()
        monkeypatch.setenv(entry.SERVER_VARIABLE, "dataloop-sts-of-somebody-else")
        monkeypatch.setattr(os, "getuid", lambda: -1)
        monkeypatch.setattr(entry, "run", lambda step, arguments: 42)
        assert not entry.is_mine(mine)
        assert entry.enter("verify") == 42
        connection, _ = listening.accept()
        assert connection.recv(1) == b""

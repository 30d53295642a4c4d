"""Asks for a provider and for steps for a run, and ends it with the run."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataloop_sts.steps.entry import SERVER_VARIABLE

_PACKAGE = "pulumi-python"
_ATTACH = "PULUMI_DEBUG_PROVIDERS"
"""Tells the engine of providers that run already: https://www.pulumi.com/docs/iac/cli/environment-variables/"""

_SUPPORTED = sys.platform == "linux"


@contextmanager
def forks(variables: Mapping[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """A provider for one run of the engine; yields the variables by which the engine finds it, and the steps theirs.

    Where there can be none (another system than Linux, somebody debugs one of his own), there are no variables, the
    engine starts one as it always does, and the steps run where they are started.

    Args:
        variables: the environment of the run, whole; it reaches the provider through a pipe.
        folder: where the run's engine works.
    """
    attached = variables.get(_ATTACH, "")
    wanted = _SUPPORTED and _PACKAGE not in attached
    found = _server.start({"variables": dict(variables), "folder": str(folder)}) if wanted else None
    if found is None:
        yield {}
        return
    try:
        attach = ",".join(filter(None, (attached, f"{_PACKAGE}:{found.port}")))
        yield {_ATTACH: attach, SERVER_VARIABLE: found.steps}
    finally:
        _server.stop(found)


def prepare() -> None:
    """Starts the process that is forked, unless it runs; to be called some time before a provider is needed."""
    if _SUPPORTED:
        _server.prepare()


def end() -> None:
    """Ends the process that is forked; the next run starts another. Done at the end of this process too."""
    _server.end()


@dataclass(frozen=True)
class _Provider:
    """A provider that runs: its process, the one it was forked from, its port on loopback; and where steps are run."""

    pid: int
    parent: int
    port: int
    steps: str


class _Server:
    """The process, started when it is first needed, and again where it has ended, as it does when it is idle."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """For a fork of this process: the pipes are its parent's."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Starts the process, unless one runs."""
        with self._lock:
            self._running()

    def start(self, request: Mapping[str, Any]) -> _Provider | None:
        """Starts a provider; None where that does not work."""
        with self._lock:
            for _ in range(2):  # it may end just when it is asked
                process = self._running()
                if (answer := _asked(process, request)) is not None:
                    return _Provider(parent=process.pid, **answer) if answer else None
                self._end()
        return None

    def stop(self, provider: _Provider) -> None:
        """Ends a provider; one whose parent is gone ends with its engine."""
        with self._lock:
            if self._process and self._process.pid == provider.parent:
                _asked(self._process, {"end": provider.pid})

    def end(self) -> None:
        """Ends the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is not None:
            self._end()
        self._process = self._process or _started()
        return self._process

    def _end(self) -> None:
        if self._process:
            self._process.communicate()  # closes its input, at which it ends
            self._process = None


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-u", "-m", "automation.fork_server"],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the interrupt of a terminal is for the engine, through this process
    )


def _asked(process: subprocess.Popen[bytes], request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer to a request, as ``automation.fork_server.__main__`` has them; None where the process has ended."""
    assert process.stdin and process.stdout  # noqa: S101 - as they were asked for
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        answer: dict[str, Any] | None = json.loads(process.stdout.readline() or "null")
    except BrokenPipeError:
        return None
    except BaseException:  # the next to ask would take this answer for its own
        process.kill()
        process.wait()
        raise
    return answer


_server = _Server()
os.register_at_fork(after_in_child=_server.forget)
atexit.register(end)

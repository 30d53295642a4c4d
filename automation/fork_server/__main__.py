"""The process that is forked: it has imported what providers and steps need, and has one thread, so a fork is safe.

It reads requests from standard input, each a JSON object on a line, and answers each with one on standard output:
``{"variables": {NAME: VALUE}, "folder": PATH}`` makes a provider, ``{"pid": PID, "port": PORT, "steps": NAME}``; where
that fails the answer is ``{}``. ``{"end": PID}`` ends one, ``{}``. Steps come by themselves, to the abstract socket
``NAME``. It ends with its input, or when it is idle for a minute.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any

from automation.fork_server import provider, step

IDLE_S = 60.0
_START_S = 10.0  # the engine gives a plugin as long


def main() -> None:
    """Serves until there is nothing to do."""
    provider.prepare()
    step.prepare()
    _Server().serve()
    os._exit(0)  # those of a run whose starter is gone live as long as their engine: it wants its calls back


class _Server:
    """What is forked, and its children."""

    def __init__(self) -> None:
        self._providers: set[int] = set()
        self._steps: set[int] = set()
        self._name = f"dataloop-sts-{secrets.token_hex(16)}"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(f"\0{self._name}")
        self._listening.listen(socket.SOMAXCONN)
        signal.signal(signal.SIGCHLD, self._reap)

    def serve(self) -> None:
        """Serves until its input ends, or nothing has been asked for a while."""
        requests, received = sys.stdin.fileno(), b""
        while ready := select([requests, self._listening], [], [], None if self._providers else IDLE_S)[0]:
            if self._listening in ready:
                self._step(self._listening.accept()[0])
            if requests not in ready:
                continue
            if not (part := os.read(requests, 1 << 16)):
                break
            *lines, received = (received + part).split(b"\n")
            for line in lines:
                sys.stdout.write(json.dumps(self._answer(json.loads(line))) + "\n")

    def _answer(self, request: dict[str, Any]) -> dict[str, int | str]:
        if "end" in request:
            self._end(request["end"])
            return {}
        reading, writing = os.pipe()
        server = os.getpid()

        def serve() -> None:
            os.close(reading)
            provider.serve(request["variables"], request["folder"], writing, server)

        child = self._forked("sts-provider", serve)
        os.close(writing)
        self._providers.add(child)
        with os.fdopen(reading) as said:
            port = said.readline() if select([said], [], [], _START_S)[0] else ""
        if not port:
            self._end(child)
            return {}
        return {"pid": child, "port": int(port), "steps": self._name}

    def _step(self, connection: socket.socket) -> None:
        with connection:
            self._steps.add(self._forked("sts-step", lambda: step.serve(connection)))
            self._reap()  # it may have ended before it was known

    def _forked(self, name: str, work: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            try:
                with suppress(OSError):
                    Path("/proc/self/comm").write_text(name)  # what `ps -o comm` and `top` show
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                self._listening.close()  # else somebody could wait at it after this server's end
                work()
            finally:
                os._exit(1)
        return child

    def _end(self, child: int) -> None:
        self._providers.discard(child)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def _reap(self, *_signal: object) -> None:
        for child in tuple(self._steps):
            with suppress(ChildProcessError):
                if os.waitpid(child, os.WNOHANG)[0]:
                    self._steps.discard(child)


if __name__ == "__main__":
    main()

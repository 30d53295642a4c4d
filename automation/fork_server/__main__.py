"""The process that is forked: it has imported what a dynamic provider needs, and has one thread, so a fork is safe.

It reads requests from standard input, each a JSON object on a line, and answers each with one on standard output:
``{"variables": {NAME: VALUE}, "folder": PATH}`` makes a provider, ``{"pid": PID, "port": PORT}``; where that fails the
answer is ``{}``. ``{"end": PID}`` ends one, ``{}``. It ends with its input, or when it is idle for a minute.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from select import select
from typing import Any

from automation.fork_server import provider

IDLE_S = 60.0
_START_S = 10.0  # the engine gives a plugin as long


def main() -> None:
    """Serves until there is nothing to do."""
    provider.prepare()
    children: set[int] = set()
    requests, received = sys.stdin.fileno(), b""
    while select([requests], [], [], None if children else IDLE_S)[0]:
        if not (part := os.read(requests, 1 << 16)):
            break
        *lines, received = (received + part).split(b"\n")
        for line in lines:
            sys.stdout.write(json.dumps(_answer(json.loads(line), children)) + "\n")
    os._exit(0)  # those of a run whose starter is gone live as long as their engine: it wants its calls back


def _answer(request: dict[str, Any], children: set[int]) -> dict[str, int]:
    if "end" in request:
        _end(request["end"], children)
        return {}
    reading, writing = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        try:
            os.close(reading)
            provider.serve(request["variables"], request["folder"], writing, parent)
        finally:
            os._exit(1)
    os.close(writing)
    children.add(child)
    with os.fdopen(reading) as said:
        port = said.readline() if select([said], [], [], _START_S)[0] else ""
    if not port:
        _end(child, children)
        return {}
    return {"pid": child, "port": int(port)}


def _end(child: int, children: set[int]) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    children.discard(child)


if __name__ == "__main__":
    main()

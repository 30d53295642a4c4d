"""A step of a run, in a process that was forked for it; ``dataloop_sts.steps.entry`` is the other end."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import traceback
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from dataloop_sts import steps
from dataloop_sts.steps import entry

_STANDARD_STREAMS = 3
_LINE = 1 << 16


def prepare() -> None:
    """Loads what the steps need."""
    for module in iter_modules(steps.__path__):
        import_module(f"{steps.__name__}.{module.name}")


def serve(connection: socket.socket) -> None:
    """Runs the step that is asked for on a connection, as the process that asks would; never returns.

    That process is the one that the engine's plugin has started, and may kill: this one ends with it.
    """
    if not entry.is_mine(connection):
        os._exit(1)
    _, streams, _, _ = socket.recv_fds(connection, 1, _STANDARD_STREAMS)
    request = json.loads(_line(connection))
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # new ones: what those that are there know of their files, such as whether one can be sought in, is of former ones
    sys.stdin, sys.stdout, sys.stderr = _text(0, "r"), _text(1, "w"), _text(2, "w")
    os.environ.clear()
    os.environ.update(request["variables"])
    os.chdir(request["folder"])
    connection.sendall(bytes([_ran(request["step"], request["arguments"])]))
    os._exit(0)


def _ran(step: str, arguments: list[str]) -> int:
    try:
        code = entry.run(step, arguments)
    except Exception:  # as Python does at the end of a process
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        if not (part := connection.recv(_LINE)):
            os._exit(1)
        received += part
    return received


def _text(descriptor: int, mode: str) -> Any:
    return open(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)


def _end_with(connection: socket.socket) -> None:
    while connection.recv(1):
        pass
    os._exit(1)

"""Where a step begins: it is handed to a process that has imported all, where the run has one, and is run here if not.

Nothing is imported with this module that a step handed over does not need: that is what it saves.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from importlib import import_module

SERVER_VARIABLE = "DATALOOP_STS_STEP_SERVER"
"""In the environment of a run the name of an abstract socket, whose listener runs steps: ``automation.fork_server``."""

_PEER = struct.Struct("3i")  # struct ucred: https://man7.org/linux/man-pages/man7/unix.7.html, SO_PEERCRED
_KILLED = "The step ended without a result: something killed it, or memory ran out. Run the update again.\n"


def enter(step: str) -> int:
    """Runs the step that this process was started for; returns its exit code."""
    server = os.environ.pop(SERVER_VARIABLE, "")
    if server:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(f"\0{server}")
            except OSError:  # it is gone with who began the run
                pass
            else:
                if is_mine(connection):
                    return _handed_over(connection, step)
    return run(step, sys.argv[1:])


def run(step: str, arguments: list[str]) -> int:
    """Runs a step in this process.

    Args:
        step: the name of a module beside this one.
        arguments: what its command line has beside.
    """
    code: int = import_module(f"dataloop_sts.steps.{step}").main(arguments)
    return code


def is_mine(connection: socket.socket) -> bool:
    """Whether the process at the other end is of the same user: an abstract socket has no permissions of its own."""
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return bool(_PEER.unpack(peer)[1] == os.getuid())


def _handed_over(connection: socket.socket, step: str) -> int:
    """Gives the step away with all that a process has; it lives as long as this one, and answers its exit code."""
    request = {"step": step, "arguments": sys.argv[1:], "folder": os.getcwd(), "variables": dict(os.environ)}  # noqa: PTH109
    try:
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = connection.recv(1)
    except ConnectionError:
        answer = b""
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 1
    if not answer:
        sys.stderr.write(_KILLED)
        return 1
    return answer[0]

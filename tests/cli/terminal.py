"""A program run on a terminal of its own, as an operator has one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UP = re.compile(r"\x1b\[(\d*)A")
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Shown:
    """What a program left on its terminal, byte by byte, and its exit code."""

    code: int
    raw: str

    @property
    def frames(self) -> list[str]:
        """Each state of each line, in the order in which it was drawn, without colours."""
        return [frame for frame in re.split(r"[\r\n]+", _CONTROL.sub("", self.raw)) if frame.strip()]

    @property
    def most_lines_up(self) -> int:
        """How many lines the cursor went up at most: a display of one line never has to."""
        return max((int(count or 1) for count in _UP.findall(self.raw)), default=0)


def on_terminal(
    program: Path, *arguments: str, columns: int = 100, interrupt_at: str = "", environment: Mapping[str, str] = {}
) -> Shown:
    """Runs a Python program on a terminal.

    Args:
        columns: the terminal's width.
        interrupt_at: once this text is seen, Ctrl-C is pressed.
        environment: beside that of this process.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**os.environ, "PYTHONPATH": str(_CHECKOUT), "TERM": "xterm-256color", **environment}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        if name not in environment:
            variables.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, str(program), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=variables,
        start_new_session=True,
    )
    os.close(theirs)
    deadline, said, pressed = time.monotonic() + _TIMEOUT_S, b"", False
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # the last one has closed it
                    break
                if not piece:
                    break
                said += piece
            if interrupt_at and not pressed and interrupt_at.encode() in said:
                os.kill(process.pid, signal.SIGINT)
                pressed = True
        code = process.wait(10)
    finally:
        process.kill()
        os.close(ours)
    return Shown(code, said.decode("utf-8", "replace"))

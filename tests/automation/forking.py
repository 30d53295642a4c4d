"""The process that is forked, and its children, as an operating system sees them."""

from __future__ import annotations

import time

import psutil


def fork_server(seconds: float = 5) -> psutil.Process:
    """What is forked; one that was just started has no command line yet."""
    deadline = time.monotonic() + seconds
    while True:
        found = [each for each in psutil.Process().children() if "automation.fork_server" in each.cmdline()]
        if found or time.monotonic() > deadline:
            (server,) = found
            return server
        time.sleep(0.01)


def ends(pid: int, seconds: float = 5) -> bool:
    """Whether a process ends by itself in a short time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False

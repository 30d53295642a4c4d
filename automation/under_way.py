"""Which stacks this process has a run of under way: one run a stack, which any thread can end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from automation.engine import Stop
from automation.errors import StackLocked

Key = tuple[str, str]
"""The backend's URL and the stack's name."""


class _Run:
    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self.stop = Stop()
        self.ended = threading.Event()


_runs: dict[Key, _Run] = {}
_lock = threading.Lock()


@contextmanager
def only_run(key: Key) -> Iterator[Stop]:
    """Notes a run while the block lasts; yields what ends it.

    Raises:
        StackLocked: this process has a run of the stack under way already.
    """
    run = _Run()
    with _lock:
        other = _runs.setdefault(key, run)
    if other is not run:
        raise StackLocked(
            f"Stack {key[1]} is run by this process already, since {other.since:%H:%M:%S} UTC: wait for that run, or "
            "cancel it.",
            who="this process",
            since=other.since,
            pid=os.getpid(),
        )
    try:
        yield run.stop
    finally:
        with _lock:
            del _runs[key]
        run.ended.set()


def end(key: Key) -> bool:
    """Asks the run of a stack to end, and waits until it has; returns whether there was one."""
    with _lock:
        run = _runs.get(key)
    if run is None:
        return False
    run.stop.ask()
    run.ended.wait()
    return True

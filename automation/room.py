"""Ends a run whose backend is running out of room, while the engine can still write the state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from automation.engine import Stop
from automation.errors import StackError
from automation.stores import Store

_LOOK_S = 0.5


@contextmanager
def watched(store: Store, stop: Stop) -> Iterator[None]:
    """Looks at the room while the block lasts; where it gets scarce, asks its run to end, giving back what was held."""
    ended = threading.Event()

    def watch() -> None:
        with store.held_room():
            while not ended.wait(_LOOK_S):
                with suppress(StackError):  # out of reach: the engine will say so
                    if why := store.nearly_full():
                        stop.ask(why)
                        break

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()

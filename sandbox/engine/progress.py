"""How a long step shows that it goes on: one line that updates itself on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable

_SECONDS_BETWEEN_LINES = 20.0
_SECONDS_BETWEEN_UPDATES = 0.5


class Progress:
    """Takes the state as often as it changes, and passes on only as much as a reader wants."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._terminal = sys.stderr.isatty()
        self._started = self._spoken = time.monotonic()
        self._shown = False

    @property
    def elapsed(self) -> str:
        """Minutes and seconds since the start, for example "2:05"."""
        seconds = round(time.monotonic() - self._started)
        return f"{seconds // 60}:{seconds % 60:02}"

    def update(self, state: str) -> None:
        """Show the state with the elapsed time, if it is time to."""
        now = time.monotonic()
        wait = _SECONDS_BETWEEN_UPDATES if self._terminal else _SECONDS_BETWEEN_LINES
        if now - self._spoken < wait:
            return
        self._spoken = now
        if self._terminal:
            sys.stderr.write(f"\r\033[K  [{self.elapsed}] {state}")
            sys.stderr.flush()
            self._shown = True
        else:
            self._report(f"  [{self.elapsed}] {state}")

    def clear(self) -> None:
        """Take the updating line away, so that the next output begins on a clean one."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._shown = False

"""Faults on demand and the log of calls: what a test may order to go wrong and ask about afterwards."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

# A sandbox may run for weeks; no test looks back further.
LONGEST_LOG = 10_000

Drop = Literal["before", "after"]


@dataclass(frozen=True)
class Fault:
    """What happens to calls of one method whose path contains a match of one regular expression.

    Attributes:
        method: The HTTP method, in capitals.
        path: Searched for both in the whole path and in the path below the API's root, so that `^/drivers$` works.
        times: How many calls it happens to.
        status: Answer with this status, without the call's effect.
        delay_s: Seconds to wait before anything else happens.
        retry_after_s: Value of the answer's Retry-After header, rounded up to the whole seconds that it is defined in
            (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3); implies status 429 unless one is given.
        drop: Close the connection without an answer, before or after the call's effect.
    """

    method: str
    path: re.Pattern[str]
    times: int = 1
    status: int | None = None
    delay_s: float = 0.0
    retry_after_s: float | None = None
    drop: Drop | None = None

    def concerns(self, method: str, path: str, api_root: str) -> bool:
        """Whether it happens to a call."""
        return self.method == method and any(
            self.path.search(candidate) for candidate in (path, path.removeprefix(api_root))
        )


@dataclass
class Call:
    """A call that was received. The status is that of the answer, and None while there is none.

    With a drop `after` it is the status of the answer that was thrown away, with `before` it stays None.
    """

    method: str
    path: str
    status: int | None = None
    drop: Drop | None = None


@dataclass
class FaultPlan:
    """The faults that are still to happen, in the order they were added."""

    api_root: str
    _pending: list[tuple[Fault, int]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Let a fault happen to its next calls, after those that were added earlier."""
        with self._lock:
            self._pending.append((fault, fault.times))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._pending.clear()

    def pending(self) -> list[tuple[Fault, int]]:
        """The faults, each with the number of calls that it will still happen to."""
        with self._lock:
            return list(self._pending)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that happens to this call, if any; that uses up one of its times."""
        with self._lock:
            for index, (fault, left) in enumerate(self._pending):
                if fault.concerns(method, path, self.api_root):
                    self._pending[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                    return fault
            return None


@dataclass
class CallLog:
    """The latest calls received, oldest first: methods, paths and statuses, never headers, queries or bodies."""

    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=LONGEST_LOG))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def received(self, method: str, path: str) -> Call:
        """Note a call that has just come in."""
        call = Call(method, path)
        with self._lock:
            self._calls.append(call)
        return call

    def finished(self, call: Call, *, status: int | None, drop: Drop | None) -> None:
        """Note how a call ended."""
        with self._lock:
            call.status, call.drop = status, drop

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

    def calls(self) -> list[dict[str, object]]:
        """The calls as JSON documents."""
        with self._lock:
            return [
                {"method": call.method, "path": call.path, "status": call.status, "drop": call.drop}
                for call in self._calls
            ]

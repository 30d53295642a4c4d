"""A client that uses an integration all the time: it TESTs a driver ten times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

_PERIOD_S = 0.1


@dataclass
class Probes:
    """What the client has seen."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, failure: str | None) -> None:
        """One TEST, and why it failed."""
        with self._lock:
            if failure is None:
                self.passed += 1
            else:
                self.failed.append(failure)


@contextmanager
def probing(url: str, token: str) -> Iterator[Probes]:
    """Calls the address of a driver's TEST for as long as the block runs."""
    probes, ended = Probes(), threading.Event()

    def probe() -> None:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        probes.note(None if answer.ok else f"{answer.status_code} {answer.text[:300]}")

    def go_on() -> None:
        under_way: list[Future[None]] = []
        with ThreadPoolExecutor(max_workers=4) as pool:
            following = time.monotonic()
            while not ended.wait(max(0.0, following - time.monotonic())):
                under_way = [each for each in under_way if not each.done()]
                if len(under_way) < 4:  # a machine that is too slow is not made slower
                    under_way.append(pool.submit(probe))
                following += _PERIOD_S

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield probes
    finally:
        ended.set()
        thread.join()

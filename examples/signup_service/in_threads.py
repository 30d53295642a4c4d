"""The service from threads: a few workers, which end cleanly when the service is shut down."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from examples.signup_service.service import Signups


@contextmanager
def workers(service: Signups, at_once: int = 5) -> Iterator[Executor]:
    """Threads that work for the service: ``threads.submit(service.sign_up, spec)``.

    They begin with whoever was under way when the service ended last. At the end, be it an interrupt, the runs that are
    still under way are ended cleanly.

    Args:
        service: whose calls they do.
        at_once: how many runs at once; each is an engine of some 300 MB.
    """
    threads = ThreadPoolExecutor(at_once, "signups")
    try:
        for name in service.under_way():
            threads.submit(service.go_on, name)
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        service.close()
        threads.shutdown()

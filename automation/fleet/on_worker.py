"""A job of the fleet on a Dask worker: begun where all is as it has to be, and ended when it is no longer wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from automation.connection import Connection
from automation.environment import Environment
from automation.fleet import surroundings
from automation.fleet.operation import Operation
from automation.fleet.rows import Row, not_begun
from automation.records import find
from dataloop_sts.errors import DataloopStsError

LOCK_S = 90.0
"""How long a lock is waited for: it may be of a worker that was lost, whose engine lets its calls come back."""
_AGAIN_S = 2.0
_LOOK_S = 0.5
_stopped: set[str] = set()


class WorkerDiffers(DataloopStsError, BrokenExecutor):  # noqa: N818
    """A worker that came later is not as the run needs it: nobody further is begun, or it would get them all."""


def stop(run: str) -> None:
    """Ends the jobs of a run that this worker has under way, and begins none further."""
    _stopped.add(run)


@dataclass(frozen=True)
class OnWorker:
    """A job as a worker does it; it can be pickled, and holds no secret.

    Dask gives a job to another worker when one is lost, and does not wait for what that one had begun. Nor does it end
    what it has given up: a worker sees by itself that nobody wants the job's result any more, since the run was
    killed, or that it is itself about to end.

    Attributes:
        job: what is done to a customer.
        run: the run's name, by which it is stopped.
        wanted: the surroundings that it needs.
    """

    job: Callable[[Environment, str, Operation], Row]
    run: str
    wanted: Mapping[str, str]

    def __call__(self, environment: Environment, customer: str, operation: Operation) -> Row:
        """Does the job; the arguments as for it.

        Raises:
            WorkerDiffers: nothing was done.
        """
        if different := surroundings.differences(self.wanted, surroundings.surroundings(environment)):
            what = f"The worker is not as the run needs it: {'; '.join(different)}. Nothing was done to the customer."
            raise WorkerDiffers(what)
        is_wanted = self._watch_of_task()
        if not is_wanted():
            return not_begun(customer, "the run was interrupted")
        ended = threading.Event()
        threading.Thread(target=_cancel_unwanted, args=(environment, customer, is_wanted, ended), daemon=True).start()
        try:
            return self._once_unlocked(environment, customer, operation, is_wanted)
        finally:
            ended.set()

    def _watch_of_task(self) -> Callable[[], bool]:
        """What tells whether the result of this thread's task is still wanted."""
        from distributed import Status, get_worker

        worker = get_worker()
        key = worker.get_current_task()

        def is_wanted() -> bool:
            task = worker.state.tasks.get(key)
            released = task is None or task.state in ("cancelled", "resumed", "released", "forgotten")
            return worker.status == Status.running and not released and self.run not in _stopped

        return is_wanted

    def _once_unlocked(
        self, environment: Environment, customer: str, operation: Operation, is_wanted: Callable[[], bool]
    ) -> Row:
        began = time.monotonic()
        while True:
            row = self.job(environment, customer, operation)
            locked = row.outcome == "failed" and row.error is not None and row.error[0] == "StackLocked"
            took = time.monotonic() - began
            if not locked or not is_wanted() or took > LOCK_S:
                return replace(row, duration_s=took)
            time.sleep(_AGAIN_S)


def _cancel_unwanted(
    environment: Environment, customer: str, is_wanted: Callable[[], bool], ended: threading.Event
) -> None:
    while not ended.wait(_LOOK_S):
        if not is_wanted():
            with suppress(DataloopStsError):  # the job tells what is wrong with the record
                Connection.of(find(environment, customer)).cancel()

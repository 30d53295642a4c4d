"""Workers of a Dask cluster as an executor of the fleet: where one machine is not enough."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from automation.environment import Environment
from automation.fleet import on_worker
from automation.fleet.surroundings import BACKEND, Place, differences, look, mark, surroundings, versions
from dataloop_sts.errors import DataloopStsError
from dataloop_sts.redaction import one_line

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 10.0
"""How long the scheduler may take to answer."""
FIRST_S = 30.0
"""How long its first worker may then take to be there."""
ALONE_S = 60.0
"""How long a run waits once the last worker is gone."""
_LOOK_S = 1.0


class WorkersUnusable(DataloopStsError):  # noqa: N818
    """The workers cannot be used for this run; nothing was begun."""

    bad_input = True


class WorkerLost(DataloopStsError):  # noqa: N818
    """Each worker that a job was given to was lost while it did it."""


class ClusterLost(DataloopStsError, BrokenExecutor):  # noqa: N818
    """The scheduler was lost in the middle of the run, or all its workers were."""


@contextmanager
def dask_workers(address: str, environment: Environment) -> Iterator[DaskWorkers]:
    """The workers of a Dask cluster, once it is sure that they are as the run needs them.

    Each takes its credentials from its own environment variables: none is sent. TLS is set up as Dask has it, by its
    own settings: https://distributed.dask.org/en/stable/tls.html

    Example:
        >>> with dask_workers("tls://scheduler:8786", environment) as workers:
        ...     fleet = Fleet(environment, Limits(parallel=12), executor=workers, on_stop=workers.stop)
        ...     report = fleet.run(Operation("up"), records)

    Args:
        address: of the scheduler, such as ``tls://scheduler:8786``.
        environment: whose fleet is to be run.

    Raises:
        WorkersUnusable: Dask is not installed, the scheduler or its workers are not there, or they differ from what is
            needed here.
    """
    if environment.own_variables:
        names = ", ".join(sorted(environment.own_variables))
        raise WorkersUnusable(
            f"The environment {environment.name} has variables of its own ({names}), which are not sent to workers: "
            "set them where the workers run."
        )
    if urlsplit(environment.settings.backend_url or "").password:
        raise WorkersUnusable(
            f"The backend_url of environment {environment.name} holds a password, which is not sent to workers: set "
            "PULUMI_BACKEND_URL instead, here and where they run."
        )
    environment = replace(environment, project_dir=environment.project_dir.resolve())
    wanted = _wanted(environment)
    with _client(address) as client:
        _require_same(client, environment, wanted)
        workers = DaskWorkers(client, address, wanted)
        try:
            yield workers
        finally:
            workers.shutdown()


class DaskWorkers(Executor):
    """An executor of Dask workers, which tells what became of lost ones in words of its own; see :func:`dask_workers`.

    Args:
        client: of the cluster.
        address: as it was given.
        wanted: the surroundings that each worker needs.
    """

    def __init__(self, client: Client, address: str, wanted: Mapping[str, str]) -> None:
        self._client, self._address, self._wanted = client, address, wanted
        self._dask = client.get_executor(pure=False)
        self._run = uuid.uuid4().hex
        self._lost: str | None = None
        self._waiting: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._stopping, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._look_after, name="dask-workers", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Gives a job of the fleet to the cluster; see :class:`Executor`.

        Raises:
            ClusterLost: it is not there any more.
        """
        if self._lost:
            raise ClusterLost(self._lost)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.add(future)
        job = on_worker.OnWorker(fn, self._run, self._wanted)
        given = self._dask.submit(job, *args, key=f"dataloop-sts-{uuid.uuid4().hex}", **kwargs)
        given.add_done_callback(lambda done: self._hear(done, future))
        return future

    def stop(self) -> None:
        """Ends the jobs under way cleanly; their rows still come. From any thread or signal handler."""
        self._stopping.set()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Lets the cluster go; a job that is under way all the same is ended cleanly by its worker."""
        self._ended.set()

    def _hear(self, done: Future[Any], future: Future[Any]) -> None:
        if done.cancelled():
            self._give_up(
                f"The Dask scheduler {self._address} was lost. Its workers end what they have begun; once the cluster "
                "runs again, the same command with --only-failed goes on."
            )
        elif error := done.exception():
            self._end(future, error=_told(error))
        else:
            self._end(future, result=done.result())

    def _end(self, future: Future[Any], *, result: Any = None, error: BaseException | None = None) -> None:
        with self._lock:
            if future not in self._waiting:
                return
            self._waiting.discard(future)
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def _give_up(self, why: str) -> None:
        self._lost = self._lost or why
        for future in tuple(self._waiting):
            self._end(future, error=ClusterLost(self._lost))

    def _look_after(self) -> None:
        """Hands a stop on, also to workers that come late, and does not wait for workers for ever."""
        alone = 0.0
        while not self._ended.wait(_LOOK_S):
            with suppress(Exception):  # the scheduler is lost, which the futures tell
                there = bool(self._client.nthreads())
                alone = 0.0 if there else alone + _LOOK_S
                if there and self._stopping.is_set():
                    self._client.run(on_worker.stop, self._run, on_error="ignore")
            if alone > (0.0 if self._stopping.is_set() else ALONE_S):
                self._give_up(
                    f"The Dask scheduler {self._address} has no workers any more: look at their logs. Once there are "
                    "some, the same command with --only-failed goes on."
                )
                return


@contextmanager
def _client(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ImportError:
        raise WorkersUnusable("Dask is not installed: install the extra, `dataloop-sts[dask]`.") from None

    class ClosedIfNotStarted(Client):
        """Dask leaves one that could not be started to the garbage collector, which may wait for it in its own loop."""

        def start(self, **options: Any) -> None:
            try:
                super().start(**options)  # type: ignore[no-untyped-call]
            except BaseException:
                self.close(timeout=CONNECT_S)  # type: ignore[no-untyped-call]
                raise

    try:
        options: dict[str, Any] = {"timeout": CONNECT_S, "name": "dataloop-sts", "set_as_default": False}
        client = ClosedIfNotStarted(address, **options)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise WorkersUnusable(f"The Dask scheduler {address} cannot be reached: {_first_line(error)}.") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=FIRST_S)
        except TimeoutError:
            raise WorkersUnusable(f"The Dask scheduler {address} has no workers: start some, and run again.") from None
        yield client


def _wanted(environment: Environment) -> dict[str, str]:
    try:
        mark(environment)
    except OSError as error:
        raise WorkersUnusable(
            f"The folder {environment.work_dir('fleet')} cannot be written: {error.strerror}."
        ) from None
    wanted = surroundings(environment)
    if wanted[BACKEND] == "none":
        raise WorkersUnusable(
            "Workers need a backend that is named: set backend_url in the environment's settings, or "
            "PULUMI_BACKEND_URL."
        )
    return wanted


def _require_same(client: Client, environment: Environment, wanted: Mapping[str, str]) -> None:
    """Makes sure of the scheduler and the workers that are there; one that comes later looks for itself."""
    problems = []
    try:
        problems += [("scheduler", each) for each in differences(versions(), client.run_on_scheduler(versions))]
        found = client.run(look, environment, on_error="return")
    except Exception as error:
        raise WorkersUnusable(_unlike("scheduler", _first_line(error))) from None
    machines = defaultdict[str, set[str]](set)
    for address, place in found.items():
        if not isinstance(place, Place):
            problems.append((address, _first_line(place)))
            continue
        machines[place.host].add(place.machine)
        problems += [(address, each) for each in differences(wanted, place.surroundings)]
        problems += [] if place.has_engine else [(address, "no `pulumi` on its PATH")]
    if problems:
        raise WorkersUnusable(_unlike(*problems[0], more=len(problems) - 1))
    if twice := next((host for host, different in machines.items() if len(different) > 1), None):
        raise WorkersUnusable(
            f"Workers on different machines or in different containers have one host name, {twice}: give each its own, "
            "since a lock is told to be that of a dead process by it."
        )


def _unlike(who: str, what: str, more: int = 0) -> str:
    others = f" (and {more} more)" if more else ""
    return f"The Dask cluster is not as the run needs it: {who}: {what}{others}. See docs/scaling-out.md."


def _told(error: BaseException) -> BaseException:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return WorkerLost(
            f"{error.allowed_failures + 1} workers in turn were lost while they did this, the last one "
            f"{error.last_worker.address}: look at their logs, for want of memory first. Then the same command with "
            "--only-failed goes on."
        )
    return error


def _first_line(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}").rstrip(".")

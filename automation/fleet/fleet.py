"""A run over many customers: one operation on each, and a report that is true at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from automation.backend import Backend
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import RecordError
from automation.fleet import jobs, log
from automation.fleet.operation import Operation
from automation.fleet.queue import Limits, Queue
from automation.fleet.report import Report, not_done
from automation.fleet.rows import Row, not_begun, told
from automation.records import Record, record_files
from automation.unchanged import is_unchanged
from dataloop_sts.errors import Problem

Job = Callable[[Environment, str, Operation], Row]
OnProgress = Callable[["Progress"], None]
_LOOK_S = 0.2
_MANY = 100
_SAVING_SHARE = 20
"""Of more customers than that, how many times as long as a write of the report takes until the next one."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        report: with all rows, as they are now.
        running: who is running.
        ended: who has come to an end since the last time.
        waiting: how many were not begun.
    """

    report: Report
    running: tuple[str, ...]
    ended: tuple[Row, ...]
    waiting: int


@dataclass(frozen=True)
class Fleet:
    """The customers of an environment.

    Example:
        >>> environment = Environment.of("prod", Path.cwd())
        >>> report = Fleet(environment).run(Operation("up"), all_of(environment))
        >>> [row.customer for row in report.bad]
        []

    Attributes:
        environment: where they live.
        limits: bounds of concurrency, and when no further customer is begun.
        executor: runs the jobs; by default threads of this process. One of other processes or machines needs a backend
            and a project folder that all of them reach; see :func:`automation.fleet.dask.dask_workers`.
        on_stop: called once the run is stopped, to end the jobs that ``executor`` has under way; those of threads of
            this process end without it.
        on_progress: hears of everybody who begins or ends, in the thread that called :meth:`run`.
        job: what an executor is given; it can be pickled.
    """

    environment: Environment
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    executor: Executor | None = field(default=None, compare=False)
    on_stop: Callable[[], None] | None = field(default=None, compare=False)
    on_progress: OnProgress | None = field(default=None, compare=False)
    job: Job = field(default=jobs.perform, compare=False)
    _stop: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def report_file(self, operation: Operation) -> Path:
        """Where the last report of an operation is kept, unless another file is named."""
        return self._folder / f"{operation.name}.json"

    @property
    def log_file(self) -> Path:
        """The log of all runs; lines are only ever added to it."""
        return self._folder / "log.jsonl"

    @property
    def _folder(self) -> Path:
        return self.environment.work_dir("fleet") / self.environment.name

    def stop(self) -> None:
        """Begins nobody further and ends the runs under way cleanly; from any thread or signal handler."""
        self._stop.set()

    def run(
        self, operation: Operation, records: Mapping[str, Record | RecordError], report_file: Path | None = None
    ) -> Report:
        """Does an operation to each customer. One that fails stops none of the others, but for the limits.

        Args:
            operation: what to do.
            records: of whom, as ``all_of`` and ``Selection.among`` give them; a broken one is a failed row.
            report_file: where the report is written, as customers come to their ends; None for :meth:`report_file`.

        Raises:
            RecordError: the report cannot be written; nothing was begun.
            StackError, AwsError: the backend, which is everybody's, is out of reach or full; nothing was begun.
        """
        Backend.of(self.environment).require()
        run = _Run(self, operation, records, report_file or self.report_file(operation))
        run.go()
        return run.report


class _Run:
    """One run under way."""

    def __init__(
        self, fleet: Fleet, operation: Operation, records: Mapping[str, Record | RecordError], file: Path
    ) -> None:
        self._fleet, self._operation, self._records, self._file = fleet, operation, records, file
        self._began, self._started_at = time.monotonic(), datetime.now(UTC)
        self._rows = {customer: Row(customer, "skipped") for customer in records}
        self._left_over = self._not_done_before()
        broken = {who: Row(who, "failed", error=told(it)) for who, it in records.items() if isinstance(it, RecordError)}
        valid = {who: it for who, it in records.items() if isinstance(it, Record)}
        unchanged = self._unchanged(valid) if operation.leaves_out_unchanged else {}
        self._at_once = {**broken, **unchanged}
        due = {customer: record for customer, record in records.items() if customer not in unchanged}
        self._queue = Queue(due, fleet.limits)
        self._running: dict[Future[Row], str] = {}
        self._canceling: set[str] = set()
        self._save_from = 0.0

    @property
    def report(self) -> Report:
        """The report as it is now."""
        rows = tuple(self._rows.values())
        took = time.monotonic() - self._began
        environment, operation = self._fleet.environment.name, self._operation.name
        return Report(environment, operation, self._started_at, took, rows, self._left_over)

    def go(self) -> None:
        """Runs to the end."""
        self._prepare()
        self._note(list(self._at_once.values()))
        owned = ThreadPoolExecutor(self._fleet.limits.parallel, "fleet") if self._fleet.executor is None else None
        with owned or nullcontext():
            executor = owned or self._fleet.executor
            assert executor  # noqa: S101 - one of the two
            while self._begin(executor):
                done, _ = wait(self._running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
                if done:
                    self._note([self._row_of(future) for future in done])
        self._finish()

    def _prepare(self) -> None:
        try:
            self._fleet.log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.report.write(self._file)
        except OSError as error:
            what = f"{error.strerror}: nothing was begun"
            raise RecordError(f"The report {self._file} cannot be written:", [Problem("", what)]) from None

    def _begin(self, executor: Executor) -> bool:
        """Begins whoever may be; returns whether anybody is running."""
        if self._fleet._stop.is_set():
            self._queue.stop("the run was interrupted")
            self._cancel()
        begun: list[Row] = []
        while record := self._queue.next():
            customer = str(record.customer)
            try:
                future = executor.submit(self._fleet.job, self._fleet.environment, customer, self._operation)
            except BrokenExecutor as error:
                future = Future()
                future.set_exception(error)
            self._running[future] = customer
            begun.append(Row(customer, "interrupted"))
        if begun:
            self._rows.update({row.customer: row for row in begun})
            self._tell(())
        return bool(self._running)

    def _row_of(self, future: Future[Row]) -> Row:
        customer = self._running.pop(future)
        try:
            row = future.result()
        except BaseException as error:  # of the executor: a worker was lost
            if isinstance(error, BrokenExecutor):
                self._queue.stop(str(error).rstrip("."))
            row = Row(customer, "failed", error=told(error), attempts=1)
        self._queue.ended(customer, failed=row.outcome == "failed")
        return row

    def _note(self, ended: list[Row]) -> None:
        self._rows.update({row.customer: row for row in ended})
        self._tell(ended)

    def _tell(self, ended: list[Row] | tuple[()]) -> None:
        report = self.report
        self._save(report, ended)
        if self._fleet.on_progress:
            running, waiting = tuple(self._queue.running), len(self._queue.waiting)
            self._fleet.on_progress(Progress(report, running, tuple(ended), waiting))

    def _save(self, report: Report, ended: list[Row] | tuple[()]) -> None:
        # where one cannot be written the others' work goes on; the last write of the report, which counts, is told
        with suppress(OSError):
            log.append(self._fleet.log_file, report, ended)
        began = time.monotonic()
        if began >= self._save_from:
            with suppress(OSError):
                report.write(self._file)
            if len(self._rows) > _MANY:
                self._save_from = time.monotonic() + _SAVING_SHARE * (time.monotonic() - began)

    def _finish(self) -> None:
        why = self._queue.stopped or ""
        for customer in self._queue.waiting:
            self._rows[customer] = not_begun(customer, why)
        try:
            self.report.write(self._file)
        except OSError as error:
            what = f"{error.strerror}: what was done is done, the same command goes on"
            raise RecordError(f"The report {self._file} cannot be written:", [Problem("", what)]) from None

    def _not_done_before(self) -> tuple[str, ...]:
        environment = self._fleet.environment
        try:
            before = not_done(self._file, environment.name)
        except RecordError:  # there is none
            return ()
        return tuple(sorted(before.intersection(record_files(environment.customers_dir)).difference(self._records)))

    def _unchanged(self, records: Mapping[str, Record]) -> dict[str, Row]:
        backend = Backend.of(self._fleet.environment)
        return {
            customer: Row(customer, "unchanged")
            for customer, record in records.items()
            if is_unchanged(Connection.of(record), backend)
        }

    def _cancel(self) -> None:
        """Ends the engines under way, each in a thread of its own: it takes as long as their calls."""
        if self._fleet.on_stop:
            self._fleet.on_stop()
            return
        for future, customer in self._running.items():
            record = self._records[customer]
            if customer not in self._canceling and isinstance(record, Record):
                self._canceling.add(customer)
                threading.Thread(target=_cancel_until, args=(future, record), daemon=True).start()


def _cancel_until(future: Future[Row], record: Record) -> None:
    while not future.done():  # also one that is between two commands
        Connection.of(record).cancel()
        time.sleep(_LOOK_S)

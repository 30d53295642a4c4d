"""Runs the previews of a pull request: read-only, in parallel, each in a folder that goes with it.

Neither the backend nor the project's own work folders are written to. Whose stack is not there yet is previewed in a
backend of its own, in a temporary folder and with a passphrase that nobody learns.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from automation.backend import Backend
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import NoSuchStack, PolicyViolated, RecordError, Refused
from automation.pull_request import risks_of_documents
from automation.pull_request.changes import Change, Changes
from automation.pull_request.risk import Risk, note
from automation.pull_request.risks import risks
from automation.pull_request.risks_of_permissions import newly_allowed
from automation.records import Record, find
from automation.results import Outcome, Step
from dataloop_sts import naming
from dataloop_sts.errors import DataloopStsError, Problem
from dataloop_sts.redaction import one_line, redact
from dataloop_sts.spec import ConnectionSpec

NEW_CODE = "the program changed, and what runs here is not its new code"
NEW_SETTINGS = "the environment's settings changed, and what is used here are the former ones"
NO_AWS = "no AWS credentials: neither the stack's state nor what is live was looked at"
NO_STACK = "it has no stack yet, so it was previewed as a new one"
NO_PASSPHRASE = "no PULUMI_CONFIG_PASSPHRASE: the stack's state was not looked at"  # noqa: S105
_NO_PASSPHRASE = "passphrase must be set"  # noqa: S105 - the engine's words
_log = logging.getLogger(__name__)
_LOOK_S = 0.2


@dataclass(frozen=True)
class Previewed:
    """What came of one customer's preview.

    Attributes:
        change: what differs.
        stack: the stack's name.
        counts: how many resources, by kind: create, update, replace, delete, same; empty where nothing was previewed.
        steps: what would be done to which resource.
        risks: what a reviewer has to look at; those that need no preview too.
        error: class and message of what failed, or None.
        missing: what could not be looked at, and why.
        duration_s: wall-clock seconds.
    """

    change: Change
    stack: str
    counts: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    risks: tuple[Risk, ...] = ()
    error: tuple[str, str] | None = None
    missing: tuple[str, ...] = ()
    duration_s: float = 0.0

    @property
    def risky(self) -> tuple[str, ...]:
        """What decides the verdict, in words."""
        return tuple(risk.what for risk in self.risks if risk.level == "risky")


OnRow = Callable[[Previewed], None]


@dataclass(frozen=True)
class Previews:
    """The previews of all customers that a pull request changes.

    Attributes:
        environment: where they live; it is the one of the checkout, so its settings decide where credentials are sent.
        parallel: how many at once.
        timeout_s: seconds that each may take.
        on_row: gets each row when it is there, in a thread of its own.
    """

    environment: Environment
    parallel: int = 2
    timeout_s: float = 300.0
    on_row: OnRow | None = None
    _running: dict[str, Connection] = field(default_factory=dict, compare=False, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def run(self, changes: Changes) -> tuple[Previewed, ...]:
        """Runs them; one that fails is a row, not the end. An interrupt ends those under way, and leaves nothing.

        Args:
            changes: of the environment.

        Returns:
            A row for each, sorted by stack.

        Raises:
            RecordError: the environment's policy pack is not where its settings say; nothing was begun.
        """
        self.environment.policy_arguments()
        aws = _missing_aws() if changes.customers or changes.own_stack else None
        all_of_them = [*changes.customers, *([changes.own_stack] if changes.own_stack else [])]
        with ThreadPoolExecutor(self.parallel, "preview") as pool:
            futures = [pool.submit(self._row, change, changes, aws) for change in all_of_them]
            try:
                return tuple(sorted((future.result() for future in futures), key=lambda row: row.stack))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._end(futures)
                raise

    def _end(self, futures: list[Future[Previewed]]) -> None:
        self._stop.set()
        while not all(future.done() for future in futures):  # also one that is between two commands
            for connection in [*self._running.values()]:
                connection.cancel()
            time.sleep(_LOOK_S)

    def _row(self, change: Change, changes: Changes, aws: str | None) -> Previewed:
        started = time.monotonic()
        row = Previewed(change, _stack(self.environment, change))
        missing = self._missing(change, changes, aws)
        if change.problems:
            row = replace(row, error=("RecordError", "; ".join(map(str, change.problems))))
        elif change.after is None or missing:
            row = replace(row, missing=missing)
        else:
            row = self._previewed(row, change.after, own=change.own_stack)
        known = risks(change, row.steps, environment=self.environment.name)
        took = round(time.monotonic() - started, 3)
        found = (*known, *risks_of_documents.risks(row.steps, newly_allowed(change)), *row.risks)
        row = replace(row, risks=found, duration_s=took)
        if self.on_row:
            self.on_row(row)
        return row

    def _missing(self, change: Change, changes: Changes, aws: str | None) -> tuple[str, ...]:
        """Why a preview would not be of what is going to be deployed, or cannot be made."""
        if change.after is None:
            return ()
        if changes.head is not None and change.kind == "program":
            return (NEW_SETTINGS if change.settings and not changes.program else NEW_CODE,)
        return tuple(filter(None, (aws, _missing_dataloop(self.environment, change.after))))

    def _previewed(self, row: Previewed, spec: ConnectionSpec, *, own: bool) -> Previewed:
        try:
            new = row.change.kind in ("added", "renamed")
            outcome = self._outcome(row.stack, spec, own=own, new=new)
        except CancelledError:
            raise
        except Exception as error:
            if _NO_PASSPHRASE in str(error):
                return replace(row, missing=(NO_PASSPHRASE,))
            if not isinstance(error, DataloopStsError):
                _log.exception("stack %s", row.stack)
            return replace(row, error=(type(error).__name__, one_line(redact(_words(error)), limit=None)))
        warned = tuple(map(note, outcome.warnings))
        return replace(row, counts=outcome.changes, steps=outcome.steps, risks=warned)

    def _outcome(self, stack: str, spec: ConnectionSpec, *, own: bool, new: bool) -> Outcome:
        backend = Backend.of(self.environment)
        backend.require()  # or whoever has a stack would be taken for new
        if backend.has(stack) is not False:
            with self._connection(stack, spec, own=own, throwaway=False) as connection:
                try:
                    return connection.preview(only_existing=True)
                except NoSuchStack:
                    pass  # known only now: the backend has no files that can be read
        with self._connection(stack, spec, own=own, throwaway=True) as connection:
            outcome = connection.preview()
        return outcome if new else replace(outcome, warnings=(NO_STACK, *outcome.warnings))

    @contextmanager
    def _connection(self, stack: str, spec: ConnectionSpec, *, own: bool, throwaway: bool) -> Iterator[Connection]:
        with tempfile.TemporaryDirectory(prefix="dataloop-sts-") as folder:
            environment = _apart(self.environment, Path(folder), throwaway=throwaway)
            record = _record_of_own_stack(self.environment, environment, spec) if own else None
            connection = _Apart(environment, spec, record, timeout_s=self.timeout_s)
            self._running[stack] = connection
            try:
                if self._stop.is_set():
                    raise CancelledError
                yield connection
            finally:
                del self._running[stack]


class _Apart(Connection):
    """A connection whose settings are in a folder apart, those of the environment's own stack too."""

    @property
    def own_stack(self) -> bool:
        """Never: people keep nothing there."""
        return False


def _words(error: Exception) -> str:
    """What was refused, without what the engine says around it; or the whole message."""
    problems = error.problems if isinstance(error, PolicyViolated | Refused) else ()
    return "; ".join(problems) or str(error)


def _stack(environment: Environment, change: Change) -> str:
    return naming.stack_name(environment.name, None if change.own_stack else change.customer)


def _record_of_own_stack(environment: Environment, apart: Environment, spec: ConnectionSpec) -> Record:
    try:
        sandbox = find(environment, None).sandbox
    except RecordError:  # it is new
        sandbox = environment.settings.sandbox
    return Record(apart, None, apart.project_dir / f"Pulumi.{apart.name}.yaml", spec, sandbox)


def _apart(environment: Environment, folder: Path, *, throwaway: bool) -> Environment:
    """The environment with its work folders, and for a new stack its backend, in a folder."""
    settings, own = environment.settings, dict(environment.own_variables)
    paths = {
        key: str((environment.project_dir / path).resolve())
        for key in ("policy_pack", "policy_config")
        if (path := getattr(settings, key))
    }
    changed: dict[str, str | None] = {**paths}
    if throwaway:
        backend = folder / "backend"
        backend.mkdir(mode=0o700)
        changed |= {"backend_url": backend.as_uri(), "secrets_provider": None}
        own = {name: value for name, value in own.items() if name != "PULUMI_BACKEND_URL"}
        own |= {"PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(32), "PULUMI_CONFIG_PASSPHRASE_FILE": ""}
    return replace(environment, project_dir=folder, settings=settings.model_copy(update=changed), own_variables=own)


def _missing_aws() -> str | None:
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        found = Session().get_credentials()
    except BotoCoreError:  # a profile that is not there, and the like: the previews say it, with the mend
        return None
    return None if found else NO_AWS


def _missing_dataloop(environment: Environment, spec: ConnectionSpec) -> str | None:
    from dataloop_sts.dataloop.auth import credentials_from_environment

    try:
        credentials_from_environment({**os.environ, **environment.variables_of(spec.organization_id)})
    except DataloopStsError as error:
        problems: list[Problem] = getattr(error, "problems", [])
        why = "; ".join(map(str, problems)) or str(error).partition(". ")[0]
        return f"no Dataloop credentials, nothing was previewed: {why}"
    return None

"""One connection's stack, run from Python: preview, up, refresh, destroy, cancel, and what its backend knows."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automation import under_way
from automation.backend import Backend
from automation.diagnosis import NO_STACK
from automation.engine import SDK, OnOutput
from automation.environment import Environment
from automation.errors import NoSuchStack
from automation.events import Hearing, OnEvent
from automation.files import write_whole
from automation.fork_server import client as fork_server
from automation.records import Record
from automation.results import Outcome, PastRun
from automation.workspace import Limit, Workspace
from dataloop_sts import naming
from dataloop_sts.adopted import NOTHING, Adopted
from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.spec import ConnectionSpec

if TYPE_CHECKING:
    from automation.inline import Program

_URL = re.compile(r"View (?:Live|in Browser)[^:]*: (https://\S+)")


@dataclass(frozen=True)
class Stack:
    """The stack of one customer's connection in one environment, ``ENVIRONMENT.CUSTOMER``.

    The program runs in this process, with the engine as one process of the Pulumi CLI beside it. Settings are kept in a
    private work folder of the stack, so that the plain CLI can take over at any time (see :meth:`write_config`).

    May be used from any thread, for many customers at once. Two runs of one stack are not: the second one is told.

    Attributes:
        environment: where it lives.
        spec: what it is to be.
        record: the file that describes it, where there is one; a rotation edits it.
        on_output: gets each line that the engine prints, redacted.
        on_event: gets each step of a run as it happens; see :class:`Progress`.
        timeout_s: seconds that a command may take; then it is interrupted, and killed where it does not end by that.
    """

    environment: Environment
    spec: ConnectionSpec
    record: Record | None = None
    on_output: OnOutput | None = field(default=None, compare=False, kw_only=True)
    on_event: OnEvent | None = field(default=None, compare=False, kw_only=True)
    timeout_s: float | None = field(default=None, compare=False, kw_only=True)

    @classmethod
    def of(
        cls,
        record: Record,
        on_output: OnOutput | None = None,
        *,
        on_event: OnEvent | None = None,
        timeout_s: float | None = None,
    ) -> Self:
        """The connection that a record describes; the other arguments as the attributes."""
        options: dict[str, Any] = {"on_output": on_output, "on_event": on_event, "timeout_s": timeout_s}
        return cls(record.environment, record.spec, record, **options)

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.record.stack if self.record else naming.stack_name(self.environment.name, self.spec.customer)

    @property
    def sandbox(self) -> bool:
        """Whether the AWS side is the sandbox."""
        return self.record.sandbox if self.record else self.environment.settings.sandbox

    @property
    def own_stack(self) -> bool:
        """Whether it is the environment's own stack, whose settings are in the project's folder."""
        return self.record is not None and self.record.customer is None

    def with_access_key(self, *, generation: int, retiring: int | None) -> Self:
        """The same connection with another access key wanted; where there is a record, its file is edited.

        Raises:
            RecordError: the file cannot be edited.
        """
        if self.record:
            record = self.record.with_access_key(generation=generation, retiring=retiring)
            return replace(self, record=record, spec=record.spec)
        key = self.spec.access_key.model_copy(update={"generation": generation, "retiring": retiring})
        return replace(self, spec=self.spec.model_copy(update={"access_key": key}))

    def variables(self) -> dict[str, str]:
        """The environment variables of its runs, over those of the process: its organization's credentials among them.

        Raises:
            NoCredentials: they are not where the environment's settings say.
        """
        return self.environment.variables_of(self.spec.organization_id)

    # --- what changes the world, and what shows it beforehand

    def preview(self, *, refresh: bool = False, only_existing: bool = False) -> Outcome:
        """What :meth:`up` would do; nothing is changed, but that a new stack is made in the backend, empty.

        Args:
            refresh: look at what is live first.
            only_existing: make no new stack; where there is none, NoSuchStack is raised.

        Raises:
            RecordError: the environment's policy pack is not where its settings say.
            StackError: the subclass says whose matter it is: see ``automation.errors``.
        """
        arguments = [*self.environment.policy_arguments(), *(["--refresh"] if refresh else [])]
        return self._run("preview", *arguments, declares=True, only_existing=only_existing)

    def up(self, *, refresh: bool = False, adopted: Adopted = NOTHING) -> Outcome:
        """Makes the connection what the spec says.

        Where the environment has a policy pack, a preview comes first: some policies judge a stack as a whole, which
        has to be before anything is made.

        Args:
            refresh: look at what is live first, and mend what others changed.
            adopted: what exists already and is taken over in this run.

        Raises:
            RecordError, StackError: as for :meth:`preview`.
        """
        policies = self.environment.policy_arguments()
        arguments = ["--yes", *(policies or ["--skip-preview"]), *(["--refresh"] if refresh else [])]
        return self._run("up", *arguments, declares=True, adopted=adopted)

    def refresh(self) -> Outcome:
        """Takes what is live into the state. Raises as :meth:`preview`."""
        return self._run("refresh", "--yes", "--skip-preview", declares=False)

    def destroy(self, *, confirm_delete: bool = False) -> Outcome:
        """Takes the connection away; the guard refuses where something of the customer's would be lost.

        Args:
            confirm_delete: lose it all the same, in this one run.

        Raises:
            StackError: as for :meth:`preview`.
        """
        confirmed = {CONFIRM_VARIABLE: self.spec.customer} if confirm_delete else {}
        return self._run("destroy", "--yes", "--skip-preview", declares=False, variables=confirmed)

    def cancel(self) -> bool:
        """Ends the run of this stack that this process has under way, from any thread, and waits until it has ended.

        The engine lets the calls under way come back, writes the state and frees the lock. A run of another process is
        left alone, and so is its lock.

        Returns:
            Whether there was a run; that one raises :class:`Interrupted`, or was done in the same moment.
        """
        return under_way.end(self._key)

    # --- what only looks

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets masked; read from the backend's files where they are known, else by the CLI.

        Raises:
            NoSuchStack: it was never made.
        """
        if (known := Backend.of(self.environment).outputs(self.stack)) is not None:
            return known
        outputs: dict[str, Any] = json.loads(self.command(["stack", "output", "--json"]))
        return outputs

    def state(self, *, show_secrets: bool = False) -> Mapping[str, Any]:
        """The stack's last deployment; empty where there was none.

        Args:
            show_secrets: decrypted; keep it in memory only.
        """
        said = self.command(["stack", "export", *(["--show-secrets"] if show_secrets else [])])
        deployment: Mapping[str, Any] = json.loads(said).get("deployment") or {}
        return deployment

    def history(self) -> tuple[PastRun, ...]:
        """The stack's runs that changed something or tried to, the last one first.

        Raises:
            NoSuchStack: it was never made.
        """
        return tuple(PastRun.of(entry) for entry in json.loads(self.command(["stack", "history", "--json"])))

    # --- settings

    @property
    def work_dir(self) -> Path:
        """Where the stack's settings are."""
        return self._workspace.folder

    def write_config(self, folder: Path) -> Path:
        """Writes the stack's settings where the plain CLI looks for them, encryption included, and returns the file."""
        self._workspace.settle()
        source = self._workspace.settings_file
        target = folder / source.name
        if source != target:
            write_whole(target, source.read_text(encoding="utf-8"))
        return target

    def command(self, arguments: list[str], **options: Any) -> str:
        """Any other command of the CLI on this stack, such as ``["stack", "export"]``; returns its output."""
        workspace = self._workspace
        if not workspace.settled:  # those of a run that is under way are left alone
            workspace.settle(limit=self._limit)
        return workspace.run(arguments, limit=self._limit, **options)

    # --- running

    @property
    def _workspace(self) -> Workspace:
        return Workspace(self.environment, self.stack, self.spec, self.sandbox, self.own_stack)

    @property
    def _limit(self) -> Limit | None:
        return None if self.timeout_s is None else Limit(self.timeout_s)

    @property
    def _key(self) -> tuple[str, str]:
        return {**os.environ, **self.environment.variables()}.get("PULUMI_BACKEND_URL", ""), self.stack

    def _run(
        self,
        command: str,
        *arguments: str,
        declares: bool,
        only_existing: bool = False,
        adopted: Adopted = NOTHING,
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:
        started = time.monotonic()
        fork_server.prepare()
        hearing = Hearing(self.on_event, of_preview=command == "preview")
        workspace, urls = self._workspace, list[str]()
        own = self.variables()
        backend = Backend.of(self.environment)
        if command != "preview":
            backend.require_room()

        def say(line: str) -> None:
            if found := _URL.search(line):
                urls.append(found[1])
            if self.on_output and NO_STACK not in line:  # a stack that is not there yet is made in a moment
                self.on_output(line)

        with under_way.only_run(self._key) as stop, backend.watching_room(stop):
            ends: dict[str, Any] = {"stop": stop, "limit": self._limit}
            run = partial(
                workspace.run,
                [command, "--suppress-outputs", "--color", "never", *arguments],
                program=_program(adopted, {**os.environ, **own}) if declares else _nothing,
                on_output=say,
                on_event=hearing,
                variables={**own, **(variables or {})},
                diagnostics=hearing.errors,
                **ends,
            )
            workspace.settle(**ends)
            try:
                run()
            except NoSuchStack:
                if only_existing or not declares:
                    raise
                workspace.initialise(**ends)
                run()
        took = round(time.monotonic() - started, 3)
        return Outcome(dict(hearing.changes), took, hearing.warnings, urls[0] if urls else None, hearing.steps)


def _nothing() -> None:
    """For a command that runs no program: the engine asks a language host all the same, and would start one."""


def _program(adopted: Adopted, variables: Mapping[str, str]) -> Program:
    with SDK:  # and the AWS package, which takes longer still: not for a command that declares nothing
        from dataloop_sts import program
    return partial(program.declare_configured, adopted, variables=variables)

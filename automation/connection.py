"""One connection's stack, run from Python: preview, up, refresh, destroy, outputs, state."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from automation import engine
from automation.engine import CommandFailed, Event, OnOutput
from automation.environment import Environment
from automation.errors import NoSuchStack, StackError, StackLocked
from automation.files import write_whole
from automation.records import CONFIG_KEY, SANDBOX_KEY, Record
from dataloop_sts import program
from dataloop_sts.adopted import NOTHING, Adopted
from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.redaction import redact
from dataloop_sts.spec import ConnectionSpec

PROJECT = "dataloop-sts"
_ENCRYPTION = ("secretsprovider", "encryptionsalt", "encryptedkey")
_NO_STACK = "no stack named"
_LOCKED = re.compile(r"created by (?P<who>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
# What the engine calls its steps, in the words of a report
_KINDS = {
    "create": "create",
    "import": "import",
    "update": "update",
    "delete": "delete",
    "same": "same",
    "replace": "replace",
}


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Attributes:
        changes: how many resources, by kind: create, update, replace, delete, same, import; kinds of none are left out.
        duration_s: wall-clock seconds.
        warnings: what the engine warned of, one line each.
    """

    changes: Mapping[str, int]
    duration_s: float
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> int:
        """How many resources are not as they were."""
        return sum(count for kind, count in self.changes.items() if kind != "same")


@dataclass(frozen=True)
class Connection:
    """One customer's connection in one environment: the stack ``ENVIRONMENT.CUSTOMER``.

    The program runs in this process, with the engine as one process of the Pulumi CLI beside it. Settings are kept in a
    private work folder of the stack, so that the plain CLI can take over at any time (see :meth:`write_config`).

    Attributes:
        environment: where it lives.
        spec: what it is to be.
        stack: the stack's name.
        sandbox: whether the AWS side is the sandbox.
        own_stack: whether it is the environment's own stack, whose settings are in the project's folder.
        on_output: gets each line that the engine prints, redacted.
    """

    environment: Environment
    spec: ConnectionSpec
    stack: str
    sandbox: bool = False
    own_stack: bool = False
    on_output: OnOutput | None = field(default=None, compare=False)

    @classmethod
    def of(cls, record: Record, on_output: OnOutput | None = None) -> Connection:
        """The connection that a record describes."""
        return cls(
            record.environment, record.spec, record.stack, record.sandbox, record.customer is None, on_output=on_output
        )

    # --- what changes the world, and what shows it beforehand

    def preview(self, *, refresh: bool = False) -> Outcome:
        """What :meth:`up` would do; nothing is changed.

        Raises:
            StackError: the engine, the preflight or a provider refused; the message says why.
            StackLocked: another run holds the stack.
        """
        return self._run("preview", *(["--refresh"] if refresh else []), declares=True)

    def up(self, *, refresh: bool = False, adopted: Adopted = NOTHING) -> Outcome:
        """Makes the connection what the spec says.

        Args:
            refresh: look at what is live first, and mend what others changed.
            adopted: what exists already and is taken over in this run.

        Raises:
            StackError, StackLocked: as for :meth:`preview`.
        """
        arguments = ["--yes", "--skip-preview", *(["--refresh"] if refresh else [])]
        return self._run("up", *arguments, declares=True, adopted=adopted)

    def refresh(self) -> Outcome:
        """Takes what is live into the state. Raises as :meth:`preview`."""
        return self._run("refresh", "--yes", "--skip-preview", declares=False)

    def destroy(self, *, confirm_delete: bool = False) -> Outcome:
        """Takes the connection away; the guard refuses where something of the customer's would be lost.

        Args:
            confirm_delete: lose it all the same, in this one run.

        Raises:
            StackError, StackLocked: as for :meth:`preview`.
        """
        confirmed = {CONFIRM_VARIABLE: self.spec.customer} if confirm_delete else {}
        return self._run("destroy", "--yes", "--skip-preview", declares=False, variables=confirmed)

    # --- what only looks

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets masked by the engine."""
        self._settle()
        said = self._command(["stack", "output", "--json"])
        outputs: dict[str, Any] = json.loads(said)
        return outputs

    def state(self, *, show_secrets: bool = False) -> Mapping[str, Any]:
        """The stack's last deployment; empty where there was none.

        Args:
            show_secrets: decrypted; keep it in memory only.
        """
        self._settle()
        said = self._command(["stack", "export", *(["--show-secrets"] if show_secrets else [])])
        deployment: Mapping[str, Any] = json.loads(said).get("deployment") or {}
        return deployment

    # --- settings

    @property
    def work_dir(self) -> Path:
        """Where the stack's settings are."""
        return self.environment.project_dir if self.own_stack else self.environment.work_dir(self.stack)

    def write_config(self, folder: Path) -> Path:
        """Writes the stack's settings where the plain CLI looks for them, encryption included, and returns the file."""
        self._settle()
        source, target = self._settings_file(), folder / self._settings_file().name
        if source != target:
            write_whole(target, source.read_text(encoding="utf-8"))
        return target

    def command(self, arguments: list[str], **options: Any) -> str:
        """Any other command of the CLI on this stack, such as ``["cancel", "--yes"]``; returns its output."""
        self._settle()
        return self._command(arguments, **options)

    def _settings_file(self) -> Path:
        return self.work_dir / f"Pulumi.{self.stack}.yaml"

    def _settle(self) -> None:
        """Makes sure of the work folder and the settings in it; the environment's own stack has them already."""
        if self.own_stack:
            return
        self.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        project = self.work_dir / "Pulumi.yaml"
        if not project.exists():
            write_whole(project, yaml.safe_dump({"name": PROJECT, "runtime": "python"}), mode=0o600)
        file = self._settings_file()
        settings = _settings(file)
        encryption = {key: settings[key] for key in _ENCRYPTION if key in settings}
        if not encryption:
            encryption = self._encryption_of_the_state()
        config: dict[str, Any] = {CONFIG_KEY: self.spec.model_dump(mode="json", exclude_defaults=True)}
        if self.sandbox:
            config[SANDBOX_KEY] = "true"
        wanted = {**encryption, "config": config}
        if wanted != settings:
            write_whole(file, yaml.safe_dump(wanted, sort_keys=False), mode=0o600)

    def _initialise(self) -> None:
        provider = self.environment.settings.secrets_provider
        self._command(["stack", "init", "--no-select", *([f"--secrets-provider={provider}"] if provider else [])])

    def _encryption_of_the_state(self) -> dict[str, str]:
        """How an existing stack's secrets are encrypted, where this machine has not run it before."""
        try:
            exported = json.loads(self._command(["stack", "export"]))
        except NoSuchStack:
            return {}
        provider = (exported.get("deployment") or {}).get("secrets_providers") or {}
        state = provider.get("state") or {}
        found = {"encryptionsalt": state.get("salt"), "secretsprovider": state.get("url")}
        found["encryptedkey"] = state.get("encryptedkey")
        return {key: value for key, value in found.items() if value}

    # --- running

    def _run(
        self,
        command: str,
        *arguments: str,
        declares: bool,
        adopted: Adopted = NOTHING,
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:
        self._settle()
        changes: Counter[str] = Counter()
        warnings: dict[str, None] = {}

        def hear(event: Event) -> None:
            if summary := event.get("summaryEvent"):
                counts = summary.get("resourceChanges") or {}
                changes.update({_KINDS[kind]: count for kind, count in counts.items() if kind in _KINDS and count})
            diagnostic = event.get("diagnosticEvent") or {}
            if diagnostic.get("severity") == "warning":
                warnings[redact(str(diagnostic.get("message", "")).strip())] = None

        def declare() -> None:
            program.declare_configured(adopted)

        def say(line: str) -> None:
            if self.on_output and _NO_STACK not in line:  # a stack that is not there yet is made in a moment
                self.on_output(line)

        def run() -> None:
            self._command(
                [command, "--suppress-outputs", "--color", "never", *arguments],
                program=declare if declares else None,
                on_output=say,
                on_event=hear,
                variables=variables,
            )

        started = time.monotonic()
        try:
            run()
        except NoSuchStack:
            if not declares:
                raise
            self._initialise()
            run()
        return Outcome(dict(changes), round(time.monotonic() - started, 3), tuple(warnings))

    def _command(self, arguments: list[str], *, variables: Mapping[str, str] | None = None, **options: Any) -> str:
        known = {**self.environment.variables(), **(variables or {})}
        try:
            return engine.run([*arguments, "--stack", self.stack], self.work_dir, known, **options)
        except CommandFailed as error:
            if holder := _LOCKED.search(error.output):
                raise StackLocked(
                    f"Stack {self.stack} is locked by {holder['who']}, process {holder['pid']}, since "
                    f"{holder['since']}: wait for that run. If it was killed: `dataloop-sts repair`."
                ) from None
            if _NO_STACK in str(error):
                raise NoSuchStack(
                    f"Stack {self.stack} has no connection yet: make it with `dataloop-sts up` or `pulumi up`."
                ) from None
            raise StackError(f"Stack {self.stack}: {error}") from None


def _settings(file: Path) -> dict[str, Any]:
    return (yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.exists() else {}

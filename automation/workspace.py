"""A stack's private work folder, with the settings that the plain CLI reads too, and the CLI run in it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from automation import diagnosis, engine
from automation.diagnosis import Diagnostic
from automation.engine import CommandFailed, Stop
from automation.environment import Environment
from automation.errors import EngineFailed, Interrupted, NoSuchStack, StackError, TimedOut
from automation.files import write_whole
from automation.records import CONFIG_KEY, SANDBOX_KEY
from dataloop_sts.spec import ConnectionSpec

PROJECT = "dataloop-sts"
_PROJECT_NAME = "Pulumi.yaml"
_PROJECT_FILE = yaml.safe_dump({"name": PROJECT, "runtime": "python"})
_ENCRYPTION = ("secretsprovider", "encryptionsalt", "encryptedkey")
_FOLLOWING = "Where the next run finds it locked: `dataloop-sts repair`. The same command goes on with it."


class Limit:
    """A limit of time, from now on.

    Args:
        seconds: how long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds


@dataclass(frozen=True)
class Workspace:
    """Where one stack is run.

    Attributes:
        environment: where it lives.
        stack: its name.
        spec: what its settings are to hold.
        sandbox: whether the AWS side is the sandbox.
        own_stack: whether it is the environment's own stack, whose settings people keep in the project's folder.
    """

    environment: Environment
    stack: str
    spec: ConnectionSpec
    sandbox: bool
    own_stack: bool

    @property
    def folder(self) -> Path:
        """Where the settings are."""
        return self.environment.project_dir if self.own_stack else self.environment.work_dir(self.stack)

    @property
    def settings_file(self) -> Path:
        """The stack's settings."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def settled(self) -> bool:
        """Whether the CLI finds the stack by what is in the folder, whoever has written it."""
        if self.own_stack:
            return True
        return _is_ours(self.folder / _PROJECT_NAME) and bool(_mapping_in(self.settings_file))

    def settle(self, **ends: Any) -> None:
        """Makes sure of the folder and the settings in it; the environment's own stack has them already.

        Args:
            ends: ``stop`` and ``limit``, as for :meth:`run`.
        """
        if self.own_stack:
            return
        try:
            self._settle(ends)
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise StackError(
                f"Stack {self.stack}: its work folder {self.folder} cannot be used: {what}. Make room there, or "
                "correct the permissions. Nothing was begun."
            ) from None

    def _settle(self, ends: Mapping[str, Any]) -> None:
        """Whatever another version or another program has left there is put right: all of it can be made anew."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        project = self.folder / _PROJECT_NAME
        if not _is_ours(project):
            write_whole(project, _PROJECT_FILE, mode=0o600)
        file = self.settings_file
        settings = _mapping_in(file)
        encryption = {key: settings[key] for key in _ENCRYPTION if key in settings}
        if not encryption:
            encryption = self._encryption_of_the_state(ends)
        config: dict[str, Any] = {CONFIG_KEY: self.spec.model_dump(mode="json", exclude_defaults=True)}
        if self.sandbox:
            config[SANDBOX_KEY] = "true"
        wanted = {**encryption, "config": config}
        if wanted != settings:
            write_whole(file, yaml.safe_dump(wanted, sort_keys=False), mode=0o600)

    def initialise(self, **ends: Any) -> None:
        """Makes the stack in the backend; the arguments as for :meth:`settle`."""
        provider = self.environment.settings.secrets_provider
        self.run(["stack", "init", "--no-select", *([f"--secrets-provider={provider}"] if provider else [])], **ends)

    def run(
        self,
        arguments: list[str],
        *,
        variables: Mapping[str, str] | None = None,
        diagnostics: Sequence[Diagnostic] = (),
        stop: Stop | None = None,
        limit: Limit | None = None,
        **options: Any,
    ) -> str:
        """Runs a command of the CLI on the stack; returns its standard output.

        Args:
            arguments: the command, without the stack.
            variables: of this run alone, over the environment's.
            diagnostics: filled while it runs, by whoever hears its events.
            stop: ends it when asked to.
            limit: of its time.
            options: as for :func:`automation.engine.run`.

        Raises:
            StackError: the subclass says whose matter it is.
        """
        known = {**self.environment.variables(), **(variables or {})}
        stop, deadline = stop or Stop(), limit.deadline if limit else None
        try:
            return engine.run(
                [*arguments, "--stack", self.stack], self.folder, known, stop=stop, deadline=deadline, **options
            )
        except CommandFailed as error:
            if stop.because:
                raise EngineFailed(f"Stack {self.stack}: the run was ended: {stop.because}. {_FOLLOWING}") from None
            if stop.asked:
                raise Interrupted(f"Stack {self.stack}: the run was interrupted. {_FOLLOWING}") from None
            if limit and stop.timed_out:
                raise TimedOut(
                    f"Stack {self.stack}: the run did not end in {limit.seconds:g} s and was interrupted. {_FOLLOWING}",
                    limit.seconds,
                ) from None
            raise diagnosis.error_of(self.stack, str(error), error.output, diagnostics) from None

    def _encryption_of_the_state(self, ends: Mapping[str, Any]) -> dict[str, str]:
        """How an existing stack's secrets are encrypted, where this machine has not run it before."""
        try:
            exported = json.loads(self.run(["stack", "export"], **ends))
        except NoSuchStack:
            return {}
        provider = (exported.get("deployment") or {}).get("secrets_providers") or {}
        state = provider.get("state") or {}
        found = {"encryptionsalt": state.get("salt"), "secretsprovider": state.get("url")}
        found["encryptedkey"] = state.get("encryptedkey")
        return {key: value for key, value in found.items() if value}


def _is_ours(project: Path) -> bool:
    return project.exists() and project.read_bytes() == _PROJECT_FILE.encode()


def _mapping_in(file: Path) -> dict[str, Any]:
    """What a YAML file holds; nothing where it is not there or is not what a settings file is."""
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return read if isinstance(read, dict) else {}

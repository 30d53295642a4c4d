"""Hears the engine's events: progress for whoever watches, and what a result or an error is made of."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from automation.diagnosis import Diagnostic
from automation.engine import Event
from automation.results import SAME, Step, counted, step_of
from dataloop_sts.redaction import redact

_log = logging.getLogger(__name__)
_COLOR = re.compile(r"<\{%[^%]*%\}>")


@dataclass(frozen=True)
class Progress:
    """One step of a run, as it happens.

    Attributes:
        resource: the resource's name in the program, such as ``access-key-1``.
        type: its type, such as ``aws:iam/accessKey:AccessKey``.
        operation: what is done to it: create, update, delete, replace, read, refresh, import and the like.
        outcome: ``started``, ``done`` or ``failed``.
        duration_s: seconds since it was started; None while it has only started.
    """

    resource: str
    type: str
    operation: str
    outcome: Literal["started", "done", "failed"]
    duration_s: float | None = None


OnEvent = Callable[[Progress], None]


class Hearing:
    """Takes the events of one run.

    Args:
        on_event: gets each step that does something, in the engine's order, in a thread of the run's own. Where it
            raises, that is logged, and it is not called again: the run goes on.
        of_preview: whether it is a preview; else what a preview before the update says of steps is passed over.
    """

    def __init__(self, on_event: OnEvent | None = None, *, of_preview: bool = False) -> None:
        self._on_event = on_event
        self._of_preview = of_preview
        self._started: dict[tuple[str, str], float] = {}
        self._warnings: dict[str, None] = {}
        self._steps: dict[tuple[str, str], Step] = {}
        self.changes: Counter[str] = Counter()
        self.errors: list[Diagnostic] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the engine warned of, each once."""
        return tuple(self._warnings)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was done to which resource, each once."""
        return tuple(self._steps.values())

    def __call__(self, event: Event) -> None:
        """Takes one event."""
        if summary := event.get("summaryEvent"):
            self.changes = Counter(counted(summary.get("resourceChanges") or {}))  # the last one is that of the run
        elif said := event.get("diagnosticEvent"):
            message = redact(str(said.get("message", "")).strip())
            if said.get("severity") == "warning":
                self._warnings[message] = None
            elif said.get("severity") == "error":
                self.errors.append(Diagnostic(str(said.get("urn", "")), message))
        elif judged := event.get("policyEvent"):
            self._policy(judged)
        elif not self._is_the_run_s_own(event):
            return
        elif begun := event.get("resourcePreEvent"):
            self._step(begun["metadata"], "started")
        elif ended := event.get("resOutputsEvent"):
            metadata = ended["metadata"]
            if step := step_of(metadata):
                self._steps[metadata["urn"], step.operation] = step
            self._step(metadata, "done")
        elif failed := event.get("resOpFailedEvent"):
            self._step(failed["metadata"], "failed")

    def _is_the_run_s_own(self, event: Event) -> bool:
        """Whether it is not of a step that is only planned, in the preview before an update."""
        return self._of_preview or not any(isinstance(each, dict) and each.get("planning") for each in event.values())

    def _policy(self, judged: dict[str, Any]) -> None:
        policy, message = judged["policyName"], redact(_COLOR.sub("", str(judged["message"])).strip())
        if judged["enforcementLevel"] == "mandatory" and not judged.get("exceptions"):
            self.errors.append(Diagnostic(str(judged.get("resourceUrn", "")), message, policy))
        else:
            self._warnings[f"policy {policy}: {message}"] = None

    def _step(self, step: dict[str, Any], outcome: Literal["started", "done", "failed"]) -> None:
        if self._on_event is None or step["op"] == SAME:
            return
        key, now = (step["urn"], step["op"]), time.monotonic()
        if outcome == "started":
            self._started[key] = now
            took = None
        else:
            took = round(now - self._started.pop(key, now), 3)
        try:
            self._on_event(Progress(step["urn"].rpartition("::")[2], step["type"], step["op"], outcome, took))
        except Exception:
            _log.exception("on_event raised and is not called again")
            self._on_event = None

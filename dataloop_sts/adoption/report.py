"""What a report of an adoption holds, as frozen models that serialise to JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field

from dataloop_sts.audit import Severity

SCHEMA = 1
"""Of the report's JSON; goes up where a key goes or changes its meaning."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Row(_Model):
    """One thing of the connection."""

    kind: str
    """Such as ``bucket`` or ``trust``."""
    name: str
    found: bool
    differences: tuple[str, ...] = ()
    """From the spec, one sentence each."""
    becomes: str
    """What an adoption makes of it."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def equal(self) -> bool:
        """Whether it is there, and as the spec says."""
        return self.found and not self.differences


class Danger(_Model):
    """Something that makes the set-up less safe than the spec says."""

    check: str
    """The audit's check that found it."""
    severity: Severity
    subject: str
    what: str
    becomes: str
    """That the adoption mends it, or how people do."""


class Refusal(_Model):
    """Why nothing would be adopted."""

    path: str
    """Where in the spec it can be mended; empty where it cannot."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Report(_Model):
    """What is there of a connection, and what an adoption would make of it; it holds no secret."""

    customer: str
    environment: str
    account_id: str
    rows: tuple[Row, ...]
    dangers: tuple[Danger, ...]
    """The worst first."""
    refusals: tuple[Refusal, ...]
    takes_over: bool
    """Whether something is there that is not the stack's yet."""

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {"schema": SCHEMA, "can_be_applied": not self.refusals, **self.model_dump(mode="json")}

"""What came of all previews: the verdict, the counts, and the JSON of docs/pull-request.schema.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from automation.pull_request.changes import Changes, Kind
from automation.pull_request.differences import differences
from automation.pull_request.preview import Previewed
from automation.results import SAME, Step

SCHEMA = 1
KINDS = ("create", "update", "replace", "delete", SAME)
"""Of what is done to resources; an import counts as an update."""
_ORDER = ("delete", "replace", "import", "update", "create")
Verdict = Literal["clean", "changes", "risky", "failed"]


@dataclass(frozen=True)
class Report:
    """The previews of a pull request.

    Attributes:
        changes: what differs.
        rows: one for each customer that it changes, sorted by stack.
    """

    changes: Changes
    rows: tuple[Previewed, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst that is there: a preview that failed, a risk, a change or what is not known; else ``clean``."""
        if self.failed:
            return "failed"
        if self.risky:
            return "risky"
        return "changes" if self.changed or self.incomplete or self.not_by_new_code else "clean"

    @property
    def failed(self) -> tuple[Previewed, ...]:
        """Whose record is broken or whose preview failed."""
        return tuple(row for row in self.rows if row.error)

    @property
    def risky(self) -> tuple[Previewed, ...]:
        """Who has a risk."""
        return tuple(row for row in self.rows if row.risky)

    @property
    def incomplete(self) -> tuple[Previewed, ...]:
        """Of whom not everything was looked at."""
        return tuple(row for row in self.rows if row.missing)

    @property
    def changed(self) -> tuple[Previewed, ...]:
        """Whose resources would not all stay as they are."""
        return tuple(row for row in self.rows if any(kind != SAME and count for kind, count in row.counts.items()))

    @property
    def not_by_new_code(self) -> bool:
        """Whether the program or the settings changed, and the previews are not by the changed ones."""
        return self.changes.head is not None and bool(self.changes.program or self.changes.settings)

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        kinds = Counter(row.change.kind for row in self.rows)
        every: Sequence[Kind] = get_args(Kind)
        return {
            "schema": SCHEMA,
            "environment": self.changes.environment,
            "base": self.changes.base,
            "head": self.changes.head,
            "verdict": self.verdict,
            "counts": {
                **{kind: kinds[kind] for kind in every},
                "failed": len(self.failed),
                "risky": len(self.risky),
                "incomplete": len(self.incomplete),
            },
            "customers": [_row(row) for row in self.rows],
            "unchanged": self.changes.unchanged,
            "program": sorted(self.changes.program),
            "settings": sorted(self.changes.settings),
            "not_by_new_code": self.not_by_new_code,
        }


def counts(row: Previewed) -> dict[str, int]:
    """How many resources of a customer, by kind; all of :data:`KINDS`."""
    found = Counter(dict(row.counts))
    found["update"] += found.pop("import", 0)
    return {kind: found[kind] for kind in KINDS}


def sorted_steps(steps: Iterable[Step]) -> list[Step]:
    """Steps in an order that does not depend on the engine's: what is lost first, what is new last."""
    return sorted(steps, key=lambda step: (_ORDER.index(step.operation), step.type, step.resource, step.properties))


def _row(row: Previewed) -> dict[str, Any]:
    change = row.change
    return {
        "customer": change.customer,
        "stack": row.stack,
        "kind": change.kind,
        "former": change.former,
        "counts": counts(row),
        "risks": [{"level": risk.level, "what": risk.what} for risk in row.risks],
        "spec": [{"path": each.path, "before": each.before, "after": each.after} for each in differences(change)],
        "steps": [
            {
                "resource": step.resource,
                "type": step.type,
                "operation": step.operation,
                "properties": list(step.properties),
            }
            for step in sorted_steps(row.steps)
        ],
        "error": {"class": row.error[0], "message": row.error[1]} if row.error else None,
        "missing": list(row.missing),
        "duration_s": row.duration_s,
    }

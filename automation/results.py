"""What commands on a stack come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Attributes:
        changes: how many resources, by kind: create, update, replace, delete, same, import; kinds of none are left out.
        duration_s: wall-clock seconds.
        warnings: what the engine warned of, one line each.
        url: where the backend shows the run; None for backends without pages, such as files and buckets.
    """

    changes: Mapping[str, int]
    duration_s: float
    warnings: tuple[str, ...] = ()
    url: str | None = None

    @property
    def changed(self) -> int:
        """How many resources are not as they were."""
        return sum(count for kind, count in self.changes.items() if kind != "same")


@dataclass(frozen=True)
class PastRun:
    """One entry of a stack's history.

    Attributes:
        command: ``up``, ``refresh``, ``destroy`` or ``import``.
        result: ``succeeded``, ``failed`` or ``in-progress``.
        started_at: when it began.
        duration_s: how long it took; None where it did not get to its end.
        changes: as in :class:`Outcome`.
    """

    command: str
    result: str
    started_at: datetime
    duration_s: float | None
    changes: Mapping[str, int]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> PastRun:
        """An entry as ``pulumi stack history --json`` gives it."""
        started = datetime.fromisoformat(entry["startTime"])
        ended = datetime.fromisoformat(entry["endTime"]) if entry.get("endTime") else None
        return cls(
            command={"update": "up"}.get(entry["kind"], entry["kind"]),
            result=entry["result"],
            started_at=started,
            duration_s=(ended - started).total_seconds() if ended else None,
            changes=counted(entry.get("resourceChanges") or {}),
        )


_KINDS = ("create", "import", "update", "delete", "same", "replace")


def counted(changes: Mapping[str, int]) -> dict[str, int]:
    """The engine's counts of its steps without those that no report needs, such as reads."""
    return {kind: count for kind, count in changes.items() if kind in _KINDS and count}

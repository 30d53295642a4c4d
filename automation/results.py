"""What commands on a stack come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Step:
    """What a run does to one resource, or of a preview: would do.

    Attributes:
        resource: the resource's name in the program, such as ``access-key-1``.
        type: its type, such as ``aws:iam/accessKey:AccessKey``.
        operation: create, update, replace, delete or import.
        properties: the names of the properties that differ, never their values; none where it is created or deleted.
        documents: the policy document before and after, as JSON, where that differs: of an IAM policy, of the role that
            is to be assumed, of a bucket's policy. None where one of them is not there or not known yet.
    """

    resource: str
    type: str
    operation: str
    properties: tuple[str, ...] = ()
    documents: tuple[str, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Attributes:
        changes: how many resources, by kind: create, update, replace, delete, same, import; kinds of none are left out.
        duration_s: wall-clock seconds.
        warnings: what the engine warned of, one line each.
        url: where the backend shows the run; None for backends without pages, such as files and buckets.
        steps: what was done to which resource, in the engine's order; what stays as it is has none.
    """

    changes: Mapping[str, int]
    duration_s: float
    warnings: tuple[str, ...] = ()
    url: str | None = None
    steps: tuple[Step, ...] = ()

    @property
    def changed(self) -> int:
        """How many resources are not as they were."""
        return sum(count for kind, count in self.changes.items() if kind != SAME)


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


SAME = "same"
_PROVIDERS = "pulumi:providers:"
_DOCUMENTS = {
    "aws:iam/policy:Policy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
}
"""Which property of which resources is a policy document; none has a secret."""
_KINDS = ("create", "import", "update", "delete", SAME, "replace")


def step_of(event: Mapping[str, Any]) -> Step | None:
    """The step that an engine's event is about; None where no report needs it, such as what stays or is only read.

    Providers that the engine makes by itself are left out, as it leaves them out of its counts.

    Args:
        event: its ``metadata``:
            https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go, StepEventMetadata.
    """
    operation, type_ = event["op"], event["type"]
    name = event["urn"].rpartition("::")[2]
    if operation not in _KINDS or operation == SAME or (type_.startswith(_PROVIDERS) and name.startswith("default")):
        return None
    return Step(name, type_, operation, tuple(sorted(_differing(event))), _documents(event))


def _differing(event: Mapping[str, Any]) -> Iterable[str]:
    """The properties that the provider says differ; where it says none, as dynamic ones, the inputs that do."""
    if said := event.get("detailedDiff") or event.get("diffs"):
        return map(str, said)
    if not event.get("old") or not event.get("new"):
        return ()
    before, after = _inputs(event, "old"), _inputs(event, "new")
    return (name for name in {*before, *after} if name[:2] != "__" and before.get(name) != after.get(name))


def _documents(event: Mapping[str, Any]) -> tuple[str, str] | None:
    name = _DOCUMENTS.get(event["type"], "")
    before, after = (str(_inputs(event, side).get(name)) for side in ("old", "new"))
    return (before, after) if before[:1] == after[:1] == "{" and before != after else None


def _inputs(event: Mapping[str, Any], side: str) -> dict[str, Any]:
    return dict((event.get(side) or {}).get("inputs") or {})


def counted(changes: Mapping[str, int]) -> dict[str, int]:
    """The engine's counts of its steps without those that no report needs, such as reads."""
    return {kind: count for kind, count in changes.items() if kind in _KINDS and count}

"""Which values of a customer's spec differ, defaults included; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from automation.pull_request.changes import Change
from dataloop_sts.redaction import redact
from dataloop_sts.spec import ConnectionSpec

_NAMED_BY = "name"


@dataclass(frozen=True)
class Difference:
    """One value of the spec.

    Attributes:
        path: such as ``drivers[acme-images].prefix``; drivers are told apart by their names.
        before, after: the values; None where there is none.
    """

    path: str
    before: str | None
    after: str | None

    def said(self, in_words: Callable[[str], str]) -> Difference:
        """The same in other words."""
        before, after = (None if each is None else in_words(each) for each in (self.before, self.after))
        return Difference(in_words(self.path), before, after)


def differences(change: Change) -> tuple[Difference, ...]:
    """The values that differ, sorted by path; of a new customer all that its record gives, of a removed one none."""
    if change.after is None:
        return ()
    before = _values(change.before) if change.before else {}
    after = _values(change.after, given_only=not before)
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return tuple(Difference(path, before.get(path), after.get(path)).said(redact) for path in paths)


def _values(spec: ConnectionSpec, *, given_only: bool = False) -> dict[str, str]:
    values = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=given_only, exclude={"customer"})
    return dict(_leaves("", values))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), each)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            name = each.get(_NAMED_BY, number) if isinstance(each, Mapping) else number
            yield from _leaves(f"{path}[{name}]", each)
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)

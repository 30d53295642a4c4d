"""What policy documents allow and refuse, taken apart so that two of them can be compared by meaning.

Sound and cautious: what cannot be compared exactly (a condition of another kind, NotAction) counts as different.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from dataloop_sts.policies import Document

# Of the actions that the spec grants, which kind of resource each acts on: others of a statement's resources mean
# nothing. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_OF_BUCKETS = frozenset({"s3:listbucket"})
_OF_OBJECTS = frozenset({"s3:getobject", "s3:putobject", "s3:deleteobject"})
_EITHER_VALUE = frozenset({"StringLike", "StringEquals", "IpAddress", "ArnLike", "ArnEquals"})


@dataclass(frozen=True)
class Limit:
    """One line of a condition: an operator on a key, and the values of which one has to fit."""

    operator: str
    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {' or '.join(self.values)}"


@dataclass(frozen=True)
class Grant:
    """One action on one resource, both perhaps patterns, under a condition."""

    action: str
    resource: str
    condition: tuple[Limit, ...] = ()
    but: str = ""
    """What NotAction or NotResource leaves out, for showing: the grant counts as if it left out nothing."""

    def __str__(self) -> str:
        condition = f" if {' and '.join(map(str, self.condition))}" if self.condition else ""
        return f"{self.action} on {self.resource}{self.but}{condition}"

    @property
    def wild(self) -> bool:
        """Whether it reaches beyond any one action, or beyond any one bucket."""
        parts = self.resource.split(":", 5)
        where = [*parts[:5], parts[-1].partition("/")[0] if "s3" in parts else parts[-1]]
        return "*" in self.action or len(parts) < 6 or any(sign in part for part in where for sign in "*?")

    def covers(self, other: Grant) -> bool:
        """Whether all that the other one says is said by this one too."""
        return (
            _matches(self.action.lower(), other.action.lower())
            and _matches(self.resource, other.resource)
            and all(any(_wider(mine, theirs) for theirs in other.condition) for mine in self.condition)
        )

    def touches(self, other: Grant) -> bool:
        """Whether some action on some resource may fall under both."""
        return _overlap(self.action.lower(), other.action.lower()) and _overlap(self.resource, other.resource)


def statements(document: Document) -> list[Mapping[str, Any]]:
    """The statements of a document, which may hold a single one without a list."""
    found = document.get("Statement", [])
    return list(found) if isinstance(found, list) else [found]


def grants(document: Document, effect: str = "Allow") -> list[Grant]:
    """What a document's statements of this effect say, without what means nothing."""
    found = [
        grant
        for statement in statements(document)
        if statement.get("Effect") == effect
        for grant in _of_statement(statement)
    ]
    return list(dict.fromkeys(filter(_means_something, found)))


def uncovered(these: Iterable[Grant], by: Iterable[Grant]) -> list[Grant]:
    """Those of the first that none of the second covers."""
    others = list(by)
    return [grant for grant in these if not any(other.covers(grant) for other in others)]


def conditions(statement: Mapping[str, Any]) -> tuple[Limit, ...]:
    """A statement's condition in one form, however it is written."""
    return tuple(
        Limit(operator, key.lower() if ":" in key else key, tuple(sorted(str(value) for value in as_list(values))))
        for operator, keys in sorted(statement.get("Condition", {}).items())
        for key, values in sorted(keys.items())
    )


def principals(statement: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Whom a statement names, as (kind, name), such as ``("AWS", "*")`` for everyone."""
    named = statement.get("Principal", "*")  # NotPrincipal is everyone but some
    kinds = named if isinstance(named, Mapping) else {"AWS": named}
    return [(str(kind), str(name)) for kind, names in kinds.items() for name in as_list(names)]


def as_list(value: Any) -> list[Any]:
    """The value of an element that may stand alone or in a list."""
    return list(value) if isinstance(value, list) else [value]


def _of_statement(statement: Mapping[str, Any]) -> Iterator[Grant]:
    left_out = [(name, as_list(statement[name])) for name in ("NotAction", "NotResource") if name in statement]
    but = "".join(f" (but {name[3:].lower()} {', '.join(map(str, values))})" for name, values in left_out)
    actions = as_list(statement.get("Action", "*"))
    resources = as_list(statement.get("Resource", "*"))
    for action, resource, condition in product(actions, resources, _alternatives(conditions(statement))):
        yield Grant(str(action), str(resource), condition, but)


def _alternatives(condition: tuple[Limit, ...]) -> Iterator[tuple[Limit, ...]]:
    """A condition with several values as several conditions, where that is the same."""
    if len(condition) == 1 and condition[0].operator in _EITHER_VALUE:
        limit = condition[0]
        yield from ((Limit(limit.operator, limit.key, (value,)),) for value in limit.values)
    else:
        yield condition


def _means_something(grant: Grant) -> bool:
    action = grant.action.lower()
    if action in _OF_BUCKETS:
        return grant.resource == "*" or "/" not in grant.resource
    if action in _OF_OBJECTS:
        return any(sign in grant.resource for sign in "/*?")
    return True


def _wider(mine: Limit, theirs: Limit) -> bool:
    if (mine.operator, mine.key) != (theirs.operator, theirs.key):
        return False
    if mine.operator in ("StringLike", "ArnLike"):
        return all(any(_matches(pattern, value) for pattern in mine.values) for value in theirs.values)
    if mine.operator in _EITHER_VALUE:
        return set(theirs.values) <= set(mine.values)
    return mine.values == theirs.values


@cache
def _pattern(text: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "[^*]"}  # a ? stands for one character, never for all that a * stands for
    return re.compile("".join(parts.get(sign) or re.escape(sign) for sign in text), re.DOTALL)


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches all that another one, or a plain text, does."""
    return _pattern(pattern).fullmatch(text) is not None


def _overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns."""
    pending, seen = [(0, 0)], set()
    while pending:
        at = i, j = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        mine, theirs = one[i : i + 1], other[j : j + 1]
        if not mine and not theirs:
            return True
        if mine == "*" or theirs == "*":
            pending += [(i + 1, j)] if mine == "*" or (mine and theirs == "*") else []
            pending += [(i, j + 1)] if theirs == "*" or (theirs and mine == "*") else []
        elif mine and theirs and (mine == theirs or "?" in (mine, theirs)):
            pending.append((i + 1, j + 1))
    return False

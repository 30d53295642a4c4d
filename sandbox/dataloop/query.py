"""The filter of a resource query: the part of Dataloop's query language that finds datasets by their fields.

Served are equality, `$and`, `$or` and the operators of _OPERATORS, in the form that `Filters` of the vendor's client
dtlpy gives them (example: https://dataloop.ai/docs/swagger-ui-example). Anything else is refused rather than ignored:
an ignored condition would answer with too much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.dataloop.errors import BadRequest

FIELDS = frozenset(
    {"id", "name", "creator", "projects", "driver", "createdAt", "updatedAt", "readonly", "accessLevel", "itemsCount"}
)
_COMBINATIONS: Mapping[str, Callable[[list[bool]], bool]] = {"$and": all, "$or": any}
_DEEPEST = 16


def check(condition: object, depth: int = 0) -> None:
    """Make sure that a filter is one that can be evaluated; raises BadRequest."""
    if depth > _DEEPEST:
        raise BadRequest(f"filter: nested more than {_DEEPEST} levels deep")
    if not isinstance(condition, dict):
        raise BadRequest("filter: a condition must be an object")
    for key, value in condition.items():
        if key in _COMBINATIONS:
            if not isinstance(value, list) or not value:
                raise BadRequest(f"filter: {key} needs a list of conditions")
            for part in value:
                check(part, depth + 1)
        elif key not in FIELDS:
            raise BadRequest(f"filter: '{key}' is neither a field to filter datasets by nor $and or $or")
        elif isinstance(value, dict):
            _check_operators(key, value)
        elif isinstance(value, list):
            raise BadRequest(f"filter: {key} needs one value; for several there is $in")


def matches(condition: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a dataset's JSON document satisfies a filter that has passed the check."""
    return all(_part_matches(key, value, document) for key, value in condition.items())


def _check_operators(key: str, operators: Mapping[str, object]) -> None:
    if not operators:
        raise BadRequest(f"filter: {key} needs a value or an operator")
    for operator, operand in operators.items():
        if operator not in _OPERATORS:
            raise BadRequest(f"filter: {key}: the operator '{operator}' is not served")
        values = operand if operator in ("$in", "$nin") else [operand]
        if not isinstance(values, list) or any(isinstance(value, list | dict) for value in values):
            raise BadRequest(
                f"filter: {key}: {operator} needs {'a list of values' if values is operand else 'one value'}"
            )


def _part_matches(key: str, value: Any, document: Mapping[str, Any]) -> bool:
    if key in _COMBINATIONS:
        return _COMBINATIONS[key]([matches(part, document) for part in value])
    operators = value if isinstance(value, dict) else {"$eq": value}
    return all(_OPERATORS[operator](document[key], operand) for operator, operand in operators.items())


def _equals(actual: Any, wanted: Any) -> bool:
    # A list field, such as a dataset's projects, equals each of its elements.
    if isinstance(actual, list):
        return any(_equals(element, wanted) for element in actual)
    # Python takes True for 1, JSON does not.
    return isinstance(actual, bool) == isinstance(wanted, bool) and bool(actual == wanted)


def _in(actual: Any, wanted: list[Any]) -> bool:
    return any(_equals(actual, value) for value in wanted)


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": _equals,
    "$ne": lambda actual, wanted: not _equals(actual, wanted),
    "$in": _in,
    "$nin": lambda actual, wanted: not _in(actual, wanted),
}

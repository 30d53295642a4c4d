"""Diff: what separates the recorded state of a resource from its new inputs, property by property."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2

from sandbox.plugins.values import Unknown, plain

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_KINDS = provider_pb2.PropertyDiff
_REPLACING = {
    _KINDS.ADD: _KINDS.ADD_REPLACE,
    _KINDS.UPDATE: _KINDS.UPDATE_REPLACE,
    _KINDS.DELETE: _KINDS.DELETE_REPLACE,
}

Equal = Callable[[Any, Any], bool]
Change = tuple[str, "provider_pb2.PropertyDiff.Kind.ValueType"]
"""The path of a property, as in tags["a.b"] or rules[0].name, and the kind of its difference."""


def changes(path: str, old: Any, new: Any, equal: Equal = operator.eq) -> Iterator[Change]:
    """The changes between two values, with paths as deep as the values' shapes agree.

    Args:
        path: the property's path.
        old: the recorded value, None if there is none.
        new: the wanted value; an unknown one is a change.
        equal: compares two known values that are neither both objects nor both lists.
    """
    old, new = plain(old), plain(new)
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        yield path, _KINDS.ADD if old is None else _KINDS.UPDATE
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from changes(_member(path, key), old.get(key), new.get(key), equal)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from changes(f"{path}[{index}]", _item(old, index), _item(new, index), equal)
    elif not equal(old, new):
        yield path, _KINDS.ADD if old is None else _KINDS.DELETE if new is None else _KINDS.UPDATE


def equal_or_empty(old: Any, new: Any) -> bool:
    """The official AWS provider's equality: no value, false and what is empty are the same."""
    return bool(old == new) or (_empty(old) and _empty(new))


def response(
    found: list[Change], replaces: Collection[str] = (), *, delete_before_replace: bool = False, of_inputs: bool = False
) -> provider_pb2.DiffResponse:
    """The answer to Diff.

    Args:
        found: the changes.
        replaces: the top-level properties of which a change replaces the resource.
        delete_before_replace: whether, if it is replaced, the old one goes first.
        of_inputs: whether the old inputs were compared, not the outputs.
    """
    detailed = {}
    replaced = set()
    for path, kind in found:
        top = root(path)
        if top in replaces:
            replaced.add(top)
            kind = _REPLACING[kind]
        detailed[path] = provider_pb2.PropertyDiff(kind=kind, inputDiff=of_inputs)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=sorted(replaced),
        diffs=sorted({root(path) for path in detailed}),
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=bool(replaced) and delete_before_replace,
    )


def not_ignored(found: Iterable[Change], ignored: Collection[str]) -> list[Change]:
    """The changes that are left once the option `ignoreChanges` is honoured.

    The official bridge ignores a path and what is below it; a wildcard means nothing to it, since the engine alone has
    resolved it (https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/diff.go).
    """
    return [
        (path, kind)
        for path, kind in found
        if not any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in ignored)
    ]


def root(path: str) -> str:
    """The top-level property of a path."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", {}, [])


def _member(path: str, key: str) -> str:
    if _IDENTIFIER.fullmatch(key):
        return f"{path}.{key}"
    escaped = key.replace('"', '\\"')
    return f'{path}["{escaped}"]'


def _item(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None

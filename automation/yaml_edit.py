"""Sets or removes one key in YAML text and leaves every other character as it was: comments, quotes, blanks.

YAML libraries that keep comments still indent and quote in their own way, which would make a change of one number a
change of the whole file for whoever reviews it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml


def with_number(text: str, keys: tuple[str, ...], value: int | None) -> str:
    """``text`` with the key at ``keys`` set to a number, or without it.

    Args:
        text: YAML text whose root is a mapping.
        keys: where: ``("access_key", "generation")``. The last mapping may be missing, those above it are there.
        value: the number; None removes the key.

    Raises:
        ValueError: the text is of a form that cannot be edited so, such as one with an anchor in that place.
    """
    edited = _edited(text, keys, value)
    if _values(edited) != _expected(_values(text), keys, value):
        raise ValueError(f"{'.'.join(keys)} cannot be changed in the form in which it is written")
    return edited


def _values(text: str) -> Any:
    """The file's values, each one its own: what an anchor shares is not changed in one place alone."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def _expected(data: Any, keys: tuple[str, ...], value: int | None) -> Any:
    parent = data
    for key in keys[:-1]:
        parent = parent.setdefault(key, {}) if value is not None else parent.get(key, {})
    if value is None:
        parent.pop(keys[-1], None)
    else:
        parent[keys[-1]] = value
    return data


def _edited(text: str, keys: tuple[str, ...], value: int | None) -> str:
    node: Any = yaml.compose(text, yaml.SafeLoader)
    for depth, key in enumerate(keys):
        if not isinstance(node, yaml.MappingNode):
            raise ValueError(f"{'.'.join(keys[:depth])} holds no keys")
        found = next(((at, below) for at, below in node.value if at.value == key), None)
        if found is None:
            return text if value is None else _inserted(text, node, keys[depth:], value)
        last, (at, below) = node, found
        node = below
    if value is None:
        return _removed(text, last, at, node)
    return text[: node.start_mark.index] + str(value) + text[node.end_mark.index :]


def _inserted(text: str, parent: yaml.MappingNode, keys: tuple[str, ...], value: int) -> str:
    entry = str(value)
    for key in reversed(keys[1:]):
        entry = f"{{{key}: {entry}}}"
    entry = f"{keys[0]}: {entry}"
    if parent.flow_style:
        after = parent.start_mark.index + 1
        return text[:after] + entry + (", " if parent.value else "") + text[after:]
    # after the first of its keys whose value stands on one line, else before all of them
    first = parent.value[0][0].start_mark
    indent = " " * first.column
    for at, below in parent.value:
        if isinstance(below, yaml.ScalarNode) and at.start_mark.line == below.end_mark.line:
            end = text.find("\n", below.end_mark.index)
            if end < 0:
                return f"{text}\n{indent}{entry}\n"
            return f"{text[: end + 1]}{indent}{entry}\n{text[end + 1 :]}"
    return f"{text[: first.index]}{entry}\n{indent}{text[first.index :]}"


def _removed(text: str, parent: yaml.MappingNode, at: yaml.Node, value: yaml.Node) -> str:
    start, end = at.start_mark.index, value.end_mark.index
    if parent.flow_style:
        if trailing := re.compile(r"\s*,\s*").match(text, end):
            return text[:start] + text[trailing.end() :]
        return re.sub(r",\s*$", "", text[:start]) + text[end:]
    line = text.rfind("\n", 0, start) + 1
    after = text.find("\n", end)
    return text[:line] + ("" if after < 0 else text[after + 1 :])

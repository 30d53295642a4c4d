"""Declarations of resource types, and Check, which holds a program's inputs to them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pulumi.runtime.proto import provider_pb2

from sandbox.plugins.values import Properties, Unknown, plain

Kind = Literal["string", "boolean", "integer", "map", "list", "object", "document"]

DEFAULTS = "__defaults"
"""The input in which the official bridge keeps the names of the properties that it filled in
(https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go)."""

_PYTHON_TYPES: Mapping[Kind, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "map": dict,
    "list": list,
    "object": dict,
    "document": (str, dict),
}
_AUTONAME_SUFFIX = re.compile(r"-[0-9a-f]{7}")


@dataclass(frozen=True)
class Property:
    """One input property of a resource type.

    Attributes:
        kind: the type of its value; a document is JSON text whose meaning counts, not its spelling.
        required: whether a program must give it.
        default: what it is when it is not given; None for nothing.
        replaces: whether a change of it replaces the resource.
        autonamed: whether it is made from the resource's name when it is not given.
        fields: for objects, and for lists of objects: the fields; for them, required and fields are looked at.
        choices: the values that it can have; empty for any.
        problem: says what is wrong with a value, or None.
    """

    kind: Kind = "string"
    required: bool = False
    default: Any = None
    replaces: bool = False
    autonamed: bool = False
    fields: Mapping[str, Property] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    problem: Callable[[Any], str | None] | None = None


@dataclass(frozen=True)
class ResourceType:
    """A resource type that a plugin serves.

    Attributes:
        token: its type token.
        properties: the input properties served.
        computed: the outputs that are no inputs.
        delete_before_replace: whether a replacement always deletes first.
    """

    token: str
    properties: Mapping[str, Property]
    computed: tuple[str, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Checked:
    """What Check answers: the inputs with their defaults, or the failures."""

    inputs: Properties
    failures: list[provider_pb2.CheckFailure]


def check(
    resource_type: ResourceType,
    resource_name: str,
    olds: Properties,
    news: Properties,
    *,
    stand_in: str,
) -> Checked:
    """Checks a resource's inputs and fills in defaults.

    Args:
        resource_type: its declaration.
        resource_name: the name in the program, for generated names.
        olds: the inputs of the last update, empty for a new resource.
        news: the program's inputs.
        stand_in: what this plugin stands in for, for messages.
    """
    declared = {key: value for key, value in news.items() if key != DEFAULTS}
    failures = [
        provider_pb2.CheckFailure(property=path, reason=reason)
        for path, reason in _problems(resource_type.properties, declared, "", stand_in)
    ]
    filled: Properties = {}
    for name, prop in resource_type.properties.items():
        if name in declared:
            continue
        if prop.autonamed:
            filled[name] = _generated_name(name, resource_name, olds)
        elif prop.default is not None:
            filled[name] = prop.default
    inputs = {name: _normalized(resource_type.properties.get(name), value) for name, value in declared.items()}
    return Checked({**inputs, **filled, DEFAULTS: sorted(filled)}, failures)


def _generated_name(name: str, resource_name: str, olds: Properties) -> str:
    old = olds.get(name)
    if isinstance(old, str) and (name in olds.get(DEFAULTS, []) or _is_generated(old, resource_name)):
        return old
    return f"{resource_name}-{secrets.token_hex(4)[:7]}"


def _is_generated(name: str, resource_name: str) -> bool:
    return name.startswith(resource_name) and _AUTONAME_SUFFIX.fullmatch(name[len(resource_name) :]) is not None


def _normalized(prop: Property | None, value: Any) -> Any:
    if prop is not None and prop.kind == "document" and isinstance(value, dict):
        return json.dumps(plain(value), separators=(",", ":"), sort_keys=True)
    return value


def _problems(
    properties: Mapping[str, Property], values: Properties, prefix: str, stand_in: str
) -> list[tuple[str, str]]:
    problems = [
        (f"{prefix}{name}", f"the property {prefix}{name} is not served by {stand_in}")
        for name in values
        if name not in properties
    ]
    for name, prop in properties.items():
        path = f"{prefix}{name}"
        value = plain(values.get(name))
        if value is None:
            if prop.required:
                problems.append((path, f"the property {path} is required"))
        elif not isinstance(value, Unknown):
            problems += _value_problems(prop, value, path, stand_in)
    return problems


def _value_problems(prop: Property, value: Any, path: str, stand_in: str) -> list[tuple[str, str]]:
    wrong_type = not isinstance(value, _PYTHON_TYPES[prop.kind]) or (prop.kind == "integer" and isinstance(value, bool))
    if wrong_type:
        return [(path, f"the property {path} must be of type {prop.kind}")]
    if prop.choices and value not in prop.choices:
        return [(path, f"the property {path} must be one of {', '.join(prop.choices)}, not {value!r}")]
    if prop.problem is not None and (reason := prop.problem(value)) is not None:
        return [(path, f"the property {path} {reason}")]
    if prop.kind == "object":
        return _problems(prop.fields, value, f"{path}.", stand_in)
    if prop.kind == "list" and prop.fields:
        return [
            problem
            for index, item in enumerate(value)
            if isinstance(item, dict)
            for problem in _problems(prop.fields, item, f"{path}[{index}].", stand_in)
        ]
    return []

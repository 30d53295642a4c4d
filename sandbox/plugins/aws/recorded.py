"""What the engine records of a resource, and how that differs from new inputs."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.plugins import differences
from sandbox.plugins.aws import documents
from sandbox.plugins.aws.handler import Handler
from sandbox.plugins.schema import DEFAULTS
from sandbox.plugins.values import Properties, Unknown, plain


def changes(handler: Handler, olds: Properties, news: Properties) -> Iterator[differences.Change]:
    """The changes from recorded outputs to new inputs, without those of tags that the program does not declare."""
    for name in handler.type.properties:
        yield from differences.changes(name, olds.get(name), news.get(name), _equality(handler, name))


def _equality(handler: Handler, name: str) -> differences.Equal:
    if handler.type.properties[name].kind == "document":
        return _equal_documents
    # None is unlike false here: the official provider writes the default of what an import left unset
    # (https://github.com/pulumi/pulumi-aws/issues/4258).
    return operator.eq if name in handler.write_only else differences.equal_or_empty


def _equal_documents(old: Any, new: Any) -> bool:
    return not isinstance(new, Unknown) and documents.equivalent(old, new)


def carried(handler: Handler, values: Mapping[str, Any]) -> Properties:
    """The properties that no call tells, as they are in other properties."""
    return {name: values.get(name) for name in handler.write_only}


def unsettled(handler: Handler, inputs: Properties, told: Properties) -> Properties:
    """What to record of a resource that is not finished: without what the next update is to write."""
    return {**{name: value for name, value in inputs.items() if name not in (*handler.settled, "tags")}, **told}


def inputs_of(handler: Handler, known: Properties, outputs: Properties) -> Properties:
    """The inputs that would give the live resource: those of the program, as they are now, and any other difference
    from the defaults. At an import nothing is known, and this is all of them."""
    inputs: Properties = {DEFAULTS: known.get(DEFAULTS, [])}
    for name, prop in handler.type.properties.items():
        value = plain(outputs.get(name))
        if name in known or not differences.equal_or_empty(prop.default, value):
            inputs[name] = value
    return inputs

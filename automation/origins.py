"""A record as it is in the end: with its defaults and derived names, and where each value comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from automation.files import YamlFile, read_yaml
from automation.records import CONFIG_KEY, DEFAULTS_FILE, Record

_Path = tuple[str, ...]
_DERIVED: set[_Path] = {("integration", "name"), *(("aws", "names", kind) for kind in ("user", "role", "policy"))}


def resolved(record: Record) -> dict[str, Any]:
    """The spec with every default and derived name, without what it does not have."""
    data: dict[str, Any] = record.spec.model_dump(mode="json", exclude_none=True)
    names = record.spec.names(record.environment.name)
    data["aws"]["names"] = {"user": names.user, "role": names.role, "policy": names.policy}
    data["integration"] = {"name": names.integration}
    return data


def origins(record: Record) -> dict[str, str]:
    """Where each value of :func:`resolved` comes from: ``acme.yaml:7``, ``_defaults.yaml:2``, derived or default."""
    return {_text(path): origin for path, origin in _origins(record)}


def annotated(record: Record) -> str:
    """The resolved spec as YAML, with the origin of each value as a comment."""
    data = resolved(record)
    text = yaml.safe_dump(data, sort_keys=False, width=math.inf, allow_unicode=True)
    dumped, lines = YamlFile(record.path, text, data), text.splitlines()
    width = max(map(len, lines))
    for path, origin in _origins(record):
        _, line = dumped.line(path)
        if line:
            lines[line - 1] = f"{lines[line - 1]:<{width}}  # {origin}"
    return "\n".join(lines)


def _origins(record: Record) -> Iterator[tuple[_Path, str]]:
    above: _Path = () if record.customer else ("config", CONFIG_KEY)
    own = read_yaml(record.path)
    defaults = record.path.parent / DEFAULTS_FILE
    inherited = [read_yaml(defaults)] if record.customer and defaults.is_file() else []
    for path, _ in _leaves(resolved(record)):
        in_list = next((depth for depth, part in enumerate(path) if part.isdigit()), None)
        # a list is taken as a whole: none of it is inherited where the record has it
        files = [own] if in_list and own.line(above + path)[0] >= len(above) + in_list else [own, *inherited]
        found = (_place(file, above + path) for file in files)
        yield path, next(filter(None, found), None) or _otherwise(path)


def _place(file: YamlFile, path: _Path) -> str | None:
    depth, line = file.line(path)
    return f"{file.path.name}:{line}" if depth == len(path) else None


def _otherwise(path: _Path) -> str:
    if path == ("customer",):
        return "the file's name"
    return "derived" if path in _DERIVED else "default"


def _leaves(data: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list) and data and isinstance(data[0], Mapping):
        for index, value in enumerate(data):
            yield from _leaves(value, (*path, str(index)))
    else:
        yield path, data


def _text(path: _Path) -> str:
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path).removeprefix(".")

"""Writes docs/reference.md out of the docstrings of the Python API: ``make docs``."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import griffe
from pydantic import BaseModel

_ROOT = Path(__file__).resolve().parents[1]
_HEAD = """\
# Reference of the Python API

Generated from the docstrings by `make docs`; do not edit it. [api.md](api.md) is the page to read first.
Names without another module are imported from `automation`, errors from `automation.errors`.
"""
_GROUPS: dict[str, list[str]] = {
    "One connection": ["automation.Connection", "automation.Progress", "automation.in_thread"],
    "What calls give": [
        *("automation.Outcome", "automation.Step", "automation.PastRun"),
        *("automation.Rotation", "automation.rotation.KeyInUse"),
        *("automation.Finding", "dataloop_sts.steps.verify.Report", "dataloop_sts.steps.verify.Check"),
        *("dataloop_sts.audit.Report", "dataloop_sts.audit.Finding"),
    ],
    "Environments and records": [
        *("automation.Environment", "automation.EnvironmentSettings"),
        *("automation.find", "automation.all_of", "automation.Record", "automation.Selection"),
    ],
    "The fleet": [
        *("automation.Fleet", "automation.Operation", "automation.Limits", "automation.FleetProgress"),
        *("automation.Report", "automation.Row"),
    ],
    "Errors of stacks and records": ["automation.errors"],
    "The spec": ["dataloop_sts.ConnectionSpec"],
    "Policies": ["dataloop_sts.policies"],
    "Errors of specs, AWS and Dataloop": ["dataloop_sts.errors"],
}
_WHOLE = ("automation.errors", "dataloop_sts.policies", "dataloop_sts.errors")
"""Modules of which everything public is shown."""
_BASES = ("automation.stack.Stack",)
"""Classes that are no entries: what they have belongs to those that inherit it."""
_MORE = {"dataloop_sts.ConnectionSpec": "All keys, also of the parts, are on [the spec's page](spec.md#keys)."}
_WIDTH = 100
_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_RAW = re.compile(r"``([^`]+)``")
_NAME = re.compile("\x02(.+?)\x03")
"""A name that becomes a link where the page has it."""


def page() -> str:
    """The page."""
    logging.getLogger("griffe").setLevel(logging.ERROR)
    loader = griffe.GriffeLoader(docstring_parser=griffe.Parser.google, search_paths=[_ROOT])
    roots = {name: loader.load(name) for name in ("automation", "dataloop_sts")}
    lines = [_HEAD]
    for group, paths in _GROUPS.items():
        lines += [f"## {group}", ""]
        for path in paths:
            package, _, rest = path.partition(".")
            found = roots[package][rest]
            if path in _WHOLE:
                lines += [line for each in _public(found) for line in _entry(each, each.name)]
            else:
                name = rest if package == "automation" and "." not in rest else path
                lines += _entry(found.final_target if found.is_alias else found, name)
                lines += [_MORE[path], ""] if path in _MORE else []
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"
    titles = set(re.findall(r"^###+ `(.+)`$", text, re.MULTILINE))
    return _NAME.sub(lambda found: _linked(found[1], titles), text)


def _linked(name: str, titles: set[str]) -> str:
    title = next((each for each in (name, f"Connection.{name}") if each in titles), None)
    anchor = re.sub(r"[^a-z0-9_]", "", title.lower()) if title else ""
    return f"[`{name}`](#{anchor})" if title else f"`{name}`"


def _public(module: griffe.Object) -> Iterator[griffe.Object]:
    for each in module.members.values():
        if not each.is_alias and each.is_public and (each.is_class or each.is_function):
            yield each


def _entry(found: griffe.Object, name: str) -> Iterator[str]:
    yield from (f"### `{name}`", "")
    if found.is_function:
        yield from _signature(found, name)
        yield from _described(found)
        return
    kind = getattr(importlib.import_module(found.module.path), found.name)
    own = {**_inherited(found), **found.members}
    shown = [each for each in own.values() if not each.name.startswith("_") and each.docstring]
    if issubclass(kind, Exception):
        yield from (f"A kind of {_link(kind.__base__.__name__)}.", "")
    elif not issubclass(kind, BaseModel) and found.parameters:
        yield from _signature(found, name)
    fields = kind.model_fields if issubclass(kind, BaseModel) else {}
    more = {key: field.description for key, field in fields.items() if field.description}
    more |= {each.name: _text(each.docstring.value) for each in shown if each.is_attribute and each.name not in more}
    yield from _described(found, [f"- `{key}`: {what[0].lower()}{what[1:].rstrip('.')}." for key, what in more.items()])
    for each in shown:
        if each.is_function:
            yield from (f"#### `{name}.{each.name}`", "")
            yield from _signature(each, each.name)
            yield from _described(each)


def _inherited(found: griffe.Object) -> dict[str, griffe.Object]:
    """The members of its bases that are no entry of their own."""
    bases = [base for base in getattr(found, "resolved_bases", ()) if base.path in _BASES]
    return {name: member for base in bases for name, member in base.members.items()}


def _signature(found: griffe.Object, name: str) -> Iterator[str]:
    kinds = griffe.ParameterKind
    stars = {kinds.var_positional: "*", kinds.var_keyword: "**"}
    words: list[str] = []
    for each in found.parameters:
        if each.name in ("self", "cls") or each.name.startswith("_"):
            continue
        if each.kind is kinds.keyword_only and not any(word.startswith("*") for word in words):
            words.append("*")
        word = f"{stars.get(each.kind, '')}{each.name}" + (f": {each.annotation}" if each.annotation else "")
        words.append(word if each.kind in stars or each.default is None else f"{word} = {each.default}")
    name = ("async " if "async" in found.labels else "") + name.rpartition(".")[2]
    gives = "" if found.is_class else f" -> {found.returns}"
    line = f"{name}({', '.join(words)}){gives}"
    if len(line) > _WIDTH:
        line = f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){gives}"
    yield from ("```python", line, "```", "")


def _described(found: griffe.Object, more: Sequence[str] = ()) -> Iterator[str]:
    """Its docstring, with more attributes behind those that it tells of, and examples at the end."""
    kinds = griffe.DocstringSectionKind
    sections = list(found.docstring.parsed if found.docstring else ())
    for base in getattr(found, "resolved_bases", ()):
        if base.path in _BASES:
            text, *others = base.docstring.parsed
            text.value = text.value.partition("\n\n")[2]  # its first line says what it is, as ours does
            sections = [sections[0], text, *others, *sections[1:]]
    attributes = [section for section in sections if section.kind is kinds.attributes]
    examples = [section for section in sections if section.kind is kinds.admonition]
    for section in sections:
        if section not in attributes + examples:
            yield from _section(section)
    for section in attributes:
        yield from _section(section)[:-1]
    yield from (*more, "")
    for section in examples:
        yield from _section(section)


def _section(section: griffe.DocstringSection) -> list[str]:
    kinds = griffe.DocstringSectionKind
    if section.kind is kinds.text:
        return [_text(section.value), ""]
    if section.kind is kinds.admonition and section.value.kind == "example":
        return ["```python", section.value.description, "```", ""]
    if section.kind is kinds.returns:
        return ["Returns: " + " ".join(_flat(each.description) for each in section.value), ""]
    if section.kind is kinds.raises:
        names = (str(each.annotation).strip("()").split(",") for each in section.value)
        links = (", ".join(_link(name.strip()) for name in each) for each in names)
        told = [f"- {link}: {_flat(each.description)}" for link, each in zip(links, section.value, strict=True)]
        return ["Raises:", "", *told, ""]
    if section.kind in (kinds.parameters, kinds.attributes):
        return [*(f"- {_name(each)}: {_flat(each.description)}" for each in section.value), ""]
    raise ValueError(f"no form for {section.title or section.kind}")


def _name(told: griffe.DocstringNamedElement) -> str:
    """Its name; of several names the parser takes the last one of an attribute's for a type."""
    names = f"{told.name} {told.annotation}" if told.name.endswith(",") else told.name
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _link(name: str) -> str:
    return f"\x02{name}\x03"


def _flat(text: str) -> str:
    return " ".join(_text(text).split())


def _text(text: str) -> str:
    return _RAW.sub(r"`\1`", _ROLE.sub(lambda role: _link(role[1]), text)).strip()


if __name__ == "__main__":
    (_ROOT / "docs" / "reference.md").write_text(page(), encoding="utf-8")

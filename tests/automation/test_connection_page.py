"""docs/api.md has every call and every error of the Python API, and its examples are Python."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import automation
from automation import errors
from automation.connection import Connection

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_call_of_a_connection_is_on_the_page_with_its_arguments() -> None:
    told = dict(re.findall(r"^\| `(\w+)\((.*?)\)` \|", _PAGE, re.MULTILINE))
    calls = {
        name: [
            argument
            for argument in inspect.signature(call).parameters
            if argument not in ("self", "adopted", "options")
        ]
        for name, call in inspect.getmembers(Connection, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {name: re.findall(r"(\w+)(?:=[\w.]*)?(?:, |$)", arguments) for name, arguments in told.items()} == calls


def test_every_error_and_every_name_of_the_package_is_on_the_page() -> None:
    names = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert len(names) > 10
    assert [name for name in (*names, *automation.__all__) if name not in _PAGE] == []


def test_the_examples_are_python() -> None:
    examples = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
    assert len(examples) > 6
    for example in examples:
        compile(example, "docs/api.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

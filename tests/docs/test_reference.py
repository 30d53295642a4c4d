"""The reference of the Python API is what the docstrings say, and has all that is public."""

from __future__ import annotations

import inspect
import re
import runpy
from pathlib import Path

import automation
import dataloop_sts
from automation import Connection

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_PAGE = (_DOCS / "reference.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert runpy.run_path(str(_DOCS / "reference.py"))["page"]() == _PAGE, "run: make docs"


def test_all_that_can_be_imported_from_the_packages_has_an_entry() -> None:
    titles = {title.rpartition(".")[2] for title in re.findall(r"^### `(.+)`$", _PAGE, re.MULTILINE)}
    assert {*automation.__all__, *dataloop_sts.__all__} - titles == {"errors"}


def test_every_call_of_a_connection_has_an_entry_inherited_ones_too() -> None:
    calls = {name for name, _ in inspect.getmembers(Connection, inspect.isroutine) if not name.startswith("_")}
    assert calls <= set(re.findall(r"^#### `Connection\.(\w+)`$", _PAGE, re.MULTILINE))


def test_every_link_on_the_page_leads_to_a_heading_and_no_markup_of_docstrings_is_left() -> None:
    anchors = {re.sub(r"[^a-z0-9_]", "", title.lower()) for title in re.findall(r"^#+ (.+)$", _PAGE, re.MULTILINE)}
    links = re.findall(r"\]\(#([^)]+)\)", _PAGE)
    assert len(links) > 30
    assert set(links) <= anchors
    assert [left for left in ("``", ":meth:", ":class:", ":func:") if left in _PAGE.replace("```", "")] == []

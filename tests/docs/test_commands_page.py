"""docs/commands.md is what the command line says of itself."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from automation.cli import app

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_the_commands_is_up_to_date() -> None:
    page = runpy.run_path(str(_DOCS / "commands.py"))["page"]()
    assert page == (_DOCS / "commands.md").read_text(encoding="utf-8"), "run: make docs"


def test_every_command_shows_an_example_and_can_print_json() -> None:
    page = (_DOCS / "commands.md").read_text(encoding="utf-8")
    groups = {group.name for group in app.registered_groups}
    sections = dict(re.findall(r"\n##+ `dataloop-sts ([a-z ]+)`\n(.*?)(?=\n##|\Z)", page, re.DOTALL))
    commands = {name: text for name, text in sections.items() if name not in groups}
    assert len(commands) > len(app.registered_commands)
    assert [name for name, text in commands.items() if "\nExample: dataloop-sts" not in text] == []
    assert [name for name, text in commands.items() if "`--json`" not in text] == []

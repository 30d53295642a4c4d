"""Writes docs/commands.md out of the help of the command line: ``make docs``."""

from __future__ import annotations

import html
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from automation.cli import app

_PROGRAM = "dataloop-sts"
_HEAD = """\
Generated from `--help` by `make docs`; do not edit it. [cli.md](cli.md) is the page to read first.

"""


def page() -> str:
    """The page's text."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name=_PROGRAM, title="Commands")
    heading, _, rest = html.unescape(text).strip().partition("\n\n")
    return f"{heading}\n\n{_HEAD}{rest}\n"


if __name__ == "__main__":
    (Path(__file__).parent / "commands.md").write_text(page(), encoding="utf-8")

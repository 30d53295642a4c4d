"""``dataloop-sts changed``: which customers a change of files is about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.frame import BAD_INPUT, Json, app, common
from automation.environment import Environment

if TYPE_CHECKING:
    from automation.pull_request.changes import Changes

_SHOWN = 20


@app.command(epilog="Example: dataloop-sts -e prod changed --base origin/main. See docs/pull-requests.md")
def changed(
    context: typer.Context,
    base: Annotated[str, typer.Option(metavar="REV", help="Compare with where the head left this revision.")],
    head: Annotated[
        str | None,
        typer.Option(metavar="REV", help="The records of this revision; default: the files as they are now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell which customers are not the same any more; always as JSON. Exit code 2: a record of theirs has mistakes.

    Only git is asked. Without --json the same is told in words, too, on standard error.
    """
    from automation.pull_request.changes import changes_between

    changes = changes_between(Environment.of(common(context).environment, Path.cwd()), base, head)
    document = changes.document()
    if not (as_json or common(context).json):
        for line in _in_words(changes):
            typer.echo(line, err=True)
    typer.echo(json.dumps(document, indent=2))
    raise typer.Exit(BAD_INPUT if document["problems"] else 0)


def _in_words(changes: Changes) -> Iterator[str]:
    head = changes.head[:12] if changes.head else "the working tree"
    yield f"{changes.environment}, {changes.base[:12]} to {head}: {changes.unchanged:,} unchanged"
    renamed = [f"{each.former} to {each.customer}" for each in changes.customers if each.kind == "renamed"]
    lists = {
        "added": changes.of_kind("added"),
        "changed": changes.of_kind("changed"),
        "removed": changes.of_kind("removed"),
        "renamed": renamed,
        "by the program or settings": changes.of_kind("program"),
        "program": changes.program,
        "settings": changes.settings,
        "other environments": changes.elsewhere,
        "own stack": [changes.own_stack.kind] if changes.own_stack else [],
    }
    for title, names in lists.items():
        if names:
            left = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            yield f"  {title}: {', '.join(names[:_SHOWN])}{left}"
    own = [changes.own_stack] if changes.own_stack else []
    for problem in (problem for change in (*changes.customers, *own) for problem in change.problems):
        yield f"  {problem}"

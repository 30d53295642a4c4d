"""What a run of the fleet shows: a live bar on a terminal, plain lines elsewhere, and a summary at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from automation.fleet.fleet import OnProgress, Progress
from automation.fleet.report import Report
from automation.fleet.rows import ENDINGS, Row

_PIPED_COLUMNS = 160
_NAMED = 4
_STYLES = {"failed": "bold red", "interrupted": "yellow", "skipped": "dim", "succeeded": "green", "unchanged": "dim"}


@contextmanager
def shown(operation: str, total: int, *, quiet: bool) -> Iterator[OnProgress]:
    """Shows a run under way on standard error; yields what hears of it.

    Args:
        operation: its name.
        total: how many customers.
        quiet: show nothing, since a program reads the report.
    """
    console = Console(stderr=True, soft_wrap=True)
    if quiet:
        yield lambda progress: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bar(*columns, TextColumn("{task.fields[now]}"), console=console, transient=True) as bar:
            task = bar.add_task(operation, total=total, now="")

            def live(progress: Progress) -> None:
                for row in progress.ended:
                    if row.outcome in ("failed", "interrupted") or row.repaired:
                        _line(console, row)
                counts = progress.report.counts
                done = total - progress.waiting - len(progress.running)
                now = ", ".join(progress.running[:_NAMED])
                bar.update(task, completed=done, now=f"{counts['failed']} failed  {now}")

            yield live
    else:

        def plain(progress: Progress) -> None:
            for row in progress.ended:
                if row.outcome != "unchanged":
                    _line(console, row)

        yield plain


def summary(report: Report, file: Path) -> None:
    """Prints who is not done and why, and how many came to what."""
    console = Console()
    console.width = console.width if console.is_terminal else _PIPED_COLUMNS
    if report.bad:
        table = Table("customer", "outcome", "why", title_justify="left")
        for row in report.bad:
            why = Text.assemble((row.error[0], "bold"), f": {row.error[1]}") if row.error else Text("")
            table.add_row(Text(row.customer), Text(row.outcome, _STYLES[row.outcome]), why)
        console.print(table)
    counts = ", ".join(f"{report.counts[ending]} {ending}" for ending in ENDINGS if report.counts[ending])
    console.print(Text(f"{report.operation}: {counts or 'nobody to do'} in {report.duration_s:.1f} s. Report: {file}"))
    if report.bad:
        console.print(Text("Once mended, the same command with --only-failed does these."))


def _line(console: Console, row: Row) -> None:
    for text in row.repaired:
        console.print(Text(f"{row.customer}: repaired: {text}"))
    changes = " ".join(f"{count} {kind}" for kind, count in row.changes.items())
    said = f": {row.error[0]}: {row.error[1]}" if row.error else f" {changes}" if changes else ""
    console.print(Text(f"{row.customer}: {row.outcome}{said} ({row.duration_s:.1f} s)"))

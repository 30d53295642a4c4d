"""What a run of the fleet shows: a live bar on a terminal, plain lines elsewhere, and a summary at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from automation.fleet.fleet import OnProgress, Progress
from automation.fleet.report import Report
from automation.fleet.rows import ENDINGS, Row

_PIPED_COLUMNS = 160
_NAMED = 8
_BAR_COLUMNS, _ELAPSED_FROM = 20, 60
_STYLES = {"failed": "bold red", "interrupted": "yellow", "skipped": "dim", "succeeded": "green", "unchanged": "dim"}


@contextmanager
def shown(operation: str, total: int, *, quiet: bool) -> Iterator[OnProgress]:
    """Shows a run under way on standard error; yields what hears of it.

    Args:
        operation: its name.
        total: how many customers.
        quiet: show nothing, since a program reads the report.
    """
    console = Console(stderr=True)
    if quiet:
        yield lambda progress: None
    elif console.is_terminal and not console.is_dumb_terminal:
        with _bar(console) as bar:
            task = bar.add_task(operation, total=total, now=Text())

            def live(progress: Progress) -> None:
                for row in progress.ended:
                    if row.outcome in ("failed", "interrupted") or row.repaired:
                        _line(console, row)
                counts = progress.report.counts
                done = total - progress.waiting - len(progress.running)
                failed = Text(f"{counts['failed']} failed", "bold red" if counts["failed"] else "dim")
                bar.update(task, completed=done, now=Text.assemble(failed, f"  {_named(progress.running)}"))

            yield live
    else:

        def plain(progress: Progress) -> None:
            for row in progress.ended:
                if row.outcome != "unchanged":
                    _line(console, row)

        yield plain


def _bar(console: Console) -> Bar:
    """Always one line: what does not fit is cut at its end, where the names are."""
    dots = console.encoding.lower().startswith("utf")
    rest = Column(no_wrap=True, overflow="ellipsis" if dots else "crop", ratio=1)
    elapsed = [TimeElapsedColumn()] if console.width >= _ELAPSED_FROM else []
    return Bar(
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=min(_BAR_COLUMNS, console.width // 6)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        *elapsed,
        _NowColumn(table_column=rest),
        console=console,
        transient=True,
        expand=True,
    )


class _NowColumn(ProgressColumn):
    """How many failed, and who is running."""

    def render(self, task: Task) -> Text:
        now: Text = task.fields["now"]
        return now


def _named(running: Sequence[str]) -> str:
    more = len(running) - _NAMED
    return ", ".join(running[:_NAMED]) + (f" and {more} more" if more > 0 else "")


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
    said = f"{report.operation}: {counts or 'nobody to do'} in {report.duration_s:.1f} s. Report: {file}"
    console.print(Text(said), soft_wrap=True)  # a path that is broken cannot be copied
    if report.bad:
        console.print(Text("Once mended, the same command with --only-failed does these."))
    if report.left_over:
        who = _named(report.left_over)
        console.print(Text(f"Not done since an earlier run, and not selected now: {who}. --only-failed does them too."))


def _line(console: Console, row: Row) -> None:
    for text in row.repaired:
        console.print(Text(f"{row.customer}: repaired: {text}"), soft_wrap=True)
    changes = " ".join(f"{count} {kind}" for kind, count in row.changes.items())
    said = f": {row.error[0]}: {row.error[1]}" if row.error else f" {changes}" if changes else ""
    console.print(Text(f"{row.customer}: {row.outcome}{said} ({row.duration_s:.1f} s)"), soft_wrap=True)

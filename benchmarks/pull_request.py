"""What a pull request's previews cost: ours beside plain `pulumi preview` in a shell loop, in one run on one machine.

Customers get their connections first. Then one setting of each is changed (``allow_delete``) in a repository made for
it, and previewed: by ``xargs -P WORKERS`` over ``pulumi preview``, with the settings files written before; and by what
``dataloop-sts pr preview`` does, from git to the summary. Counted are whole process trees, without the sandbox. Linux
alone. Usage::

    python -m benchmarks.pull_request [CUSTOMERS [WORKERS]]
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from automation.connection import Connection
from automation.environment import Environment
from automation.pull_request.changes import changes_between
from automation.pull_request.document import Report
from automation.pull_request.markdown import markdown
from automation.pull_request.preview import Previews
from automation.records import find
from benchmarks._customers import by_plain_cli, write_project, write_record
from benchmarks._measuring import Cost, measured, ratio_row, say, world
from sandbox.ready import ReadyFile

_LOOP = 'pulumi preview --suppress-outputs --stack "$1"'
_GIT = {
    **{f"GIT_{who}_{what}": "bench@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def main(customers: int = 20, workers: int = 2) -> None:
    """Runs both, and prints a table in Markdown."""
    with world() as (folder, ready):
        _compare(folder, ready, customers, workers)


def _compare(folder: Path, ready: ReadyFile, customers: int, workers: int) -> None:
    project = folder / "project"
    records = write_project(project, "dev", ready)
    names = [f"customer-{number}" for number in range(customers)]
    for name in names:
        write_record(records, name, ready)
    _git(project, "init", "-q", "-b", "main")
    _git(project, "add", "customers")
    _git(project, "commit", "-q", "-m", "before")
    environment = Environment.of("dev", project)
    say(f"making {customers} connections ...")
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda name: Connection.of(find(environment, name)).up(), names))
    for name in names:
        write_record(records, name, ready, allow_delete=True)
    connections = [Connection.of(find(environment, name)) for name in names]
    say("previews by the plain CLI ...")
    theirs = measured(lambda: by_plain_cli(_LOOP, connections, project, workers))
    say("previews by dataloop-sts ...")
    mine = measured(lambda: _by_us(environment, customers, workers), here=True)
    say(_table(theirs, mine, customers, workers))


def _by_us(environment: Environment, customers: int, workers: int) -> None:
    changes = changes_between(environment, "main")
    report = Report(changes, Previews(environment, workers).run(changes))
    markdown(report, "preview.json")
    if report.failed or len(report.changed) != customers:
        raise SystemExit(f"Not everybody was previewed: {[row.error for row in report.failed]}")


def _git(project: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=project, env={**os.environ, **_GIT}, check=True)


def _table(theirs: Cost, mine: Cost, customers: int, workers: int) -> str:
    lines = [
        f"{customers} previews, {workers} at a time; a customer:",
        "",
        "| | pulumi preview | dataloop-sts pr preview | ratio |",
        "|---|---|---|---|",
        ratio_row("wall-clock time", theirs.wall_s / customers, mine.wall_s / customers, "s"),
        ratio_row("CPU, all processes", theirs.cpu_s / customers, mine.cpu_s / customers, "s"),
        ratio_row("peak memory of all that run at once", theirs.peak_mib, mine.peak_mib, "MiB", 0),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

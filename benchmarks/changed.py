"""What a changed customer costs: ours beside the plain Pulumi CLI in a shell loop, in one run on one machine.

Each of two groups of customers gets its connections first. Then one setting of each is changed (``allow_delete``), and
brought up: the one group by ``xargs -P WORKERS`` over ``pulumi up`` and ``pulumi stack output``, with the settings file
written before; the other by Python threads over ``Connection.up`` and ``Connection.outputs``. Counted are whole process
trees, without the sandbox. Linux alone. Usage::

    python -m benchmarks.changed [CUSTOMERS [WORKERS]]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from automation.connection import Connection
from automation.environment import Environment
from automation.records import find
from benchmarks._customers import by_plain_cli, write_project, write_record
from benchmarks._measuring import Cost, measured, ratio_row, say, world
from sandbox.ready import ReadyFile

_LOOP = 'pulumi up --yes --skip-preview --suppress-outputs --stack "$1" && pulumi stack output --json --stack "$1"'


def main(customers: int = 20, workers: int = 2) -> None:
    """Runs both, and prints a table in Markdown."""
    with world() as (folder, ready):
        _compare(folder, ready, customers, workers)


def _compare(folder: Path, ready: ReadyFile, customers: int, workers: int) -> None:
    project = folder / "project"
    records = write_project(project, "dev", ready)
    plain = [f"plain-{number}" for number in range(customers)]
    ours = [f"ours-{number}" for number in range(customers)]
    for name in (*plain, *ours):
        write_record(records, name, ready)
    say(f"making {2 * customers} connections ...")
    _bring_up(project, [*plain, *ours], workers)
    for name in (*plain, *ours):
        write_record(records, name, ready, allow_delete=True)
    say("changed customers, by the plain CLI ...")
    theirs = measured(lambda: by_plain_cli(_LOOP, _connections(project, plain), project, workers))
    say("changed customers, by dataloop-sts ...")
    mine = measured(lambda: _bring_up(project, ours, workers), here=True)
    say(_table(theirs, mine, customers, workers))


def _bring_up(project: Path, names: list[str], workers: int) -> None:
    def one(connection: Connection) -> None:
        connection.up()
        connection.outputs()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, _connections(project, names)))


def _connections(project: Path, names: list[str]) -> Iterator[Connection]:
    environment = Environment.of("dev", project)
    return (Connection.of(find(environment, name)) for name in names)


def _table(theirs: Cost, mine: Cost, customers: int, workers: int) -> str:
    def without(cost: Cost, kind: str) -> float:
        return cost.cpu_s - cost.by_program[kind]

    lines = [
        f"{customers} changed customers, {workers} at a time; a customer:",
        "",
        "| | plain CLI | dataloop-sts | ratio |",
        "|---|---|---|---|",
        ratio_row("wall-clock time", theirs.wall_s / customers, mine.wall_s / customers, "s"),
        ratio_row("CPU, all processes", theirs.cpu_s / customers, mine.cpu_s / customers, "s"),
        ratio_row(
            "CPU without the AWS plugin",
            without(theirs, "AWS plugin") / customers,
            without(mine, "AWS plugin") / customers,
            "s",
        ),
        ratio_row("peak memory of all that run at once", theirs.peak_mib, mine.peak_mib, "MiB", 0),
        "",
        "Where the CPU time goes, sampled; seconds a customer:",
        "",
        "| | plain CLI | dataloop-sts |",
        "|---|---|---|",
    ]
    kinds: Mapping[str, float] = theirs.by_program + mine.by_program
    for kind in sorted(kinds, key=lambda kind: -kinds[kind]):
        lines.append(
            f"| {kind} | {theirs.by_program[kind] / customers:.2f} | {mine.by_program[kind] / customers:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

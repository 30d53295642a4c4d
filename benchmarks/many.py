"""Whether a customer costs the same among ten as among a thousand: ``dataloop-sts fleet up`` with few of them changed.

CHANGED connections are really made; the other customers of an environment get a copy of one that was made, with the
digest of their own spec. Then one setting of those that are real is changed and the fleet brought up, once with nobody
else beside them, and once among CUSTOMERS. Last, twice as many real ones all change: what a customer costs, and the
memory of the command itself, are to stay the same. Linux alone. Usage::

    python -m benchmarks.many [CHANGED [CUSTOMERS]]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil

from automation.connection import Connection
from automation.environment import Environment
from benchmarks._customers import copy_stack, valid, write_environment, write_record
from benchmarks._measuring import Cost, backend_folder, measured, say, world
from sandbox.ready import ReadyFile

_ENVIRONMENT = "bench"


def main(changed: int = 10, customers: int = 1000) -> None:
    """Runs the fleets, and prints a table in Markdown."""
    with world() as (folder, ready):
        say(f"making {changed} connections ...")
        names = [f"real-{number:03}" for number in range(changed)]
        records = write_environment(folder, _ENVIRONMENT, ready)
        _write(records, names, ready, allow_delete=False)
        _fleet_up(folder)
        rows = [_row(folder, records, names, ready, allow_delete=True)]

        copies = [f"copy-{number:04}" for number in range(customers - changed)]
        say(f"copying one of them for {len(copies)} more customers ...")
        _write(records, [*copies, "first"], ready, allow_delete=False)
        by_name = {
            str(record.customer): Connection.of(record) for record in valid(Environment.of(_ENVIRONMENT, folder))
        }
        by_name["first"].up()
        copy_stack(by_name["first"], [by_name[name] for name in copies], backend_folder())
        rows.append(_row(folder, records, names, ready, allow_delete=False))

        say(f"making {changed} more connections ...")
        more = [f"more-{number:03}" for number in range(changed)]
        _write(records, more, ready, allow_delete=True)
        _fleet_up(folder)
        _write(records, names, ready, allow_delete=True)
        _fleet_up(folder)
        rows.append(_row(folder, records, [*names, *more], ready, allow_delete=False))
        say(_table(rows))


def _write(records: Path, names: list[str], ready: ReadyFile, *, allow_delete: bool) -> None:
    for name in names:
        write_record(records, name, ready, allow_delete=allow_delete)


_Row = tuple[int, int, Cost, float]
"""Customers, how many of them were changed, what that took, and the command's own peak memory in MiB."""


def _row(folder: Path, records: Path, changed: list[str], ready: ReadyFile, *, allow_delete: bool) -> _Row:
    _write(records, changed, ready, allow_delete=allow_delete)
    everybody = len(list(records.glob("[!_]*.yaml")))
    say(f"bringing up {everybody} customers, {len(changed)} of them changed ...")
    memory: list[float] = []
    cost = measured(lambda: memory.append(_fleet_up(folder, succeeded=len(changed))))
    return everybody, len(changed), cost, memory[0]


def _fleet_up(folder: Path, succeeded: int | None = None) -> float:
    """Runs the command; returns the peak of its own resident memory, without the engines', in MiB."""
    command = [sys.executable, "-m", "automation.cli", "-e", _ENVIRONMENT, "fleet", "up", "--json"]
    output = folder / "report.json"
    with output.open("w") as file:
        process = psutil.Popen(command, cwd=folder, stdout=file, stderr=subprocess.DEVNULL)
        peak = 0.0
        while process.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss / 2**20)
            except psutil.Error:
                break
            time.sleep(0.1)
        code = process.wait()
    summary = json.loads(output.read_text())["summary"]
    if code or (succeeded is not None and summary["succeeded"] != succeeded):
        raise SystemExit(f"The fleet did not do what it was to: {summary}")
    return peak


def _table(rows: list[_Row]) -> str:
    lines = [
        "| customers | of them changed | wall-clock s | CPU s | CPU s a changed one | the command's own peak, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for customers, changed, cost, memory in rows:
        each = cost.cpu_s / changed
        lines.append(
            f"| {customers:,} | {changed} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | {each:.2f} | {memory:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""What it costs to find that nothing is to be done: CPU seconds and memory for many stacks, of which a few changed.

A connection is made in a sandbox of its own, by the real engine, and its files are copied for as many customers as are
asked for, each with its own digest. A fresh process then reads all records and decides. Usage:

    python -m benchmarks.unchanged [STACKS]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from automation.backend import Backend
from automation.connection import Connection
from automation.environment import Environment
from automation.unchanged import is_unchanged
from benchmarks._customers import copy_stack, valid, write_environment, write_record
from benchmarks._measuring import backend_folder, world
from sandbox.instance import find_checkout

ENVIRONMENT, CHANGED = "bench", 10
_MIB = 1024


def main(arguments: list[str]) -> int:
    """Runs the benchmark; or, as its child, decides."""
    if arguments[:1] == ["--decide"]:
        sys.stdout.write(json.dumps(_decide(Path(arguments[1]))))
        return 0
    count = int(arguments[0]) if arguments else 1000
    with world() as (folder, ready):
        customers = write_environment(folder, ENVIRONMENT, ready)
        names = [f"c{number:05}" for number in range(count)]
        for name in names:
            write_record(customers, name, ready)
        first, *others = map(Connection.of, valid(Environment.of(ENVIRONMENT, folder)))
        first.up()
        copy_stack(first, others, backend_folder())
        for name in names[1 : 1 + CHANGED]:
            write_record(customers, name, ready, allow_delete=True)
        child = [sys.executable, "-m", "benchmarks.unchanged", "--decide", str(folder)]
        done = subprocess.run(child, capture_output=True, text=True, check=True, cwd=find_checkout())
    _report(count, json.loads(done.stdout))
    return 0


def _decide(project: Path) -> dict[str, Any]:
    marks = [_mark()]
    found = valid(Environment.of(ENVIRONMENT, project))
    marks.append(_mark())
    backend = Backend.of(Environment.of(ENVIRONMENT, project))
    unchanged = sum(is_unchanged(Connection.of(record), backend) for record in found)
    marks.append(_mark())
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    if started.ru_utime + started.ru_stime:
        raise SystemExit("A process was started.")
    return {"unchanged": unchanged, "marks": marks}


def _mark() -> tuple[float, float, float]:
    """CPU seconds, wall-clock seconds and peak memory in MiB of this process so far."""
    return time.process_time(), time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


def _report(count: int, result: dict[str, Any]) -> None:
    begun, read, decided = result["marks"]
    rows = [
        ("start and imports", begun[0], None, begun[2]),
        ("records read", read[0] - begun[0], read[1] - begun[1], read[2]),
        ("decided", decided[0] - read[0], decided[1] - read[1], decided[2]),
    ]
    lines = [f"{count} stacks, {count - result['unchanged']} of them changed", ""]
    lines += ["| step | CPU s | wall s | peak memory, MiB |", "|---|---|---|---|"]
    for what, cpu, wall, peak in rows:
        lines.append(f"| {what} | {cpu:.2f} | {'' if wall is None else f'{wall:.2f}'} | {peak:.0f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

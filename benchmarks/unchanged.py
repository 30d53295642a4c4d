"""What it costs to find that nothing is to be done: CPU seconds and memory for many stacks, of which a few changed.

A connection is made in a sandbox of its own, by the real engine, and its files are copied for as many customers as are
asked for, each with its own digest. A fresh process then reads all records and decides. Usage:

    python -m benchmarks.unchanged [STACKS]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from automation import records
from automation.backend import Backend
from automation.connection import Connection
from automation.environment import Environment
from automation.records import Record
from automation.unchanged import is_unchanged, wanted_digest
from dataloop_sts.digest import OUTPUT
from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance, find_checkout

ENVIRONMENT, PROJECT, FIRST, CHANGED = "bench", "dataloop-sts", "c00000", 10
_MIB = 1024


def main(arguments: list[str]) -> int:
    """Runs the benchmark; or, as its child, decides."""
    if arguments[:1] == ["--decide"]:
        sys.stdout.write(json.dumps(_decide(Path(arguments[1]))))
        return 0
    count = int(arguments[0]) if arguments else 1000
    with tempfile.TemporaryDirectory(prefix="dataloop-sts-bench-") as folder:
        instance = Instance(find_checkout(), state_dir=Path(folder) / "sandbox")
        instance.prepare()
        ensure_plugins(ensure(lambda _: None), instance.pulumi_home, lambda _: None)
        instance.up()
        try:
            os.environ.update(instance.process_environment())
            ready = instance.ready()
            project = Path(folder) / "project"
            _write_records(project, count, ready.dataloop.org_id, ready.dataloop.project_id)
            _copy_stack(project, instance.backend / ".pulumi", count)
        finally:
            instance.down()
        child = [sys.executable, "-m", "benchmarks.unchanged", "--decide", str(project)]
        done = subprocess.run(child, capture_output=True, text=True, check=True, cwd=find_checkout())
    _report(count, json.loads(done.stdout))
    return 0


def _write_records(project: Path, count: int, organization_id: str, project_id: str) -> None:
    folder = project / "customers" / ENVIRONMENT
    folder.mkdir(parents=True)
    (folder / "_environment.yaml").write_text("sandbox: true\n")
    shared = {"organization_id": organization_id, "aws": {"region": "eu-west-1"}, "on_destroy": "delete"}
    (folder / "_defaults.yaml").write_text(json.dumps(shared))
    for number in range(count):
        name = f"c{number:05}"
        driver = {"name": name, "project_id": project_id, "bucket": {"name": f"dataloop-{name}"}}
        (folder / f"{name}.yaml").write_text(json.dumps({"drivers": [driver]}))


def _copy_stack(project: Path, backend: Path, count: int) -> None:
    """Makes the first customer's connection, and gives its files to all others, each with the digest of its record."""
    first = Connection.of(records.find(Environment.of(ENVIRONMENT, project), FIRST))
    first.up()
    digest = wanted_digest(first)
    state = (backend / "stacks" / PROJECT / f"{first.stack}.json").read_text()
    (entry,) = (backend / "history" / PROJECT / first.stack).glob("*.history.json")
    if state.count(digest) != 1:
        raise SystemExit(f"The state does not have one {OUTPUT}.")
    for record in _records(project):
        connection = Connection.of(record)
        copied = state.replace(digest, wanted_digest(connection))
        (backend / "stacks" / PROJECT / f"{connection.stack}.json").write_text(copied)
        history = backend / "history" / PROJECT / connection.stack
        history.mkdir(exist_ok=True)
        name = entry.name.replace(first.stack, connection.stack)
        (history / name).write_text(entry.read_text())
        (history / name.replace(".history.", ".checkpoint.")).write_text(copied)
    for number in range(1, 1 + min(CHANGED, count - 1)):
        record_file = project / "customers" / ENVIRONMENT / f"c{number:05}.yaml"
        record_file.write_text(record_file.read_text()[:-1] + ', "access_key": {"generation": 2}}')


def _records(project: Path) -> list[Record]:
    found = records.all_of(Environment.of(ENVIRONMENT, project))
    return [record for record in found.values() if isinstance(record, Record)]


def _decide(project: Path) -> dict[str, Any]:
    marks = [_mark()]
    found = _records(project)
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

"""What a changed customer costs: ours beside the plain Pulumi CLI in a shell loop, in one run on one machine.

Each of two groups of customers gets its connections first. Then one setting of each is changed (``allow_delete``), and
brought up: the one group by ``xargs -P WORKERS`` over ``pulumi up`` and ``pulumi stack output``, with the settings file
written before; the other by Python threads over ``Connection.up`` and ``Connection.outputs``. Counted are whole process
trees, without the sandbox. Linux alone. Usage::

    python -m benchmarks.changed [CUSTOMERS [WORKERS]]
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from automation.connection import Connection
from automation.environment import Environment
from automation.records import find
from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance, find_checkout
from sandbox.ready import ReadyFile

_PR_SET_CHILD_SUBREAPER = 36
_UNKNOWN = "other"
_POLL_S = 0.25
_LOOP = 'pulumi up --yes --skip-preview --suppress-outputs --stack "$1" && pulumi stack output --json --stack "$1"'


@dataclass
class Cost:
    """What a block of work took.

    Attributes:
        wall_s, cpu_s: of all processes together.
        peak_mib: the largest sum of resident memory seen at once.
        by_program: CPU seconds by kind of process, sampled; what ends between two looks is partly missed.
    """

    wall_s: float = 0
    cpu_s: float = 0
    peak_mib: float = 0
    by_program: Counter[str] = field(default_factory=Counter)


def measured(work: Callable[[], None]) -> Cost:
    """Does the work, and counts this process and everything that it started, orphans too."""
    seen: dict[int, tuple[str, float]] = {}
    cost, done = Cost(), threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_S):
            memory = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    spent = process.cpu_times()
                    known = seen.get(process.pid)
                    # a process that was just forked is not yet what it is going to be
                    kind = known[0] if known and known[0] != _UNKNOWN else _kind(process)
                    seen[process.pid] = kind, spent.user + spent.system
                    memory += process.memory_info().rss
                except psutil.Error:
                    continue
            cost.peak_mib = max(cost.peak_mib, memory / 2**20)

    watcher = threading.Thread(target=watch)
    before, began = _cpu(), time.perf_counter()
    watcher.start()
    work()
    cost.wall_s = time.perf_counter() - began
    done.set()
    watcher.join()
    _reap()
    cost.cpu_s = _cpu() - before
    for kind, spent in seen.values():
        cost.by_program[kind] += spent
    return cost


def _kind(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    for part, kind in (
        ("sandbox.plugins.aws", "AWS plugin"),
        ("sandbox.plugins.command", "command plugin"),
        ("pulumi-resource-aws", "AWS plugin"),
        ("pulumi-resource-command", "command plugin"),
        (" dynamic ", "dynamic providers"),
        ("pulumi.dynamic", "dynamic providers"),
        (" language ", "language host"),
        ("pulumi-language-python", "language host"),
        ("dataloop_sts.", "steps of the update"),
    ):
        if part in words:
            return kind
    return "engine" if "pulumi" in words else _UNKNOWN


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _reap() -> None:
    """Waits for what others left to this process, so that it is counted."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.1)
        except ChildProcessError:
            return


def main(customers: int = 20, workers: int = 2) -> None:
    """Runs both, and prints a table in Markdown."""
    checkout = find_checkout()
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(checkout, state_dir=Path(folder) / "sandbox")
        instance.prepare()
        ensure_plugins(ensure(_say), instance.pulumi_home, lambda _: None)
        instance.up()
        # only now, so that the sandbox's own process is not one of those that are counted
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            os.environ.update(instance.process_environment())
            _compare(Path(folder), checkout, instance.ready(), customers, workers)
        finally:
            instance.down()


def _compare(folder: Path, checkout: Path, ready: ReadyFile, customers: int, workers: int) -> None:
    project = folder / "project"
    for name in ("Pulumi.yaml", "__main__.py"):
        (project / "customers" / "dev").mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout / name, project)
    (project / ".venv").symlink_to(checkout / ".venv")
    (project / "customers" / "dev" / "_environment.yaml").write_text("sandbox: true\n")
    plain = [f"plain-{number}" for number in range(customers)]
    ours = [f"ours-{number}" for number in range(customers)]
    for name in (*plain, *ours):
        _record(project, ready, name, allow_delete=False)
    _say(f"making {2 * customers} connections ...")
    _bring_up(project, [*plain, *ours], workers)
    for name in (*plain, *ours):
        _record(project, ready, name, allow_delete=True)
    _say("changed customers, by the plain CLI ...")
    theirs = measured(lambda: _by_plain_cli(project, plain, workers))
    _say("changed customers, by dataloop-sts ...")
    mine = measured(lambda: _bring_up(project, ours, workers))
    _say(_table(theirs, mine, customers, workers))


def _record(project: Path, ready: ReadyFile, name: str, *, allow_delete: bool) -> None:
    record: dict[str, Any] = {
        "organization_id": ready.dataloop.org_id,
        "aws": {"region": "eu-west-1", "account_id": ready.aws.account_id},
        "drivers": [
            {
                "name": name,
                "project_id": ready.dataloop.project_id,
                "bucket": {"name": f"dataloop-{name}"},
                "allow_delete": allow_delete,
            }
        ],
    }
    (project / "customers" / "dev" / f"{name}.yaml").write_text(yaml.safe_dump(record))


def _bring_up(project: Path, names: list[str], workers: int) -> None:
    environment = Environment.of("dev", project)

    def one(name: str) -> None:
        connection = Connection.of(find(environment, name))
        connection.up()
        connection.outputs()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, names))


def _by_plain_cli(project: Path, names: list[str], workers: int) -> None:
    environment = Environment.of("dev", project)
    for name in names:
        Connection.of(find(environment, name)).write_config(project)
    stacks = "\n".join(f"dev.{name}" for name in names)
    command = ["xargs", f"-P{workers}", "-I{}", "sh", "-c", _LOOP, "sh", "{}"]
    subprocess.run(command, input=stacks, text=True, cwd=project, check=True, stdout=subprocess.DEVNULL)


def _table(theirs: Cost, mine: Cost, customers: int, workers: int) -> str:
    def row(name: str, one: float, other: float, unit: str, digits: int = 2) -> str:
        return f"| {name} | {one:.{digits}f} {unit} | {other:.{digits}f} {unit} | {other / one:.2f} |"

    def without(cost: Cost, kind: str) -> float:
        return cost.cpu_s - cost.by_program[kind]

    lines = [
        f"{customers} changed customers, {workers} at a time; a customer:",
        "",
        "| | plain CLI | dataloop-sts | ratio |",
        "|---|---|---|---|",
        row("wall-clock time", theirs.wall_s / customers, mine.wall_s / customers, "s"),
        row("CPU, all processes", theirs.cpu_s / customers, mine.cpu_s / customers, "s"),
        row(
            "CPU without the AWS plugin",
            without(theirs, "AWS plugin") / customers,
            without(mine, "AWS plugin") / customers,
            "s",
        ),
        row("peak memory of all that run at once", theirs.peak_mib, mine.peak_mib, "MiB", 0),
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Counts what a block of work takes: this process and everything that it started, orphans too. Linux alone."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from automation.fork_server import client as fork_server
from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance, find_checkout
from sandbox.ready import ReadyFile

_PR_SET_CHILD_SUBREAPER = 36
_UNKNOWN, _THIS = "other", "this process"
_POLL_S = 0.25


@contextmanager
def world() -> Iterator[tuple[Path, ReadyFile]]:
    """A sandbox, whose processes are not counted, with its settings in this environment; and an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(find_checkout(), state_dir=Path(folder) / "sandbox")
        instance.prepare()
        ensure_plugins(ensure(say), instance.pulumi_home, lambda _: None)
        instance.up()
        # only now, so that the sandbox's own process is not one of those that are counted
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            os.environ.update(instance.process_environment())
            yield Path(folder), instance.ready()
        finally:
            instance.down()


def backend_folder() -> Path:
    """Where the backend of the sandbox in this environment keeps its files."""
    return Path(os.environ["PULUMI_BACKEND_URL"].removeprefix("file://")) / ".pulumi"


def say(text: str) -> None:
    """Prints at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass
class Cost:
    """What a block of work took.

    Attributes:
        wall_s, cpu_s: of all processes together.
        peak_mib: the largest sum of memory seen at once; what processes share counts once (proportional set size).
        by_program: CPU seconds by kind of process, sampled; what ends between two looks is partly missed.
        peak_by_program: the same of each kind alone.
    """

    wall_s: float = 0
    cpu_s: float = 0
    peak_mib: float = 0
    by_program: Counter[str] = field(default_factory=Counter)
    peak_by_program: Counter[str] = field(default_factory=Counter)


def measured(work: Callable[[], object], *, here: bool = False) -> Cost:
    """Does the work, and counts this process and everything that it starts from now on, orphans too.

    Args:
        work: what to do.
        here: whether this process does the work, rather than wait for a program that does; then its memory counts.
    """
    seen: dict[int, tuple[str, float]] = {}
    others = {process.pid for process in psutil.Process().children(recursive=True)}  # the sandbox
    cost, done = Cost(), threading.Event()
    looking: list[float] = []

    def watch() -> None:
        while not done.wait(_POLL_S):
            memory = Counter({_THIS: psutil.Process().memory_full_info().pss}) if here else Counter[str]()
            for process in psutil.Process().children(recursive=True):
                if process.pid in others:
                    continue
                try:
                    spent = process.cpu_times()
                    known = seen.get(process.pid)
                    # a process that was just forked is not yet what it is going to be
                    kind = known[0] if known and known[0] != _UNKNOWN else _kind(process)
                    seen[process.pid] = kind, spent.user + spent.system
                    memory[kind] += process.memory_full_info().pss
                except psutil.Error:
                    continue
            cost.peak_mib = max(cost.peak_mib, memory.total() / 2**20)
            for kind, size in memory.items():
                cost.peak_by_program[kind] = max(cost.peak_by_program[kind], size // 2**20)
        looking.append(time.thread_time())

    watcher = threading.Thread(target=watch)
    fork_server.end()
    before, own, began = _cpu(), time.process_time(), time.perf_counter()
    watcher.start()
    work()
    fork_server.end()  # what it has spent counts when it has ended
    cost.wall_s = time.perf_counter() - began
    done.set()
    watcher.join()
    _reap()
    cost.cpu_s = _cpu() - before - sum(looking)
    for kind, spent in seen.values():
        cost.by_program[kind] += spent
    cost.by_program[_THIS] = time.process_time() - own - sum(looking)
    return cost


def ratio_row(name: str, theirs: float, ours: float, unit: str, digits: int = 2) -> str:
    """A row of a Markdown table: a figure of each side, and the ratio."""
    return f"| {name} | {theirs:.{digits}f} {unit} | {ours:.{digits}f} {unit} | {ours / theirs:.2f} |"


def _kind(process: psutil.Process) -> str:
    words = " ".join((process.name(), *process.cmdline()))
    for part, kind in (
        ("sandbox.plugins.aws", "AWS plugin"),
        ("sandbox.plugins.command", "command plugin"),
        ("pulumi-resource-aws", "AWS plugin"),
        ("pulumi-resource-command", "command plugin"),
        (" dynamic ", "dynamic providers"),
        ("pulumi.dynamic", "dynamic providers"),
        ("sts-step", "steps of the update"),
        ("automation.fork_server", "dynamic providers"),
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

"""A Dask cluster on this machine: a scheduler and workers, each a process, with their output in files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.e2e.harness import eventually

_NO_DASHBOARD = ("--no-dashboard", "--host", "127.0.0.1")


@dataclass
class Cluster:
    """The processes of a cluster that runs."""

    folder: Path
    environment: Mapping[str, str]
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(json.loads((self.folder / "scheduler.json").read_text())["address"])

    @property
    def logs(self) -> str:
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))

    def add_worker(self) -> None:
        """Without Dask's nanny, which would start it anew when it is killed."""
        file, folder = str(self.folder / "scheduler.json"), str(self.folder)
        alone = ("--scheduler-file", file, "--no-nanny", "--nthreads", "1", "--local-directory", folder)
        worker = _start(self.folder, f"worker-{len(self.workers)}", self.environment, "dask_worker", *alone)
        self.workers.append(worker)

    def all_there(self) -> bool:
        """Whether all workers have found the scheduler."""
        return self.logs.count("Registered to:") == len(self.workers)

    def engines(self, worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The engines that a worker runs."""
        return [child for child in psutil.Process(worker.pid).children() if child.name() == "pulumi"]

    @property
    def working(self) -> list[subprocess.Popen[bytes]]:
        """The workers that run an engine now."""
        return [worker for worker in self.workers if worker.poll() is None and self.engines(worker)]


@contextmanager
def cluster(folder: Path, environment: Mapping[str, str], workers: int) -> Iterator[Cluster]:
    """A cluster.

    Args:
        folder: for its files.
        environment: of all its processes.
        workers: how many, of one thread each.
    """
    file = folder / "scheduler.json"
    options = ("--scheduler-file", str(file), "--port", "0", *_NO_DASHBOARD)
    made = Cluster(folder, environment, _start(folder, "scheduler", environment, "dask_scheduler", *options))
    try:
        eventually(file.exists)
        for _ in range(workers):
            made.add_worker()
        eventually(made.all_there)
        yield made
    finally:
        for process in (*made.workers, made.scheduler):
            process.send_signal(signal.SIGKILL)
            process.wait()


def _start(
    folder: Path, name: str, environment: Mapping[str, str], module: str, *options: str
) -> subprocess.Popen[bytes]:
    own = {"DASK_TEMPORARY_DIRECTORY": str(folder), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *options],
            cwd=folder,
            env={**os.environ, **environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

"""The fleet on a Dask cluster: stopped, gone on with, a worker killed in its middle, and all is good at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.harness import CHECKOUT, Project, eventually
from tests.scaling_out.cluster import Cluster, cluster

CUSTOMERS, WORKERS = 4, 3
_CLI = str(CHECKOUT / ".venv" / "bin" / "dataloop-sts")


def fleet(project: Project, made: Cluster, *arguments: str) -> subprocess.Popen[str]:
    """Begins a run on the cluster; its credentials are the workers' own, so it has none itself."""
    own = {name: value for name, value in project.environment.items() if not name.startswith(("AWS_", "DATALOOP_T"))}
    command = ("fleet", "up", "--json", "--dask", made.address, "--parallel", str(WORKERS), *arguments)
    return project.begin(*command, environment=own)


def rows(process: subprocess.Popen[str], code: int) -> dict[str, dict[str, Any]]:
    """The rows of its report at its end; nothing of Dask's own stands around it."""
    said, errors = process.communicate(timeout=300)
    assert process.returncode == code, said + errors
    assert [line for line in errors.splitlines() if line and not line.startswith("Interrupted: ")] == []
    return {row["customer"]: row for row in json.loads(said)["customers"]}


def write_records(project: Project, count: int) -> list[str]:
    names = [f"d{number}-{project.customer}" for number in range(count)]
    for name in names:
        project.write_record(name)
    return names


def locks(project: Project) -> list[Path]:
    return list((project.backend / ".pulumi" / "locks").rglob(f"dev.d*-{project.customer}/*.json"))


def assert_all_good_and_nothing_twice(project: Project, count: int) -> None:
    owned = project.world.inventory()
    for kind in ("buckets", "IAM users", "IAM roles", "IAM policies", "Dataloop integrations", "Dataloop drivers"):
        assert sum(project.customer in name for name in owned[kind]) == count, (kind, owned)
    assert locks(project) == []


def test_a_run_is_stopped_and_the_next_one_ends_well_though_a_worker_is_killed(
    project: Project, tmp_path: Path
) -> None:
    names = write_records(project, CUSTOMERS)
    with cluster(tmp_path, project.environment, WORKERS) as made:
        # Ctrl-C: the workers' engines end cleanly, and the rows come
        stopped = fleet(project, made)
        eventually(lambda: len(locks(project)) == WORKERS, seconds=180)
        os.kill(stopped.pid, signal.SIGINT)
        outcomes = [row["outcome"] for row in rows(stopped, code=1).values()]
        assert sorted(outcomes) == ["interrupted"] * WORKERS + ["skipped"] * (CUSTOMERS - WORKERS)
        assert locks(project) == []
        assert made.working == []

        # a worker is lost while its engine works: another one does its customer
        running = fleet(project, made, "--only-failed")
        eventually(lambda: len(made.working) == len(locks(project)) == WORKERS, seconds=180)
        lost, engine = made.workers[0], made.engines(made.workers[0])[0]
        os.kill(lost.pid, signal.SIGKILL)
        done = rows(running, code=0)
        # unchanged: the engine of the lost worker came to its end by itself
        assert {done[name]["outcome"] for name in names} <= {"succeeded", "unchanged"}, done
        assert_all_good_and_nothing_twice(project, CUSTOMERS)
        eventually(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE)
        assert made.working == []

        # and nobody is left
        assert {row["outcome"] for row in rows(fleet(project, made), code=0).values()} == {"unchanged"}

    kept = made.logs + "".join(
        file.read_text() for file in (project.folder / ".dataloop-sts" / "fleet").rglob("*") if file.is_file()
    )
    for secret in (project.world.ready.dataloop.token, project.world.ready.aws.secret_access_key):
        assert secret not in kept

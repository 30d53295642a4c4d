"""What is wrong with workers is told before anything begins; a lost one makes a row, and never a run without end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from automation.cli.frame import app
from automation.environment import Environment, EnvironmentSettings
from automation.fleet import Fleet, Limits, Operation, Report, Row, dask, dask_workers
from automation.fleet.dask import WorkersUnusable
from automation.fleet.on_worker import OnWorker
from automation.fleet.surroundings import FOLDER, PROGRAM, differences, mark, surroundings
from tests.e2e.harness import eventually
from tests.fleet.conftest import Customers, customers
from tests.scaling_out.cluster import Cluster, cluster

__all__ = ["customers"]
REFRESH = Operation("refresh")


@pytest.fixture
def small(customers: Customers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster of two workers, which gives a job up once the first worker is lost over it."""
    (tmp_path / "pulumi").touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    folder = tmp_path / "cluster"
    folder.mkdir()
    (tmp_path / "state").mkdir()
    with cluster(folder, {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}, 2) as made:
        yield made


def _run(customers: Customers, made: Cluster, job: Callable[..., Row]) -> Report:
    with dask_workers(made.address, customers.environment) as workers:
        fleet = Fleet(customers.environment, Limits(2), executor=workers, on_stop=workers.stop, job=job)
        return fleet.run(REFRESH, customers.records())


def test_other_workers_lost_ones_and_a_lost_scheduler_are_told_and_nobody_waits_for_ever(
    customers: Customers, small: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d"):
        customers.add(name)

    def job(environment: Environment, customer: str, operation: Operation) -> Row:
        if customer == "b":
            os.kill(os.getpid(), signal.SIGKILL)
        return Row(customer, "succeeded", attempts=1)

    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PULUMI_BACKEND_URL", "file:///elsewhere")
        with pytest.raises(
            WorkersUnusable, match=r"not as the run needs it: tcp:[^ ]*: the backend \(and 1 more\)\. See"
        ):
            _run(customers, small, job)
    rows = {row.customer: row for row in _run(customers, small, job).rows}
    assert [rows[name].outcome for name in ("a", "c", "d")] == ["succeeded"] * 3
    kind, said = rows["b"].error or ("", "")
    assert kind == "WorkerLost" and said.startswith(
        "1 workers in turn were lost while they did this, the last one tcp:"
    )

    def endless(environment: Environment, customer: str, operation: Operation) -> Row:
        time.sleep(3600)
        raise AssertionError

    def lost(process: subprocess.Popen[bytes]) -> list[Row]:
        with dask_workers(small.address, customers.environment) as workers:
            fleet = Fleet(
                customers.environment,
                Limits(2),
                executor=workers,
                on_progress=lambda progress: process.kill() if len(progress.running) == 2 else None,
                job=endless,
            )
            return list(fleet.run(REFRESH, customers.records()).rows)

    # the last worker
    monkeypatch.setattr(dask, "ALONE_S", 2.0)
    left = next(worker for worker in small.workers if worker.poll() is None)
    told = [row.error or ("", "") for row in lost(left)]
    assert {kind for kind, _ in told} <= {"WorkerLost", "ClusterLost", "NotBegun"}  # by who was begun before it is seen
    assert any("has no workers any more: look at their logs" in said for _, said in told)

    small.add_worker()
    eventually(small.all_there)
    rest = [row.error or ("", "") for row in lost(small.scheduler)]
    assert [kind for kind, _ in rest] == ["ClusterLost", "ClusterLost", "NotBegun", "NotBegun"]
    assert all(f"The Dask scheduler {small.address} was lost." in said for _, said in rest)


def test_a_scheduler_without_workers_or_out_of_reach_is_told_in_time(
    customers: Customers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    customers.add("a")
    monkeypatch.setattr(dask, "CONNECT_S", 1.0)
    monkeypatch.setattr(dask, "FIRST_S", 1.0)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.chdir(customers.environment.project_dir)
    arguments = ["-e", "prod", "fleet", "up", "--dask"]
    with cluster(tmp_path, {}, workers=0) as made:
        address = made.address
        told = _told(*arguments, address)
    assert told == f"The Dask scheduler {address} has no workers: start some, and run again."
    for other in (address, "tls://127.0.0.1:1", "nowhere"):
        began = time.monotonic()
        told = _told(*arguments, other)
        assert told.startswith(f"The Dask scheduler {other} cannot be reached: ")
        assert time.monotonic() - began < 10
    assert capfd.readouterr() == ("", "")


def test_without_dask_everything_else_works_and_the_option_names_the_mend(
    customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = "import sys; sys.modules['distributed'] = sys.modules['dask'] = None; import automation.cli"
    subprocess.run([sys.executable, "-c", without], check=True)
    customers.add("a")
    monkeypatch.chdir(customers.environment.project_dir)
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///state")
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = _told("-e", "prod", "fleet", "up", "--dask", "tcp://127.0.0.1:1")
    assert told == "Dask is not installed: install the extra, `dataloop-sts[dask]`."


def _told(*arguments: str) -> str:
    """What is wrong with the workers, by a command that prints nothing itself."""
    done = CliRunner().invoke(app, arguments)
    assert done.output == ""
    assert isinstance(done.exception, WorkersUnusable)
    return str(done.exception)


def test_what_is_secret_does_not_travel(customers: Customers, monkeypatch: pytest.MonkeyPatch) -> None:
    with_token = replace(customers.environment, own_variables={"DATALOOP_TOKEN": "t0ken"})
    with (
        pytest.raises(WorkersUnusable, match=r"variables of its own \(DATALOOP_TOKEN\), which are not sent"),
        dask_workers("tcp://127.0.0.1:1", with_token),
    ):
        pass
    settings = EnvironmentSettings(backend_url="postgres://user:secret@db/state")
    with (
        pytest.raises(WorkersUnusable, match="backend_url of environment prod holds a password"),
        dask_workers("tcp://127.0.0.1:1", replace(customers.environment, settings=settings)),
    ):
        pass
    monkeypatch.setenv("PULUMI_BACKEND_URL", settings.backend_url or "")
    assert "secret" not in str(surroundings(customers.environment))
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    with (
        pytest.raises(WorkersUnusable, match="Workers need a backend that is named"),
        dask_workers("tcp://127.0.0.1:1", customers.environment),
    ):
        pass


def test_another_project_folder_and_another_program_are_seen(customers: Customers, tmp_path: Path) -> None:
    mark(customers.environment)
    here = surroundings(customers.environment)
    mark(customers.environment)
    assert differences(here, surroundings(customers.environment)) == []
    copy = replace(customers.environment, project_dir=tmp_path / "copy")
    assert differences(here, surroundings(copy)) == [FOLDER]
    other = {**here, PROGRAM: "0.0.1 (0123456789ab)"}
    assert differences(here, other) == [f"dataloop-sts is 0.0.1 (0123456789ab), not {here[PROGRAM]}"]


def test_a_worker_that_differs_and_comes_later_ends_the_run_before_it_gets_everybody(customers: Customers) -> None:
    for name in ("a", "b", "c"):
        customers.add(name)
    job = OnWorker(lambda *_: Row("a", "succeeded"), "run", {PROGRAM: "another"})
    report = Fleet(customers.environment, Limits(1), job=job).run(REFRESH, customers.records())
    assert [(row.error or ("", ""))[0] for row in report.rows] == ["WorkerDiffers", "NotBegun", "NotBegun"]

"""A fleet on the real engine: what fails is told and done again, what is done is left alone, a killed run resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.leftovers import Watch, watching
from tests.e2e.harness import CHECKOUT, Project, eventually

_CLI = str(CHECKOUT / ".venv" / "bin" / "dataloop-sts")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with watching(tmp_path) as watch:
        yield watch


def _start(project: Project, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return project.begin("-e", "dev", "fleet", *arguments, environment={**project.environment, **environment})


def _fleet(project: Project, *arguments: str, code: int = 0, **environment: str) -> tuple[dict[str, str], Any]:
    """Runs it; returns the outcomes by customer, and the report."""
    process = _start(project, *arguments, "--json", **environment)
    said, errors = process.communicate(timeout=240)
    assert process.returncode == code, said + errors
    report = json.loads(said)
    return {row["customer"]: row["outcome"] for row in report["customers"]}, report


def test_a_fleet_is_done_to_its_end_over_failures_and_a_kill(project: Project, watch: Watch) -> None:
    project.extra = watch.environment
    names = [f"f{number}-{project.customer}" for number in range(6)]
    for name in names:
        project.write_record(name)
    broken = names[2]
    project.write_record(broken, on_destroy="never")

    # one record is broken and one customer fails at Dataloop: the four others are done
    project.world.fault("POST", "/drivers$", status=400, times=1)
    outcomes, report = _fleet(project, "up", code=1)
    failed = sorted(name for name, outcome in outcomes.items() if outcome == "failed")
    rows = {row["customer"]: row for row in report["customers"]}
    assert list(outcomes) == names
    assert len(failed) == 2 and broken in failed, str(rows[names[1]])
    (refused,) = set(failed) - {broken}
    assert rows[broken]["error"]["class"] == "RecordError" and rows[broken]["attempts"] == 0
    assert rows[refused]["error"]["class"] == "DataloopFailed" and rows[refused]["attempts"] == 1
    done = [name for name in names if name not in failed]
    assert [outcomes[name] for name in done] == ["succeeded"] * 4
    assert all(rows[name]["changes"]["create"] == 22 and rows[name]["attempts"] == 1 for name in done)

    # mended, and the orchestrator is killed while it does the two
    project.write_record(broken)
    project.world.fault("POST", "/drivers$", delay_s=4, times=1)  # of the one that has only that left to do
    killed = _start(project, "up", "--only-failed")
    file = project.folder / ".dataloop-sts" / "fleet" / "dev" / "up.json"
    locks = project.backend / ".pulumi" / "locks"
    eventually(lambda: len(list(locks.rglob(f"dev.f*-{project.customer}/*.json"))) == 2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    left = {row["customer"]: row["outcome"] for row in json.loads(file.read_text())["customers"]}
    assert left == dict.fromkeys(failed, "interrupted")

    # the next run does these two, and what the killed run left is mended first
    outcomes, report = _fleet(project, "up", "--only-failed")
    assert outcomes == dict.fromkeys(failed, "succeeded")
    assert list(locks.rglob(f"dev.f*-{project.customer}/*.json")) == []
    owned = project.world.inventory()
    for kind in ("buckets", "IAM roles", "Dataloop integrations", "Dataloop drivers"):
        assert sum(project.customer in name for name in owned[kind]) == 6, owned

    # nobody is left, and no engine is started: there is none on the way
    outcomes, report = _fleet(project, "up", PATH="/usr/bin:/bin")
    assert outcomes == dict.fromkeys(names, "unchanged")
    assert report["summary"]["unchanged"] == 6
    assert _fleet(project, "up", "--only-failed", PATH="/usr/bin:/bin")[0] == {}

    watch.assert_no_process()
    watch.assert_no_file()
    ready = project.world.ready
    secrets = {ready.dataloop.token: "the token", ready.aws.secret_access_key: "the secret access key"}
    watch.assert_no_secret(secrets, file.parents[2], locks.parent)

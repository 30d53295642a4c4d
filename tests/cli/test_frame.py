"""What every command keeps to: JSON is JSON also where it fails, and nothing is destroyed unasked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("dataloop-sts")
RECORD = """\
organization_id: org-1
aws: {region: eu-west-1}
drivers: [{name: images, project_id: p-1, bucket: {name: dataloop-acme}}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "customers" / "dev"
    folder.mkdir(parents=True)
    (folder / "acme.yaml").write_text(RECORD)
    return tmp_path


def run(project: Path, *arguments: str, said: str | None = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], cwd=project, input=said, capture_output=True, text=True, timeout=60)


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    return error


@pytest.mark.parametrize("arguments", [("--json", "up", "globex"), ("up", "globex", "--json")])
def test_a_mistake_is_told_as_json_where_json_is_asked_for(project: Path, arguments: tuple[str, ...]) -> None:
    done = run(project, *arguments)
    assert done.returncode == 2
    error = error_of(done)
    assert error["class"] == "RecordError"
    assert error["message"].startswith("There is no record of customer 'globex' in dev:")
    assert [problem.endswith("there are: acme") for problem in error["problems"]] == [True]
    assert "There is no record of customer 'globex'" in done.stderr  # for the person who reads the log


@pytest.mark.parametrize(
    "arguments", [("--json", "up", "--no-such"), ("fleet", "audit", "--format", "json", "--label", "x")]
)
def test_a_wrong_option_is_told_as_json_too(project: Path, arguments: tuple[str, ...]) -> None:
    done = run(project, *arguments)
    assert done.returncode == 2
    assert error_of(done)["class"] == "UsageError"


def test_without_json_a_mistake_is_on_standard_error_alone(project: Path) -> None:
    done = run(project, "up", "globex")
    assert (done.returncode, done.stdout) == (2, "")


def test_workers_that_cannot_be_used_are_bad_input(project: Path) -> None:
    done = run(project, "--json", "fleet", "up", "--dask", "tcp://127.0.0.1:1")
    assert (done.returncode, error_of(done)["class"]) == (2, "WorkersUnusable")


@pytest.mark.parametrize("arguments", [("destroy", "acme"), ("revoke", "acme"), ("fleet", "destroy")])
def test_what_destroys_is_refused_where_nobody_can_be_asked(project: Path, arguments: tuple[str, ...]) -> None:
    done = run(project, *arguments)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "nothing was done" in " ".join(done.stderr.split())
    refused = run(project, "--json", *arguments)
    assert (refused.returncode, error_of(refused)["class"]) == (2, "UsageError")


@pytest.mark.parametrize("arguments", [("destroy", "acme"), ("revoke", "acme"), ("fleet", "destroy")])
def test_what_destroys_is_not_done_where_the_answer_is_no(project: Path, arguments: tuple[str, ...]) -> None:
    done = run(project, *arguments, said="n\n")
    assert done.returncode == 1
    assert "Aborted" in done.stderr
    assert not (project / ".dataloop-sts").exists()

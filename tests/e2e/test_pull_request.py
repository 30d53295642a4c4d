"""A pull request's previews on the real engine: every kind of change in one go, and nothing is written or left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from drills.leftovers import Watch, contents, watching
from tests.e2e.harness import CHECKOUT, Project, eventually

_CLI = str(CHECKOUT / ".venv" / "bin" / "dataloop-sts")
_SCHEMA = json.loads((CHECKOUT / "docs" / "pull-request.schema.json").read_text())
_GIT = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com", "GIT_CONFIG_GLOBAL": "/dev/null"}
_GIT |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com"}


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with watching(tmp_path) as watch:
        yield watch


def _start(project: Project, *arguments: str, without: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    environment = {name: value for name, value in project.environment.items() if not name.startswith(without)}
    return project.begin("-e", "dev", *arguments, environment=environment)


def _ran(process: subprocess.Popen[str], code: int) -> str:
    said, errors = process.communicate(timeout=240)
    assert process.returncode == code, said + errors
    return said


def _git(project: Project, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=project.folder, env={**os.environ, **_GIT}, check=True, capture_output=True)


def _write_own_stack(project: Project, **of_driver: Any) -> None:
    """The environment's own stack, which is no customer's and has no folder of its own."""
    spec = {**project.spec, "drivers": [{**project.spec["drivers"][0], **of_driver}]}
    config = {"dataloop-sts:connection": spec, "dataloop-sts:sandbox": True}
    (project.folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))


def _commit(project: Project, branch: str) -> None:
    _git(project, "checkout", "-q", "-B", branch)
    _git(project, "add", "customers", *(["Pulumi.dev.yaml"] if (project.folder / "Pulumi.dev.yaml").exists() else []))
    _git(project, "commit", "-q", "-m", branch)


def test_every_kind_of_change_is_a_row_and_nothing_is_written_or_left(project: Project, watch: Watch) -> None:
    project.extra = watch.environment
    records = project.records
    names = ("kept", "gone", "broken", "new", "calm")
    kept, gone, broken, new, calm = (f"{name}-{project.customer}" for name in names)
    for customer in (kept, gone, broken, calm):
        project.write_record(customer)
    _git(project, "init", "-q", "-b", "main")
    _commit(project, "main")
    _ran(_start(project, "up", kept), 0)

    project.write_record(kept, {"allow_delete": True})
    (records / f"{gone}.yaml").unlink()
    (records / f"{broken}.yaml").write_text("drivers: 3\n")
    project.write_record(new)
    _write_own_stack(project, project_id="0" * 24)
    _commit(project, "change")
    _git(project, "checkout", "-q", "main")

    backend = project.backend
    inventory = project.world.inventory()
    before = contents([backend, records, project.folder / ".dataloop-sts"])
    document, summary = project.folder.parent / "preview.json", project.folder.parent / "preview.md"
    files = ("--markdown", str(summary), "--json-file", str(document))
    revisions = ("--base", "main", "--head", "change")
    _ran(_start(project, "pr", "preview", *revisions, *files), 1)

    found = json.loads(document.read_text())
    jsonschema.validate(found, _SCHEMA)
    assert (found["verdict"], found["unchanged"]) == ("failed", 1)
    rows = {row["customer"]: row for row in found["customers"]}
    kinds = {kept: "changed", gone: "removed", broken: "changed", new: "added", "dev": "added"}
    assert {who: row["kind"] for who, row in rows.items()} == kinds
    assert rows[kept]["counts"] == {"create": 0, "update": 3, "replace": 0, "delete": 0, "same": 19}
    steps = {step["resource"]: step["properties"] for step in rows[kept]["steps"]}
    assert steps == {"policy": ["policy"], "verification": ["stdin"], kept: ["allow_delete"]}
    assert rows[new]["counts"]["create"] == 22 and rows[new]["error"] is None
    assert rows[broken]["error"]["class"] == "RecordError" and f"{broken}.yaml" in rows[broken]["error"]["message"]
    assert rows["dev"]["stack"] == "dev" and rows["dev"]["error"]["class"] in ("Refused", "DataloopFailed")
    assert "000000000000000000000000" in rows["dev"]["error"]["message"]
    assert rows[gone]["steps"] == [] and rows[gone]["error"] is None
    text = summary.read_text()
    assert text.startswith("## ❌ Failed previews in `dev`: 2 of 5 customers failed")
    assert "s3:DeleteObject" in text

    _assert_without_credentials(project, revisions, files, document, kept, new)
    _assert_interrupted(project, revisions, watch)

    assert contents([backend, records, project.folder / ".dataloop-sts"]) == before
    assert project.world.inventory() == inventory
    watch.assert_no_process()
    watch.assert_no_file()
    ready = project.world.ready
    secrets = {ready.dataloop.token: "the token", ready.aws.secret_access_key: "the secret access key"}
    watch.assert_no_secret(secrets, document, summary)


def _assert_without_credentials(
    project: Project, revisions: tuple[str, ...], files: tuple[str, ...], document: Path, kept: str, new: str
) -> None:
    """Without credentials no engine is started, and what the records themselves tell is there."""
    project.extra |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(document.parent)}
    without = ("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWS_PROFILE", "DATALOOP_TOKEN", "PULUMI_HOME")
    _ran(_start(project, "pr", "preview", *revisions, *files, without=without), 1)
    rows = {row["customer"]: row for row in json.loads(document.read_text())["customers"]}
    assert [each.partition(":")[0] for each in rows[new]["missing"]] == [
        "no AWS credentials",
        "no Dataloop credentials, nothing was previewed",
    ]
    assert rows[kept]["steps"] == [] and any("s3:DeleteObject" in risk["what"] for risk in rows[kept]["risks"])
    for name in ("AWS_EC2_METADATA_DISABLED", "HOME"):
        del project.extra[name]


def _assert_interrupted(project: Project, revisions: tuple[str, ...], watch: Watch) -> None:
    """An interrupt ends the engines, and takes the throwaway backends away."""
    process = _start(project, "pr", "preview", *revisions)
    eventually(lambda: any(watch.temporary.glob("dataloop-sts-*/backend/.pulumi/stacks/**/*.json")))
    process.send_signal(signal.SIGINT)
    _ran(process, 130)

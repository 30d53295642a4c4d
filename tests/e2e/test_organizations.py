"""Two Dataloop organizations with owners of their own, side by side in one process: each sees its own token only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.e2e.harness import Project


def _run(project: Project, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**project.environment, "DATALOOP_TOKEN": "", **variables}
    process = project.begin("-e", "dev", *arguments, environment=environment)
    said, errors = process.communicate(timeout=180)
    return subprocess.CompletedProcess(process.args, process.returncode, said, errors)


def _integrations(project: Project, organization: str, token: str) -> dict[str, str]:
    """Who made which integration of an organization."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            f"{project.world.ready.dataloop.api_url}/orgs/{organization}/integrations",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return {each["name"]: each["creator"] for each in found if project.customer in each["name"]}


def test_each_organizations_customers_are_run_with_its_own_token(empty_project: Project, tmp_path: Path) -> None:
    project, dataloop = empty_project, empty_project.world.ready.dataloop
    tokens = {"ours": dataloop.token, "theirs": dataloop.foreign_token}
    file = tmp_path / "token"
    file.write_text(tokens["ours"] + "\n")
    places = {
        dataloop.org_id: {"token_file": str(file)},
        dataloop.foreign_org_id: {"token_variable": "TOKEN_OF_THEIRS"},
        "org-of-nobody": {"token_variable": "TOKEN_OF_NOBODY"},
    }
    (project.records / "_environment.yaml").write_text(yaml.safe_dump({"sandbox": True, "organizations": places}))
    ours, theirs, nobodys = (f"{name}-{project.customer}" for name in ("ours", "theirs", "nobodys"))
    for customer, organization, project_id in (
        (ours, dataloop.org_id, dataloop.project_id),
        (theirs, dataloop.foreign_org_id, dataloop.foreign_project_id),
        (nobodys, "org-of-nobody", dataloop.project_id),
    ):
        project.write_record(customer, {"project_id": project_id}, organization_id=organization)

    done = _run(project, "fleet", "up", "--json", TOKEN_OF_THEIRS=tokens["theirs"])
    assert done.returncode == 1, done.stdout + done.stderr
    rows = {row["customer"]: row for row in json.loads(done.stdout)["customers"]}
    assert [rows[each]["outcome"] for each in (ours, theirs, nobodys)] == ["succeeded", "succeeded", "failed"], rows
    error = rows[nobodys]["error"]
    assert error["class"] == "NoCredentials"
    assert "organizations.org-of-nobody.token_variable: TOKEN_OF_NOBODY is not set" in error["message"]
    assert _integrations(project, dataloop.org_id, tokens["ours"]) == {f"{ours}-dev-sts": "owner@sandbox.example"}
    assert _integrations(project, dataloop.foreign_org_id, tokens["theirs"]) == {
        f"{theirs}-dev-sts": "owner@foreign.example"
    }

    # what looks from this process has the same token, and one that is given to the wrong organization is refused
    done = _run(project, "fleet", "verify", "--select", ours, "--select", theirs, TOKEN_OF_THEIRS=tokens["theirs"])
    assert done.returncode == 0, done.stdout + done.stderr
    done = _run(project, "preview", theirs, TOKEN_OF_THEIRS=tokens["ours"])
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stdout + done.stderr
    assert dataloop.foreign_org_id in done.stderr

    # no token is anywhere that stays: settings, reports, logs, state
    backend = Path(project.world.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    texts = [
        path.read_text(errors="replace") for path in (project.folder / ".dataloop-sts").rglob("*") if path.is_file()
    ]
    texts += [path.read_text(errors="replace") for path in backend.rglob(f"dev.*{project.customer}*") if path.is_file()]
    assert len(texts) > 8
    assert [token for token in tokens.values() for text in texts if token in text] == []

"""The workflows in .github: linted, pinned, and each credential only where it has to be; their scripts run for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataloop_sts.audit import auditor_document
from dataloop_sts.spec import ConnectionSpec
from sandbox.engine import build, cache

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: path for path in sorted(FOLDER.glob("*.yml"))}
ACTIONLINT = "v1.7.12"
_PIN = re.compile(r"uses: (?P<action>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
_OWN = "github.event.pull_request.head.repo.full_name == github.repository"


def _jobs(name: str) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = yaml.safe_load(WORKFLOWS[name].read_text())["jobs"]
    return jobs


ALL_JOBS = [(name, job, body) for name in WORKFLOWS for job, body in _jobs(name).items()]


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--no-progress", "--persona", "pedantic", str(ROOT / ".github")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing() -> None:
    command = [str(_actionlint()), "-shellcheck=", "-pyflakes=", *map(str, WORKFLOWS.values())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def _actionlint() -> Path:
    """Built from its Go module once a user, as the engine is: its package on PyPI would download a binary."""
    go = build.find_go()
    if go is None:
        pytest.skip("there is no Go to build actionlint with")

    def install(aside: Path) -> None:
        module = f"github.com/rhysd/actionlint/cmd/actionlint@{ACTIONLINT}"
        environment = os.environ | {"GOBIN": str(aside), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
        done = subprocess.run(
            [str(go), "install", module], env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        if done.returncode:
            pytest.skip(f"actionlint could not be built: {done.stderr.strip()[-300:]}")

    return cache.entry(f"actionlint-{ACTIONLINT}", install, print) / "actionlint"


def test_every_script_is_bash() -> None:
    scripts = [step["run"] for _, _, body in ALL_JOBS for step in body["steps"] if "run" in step]
    assert len(scripts) > 10
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script


def test_the_linters_can_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n      - run: echo ${{ github.evnt }}\n"
    )
    zizmor = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress", str(bad)]
    for command in (zizmor, [str(_actionlint()), "-shellcheck=", "-pyflakes=", str(bad)]):
        assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0, command


def test_every_action_is_pinned_to_a_commit_and_each_to_one() -> None:
    commits: dict[str, set[tuple[str, str]]] = {}
    for path in WORKFLOWS.values():
        for line in path.read_text().splitlines():
            if "uses:" in line:
                pin = _PIN.search(line)
                assert pin, f"{path.name}: {line}"
                commits.setdefault(pin["action"], set()).add((pin["commit"], pin["version"]))
    assert {action: len(found) for action, found in commits.items()} == dict.fromkeys(commits, 1)


@pytest.mark.parametrize(("name", "job", "body"), ALL_JOBS, ids=[f"{name}-{job}" for name, job, _ in ALL_JOBS])
def test_each_job_has_what_it_needs_and_no_more(name: str, job: str, body: dict[str, Any]) -> None:
    document = yaml.safe_load(WORKFLOWS[name].read_text())
    assert document["permissions"] == {"contents": "read"}
    assert body["timeout-minutes"] <= 350
    permissions = body.get("permissions", {})
    steps = str(body["steps"])
    credentials = "secrets." in steps or "id-token" in permissions
    writes = {key for key, value in permissions.items() if value == "write" and key != "id-token"}
    assert not (credentials and writes), "who holds credentials cannot write to GitHub, and the other way round"
    assert not credentials or body.get("environment"), "credentials are those of an environment"
    for step in body["steps"]:
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
    if name == "preview" and (credentials or writes):
        needed = [body["needs"]] if isinstance(body["needs"], str) else body["needs"]
        conditions = [body["if"], *(_jobs(name)[need].get("if", "") for need in needed)]
        assert any(_OWN in condition for condition in conditions), "no fork gets here"
    if "head.sha" in steps:
        assert body["environment"] == "preview-program", "the pull request's own code runs after an approval alone"


def test_the_pull_request_brings_neither_the_workflow_nor_its_code() -> None:
    document = yaml.safe_load(WORKFLOWS["preview"].read_text())
    assert document[True] == {"pull_request_target": None}, "YAML takes `on` for a boolean"
    for job, body in document["jobs"].items():
        checkouts = [step["with"]["ref"] for step in body["steps"] if "actions/checkout" in step.get("uses", "")]
        runs = [step["run"] for step in body["steps"] if "run" in step]
        for ref in checkouts:
            if job != "preview-program" and "base.sha" not in ref:
                assert runs[0] == 'git checkout --quiet --detach "$BASE"', "before anything else is run"


def test_what_is_risky_or_a_forks_and_not_previewed_waits_for_an_approval() -> None:
    risky = _jobs("preview")["risky"]
    assert (risky["environment"], risky["permissions"]) == ("risky", {})
    for job in ("preview", "preview-program"):
        assert f"needs.{job}.outputs.code == '4'" in risky["if"]
    assert f"touched == 'true' && {_OWN.replace('==', '!=')}" in risky["if"]


def test_a_preview_gives_way_to_the_next_push_and_a_deployment_to_nobody() -> None:
    concurrency = {name: yaml.safe_load(path.read_text())["concurrency"] for name, path in WORKFLOWS.items()}
    assert concurrency["preview"]["cancel-in-progress"] is True
    assert "pull_request.number" in concurrency["preview"]["group"]
    assert concurrency["deploy"]["cancel-in-progress"] is False


def test_every_option_in_a_workflow_is_one_of_the_commands() -> None:
    known = (ROOT / "docs" / "commands.md").read_text()
    used = set()
    for _, _, body in ALL_JOBS:
        for step in body["steps"]:
            lines = step.get("run", "").replace("\\\n", " ").splitlines()
            used |= {option for line in lines if "dataloop-sts -e" in line for option in re.findall(r"--[\w-]+", line)}
    assert used >= {"--base", "--head", "--canary", "--max-failures", "--yes", "--pr", "--markdown"}
    assert {option for option in used if f"`{option}" not in known and f", {option}" not in known} == set()


_RECORD = """\
organization_id: 5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000001
aws: {region: eu-west-1, account_id: "123456789012"}
drivers:
  - {name: BUCKET, project_id: 5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000002, bucket: {name: BUCKET}}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "customers" / "prod").mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    (folder / "README.md").write_text("one\n")
    (folder / "customers" / "prod" / "acme.yaml").write_text(_RECORD.replace("BUCKET", "acme-images"))
    _git(folder, "init", "--quiet", "--initial-branch", "main")
    _commit(folder)
    return folder


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ops", "-c", "user.email=ops@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _commit(folder: Path) -> str:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "change")
    return _git(folder, "rev-parse", "HEAD")


def _run(folder: Path, script: str, **extra: str) -> tuple[int, dict[str, str]]:
    """Runs a step of the job `changed` on the last commit, as a runner does; gives the exit code and the outputs."""
    output = folder.parent / "output"
    output.write_text("")
    bin_dir = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "ENVIRONMENT": "prod",
        "BASE": _git(folder, "rev-parse", "main~1"),
        "HEAD": _git(folder, "rev-parse", "main"),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(folder.parent / "summary"),
    } | extra
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, timeout=60, check=False)
    return done.returncode, dict(line.split("=", 1) for line in output.read_text().splitlines())


def _step(named: str) -> str:
    scripts = [step["run"] for step in _jobs("preview")["changed"]["steps"] if named in step.get("run", "")]
    assert len(scripts) == 1
    return str(scripts[0])


@pytest.mark.skipif(shutil.which("jq") is None, reason="the runners have jq, this machine has not")
def test_the_job_for_everybody_tells_what_is_touched_without_credentials(repository: Path) -> None:
    (repository / "README.md").write_text("two\n")
    _commit(repository)
    _git(repository, "checkout", "--quiet", "--detach", "main~1")
    assert _run(repository, _step(" changed --base"), ENVIRONMENT="none-yet") == (0, {})
    assert _run(repository, _step(" changed --base")) == (0, {"touched": "false", "program": "false"})
    assert _run(repository, _step(" pr preview"))[0] == 0
    assert "nothing would change" in (repository / "preview" / "preview.md").read_text()

    _git(repository, "checkout", "--quiet", "main")
    (repository / "customers" / "prod" / "globex.yaml").write_text(_RECORD.replace("BUCKET", "globex-images"))
    _commit(repository)
    assert _run(repository, _step(" changed --base")) == (0, {"touched": "true", "program": "false"})
    assert "globex" in (repository.parent / "summary").read_text()

    (repository / "requirements.txt").write_text("pulumi\n")
    _commit(repository)
    assert _run(repository, _step(" changed --base")) == (0, {"touched": "true", "program": "true"})

    (repository / "customers" / "prod" / "globex.yaml").write_text("drivers: []\n")
    _commit(repository)
    assert _run(repository, _step(" changed --base")) == (2, {"touched": "true", "program": "false"})


def _document(named: str) -> dict[str, Any]:
    page = (ROOT / "docs" / "pull-requests.md").read_text()
    found = re.search(rf"<!-- {named} -->\s+```json\n(.*?)```", page, re.DOTALL)
    assert found
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_the_reading_role_may_do_what_an_auditor_and_the_preflight_need_and_read_the_state() -> None:
    statements = {each["Sid"]: each for each in _document("permission policy")["Statement"]}
    spec = ConnectionSpec.parse(
        yaml.safe_load(_RECORD.replace("BUCKET", "dataloop-acme")) | {"customer": "acme"}, environment="prod"
    )
    for needed in auditor_document(spec, "prod", "123456789012")["Statement"]:
        given = statements.pop(needed["Sid"])
        assert given["Action"] == sorted(needed["Action"])
        patterns = [resource.replace("ACCOUNT", "123456789012") for resource in given["Resource"]]
        assert all(any(fnmatchcase(each, pattern) for pattern in patterns) for each in needed["Resource"])
    assert {sid: each["Action"] for sid, each in statements.items()} == {
        "ReadState": ["s3:GetObject"],
        "ListState": ["s3:ListBucket"],
        "DecryptState": ["kms:Decrypt"],
        "SeeBuckets": ["s3:ListBucket"],
        "SeeKeys": ["kms:DescribeKey"],
    }


def test_the_reading_role_is_for_the_environments_of_the_jobs_that_assume_it() -> None:
    condition = _document("trust policy")["Statement"][0]["Condition"]
    assert set(condition) == {"StringEquals"}
    subjects = condition["StringEquals"]["token.actions.githubusercontent.com:sub"]
    used = {body["environment"] for _, _, body in ALL_JOBS if "AWS_PREVIEW_ROLE" in str(body["steps"])}
    assert {f"SUBJECT:environment:{each}" for each in used} == set(subjects)

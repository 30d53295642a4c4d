"""`dataloop-sts audit` prints what was found, and its exit code says how bad it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from automation.cli.frame import BAD_INPUT, DONE, FAILED, FINDING, app
from tests.audit.audited import Audited, allow

Run = Callable[..., Result]


@pytest.fixture
def run(audited: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command on the connection's record, without a stack."""
    folder = tmp_path / "customers" / "dev"
    folder.mkdir(parents=True)
    spec = audited.spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    (folder / f"{audited.spec.customer}.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, common: tuple[str, ...] = ()) -> Result:
        return CliRunner().invoke(app, [*common, "audit", audited.spec.customer, "--no-state", *arguments])

    return command


def test_a_clean_connection_says_so(run: Run, audited: Audited) -> None:
    done = run()
    assert done.exit_code == DONE
    assert done.stdout.startswith(f"Audit of {audited.spec.customer} in dev, AWS account 123456789012\n")
    assert "Needed: the stack's state." in done.stdout
    assert "checks are clean; nothing found." in done.stdout


def test_the_table_is_readable_in_120_columns(run: Run, audited: Audited) -> None:
    audited.inline("extra", allow("s3:*"))
    done = run()
    assert done.exit_code == FINDING
    assert max(len(line) for line in done.stdout.splitlines()) <= 120
    cells = [line.split("│")[1:-1] for line in done.stdout.splitlines() if line.startswith("│")]
    columns = [" ".join("".join(column).split()) for column in zip(*cells, strict=True)]
    assert columns[0] == "critical"
    assert columns[1] == f"role {audited.user}: Policy extra allows s3:* on *. [role-wildcard]"
    assert columns[2].startswith("Take it away: `aws iam delete-role-policy")
    assert done.stdout.endswith("; 1 critical.\n")


@pytest.mark.parametrize(
    ("fail_on", "code"), [("low", FINDING), ("medium", FINDING), ("high", FINDING), ("critical", DONE)]
)
def test_the_exit_code_follows_the_severity(fail_on: str, code: int, run: Run, audited: Audited) -> None:
    audited.world.iam.create_login_profile(UserName=audited.user, Password="Correct-horse-1")
    assert run("--fail-on", fail_on).exit_code == code


def test_an_info_is_told_and_no_reason_to_fail(run: Run, audited: Audited) -> None:
    deny = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}
    audited.inline(
        "AWSRevokeOlderSessions",
        {**deny, "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}}},
    )
    done = run()
    assert done.exit_code == DONE
    assert "1 info." in done.stdout


def test_json_and_junit_are_printed_alone(run: Run, audited: Audited) -> None:
    audited.age_key(30)
    assert json.loads(run("--json").stdout)["findings"] == []
    assert json.loads(run(common=("--json",)).stdout)["customer"] == audited.spec.customer
    done = run("--format", "json", "--max-key-age", "7")
    assert done.exit_code == FINDING
    assert [finding["check"] for finding in json.loads(done.stdout)["findings"]] == ["key-old"]
    junit = run("--format", "junit", "--max-key-age", "7")
    suite = ElementTree.fromstring(junit.stdout).find("testsuite")  # noqa: S314 - ours
    assert suite is not None
    assert suite.attrib["failures"] == "1"


def test_what_may_not_be_looked_at_is_no_clean_audit(
    run: Run, monkeypatch: pytest.MonkeyPatch, audited: Audited
) -> None:
    iam, name = audited.world.iam, f"nobody-{audited.world.tag}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    done = run()
    assert done.exit_code == FAILED
    assert f"Not looked at: user {audited.user}. Needed: iam:GetUser." in " ".join(done.stdout.split())
    assert "The audit is not complete: 4 things could not be looked at." in done.stderr


def test_a_customer_without_a_record_and_an_option_that_makes_no_sense_are_bad_input(run: Run) -> None:
    assert run("--max-key-age", "0").exit_code == BAD_INPUT
    assert run("--fail-on", "info").exit_code == BAD_INPUT
    assert run("--format", "yaml").exit_code == BAD_INPUT

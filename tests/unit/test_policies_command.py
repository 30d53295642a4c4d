"""The command `dataloop-sts policies`: documents as text and as JSON, and what a user's mistake looks like."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from automation import cli
from dataloop_sts import policies
from tests.unit.spec_examples import data, driver, spec


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    """A connection spec as a file."""
    path = tmp_path / "acme.yaml"
    path.write_text(yaml.safe_dump(data()), encoding="utf-8")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Runs the command as its entry point does; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["dataloop-sts", *map(str, arguments)])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    return int(exited.value.code or 0)


@pytest.mark.parametrize("before", [True, False])
def test_json_is_exactly_the_documents_of_the_spec(
    before: bool, spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--json", "policies", spec_file] if before else ["policies", spec_file, "--json"]
    assert run(monkeypatch, *arguments) == 0
    written = capsys.readouterr()
    assert json.loads(written.out) == {
        "permission": policies.permission_document(spec()),
        "trust": policies.trust_document("arn:aws:iam::ACCOUNT_ID:user/dataloop-acme-dev"),
        "bucket": {"dataloop-acme-images": policies.bucket_document("aws", "dataloop-acme-images")},
    }
    assert written.err == ""


def test_text_titles_each_document(
    spec_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--environment", "prod", "policies", spec_file) == 0
    text = capsys.readouterr().out
    for title in (
        "Permission policy of role dataloop-acme-prod:\n",
        "Trust policy of role dataloop-acme-prod:\n",
        "Policy of bucket dataloop-acme-images:\n",
    ):
        document = text.partition(title)[2].partition("\n\n")[0]
        assert json.loads(document)["Version"] == "2012-10-17"


def test_a_stacks_config_file_is_read_as_well_as_a_bare_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = data(aws={"region": "cn-north-1", "account_id": "123456789012"})
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(yaml.safe_dump({"config": {"dataloop-sts:connection": given}}), encoding="utf-8")
    assert run(monkeypatch, "policies", path, "--json") == 0
    trust = json.loads(capsys.readouterr().out)["trust"]
    assert trust["Statement"][0]["Principal"] == {"AWS": "arn:aws-cn:iam::123456789012:user/dataloop-acme-dev"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (yaml.safe_dump(data(costumer="acme")).encode(), "costumer: is not a key of the spec"),
        (yaml.safe_dump(data(drivers=[driver(prefix="/x"), driver("b", "B")])).encode(), "drivers[1].bucket.name: "),
        (b"- a\n- b\n", "must hold keys"),
        (b"", "must hold keys"),
        (b"{}", "customer: is missing"),
    ],
)
def test_a_bad_spec_is_exit_code_2_and_its_problems_without_a_traceback(
    content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    assert run(monkeypatch, "policies", path) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("The connection spec is not valid:\n  ")
    assert says in written.err
    assert "Traceback" not in written.err
    assert str(cli.__file__) not in written.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"customer: [acme\n", "bad.yaml is not valid YAML:\n  line 2, column 1: "),
        (
            b"customer: a\ncustomer: b\n",
            "bad.yaml is not valid YAML:\n  line 2, column 1: the key 'customer' stands twice",
        ),
        (b"customer: \xff\n", "bad.yaml cannot be read:\n  it is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_yaml_is_exit_code_2_with_the_line(
    content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    assert run(monkeypatch, "policies", path) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_exit_code_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "policies", tmp_path / name) == 2
    written = capsys.readouterr()
    assert "cannot be read" in written.err
    assert "Traceback" not in written.err


@pytest.mark.parametrize(
    "arguments", [["policies"], ["--environment", "Not A Slug", "policies", "x"], ["no-such-command"]]
)
def test_a_command_line_that_makes_no_sense_is_exit_code_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert "Traceback" not in capsys.readouterr().err

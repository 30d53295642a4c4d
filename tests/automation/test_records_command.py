"""``dataloop-sts records``: what an operator types, and is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from automation import cli
from automation.cli.frame import app

DEFAULTS = 'organization_id: org-1\naws: {region: eu-west-1, account_id: "123456789012", tags: {cost.centre: x}}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text(DEFAULTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["-e", "prod", "records", *arguments])


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What the whole command says of a mistake, of which its exit code is 2."""
    monkeypatch.setattr("sys.argv", ["dataloop-sts", "-e", "prod", "records", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    return capsys.readouterr().err


def new(customer: str, *more: str) -> Result:
    return run("new", customer, "--project", "p-1", "--bucket", f"dataloop-{customer}", *more)


def test_a_new_record_says_what_was_given_and_is_valid(folder: Path) -> None:
    more = ["--prefix", "raw", "--label", "tier=gold", "--account", "000000000012", "--region", "us-east-1"]
    done = new("acme", "--driver", "on: #1", "--allow-delete", "--organization", "org-2", *more)
    assert done.exit_code == 0, done.output
    assert "dataloop-sts -e prod preview acme" in done.output
    assert yaml.safe_load((folder / "acme.yaml").read_text()) == {
        "labels": {"tier": "gold"},
        "organization_id": "org-2",
        "aws": {"region": "us-east-1", "account_id": "000000000012"},
        "drivers": [
            {
                "name": "on: #1",
                "project_id": "p-1",
                "bucket": {"name": "dataloop-acme"},
                "prefix": "raw",
                "allow_delete": True,
            }
        ],
    }
    assert json.loads(new("globex", "--existing", "--json").output)["stack"] == "prod.globex"
    assert "bucket: {existing: dataloop-globex}" in (folder / "globex.yaml").read_text()
    assert run("validate").output == "2 records are valid.\n"


def test_a_new_record_is_written_over_nothing_and_not_with_a_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new("acme").exit_code == 0
    before = (folder / "acme.yaml").read_text()
    project = ["--project", "p-1", "--bucket"]
    says = {
        ("acme", *project, "dataloop-other"): "has a record already",
        ("globex", *project, "dataloop-acme"): "bucket 'dataloop-acme' in partition aws is that of acme too",
        ("globex", *project, "B"): "drivers[0].bucket.name: a bucket's name has 3 to 63 characters",
        ("globex", *project, "dataloop-g", "--label", "gold"): "labels.gold: a label's value has 1 to 63",
        ("../globex", *project, "dataloop-g"): "'../globex' is not a customer's name",
    }
    for arguments, message in says.items():
        assert message in told(capsys, monkeypatch, "new", *arguments)
    assert (folder / "acme.yaml").read_text() == before
    assert sorted(path.name for path in folder.parent.rglob("*.yaml")) == ["_defaults.yaml", "acme.yaml"]


def test_a_record_may_not_name_what_the_environments_own_stack_names(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = yaml.safe_load(DEFAULTS) | {"customer": "acme"}
    spec["drivers"] = [{"name": "own", "project_id": "p-2", "bucket": {"name": "dataloop-own"}}]
    (folder.parents[1] / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": {"dataloop-sts:connection": spec}}))
    message = "integration 'acme-prod-sts' in organization org-1 is that of stack prod too"
    assert message in told(capsys, monkeypatch, "new", "acme", "--project", "p-1", "--bucket", "dataloop-acme")
    assert new("globex").exit_code == 0
    (folder / "globex.yaml").rename(folder / "acme.yaml")
    assert message in told(capsys, monkeypatch, "validate")


def test_all_mistakes_are_told_at_once_and_those_of_the_defaults_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for customer in ("acme", "globex", "initech"):
        assert new(customer, "--label", f"name={customer}").exit_code == 0
    with (folder / "acme.yaml").open("a") as file:
        file.write("on_destroy: never\n")
    (folder / "broken.yaml").write_text("drivers: [")
    message = told(capsys, monkeypatch, "validate")
    assert message.splitlines()[0] == "2 of 4 records are not valid:"
    assert f"{folder / 'acme.yaml'}:9: on_destroy: " in message
    assert f"{folder / 'broken.yaml'} is not valid YAML: line 2, column 1: " in message
    assert run("validate", "--select", "name=globex", "-s", "globex").output == "1 record is valid.\n"
    assert "there are: acme, broken, globex, initech" in told(capsys, monkeypatch, "validate", "-s", "acne")

    found = run("validate", "--json")
    assert found.exit_code == 2
    assert json.loads(found.output)["valid"] == 2
    assert [each["customer"] for each in json.loads(found.output)["invalid"]] == ["acme", "broken"]

    (folder / "_defaults.yaml").write_text(DEFAULTS.replace("eu-west-1", "Ireland"))
    message = told(capsys, monkeypatch, "validate", "-s", "globex", "-s", "initech")
    assert message.splitlines()[0] == "2 of 2 records are not valid:"
    assert message.count("_defaults.yaml:2: aws.region") == 1


def test_records_are_listed_with_those_that_are_not_valid(folder: Path) -> None:
    assert new("acme", "--label", "tier=gold").exit_code == 0
    (folder / "globex.yaml").write_text("labels: {tier: gold}\n")
    rows = json.loads(run("list", "--select", "tier=gold", "--json").output)
    assert [(row["customer"], row["buckets"], len(row["problems"])) for row in rows] == [
        ("acme", ["dataloop-acme"], 0),
        ("globex", [], 1),
    ]
    listed = run("list").output
    assert all(text in listed for text in ("acme", "dataloop-acme", "tier=gold", "123456789012", "1 not valid"))


def test_a_record_is_shown_with_where_each_value_comes_from(folder: Path) -> None:
    assert new("acme", "--label", "tier=gold").exit_code == 0
    (folder / "_defaults.yaml").write_text(DEFAULTS + "drivers: [{allow_delete: true, prefix: raw/}]\n")
    text = (folder / "acme.yaml").read_text()
    (folder / "acme.yaml").write_text(text.replace("    allow_delete: false", "    #"))
    shown = json.loads(run("show", "acme", "--json").output)
    assert shown["labels"] == {"tier": "gold"}
    assert shown["spec"]["aws"]["names"]["user"] == "dataloop-acme-prod"
    expected = {
        "customer": "the file's name",
        "organization_id": "_defaults.yaml:1",
        "aws.tags.cost.centre": "_defaults.yaml:2",
        "aws.names.role": "derived",
        "access_key.generation": "default",
        "drivers[0].bucket.name": "acme.yaml:6",
        "drivers[0].allow_delete": "default",
    }
    assert {path: shown["origins"][path] for path in expected} == expected
    printed = run("show", "acme").output
    assert yaml.safe_load(printed) == shown["spec"]
    assert [line.split("#")[1].strip() for line in printed.splitlines() if "organization_id" in line] == [
        "_defaults.yaml:1"
    ]

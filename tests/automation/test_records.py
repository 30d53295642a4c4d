"""Customer records: found, merged over their defaults, edited in place; mistakes are told with file and line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from automation import records
from automation.environment import Environment
from automation.errors import RecordError
from dataloop_sts.errors import InvalidSetting

DEFAULTS = """\
organization_id: org-1
aws:
  region: eu-west-1
  tags: {team: data, tier: gold}
"""
RECORD = """\
# Acme
aws:
  tags: {tier: silver}   # overrides one
drivers:
  - name: acme-images
    project_id: project-1
    bucket: {name: dataloop-acme}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text(DEFAULTS)
    (folder / "acme.yaml").write_text(RECORD)
    return tmp_path


def prod(project: Path) -> Environment:
    return Environment.of("prod", project)


def record_file(project: Path, text: str, name: str = "acme.yaml") -> Path:
    path = project / "customers" / "prod" / name
    path.write_text(textwrap.dedent(text))
    return path


def told(project: Path, customer: str | None = "acme") -> str:
    with pytest.raises(RecordError) as caught:
        records.find(prod(project), customer)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_record_inherits_its_folders_defaults_key_by_key(project: Path) -> None:
    record = records.find(prod(project), "acme")
    assert record.stack == "prod.acme"
    assert record.spec.customer == "acme"
    assert record.spec.organization_id == "org-1"
    assert record.spec.aws.tags == {"team": "data", "tier": "silver"}
    assert record.sandbox is False


def test_the_environments_own_stack_is_a_record_too(project: Path) -> None:
    text = "config:\n  dataloop-sts:sandbox: 'true'\n  dataloop-sts:connection:\n    customer: globex\n"
    body = textwrap.indent(DEFAULTS + RECORD.split("\n", 4)[4].join(["drivers:\n", ""]), "    ")
    (project / "Pulumi.prod.yaml").write_text(text + body)
    record = records.find(prod(project), None)
    assert (record.stack, record.spec.customer, record.sandbox) == ("prod", "globex", True)
    edited = record.with_access_key(generation=2, retiring=None)
    assert edited.spec.access_key.generation == 2
    assert edited.path.read_text() == (text + body).replace(
        "customer: globex\n", "customer: globex\n    access_key: {generation: 2}\n"
    )


def test_a_rotation_is_written_into_the_record_and_its_comments_stay(project: Path) -> None:
    record = records.find(prod(project), "acme").with_access_key(generation=2, retiring=1)
    assert (record.spec.access_key.generation, record.spec.access_key.retiring) == (2, 1)
    again = record.with_access_key(generation=2, retiring=None)
    assert again.spec.access_key.retiring is None
    left = [line for line in again.path.read_text().splitlines() if "access_key" not in line]
    assert left == RECORD.splitlines()
    assert sorted(path.name for path in again.path.parent.iterdir()) == ["_defaults.yaml", "acme.yaml"]


def test_a_mistake_is_told_with_the_file_and_the_line_in_which_it_stands(project: Path) -> None:
    path = record_file(project, RECORD + "    prefix: /raw\n    allow_delete: maybe\n")
    message = told(project)
    assert f"{path}:8: drivers[0].prefix: " in message
    assert f"{path}:9: drivers[0].allow_delete: must be true or false" in message
    record_file(project, RECORD)
    defaults = record_file(project, DEFAULTS.replace("eu-west-1", "Ireland"), "_defaults.yaml")
    assert f"{defaults}:3: aws.region: 'Ireland' is not the code" in told(project)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drivers: [", "is not valid YAML"),
        ("customer: acme\ncustomer: acme\n", "line 2, column 1: the key 'customer' stands twice"),
        ("- a\n", "it must hold keys"),
        ("customer: other\n" + RECORD, ":1: customer: 'other' is not the file's name, 'acme'"),
        ("", "drivers: is missing"),
    ],
)
def test_a_record_that_is_none_is_refused(text: str, says: str, project: Path) -> None:
    record_file(project, text)
    assert says in told(project)


def test_a_record_that_is_not_there_is_told_with_those_that_are(project: Path) -> None:
    assert "does not exist; there are: acme" in told(project, "acne")
    assert "use lower-case letters" in told(project, "../acme")
    assert "has no stack of its own" in told(project, None)
    (project / "Pulumi.prod.yaml").write_text("config: {}\n")
    assert "has no connection spec" in told(project, None)


def test_an_environment_has_settings_of_its_own(project: Path) -> None:
    record_file(project, "sandbox: true\nbackend_url: file:///state\n", "_environment.yaml")
    environment = prod(project)
    assert environment.variables() == {"PULUMI_BACKEND_URL": "file:///state"}
    assert records.find(environment, "acme").sandbox is True
    record_file(project, "sandbocks: true\nsandbox: 1\n", "_environment.yaml")
    with pytest.raises(RecordError) as caught:
        prod(project)
    assert "_environment.yaml are not valid" in str(caught.value)
    assert "sandbocks: " in str(caught.value)
    with pytest.raises(InvalidSetting, match="lower-case"):
        Environment.of("../prod", project)


def test_a_record_that_cannot_be_written_stays_as_it_was(project: Path) -> None:
    path = record_file(project, RECORD + "access_key: &key {generation: 1}\naws2: *key\n".replace("aws2", "x-y"))
    with pytest.raises(RecordError):
        records.find(prod(project), "acme")
    path.write_text(RECORD)
    record = records.find(prod(project), "acme")
    path.write_text(RECORD + "access_key: 5\n")
    with pytest.raises(RecordError, match="by hand, then run again"):
        record.with_access_key(generation=2, retiring=None)
    assert path.read_text() == RECORD + "access_key: 5\n"

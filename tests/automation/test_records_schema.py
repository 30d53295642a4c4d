"""The JSON Schema for editors says what the models say, and finds the mistakes that people make."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from automation import records, schema
from automation.environment import Environment
from automation.errors import RecordError

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "connection.schema.json"
FULL: dict[str, Any] = yaml.safe_load(
    """
customer: acme
organization_id: 5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000001
labels: {tier: gold}
aws:
  region: eu-west-1
  account_id: "210987654321"
  tags: {team: data platform}
  names: {user: acme-user, role: acme-role, policy: acme-policy}
  iam_path: /dataloop/
  permissions_boundary: arn:aws:iam::210987654321:policy/boundary
  trust_source_ips: [203.0.113.0/24]
  deploy_role: {arn: "arn:aws:iam::210987654321:role/deploy", external_id: acme-4711}
integration: {name: acme sts}
access_key: {generation: 2, description: my dataloop key, grace_days: 3, retiring: 1}
on_destroy: refuse
drivers:
  - name: acme-raw
    former_name: acme raw
    project_id: p-1
    bucket: {existing: acme-data, kms_key_arn: "arn:aws:kms:eu-west-1:210987654321:key/1234abcd"}
    prefix: raw/
    allow_delete: true
  - {name: acme-more, project_id: p-1, bucket: {name: dataloop-acme}, prefix: null}
"""
)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    content = json.loads(FILE.read_text())
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


def edited(path: str, value: Any) -> dict[str, Any]:
    """A full record, with one of its values changed, or taken out where the value is ``...``."""
    record = copy.deepcopy(FULL)
    *above, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = record
    for part in above:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return record


def is_read(tmp_path: Path, record: Any) -> bool:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "acme.yaml").write_text(yaml.safe_dump(record))
    try:
        return bool(records.find(Environment.of("prod", tmp_path), "acme"))
    except RecordError:
        return False


def test_the_file_is_up_to_date() -> None:
    assert json.loads(FILE.read_text()) == schema.schema(), (
        "run: python -m automation.schema > docs/connection.schema.json"
    )


def test_the_example_records_name_the_schema_and_are_valid_by_it(validator: Draft202012Validator) -> None:
    for path in ROOT.glob("customers/*/[!_]*.yaml"), ROOT.glob("customers/*/_defaults.yaml"):
        for file in path:
            hint, text = file.read_text().split("\n", 1)
            assert (file.parent / hint.removeprefix("# yaml-language-server: $schema=")).resolve() == FILE
            validator.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("aws", ...),
        ("drivers", ...),
        ("customer", ...),
        ("labels", None),
        ("labels/tier", "2026.10:a/b@c+d-e"),
        ("drivers/0/bucket", {"existing": "acme-data", "name": None}),
        ("aws/iam_path", "/"),
        ("drivers/0/prefix", "raw/images"),
    ],
)
def test_what_the_program_reads_is_valid_by_the_schema(
    path: str, value: Any, validator: Draft202012Validator, tmp_path: Path
) -> None:
    record = edited(path, value)
    validator.validate(record)
    if value is not ... or path == "customer":
        assert is_read(tmp_path, record)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("driver", []),
        ("customer", "Acme"),
        ("drivers", []),
        ("drivers/1/project_id", ...),
        ("drivers/1/bucket", {}),
        ("drivers/1/bucket", {"name": "dataloop-a", "existing": "dataloop-b"}),
        ("drivers/1/bucket/name", "Dataloop_A"),
        ("drivers/1/prefix", "/raw"),
        ("drivers/1/name", " a"),
        ("drivers/1/allow_delete", "yes"),
        ("aws/account_id", 210987654321),
        ("aws/account_id", "1234"),
        ("aws/region", "Ireland"),
        ("aws/tags/team", 5),
        ("aws/tags/te*m", "a"),
        ("aws/iam_path", "dataloop"),
        ("aws/names/user", "u" * 65),
        ("aws/permissions_boundary", "boundary"),
        ("aws/deploy_role/arn", "arn:aws:iam::210987654321:user/deploy"),
        ("aws/deploy_role/role_arn", "x"),
        ("access_key/generation", "2"),
        ("access_key/generation", 0),
        ("access_key/description", "the key"),
        ("on_destroy", "keep"),
        ("labels/tier", True),
        ("labels/Tier", "gold"),
    ],
)
def test_a_mistake_that_people_make_is_found_by_the_schema_and_by_the_program(
    path: str, value: Any, validator: Draft202012Validator, tmp_path: Path
) -> None:
    record = edited(path, value)
    assert not validator.is_valid(record)
    assert not is_read(tmp_path, record)
    assert is_read(tmp_path, FULL)

"""The report can be read back, and by CI; a file that is none is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from automation.errors import AwsFailed, DataloopFailed, RecordError, StackLocked
from automation.fleet import Report, Row, not_done
from automation.fleet.rows import told
from automation.fleet.transient import is_transient
from dataloop_sts.errors import AwsError, Forbidden, RateLimited, Unreachable

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "fleet-report.schema.json"
ROWS = (
    Row("a", "succeeded", {"create": 22}, duration_s=7.25, attempts=1),
    Row("b", "unchanged"),
    Row("c", "failed", error=("AwsFailed", "Stack prod.c: <no> & again"), attempts=3),
    Row("d", "interrupted", attempts=1),
    Row("e", "skipped", error=("NotBegun", "Not begun: the run was interrupted.")),
)


@pytest.fixture
def report() -> Report:
    return Report("prod", "up", datetime(2026, 1, 1, tzinfo=UTC), 12.3456, ROWS)


def test_its_shape_is_fixed(report: Report) -> None:
    document = report.document()
    assert set(document) == {"schema", "summary", "customers", "left_over"}
    assert document["customers"][0] == {
        "customer": "a",
        "outcome": "succeeded",
        "changes": {"create": 22, "update": 0, "replace": 0, "delete": 0, "same": 0},
        "error": None,
        "duration_s": 7.25,
        "attempts": 1,
        "repaired": [],
    }
    assert document["customers"][2]["error"] == {"class": "AwsFailed", "message": "Stack prod.c: <no> & again"}
    endings = {"succeeded": 1, "unchanged": 1, "failed": 1, "skipped": 1, "interrupted": 1}
    assert document["summary"].items() >= {**endings, "total": 5, "operation": "up", "duration_s": 12.346}.items()


def test_its_schema_holds_it_and_knows_all_of_it(report: Report) -> None:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(report.document())

    def keys(part: Any) -> Any:
        """The keys that a part of the schema names and requires, all the way down."""
        named = part.get("properties") or part.get("items", {}).get("properties") or {}
        assert set(named) == set((part if "properties" in part else part.get("items", {})).get("required", ())), part
        return {name: keys(each) for name, each in named.items()}

    def keys_of(value: Any) -> Any:
        if isinstance(value, list):
            value = value[0] if value else {}
        return {name: keys_of(each) for name, each in value.items()} if isinstance(value, dict) else {}

    failed = replace(report, rows=(ROWS[2],)).document()
    assert keys(schema) == keys_of(failed)


def test_who_is_not_done_is_read_out_of_it(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "report.json")
    assert not_done(tmp_path / "report.json", "prod") == {"c", "d", "e"}
    with pytest.raises(RecordError, match="is the report of prod: name that of dev with --report"):
        not_done(tmp_path / "report.json", "dev")
    with pytest.raises(RecordError, match="No such file or directory: run once without --only-failed"):
        not_done(tmp_path / "none.json", "prod")
    (tmp_path / "other.json").write_text('{"customers": 3}')
    with pytest.raises(RecordError, match="is not a report of the fleet: run once without --only-failed"):
        not_done(tmp_path / "other.json", "prod")


def test_as_junit_each_customer_is_a_test_case(report: Report) -> None:
    suite = ElementTree.fromstring(report.junit()).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "2", "1")
    failures = {case.get("name"): case.find("failure") for case in suite}
    assert [name for name, failure in failures.items() if failure is not None] == ["c", "d"]
    assert failures["c"] is not None and failures["c"].get("message") == "Stack prod.c: <no> & again"


def test_as_junit_it_is_xml_whatever_an_error_says(report: Report) -> None:
    error = told(RuntimeError("the worker's \x1b[31m\x00x:\n<no> é"))  # an executor's, in its own words
    suites = ElementTree.fromstring(replace(report, rows=(Row("c", "failed", error=error),)).junit())  # noqa: S314 - ours
    failure = suites.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "the worker's [31m x: <no> é"


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (RateLimited(resource="integration x"), True),
        (Unreachable("refused"), True),
        (Forbidden("no"), False),
        (DataloopFailed("Stack s: no", kind="RateLimited"), True),
        (DataloopFailed("Stack s: no", kind="BadRequest"), False),
        (DataloopFailed("Stack s: Dataloop: The Dataloop API gave no answer about the user: refused."), True),
        (DataloopFailed("Stack s: Dataloop: the token is expired"), False),
        (AwsFailed("no", code="Throttling"), True),
        (AwsFailed("no", code="AccessDenied"), False),
        (AwsError("no", code="SlowDown"), True),
        (StackLocked("by another run"), False),
        (ValueError("a mistake of ours"), False),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}"[:60],
)
def test_only_what_goes_away_by_itself_is_tried_again(error: BaseException, transient: bool) -> None:
    assert is_transient(error) is transient

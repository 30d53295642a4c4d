"""The JSON of the previews keeps the form that its schema promises, and the verdict is the worst of all."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from automation.pull_request.document import Report
from automation.pull_request.risk import Risk
from automation.results import Step
from tests.pull_request.synthetic import POLICY, report, row

_SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "pull-request.schema.json").read_text())
_CALM = {"counts": {"same": 22}, "steps": ()}
_FAILED = {"counts": {}, "steps": (), "error": ("AwsFailed", "Cannot.")}
_UNKNOWN = {"counts": {}, "steps": (), "missing": ("no AWS credentials",)}


def _everything() -> Report:
    imported = Step("user", "aws:iam/user:User", "import")
    return report(
        row("acme", "a bucket goes", steps=(POLICY, imported), counts={"update": 1, "import": 1, "same": 20}),
        row("broken", **_FAILED),
        row("gone", "its stack stays", kind="removed", counts={}, steps=()),
        row("new", kind="added", counts={"create": 22}, missing=("no passphrase",)),
        program=("b.py", "a.py"),
    )


def test_the_json_has_the_form_of_its_schema() -> None:
    document = json.loads(json.dumps(_everything().document()))
    jsonschema.validate(document, _SCHEMA)
    assert set(document) == set(_SCHEMA["required"]) == set(_SCHEMA["properties"])
    of_customer = _SCHEMA["properties"]["customers"]["items"]
    assert set(document["customers"][0]) == set(of_customer["required"]) == set(of_customer["properties"])


def test_it_says_what_is_done_to_whom() -> None:
    document = _everything().document()
    by_kind = {"added": 1, "changed": 2, "removed": 1, "renamed": 0, "program": 0}
    assert document["counts"] == by_kind | {"failed": 1, "risky": 2, "incomplete": 1}
    acme, broken, *_ = document["customers"]
    assert acme["counts"] == {"create": 0, "update": 2, "replace": 0, "delete": 0, "same": 20}
    assert [step["resource"] for step in acme["steps"]] == ["user", "policy"]
    assert broken["error"] == {"class": "AwsFailed", "message": "Cannot."}
    assert document["program"] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], "clean"),
        ([row("acme", **_CALM)], "clean"),
        ([row("acme", **_CALM), row("globex")], "changes"),
        ([row("acme", **_UNKNOWN)], "changes"),
        ([row("acme"), row("globex", "a bucket goes", **_CALM)], "risky"),
        ([row("acme", "a bucket goes"), row("globex", **_FAILED)], "failed"),
    ],
)
def test_the_verdict_is_the_worst_of_all(rows: list[object], verdict: str) -> None:
    assert report(*rows).verdict == verdict  # type: ignore[arg-type]


def test_a_note_alone_is_no_risk() -> None:
    calm = row("acme", **_CALM)
    noted = type(calm)(calm.change, calm.stack, calm.counts, risks=(Risk("note", "a policy advises"),))
    assert report(noted).verdict == "clean"


def test_a_changed_program_that_was_not_run_is_never_clean() -> None:
    assert report(program=("a.py",)).verdict == "changes"
    assert report(settings=("backend_url",)).verdict == "changes"
    assert report(program=("a.py",), head=None).verdict == "clean"

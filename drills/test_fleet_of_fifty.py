"""Fifty customers: three records are broken and two fail at Dataloop, the others are done; mended, those five are."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from jsonschema import Draft202012Validator

from drills.drill import Drill, Ran
from tests.e2e.harness import CHECKOUT

NAMES = [f"c{number:02}" for number in range(50)]
BROKEN = {
    "c00": "on_destroy: input should be 'retain', 'refuse' or 'delete'",
    "c17": "is not valid YAML: line 2",
    "c33": "driver: is not a key of the spec",
}
TAKEN = "c21"
NO_ENGINE = {"PATH": "/usr/bin:/bin"}
SCHEMA = json.loads((CHECKOUT / "docs" / "fleet-report.schema.json").read_text())


def _break(drill: Drill) -> None:
    """Three records with mistakes of three kinds."""
    drill.write("c00", on_destroy="never")
    (drill.records / "c17.yaml").write_text("drivers: [{name: c17-images\naws: {region: eu-west-1}\n")
    drill.write("c33", driver=[])


def _take_name(drill: Drill) -> tuple[str, str]:
    """Lets somebody else have the name of a customer's driver; returns the paths of their driver and integration."""
    dataloop, project_id = drill.world.dataloop, drill.world.ready.dataloop.project_id
    integrations = f"/orgs/{drill.world.ready.dataloop.org_id}/integrations"
    role = f"arn:aws:iam::{drill.world.ready.aws.account_id}:role/theirs"
    options = {"key": "AKIAAAAAAAAAAAAAAAAA", "secret": "x" * 40, "roleArns": role}
    integration = dataloop("POST", integrations, {"name": "theirs", "type": "aws-sts", "options": options})
    driver = {
        "name": f"{TAKEN}-images",
        "integrationId": integration["id"],
        "integrationType": "aws-sts",
        "metadata": {"system": {"projectId": project_id}},
        "type": "s3",
        "payload": {"bucketName": "theirs", "region": "eu-west-1", "path": ""},
        "allowExternalDelete": False,
        "creator": "owner@sandbox.example",
    }
    made = dataloop("POST", "/drivers", driver)
    return f"/drivers/{made['id']}", f"{integrations}/{integration['id']}"


def _assert_told(drill: Drill, ran: Ran) -> None:
    """The report that was printed is the one that is kept, and of the form that is promised."""
    Draft202012Validator(SCHEMA).validate(ran.report)
    kept = json.loads((drill.fleet_folder / "up.json").read_text())
    assert kept["customers"] == ran.report["customers"]
    summary = ran.report["summary"]
    assert {ending: summary[ending] for ending in ran.counts} == ran.counts
    assert summary["total"] == len(ran.rows) and summary["operation"] == "up"
    assert summary["duration_s"] <= ran.wall_s


def _assert_junit(text: str, *, tests: int, failures: int, skipped: int) -> None:
    suite = ElementTree.fromstring(text).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    wanted = {"tests": str(tests), "failures": str(failures), "skipped": str(skipped)}
    assert suite.attrib.items() >= wanted.items()
    assert len(suite.findall("testcase/failure")) == failures


def _lines(drill: Drill) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in (drill.fleet_folder / "log.jsonl").read_text().splitlines()]
    assert all(line["operation"] == "up" and line["environment"] == "dev" and "@" in line["who"] for line in lines)
    return sorted((line["customer"], line["outcome"]) for line in lines)


def test_who_fails_is_told_and_done_again_and_who_is_done_is_left_alone(drill: Drill) -> None:
    for name in NAMES:
        drill.write(name)
    _break(drill)
    theirs = _take_name(drill)

    # the record of a canary is broken: nobody is begun, and no engine is started to find that out
    ran = drill.run("up", "--canary", "2", code=1, **NO_ENGINE)
    assert ran.counts == {"failed": 3, "skipped": 47}
    assert ran.rows["c01"]["error"] == {"class": "NotBegun", "message": "Not begun: canary c00 failed."}
    _assert_told(drill, ran)
    ran = drill.run("up", "--canary", "2", "--format", "junit", code=1, **NO_ENGINE)
    _assert_junit(ran.said, tests=50, failures=3, skipped=47)
    logged = [(name, "failed") for name in sorted(BROKEN)] * 2
    assert _lines(drill) == sorted(logged)
    drill.assert_stands([], besides={"Dataloop integrations": ["theirs"], "Dataloop drivers": [f"{TAKEN}-images"]})

    # three broken, one refused by the preflight, one by Dataloop in the middle of it: 45 are done
    drill.world.fault("POST", "/drivers$", status=400, times=1)
    ran = drill.run("up", code=1)
    assert list(ran.rows) == NAMES
    assert ran.counts == {"succeeded": 45, "failed": 5}
    _assert_told(drill, ran)
    failed = sorted(name for name, outcome in ran.outcomes.items() if outcome == "failed")
    (refused,) = set(failed) - set(BROKEN) - {TAKEN}
    for name, words in BROKEN.items():
        row = ran.rows[name]
        assert row["error"]["class"] == "RecordError" and f"{name}.yaml" in row["error"]["message"]
        assert words in row["error"]["message"] and row["attempts"] == 0
    assert ran.rows[TAKEN]["error"]["class"] == "Refused" and ran.rows[TAKEN]["attempts"] == 1
    assert f"has a driver named '{TAKEN}-images' already" in ran.rows[TAKEN]["error"]["message"]
    assert ran.rows[refused]["error"]["class"] == "DataloopFailed" and ran.rows[refused]["attempts"] == 1
    done = [name for name in NAMES if name not in failed]
    created = {"create": 22, "update": 0, "replace": 0, "delete": 0, "same": 0}
    for name in done:
        row = ran.rows[name]
        assert (row["changes"], row["error"], row["attempts"], row["repaired"]) == (created, None, 1, [])
        assert 0 < row["duration_s"] < ran.wall_s
    logged += list(ran.outcomes.items())
    assert _lines(drill) == sorted(logged)

    # mended, only these five are done; nothing of the others is touched
    before = drill.files_of(done)
    assert len(before) >= 4 * len(done)
    for name in BROKEN:
        drill.write(name)
    for path in theirs:
        drill.world.dataloop("DELETE", path)
    ran = drill.run("up", "--only-failed")
    assert ran.outcomes == dict.fromkeys(failed, "succeeded")
    _assert_told(drill, ran)
    assert all(row["attempts"] == 1 and row["repaired"] == [] for row in ran.rows.values())
    assert all(ran.rows[name]["changes"] == created for name in BROKEN)
    assert 0 < ran.rows[refused]["changes"]["create"] < ran.rows[TAKEN]["changes"]["create"], "it goes on"
    logged += list(ran.outcomes.items())
    assert _lines(drill) == sorted(logged)

    # a third run has nobody to do, and finds that out at once, without the engine
    ran = drill.run("up", **NO_ENGINE)
    assert ran.outcomes == dict.fromkeys(NAMES, "unchanged")
    _assert_told(drill, ran)
    assert ran.cpu_s < 5, "it takes a second or two"
    assert _lines(drill) == sorted(logged), "whoever was unchanged has no line"
    assert drill.files_of(done) == before
    ran = drill.run("up", "--format", "junit", **NO_ENGINE)
    _assert_junit(ran.said, tests=50, failures=0, skipped=0)

    drill.assert_stands(NAMES)
    drill.learn_keys(NAMES)
    drill.assert_nothing_left()

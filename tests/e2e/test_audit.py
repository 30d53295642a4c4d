"""An audit of a connection that the engine made: clean, then with deviations that Pulumi sees and that it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automation.connection import Connection
from automation.environment import Environment
from automation.records import find
from dataloop_sts.audit import Finding
from tests.e2e.harness import Project


def _audit(project: Project, *arguments: str) -> tuple[int, dict[str, Any]]:
    process = project.begin("-e", project.stack, "--json", "audit", *arguments)
    said, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors, errors
    assert project.world.ready.dataloop.token not in said + errors
    return process.returncode, json.loads(said)


def test_an_audit_is_clean_after_up_finds_what_others_change_and_is_clean_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    connection = Connection.of(find(Environment.of(project.stack, project.folder), None))
    connection.up()
    code, report = _audit(project)
    assert (code, report["findings"], report["not_looked_at"]) == (0, [], [])
    assert {check["result"] for check in report["checks"]} == {"clean"}

    # what Pulumi manages
    iam, s3, name = project.world.client("iam"), project.world.client("s3"), project.iam_name
    driver_id = connection.outputs()["driver_ids"][f"{project.customer}-images"]
    project.world.dataloop("PATCH", f"/drivers/{driver_id}", {"payload": {"allowExternalDelete": True}})
    s3.delete_public_access_block(Bucket=project.bucket)
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust["Statement"].append(service)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    managed = {"driver-allow-delete", "bucket-public-access-block", "trust-service"}
    # and what it does not
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    found = {finding.check: finding for finding in _found(connection)}
    assert set(found) == {*managed, "key-other", "driver-test"}  # TEST deletes where the flag lets it
    assert key in found["key-other"].what

    drift = connection.preview(refresh=True)
    assert drift.changes["update"] >= len(managed)
    assert connection.up(refresh=True).changed
    assert [finding.check for finding in _found(connection)] == ["key-other"]
    mend = found["key-other"].mend.partition("`")[2].rstrip("`")
    assert mend == f"aws iam delete-access-key --user-name {name} --access-key-id {key}"
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    assert _found(connection) == ()


def _found(connection: Connection) -> tuple[Finding, ...]:
    report = connection.audit()
    assert report.not_looked_at == ()
    return report.findings

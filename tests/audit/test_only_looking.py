"""An audit changes nothing, needs no more than the auditor's policy, and says what it could not look at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from parliament import analyze_policy_string
from pydantic import SecretStr

from dataloop_sts.audit import audit, auditor_document
from dataloop_sts.aws import Aws
from dataloop_sts.policies import canonical
from tests.audit.audited import ENVIRONMENT, Audited, clean, document
from tests.steps.aws_world import REGION, World

READS = ("Get", "List")


def be_auditor(audited: Audited, permissions: dict[str, Any] | None) -> None:
    """Lets the audit look with the credentials of a user that has just these permissions."""
    world, name = audited.world, f"auditor-{audited.world.tag}"
    world.iam.create_user(UserName=name)
    if permissions:
        world.iam.put_user_policy(UserName=name, PolicyName="audit", PolicyDocument=canonical(permissions))
    key = world.iam.create_access_key(UserName=name)["AccessKey"]
    secret = SecretStr(key["SecretAccessKey"])
    audited.aws = Aws(REGION, access_key_id=key["AccessKeyId"], secret_access_key=secret)


def auditors(audited: Audited) -> dict[str, Any]:
    """The policy that the documentation gives."""
    return auditor_document(audited.spec, ENVIRONMENT, audited.world.aws.account_id)


def test_the_auditors_policy_lets_everything_be_seen_and_nothing_is_changed(world: World) -> None:
    audited = clean(world, prefix="raw/")
    audited.inline("extra", *_listing(audited))  # of another policy the document has to be read too
    other = world.iam.create_policy(PolicyName=f"other-{world.tag}", PolicyDocument=document(*_listing(audited)))
    world.iam.attach_role_policy(RoleName=audited.user, PolicyArn=other["Policy"]["Arn"])
    be_auditor(audited, auditors(audited))
    audited.calling = True
    world.clear_faults()
    report = audited.report()
    assert report.not_looked_at == ()
    assert [finding.check for finding in report.findings] == ["role-policy-extra", "role-policy-extra"]
    writes = [path for method in ("POST", "PATCH", "PUT", "DELETE") for path in world.calls(method)]
    assert set(writes) == {"/datasets/query"}  # a query, by a POST
    assert world.keys(audited.bucket) == ["raw/test-file"]  # of Dataloop's TEST


def test_the_auditors_policy_only_reads_and_passes_the_linter(audited: Audited) -> None:
    permissions = auditors(audited)
    actions = [action for statement in permissions["Statement"] for action in statement["Action"]]
    assert [action for action in actions if not action.partition(":")[2].startswith(READS)] == []
    assert [
        action for action in actions if "Object" in action.replace("ObjectOwn", "") or action == "s3:ListBucket"
    ] == []
    assert len(actions) == len(set(actions))
    found = analyze_policy_string(canonical(permissions)).findings
    # the linter does not know that AWS's own policies are in an account called aws
    assert [finding.location["string"] for finding in found] == ["arn:aws:iam::aws:policy/*"]


OF_A_BUCKET = {
    "s3:GetBucketAcl",
    "s3:GetBucketLocation",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
}
OF_THE_USER = {
    "iam:GetAccessKeyLastUsed",
    "iam:GetLoginProfile",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
    "iam:ListMFADevices",
    "iam:ListSSHPublicKeys",
    "iam:ListServiceSpecificCredentials",
    "iam:ListSigningCertificates",
    "iam:ListUserPolicies",
}
OF_THE_REST = {
    "iam:GetPolicyVersion",
    "iam:GetRolePolicy",
    "iam:ListAccessKeys",
    "iam:ListEntitiesForPolicy",
    "iam:ListInstanceProfilesForRole",
    "iam:ListPolicyVersions",
}


@pytest.mark.parametrize(
    "actions",
    [
        OF_A_BUCKET,
        OF_THE_USER,
        OF_THE_REST,
        {"s3:ListAllMyBuckets"},
        {"iam:GetUser"},
        {"iam:GetRole"},
        {"iam:GetPolicy"},
        {"iam:ListRolePolicies", "iam:ListAttachedRolePolicies"},
    ],
    ids=lambda actions: min(actions),
)
def test_permissions_that_are_missing_are_told_and_nothing_is_taken_for_missing(
    actions: set[str], audited: Audited
) -> None:
    audited.inline("extra", *_listing(audited))
    permissions = auditors(audited)
    for statement in permissions["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each not in actions]
    permissions["Statement"] = [statement for statement in permissions["Statement"] if statement["Action"]]
    be_auditor(audited, permissions)
    report = audited.report()
    assert {unseen.needs for unseen in report.hidden} == actions
    not_seen = {"iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies"} & actions
    assert [finding.check for finding in report.findings] == ([] if not_seen else ["role-policy-extra"])
    hidden = {result.check for result in report.checks if result.result == "not looked at"}
    assert hidden > {"call-assume-role", "call-refused", "call-list", "driver-test"}  # no call was wanted


def test_the_connections_policy_on_the_user_is_found_also_where_its_bearers_may_not_be_listed(audited: Audited) -> None:
    audited.world.iam.attach_user_policy(UserName=audited.user, PolicyArn=audited.connected.policy_arn)
    assert [finding.check for finding in audited.findings()] == ["policy-attached-elsewhere"]
    permissions = auditors(audited)
    for statement in permissions["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != "iam:ListEntitiesForPolicy"]
    be_auditor(audited, permissions)
    assert [finding.check for finding in audited.report().findings] == ["user-permission"]


def test_calls_without_an_answer_are_no_finding(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    audited.calling = True
    facts = audited.facts()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    report = audit(facts, audited.world.client, audited.request())
    assert report.findings == ()
    (unseen,) = report.hidden
    assert unseen.unseen == "by a call, user assumes the role"
    assert unseen.reason == "EndpointConnectionError"


def test_credentials_without_any_permission_see_nothing_of_aws_and_find_nothing_missing(audited: Audited) -> None:
    be_auditor(audited, None)
    report = audited.report()
    assert report.findings == ()
    needs = {unseen.needs for unseen in report.hidden}
    assert needs == {"s3:ListAllMyBuckets", "iam:GetUser", "iam:GetRole", "iam:GetPolicy"}
    clean_ones = {result.check for result in report.checks if result.result == "clean"}
    assert {"account-other", "integration-missing", "driver-settings"} <= clean_ones
    assert not clean_ones & {"role-missing", "user-missing", "bucket-missing", "key-none", "policy-missing", "tags"}


def test_a_project_that_the_tokens_user_may_not_see_is_told(audited: Audited) -> None:
    drivers = [{**audited.spec.drivers[0].model_dump(exclude_none=True), "project_id": "of-somebody-else"}]
    audited.respec(drivers=drivers)
    report = audited.report()
    assert [unseen.needs for unseen in report.hidden] == ["membership of project of-somebody-else"]
    assert "driver-missing" not in {finding.check for finding in report.findings}


def test_an_organization_that_the_tokens_user_may_not_see_is_told(audited: Audited) -> None:
    audited.respec(organization_id="of-somebody-else")
    report = audited.report()
    assert [unseen.needs for unseen in report.hidden] == ["membership of organization of-somebody-else"]
    assert report.findings == ()


def test_what_was_looked_up_is_json(audited: Audited) -> None:
    be_auditor(audited, None)
    shown = json.loads(audited.report().model_dump_json())
    assert {each["needs"] for each in shown["not_looked_at"]} >= {"iam:GetRole"}


def _listing(audited: Audited) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{audited.bucket}-other/*"}]

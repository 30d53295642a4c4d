"""What a policy newly allows is told, also where no record says so: the program changed, or nobody has deployed."""

from __future__ import annotations

import json

from automation.pull_request.risks_of_documents import risks
from automation.results import Step
from dataloop_sts.audit.grants import Grant, Limit
from dataloop_sts.policies import Document, bucket_document, permission_document
from tests.pull_request.synthetic import spec


def _policy(before: Document, after: Document, type_: str = "aws:iam/policy:Policy") -> Step:
    return Step("policy", type_, "update", ("policy",), (json.dumps(before), json.dumps(after)))


def _with(document: Document, action: str) -> Document:
    (statement,) = document["Statement"]
    return {**document, "Statement": [{**statement, "Action": [*statement["Action"], action]}]}


def test_a_new_action_is_told_with_its_resources_and_a_narrower_policy_is_not() -> None:
    now = permission_document(spec("acme"))
    wider = _with(now, "s3:GetObjectTagging")
    told = {risk.what for risk in risks([_policy(now, wider)])}
    assert told == {
        "The role may newly s3:GetObjectTagging on arn:aws:s3:::dataloop-acme.",
        "The role may newly s3:GetObjectTagging on arn:aws:s3:::dataloop-acme/*.",
    }
    assert risks([_policy(wider, now)]) == ()


def test_what_is_told_already_is_not_told_again() -> None:
    now = permission_document(spec("acme"))
    step = _policy(now, _with(now, "s3:DeleteObject"))
    assert len(risks([step])) == 1
    objects = "arn:aws:s3:::dataloop-acme/*"
    assert risks([step], [Grant("s3:DeleteObject", objects)]) == ()
    others = (Grant("s3:DeleteObject", f"{objects}/raw/*"), Grant("s3:PutObject", objects))
    limited = Grant("s3:DeleteObject", objects, (Limit("Bool", "aws:securetransport", ("true",)),))
    for told in (*others, limited):
        assert len(risks([step], [told])) == 1, told


def test_a_bucket_policy_that_refuses_less_is_told() -> None:
    now = bucket_document("aws", "dataloop-acme")
    step = _policy(now, {**now, "Statement": []}, "aws:s3/bucketPolicy:BucketPolicy")
    told = [risk.what for risk in risks([step])]
    assert "policy no longer refuses s3:* on arn:aws:s3:::dataloop-acme/* if Bool aws:securetransport false." in told

"""What a policy newly allows is told, also where no record says so: the program changed, or nobody has deployed."""

from __future__ import annotations

import json

from automation.pull_request.allowed import newly_allowed
from automation.pull_request.risk import risky
from automation.results import Step
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
    told = {risk.what for risk in newly_allowed([_policy(now, wider)], [])}
    assert told == {
        "The role may newly s3:GetObjectTagging on arn:aws:s3:::dataloop-acme.",
        "The role may newly s3:GetObjectTagging on arn:aws:s3:::dataloop-acme/*.",
    }
    assert newly_allowed([_policy(wider, now)], []) == ()


def test_what_is_told_already_is_not_told_again() -> None:
    now = permission_document(spec("acme"))
    step = _policy(now, _with(now, "s3:DeleteObject"))
    assert len(newly_allowed([step], [])) == 1
    known = risky("The role may do more: s3:PutObject, s3:DeleteObject on arn:aws:s3:::dataloop-acme/*.")
    assert newly_allowed([step], [known]) == ()
    of_another = risky("The role may do more: s3:DeleteObject on arn:aws:s3:::dataloop-acme/*/raw/*.")
    assert len(newly_allowed([step], [of_another])) == 1


def test_a_bucket_policy_that_refuses_less_is_told() -> None:
    now = bucket_document("aws", "dataloop-acme")
    step = _policy(now, {**now, "Statement": []}, "aws:s3/bucketPolicy:BucketPolicy")
    told = [risk.what for risk in newly_allowed([step], [])]
    assert "policy no longer refuses s3:* on arn:aws:s3:::dataloop-acme/* if Bool aws:securetransport false." in told

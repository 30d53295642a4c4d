"""The rules on policy documents: what is refused, and what the program writes is not."""

from __future__ import annotations

import json

import pytest

from dataloop_sts import policies, self_check
from dataloop_sts.rules import documents
from dataloop_sts.self_check import RuleBroken
from tests.policy.resources import ACCOUNT, allow, document, trusting
from tests.unit.spec_examples import driver, spec

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    "statement",
    [
        allow("s3:*"),
        allow("s3:Get*"),
        allow(["s3:GetObject", "*"]),
        allow("s3:Get?bject"),
        allow(resource="*"),
        allow(resource="arn:aws:s3:::*"),
        allow(resource="arn:aws:s3:::bucket*"),
        allow(resource="arn:aws:s3:::bucket*/*"),
        allow(resource="arn:aws:s3:::bucket/raw*"),
        allow(resource="arn:aws:s3:::bucket/*/raw"),
        allow(resource=["arn:aws:s3:::bucket", "arn:aws:s3:::other/?"]),
        allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*"),
        {"Effect": "Allow", "NotAction": "s3:DeleteObject", "Resource": "arn:aws:s3:::bucket/*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::bucket/*"},
        allow(Principal="*"),
        allow(Principal={"AWS": "*"}),
        allow(NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        {"Effect": "allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"},
        {"Effect": "Allow", "action": "s3:*", "resource": "*"},
    ],
)
def test_a_document_with_a_wildcard_is_refused_in_either_form(statement: dict[str, object]) -> None:
    assert list(documents.wildcards(document(statement)))
    assert list(documents.wildcards(json.dumps({"Version": "2012-10-17", "Statement": statement})))


@pytest.mark.parametrize("no_document", [None, "", "{", "[]", {}, document(), {"Statement": ["x"]}])
def test_what_is_no_document_is_refused(no_document: object) -> None:
    assert len(list(documents.wildcards(no_document))) == 1
    assert len(list(documents.trust(no_document, {ACCOUNT}))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        allow(resource=["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]),
        allow(resource="arn:aws-cn:s3:::bucket/raw/images/*"),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY),
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"},
    ],
)
def test_objects_of_a_named_bucket_and_any_denial_are_no_wildcard(statement: dict[str, object]) -> None:
    assert list(documents.wildcards(document(statement))) == []


@pytest.mark.parametrize(
    "trust",
    [
        trusting("*"),
        trusting({"AWS": "*"}),
        trusting({"AWS": ACCOUNT}),
        trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:role/admin"}),
        trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}),
        trusting({"AWS": "AIDA1234567890ABCDEFG"}),
        trusting({"AWS": "arn:aws:iam::210987654321:user/dataloop-acme-dev"}),
        trusting({"AWS": [f"arn:aws:iam::{ACCOUNT}:user/one", f"arn:aws:iam::{ACCOUNT}:user/two"]}),
        trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/one", "Service": "ec2.amazonaws.com"}),
        trusting({"Service": "ec2.amazonaws.com"}),
        trusting({"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"}),
        trusting(Action="sts:*"),
        trusting(Action=["sts:AssumeRole", "sts:TagSession"]),
        document(*trusting()["Statement"], *trusting()["Statement"]),
        document({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}),
        document({"Effect": "Allow", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}),
        document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "NotAction": "sts:GetFederationToken"}),
    ],
)
def test_trust_in_anything_but_one_user_of_this_account_is_refused(trust: dict[str, object]) -> None:
    assert list(documents.trust(trust, {ACCOUNT}))


def test_trust_in_one_user_may_be_narrowed_by_conditions_and_denials() -> None:
    trust = trusting(Condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}})
    trust["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})
    assert list(documents.trust(trust, {ACCOUNT})) == []
    assert list(documents.trust(json.dumps(trust), {ACCOUNT})) == []


def test_trust_is_refused_where_nobody_says_which_account_this_is() -> None:
    assert list(documents.trust(trusting(), ()))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"drivers": [driver(allow_delete=True)]},
        {"drivers": [driver(prefix="raw/"), driver("masks", prefix="masks/", allow_delete=True)]},
        {"drivers": [driver(), driver("masks", prefix="masks/", allow_delete=True)]},
        {"drivers": [driver(allow_delete=True), driver("masks", "dataloop-acme-masks")]},
        {"drivers": [{**driver(), "bucket": {"existing": "theirs", "kms_key_arn": KEY}}]},
        {"aws": {"region": "cn-north-1", "account_id": ACCOUNT, "iam_path": "/dataloop/"}},
        {"aws": {"region": "eu-west-1", "trust_source_ips": ["203.0.113.0/24"]}},
    ],
)
def test_what_the_program_writes_breaks_no_rule(changes: dict[str, object]) -> None:
    self_check.check(spec(**changes), "dev")


@pytest.mark.parametrize(
    ("function", "broken", "named"),
    [
        ("permission_document", document(allow("s3:*")), "no-wildcards"),
        ("permission_document", document(allow("s3:DeleteObject")), "delete-flag-agrees"),
        ("trust_document", trusting({"AWS": "*"}), "trust-one-user"),
        ("bucket_document", document(allow(Principal="*")), "no-wildcards"),
    ],
)
def test_a_change_of_the_program_that_breaks_a_rule_is_refused_before_anything_is_declared(
    function: str, broken: dict[str, object], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, function, lambda *_: broken)
    with pytest.raises(RuleBroken, match=named):
        self_check.check(spec(), "dev")

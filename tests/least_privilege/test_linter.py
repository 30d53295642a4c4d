"""parliament, a linter of IAM policies, has nothing to say about the generated documents.

https://github.com/duo-labs/parliament
"""

from __future__ import annotations

import json
import re
import warnings
from datetime import UTC, datetime
from typing import Any

import pytest

from dataloop_sts import policies, regions
from dataloop_sts.audit.auditor import auditor_document
from dataloop_sts.deployer import deployer_document
from dataloop_sts.revocation import revocation_document
from tests.least_privilege.combinations import ACCOUNT, BUCKET, REGIONS
from tests.least_privilege.conftest import Made


def findings(document: policies.Document, *, community: bool = True) -> list[Any]:
    """What parliament finds, with or without its community's auditors, who look at what is allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it still imports pkg_resources
        from parliament import analyze_policy_string
    found = analyze_policy_string(json.dumps(document), include_community_auditors=community).findings
    return [(finding.issue, finding.detail, finding.location) for finding in found]


def test_no_permission_document_has_a_finding(documents: list[Made]) -> None:
    for made in documents[::12]:  # some 15 ms each; the partitions and shapes take turns
        assert findings(made.document) == []


@pytest.mark.parametrize("region", REGIONS)
def test_no_other_document_has_a_finding(region: str, documents: list[Made]) -> None:
    partition = REGIONS[region]
    assert findings(policies.bucket_document(partition, BUCKET)) == []
    spec = next(made.combinations[0].spec() for made in documents if made.combinations[0].region == region)
    # parliament takes the "aws" in the ARNs of AWS's own policies for an account's number that is none:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
    for document in (auditor_document(spec, "dev", ACCOUNT), deployer_document(spec, "dev")):
        (finding,) = findings(document)
        assert (finding[0], finding[2]["string"]) == ("INVALID_ARN", f"arn:{partition}:iam::aws:policy/*")
    user, role = (arn(partition, ACCOUNT, "dataloop-acme-dev") for arn in (regions.user_arn, regions.role_arn))
    for ranges in ((), ("203.0.113.0/24",)):
        trust = policies.trust_document(user, "AIDAUSER", ranges)
        # parliament does not know trust policies: it asks for a Resource, which theirs is the role itself, and warns of
        # sts:AssumeRole, which hands out credentials: that is what a trust policy is for
        trust["Statement"][0]["Resource"] = role
        assert {issue for issue, _, _ in findings(trust)} == {"CREDENTIALS_EXPOSURE"}


def test_the_revocation_has_no_finding_but_its_fraction_of_a_second() -> None:
    # parliament knows no fractions of a second, which IAM takes, and the console writes:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html, "Date"
    document = revocation_document(datetime.now(UTC))
    # it only denies, and its wildcard would cost the auditors seconds
    assert [issue for issue, _, _ in findings(document, community=False)] == ["MISMATCHED_TYPE"]
    moment = document["Statement"][0]["Condition"]["DateLessThan"]
    moment["aws:TokenIssueTime"] = re.sub(r"\.\d+Z", "Z", moment["aws:TokenIssueTime"])
    assert findings(document, community=False) == []


def test_the_linter_finds_what_is_wrong() -> None:
    wrong = policies.bucket_document("aws", BUCKET)
    wrong["Statement"][0] |= {"Effect": "Allow", "Action": "s3:GetObjects"}
    assert [issue for issue, _, _ in findings(wrong)] == ["UNKNOWN_ACTION"]

"""The policy documents, word for word, and the limits they keep."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataloop_sts import policies
from dataloop_sts.errors import SpecError
from tests.unit.spec_examples import driver, spec

BUCKET = "arn:aws:s3:::dataloop-acme-images"


def permission(*drivers: dict[str, Any], region: str = "eu-west-1") -> policies.Document:
    """The permission document of a spec with these drivers."""
    return policies.permission_document(spec(aws={"region": region}, drivers=list(drivers)))


def test_a_whole_bucket_with_deletion_gets_the_document_that_dataloop_documents() -> None:
    # https://docs.dataloop.ai/docs/aws-sts-integration, "Create an IAM Policy"
    documented = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowListBucket",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:PutObject", "s3:DeleteObject", "s3:GetObject"],
                "Resource": [BUCKET, f"{BUCKET}/*"],
            }
        ],
    }
    assert permission(driver(allow_delete=True)) == documented
    assert policies.canonical(permission(driver(allow_delete=True))) == json.dumps(documented, separators=(",", ":"))


def test_without_allow_delete_only_the_right_to_delete_is_missing() -> None:
    (statement,) = permission(driver(allow_delete=False))["Statement"]
    assert statement["Sid"] == "AllowListBucket"
    assert statement["Action"] == ["s3:ListBucket", "s3:PutObject", "s3:GetObject"]
    assert statement["Resource"] == [BUCKET, f"{BUCKET}/*"]


@pytest.mark.parametrize(
    ("allow_delete", "actions"),
    [(True, ["s3:PutObject", "s3:DeleteObject", "s3:GetObject"]), (False, ["s3:PutObject", "s3:GetObject"])],
)
def test_a_folder_limits_the_listing_by_prefix_and_the_objects_by_their_arn(
    allow_delete: bool, actions: list[str]
) -> None:
    assert permission(driver(prefix="raw", allow_delete=allow_delete)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowListFolder",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [BUCKET],
                "Condition": {"StringLike": {"s3:prefix": ["raw/*"]}},
            },
            {
                "Sid": "AllowObjectsInFolder",
                "Effect": "Allow",
                "Action": actions,
                "Resource": [f"{BUCKET}/raw/*"],
            },
        ],
    }


def test_several_drivers_get_one_statement_set_each_with_sids_of_their_own() -> None:
    document = permission(
        driver("a", "bucket-a"), driver("b", "bucket-b", prefix="x"), driver("c", "bucket-b", prefix="y"), driver("d")
    )
    assert [statement["Sid"] for statement in document["Statement"]] == [
        "AllowListBucket",
        "AllowListFolder",
        "AllowObjectsInFolder",
        "AllowListFolder2",
        "AllowObjectsInFolder2",
        "AllowListBucket2",
    ]


def test_drivers_of_one_place_share_their_statements() -> None:
    twice = permission(driver("a", prefix="raw"), driver("b", prefix="raw/", project_id="project-2"))
    assert twice == permission(driver("a", prefix="raw"))


def test_the_order_of_the_drivers_does_not_change_the_document() -> None:
    drivers = [driver("a", "bucket-a"), driver("b", "bucket-b", prefix="x"), driver("c", "bucket-b", prefix="y")]
    assert permission(*drivers) == permission(*reversed(drivers))


_PLACES = st.lists(
    st.tuples(st.sampled_from(["bucket-a", "bucket-b"]), st.sampled_from([None, "raw", "raw2", "raw/x"])),
    min_size=1,
    max_size=8,
)


@given(_PLACES)
def test_sids_are_alphanumeric_and_unique_for_any_set_of_drivers(places: list[tuple[str, str | None]]) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
    drivers = [driver(f"d{n}", bucket, prefix=prefix) for n, (bucket, prefix) in enumerate(places)]
    statements = permission(*drivers)["Statement"]
    sids = [statement["Sid"] for statement in statements]
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    assert len(set(sids)) == len(sids)
    bodies = [json.dumps({k: v for k, v in statement.items() if k != "Sid"}) for statement in statements]
    assert len(set(bodies)) == len(bodies)


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_the_documents_name_the_partition_of_the_region(region: str, partition: str) -> None:
    documents = [
        permission(driver(allow_delete=True), driver("b", "bucket-b", prefix="raw"), region=region),
        policies.bucket_document(partition, "bucket-b"),
    ]
    arns = [arn for document in documents for statement in document["Statement"] for arn in statement["Resource"]]
    assert len(arns) == 6
    assert all(arn.startswith(f"arn:{partition}:s3:::") for arn in arns)


def test_a_policy_of_up_to_6144_characters_is_made_and_a_longer_one_refused() -> None:
    def of(last: int) -> list[dict[str, Any]]:
        long = [driver(f"d{n}", prefix=f"{n:02}" + "x" * 300) for n in range(6)]
        return [*long, driver("last", prefix="y" * last)]

    shortest = len(policies.canonical(permission(*of(1))))
    assert (policies.MANAGED_POLICY_MAX - shortest) % 2 == 0  # each character of the prefix stands twice
    fitting = 1 + (policies.MANAGED_POLICY_MAX - shortest) // 2
    assert len(policies.canonical(permission(*of(fitting)))) == 6144
    with pytest.raises(SpecError) as caught:
        permission(*of(fitting + 1))
    (problem,) = caught.value.problems
    assert problem.path == "drivers"
    assert "6146" in problem.message
    assert "6144" in problem.message


def test_the_trust_names_one_user_and_carries_its_unique_id() -> None:
    arn = "arn:aws:iam::123456789012:user/dataloop-acme-dev"
    assert policies.trust_document(arn, "AIDAEXAMPLEID1") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowUserAIDAEXAMPLEID1",
                "Effect": "Allow",
                "Principal": {"AWS": arn},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    assert policies.trust_document(arn)["Statement"][0]["Sid"] == "AllowUser"


def test_a_user_made_anew_under_the_same_name_changes_the_trust_and_its_digest() -> None:
    arn = "arn:aws:iam::123456789012:user/u"
    before, after = policies.trust_document(arn, "AIDAOLD"), policies.trust_document(arn, "AIDANEW")
    assert before != after
    assert policies.digest(before) != policies.digest(after)
    assert policies.digest(before) == policies.digest(policies.trust_document(arn, "AIDAOLD"))


def test_a_buckets_policy_denies_everyone_everything_without_tls() -> None:
    assert policies.bucket_document("aws", "dataloop-acme-images") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyInsecureTransport",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [BUCKET, f"{BUCKET}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }

"""What the documents allow and refuse, decided by an evaluator of AWS's documented logic."""

from __future__ import annotations

from typing import Any

import pytest

from dataloop_sts import policies
from sandbox.aws.evaluator import Access, Policies, evaluate
from sandbox.aws.principals import Principal
from tests.unit.spec_examples import driver, spec

ACCOUNT = "123456789012"
ROLE_SESSION = Principal(
    "session",
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s",
    f"arn:aws:iam::{ACCOUNT}:role/r",
    "AROAROLE",
    "AROAROLE:s",
)
LIST, GET, PUT, DELETE = "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"

WHOLE = [driver(bucket="bucket")]
WHOLE_DELETE = [driver(bucket="bucket", allow_delete=True)]
FOLDER = [driver(bucket="bucket", prefix="raw")]
FOLDER_DELETE = [driver(bucket="bucket", prefix="raw", allow_delete=True)]
TWO_FOLDERS = [*FOLDER_DELETE, driver("cooked", "bucket", prefix="cooked")]
FOLDER_AND_REST = [driver("raw", "bucket", prefix="raw", allow_delete=True), driver("all", "bucket")]
TWO_BUCKETS = [driver("a", "bucket", allow_delete=True), driver("b", "other", prefix="raw")]

CASES = [
    # drivers, action, resource (bucket, or bucket/key), prefix asked for in a listing, allowed
    (WHOLE, LIST, "bucket", None, True),
    (WHOLE, LIST, "bucket", "anything/", True),
    (WHOLE, GET, "bucket/a", None, True),
    (WHOLE, PUT, "bucket/a/b", None, True),
    (WHOLE, DELETE, "bucket/a", None, False),
    (WHOLE_DELETE, DELETE, "bucket/a", None, True),
    (WHOLE_DELETE, LIST, "bucket2", None, False),
    (WHOLE_DELETE, GET, "bucket2/a", None, False),
    (WHOLE_DELETE, GET, "bucke/a", None, False),
    (WHOLE_DELETE, "s3:DeleteBucket", "bucket", None, False),
    (WHOLE_DELETE, "s3:DeleteObjectVersion", "bucket/a", None, False),
    (WHOLE_DELETE, "s3:PutBucketPolicy", "bucket", None, False),
    (WHOLE_DELETE, "s3:GetBucketPolicy", "bucket", None, False),
    (WHOLE_DELETE, "s3:PutObjectAcl", "bucket/a", None, False),
    (WHOLE_DELETE, "s3:ListBucketVersions", "bucket", None, False),
    (FOLDER, LIST, "bucket", "raw/", True),
    (FOLDER, LIST, "bucket", "raw/images/", True),
    (FOLDER, LIST, "bucket", "raw", False),
    (FOLDER, LIST, "bucket", "raw2/", False),
    (FOLDER, LIST, "bucket", "Raw/", False),
    (FOLDER, LIST, "bucket", "x/raw/", False),
    (FOLDER, LIST, "bucket", "", False),
    (FOLDER, LIST, "bucket", None, False),
    (FOLDER, GET, "bucket/raw/a", None, True),
    (FOLDER, GET, "bucket/raw/images/a", None, True),
    (FOLDER, PUT, "bucket/raw/test-file", None, True),
    (FOLDER, GET, "bucket/raw", None, False),
    (FOLDER, GET, "bucket/raw2/a", None, False),
    (FOLDER, PUT, "bucket/raw2/a", None, False),
    (FOLDER, GET, "bucket/a", None, False),
    (FOLDER, PUT, "bucket/test-file", None, False),
    (FOLDER, PUT, "bucket/x/raw/a", None, False),
    (FOLDER, DELETE, "bucket/raw/a", None, False),
    (FOLDER, GET, "bucket2/raw/a", None, False),
    (FOLDER_DELETE, DELETE, "bucket/raw/a", None, True),
    (FOLDER_DELETE, DELETE, "bucket/raw2/a", None, False),
    (FOLDER_DELETE, DELETE, "bucket/a", None, False),
    (TWO_FOLDERS, LIST, "bucket", "cooked/", True),
    (TWO_FOLDERS, LIST, "bucket", "raw/", True),
    (TWO_FOLDERS, LIST, "bucket", None, False),
    (TWO_FOLDERS, DELETE, "bucket/raw/a", None, True),
    (TWO_FOLDERS, DELETE, "bucket/cooked/a", None, False),
    (FOLDER_AND_REST, LIST, "bucket", None, True),
    (FOLDER_AND_REST, DELETE, "bucket/raw/a", None, True),
    (FOLDER_AND_REST, DELETE, "bucket/a", None, False),
    (TWO_BUCKETS, DELETE, "bucket/raw/a", None, True),
    (TWO_BUCKETS, DELETE, "other/raw/a", None, False),
    (TWO_BUCKETS, GET, "other/raw/a", None, True),
    (TWO_BUCKETS, GET, "other/a", None, False),
    (TWO_BUCKETS, LIST, "other", None, False),
]


def _access(action: str, place: str, *, partition: str = "aws", tls: bool = True, prefix: str | None = None) -> Access:
    context = {"aws:securetransport": ("true" if tls else "false",)}
    if prefix is not None:
        context["s3:prefix"] = (prefix,)
    return Access(ROLE_SESSION, action, f"arn:{partition}:s3:::{place}", ACCOUNT, context)


@pytest.mark.parametrize(("drivers", "action", "place", "prefix", "allowed"), CASES)
def test_the_role_may_do_what_its_drivers_need_and_nothing_else(
    drivers: list[dict[str, Any]], action: str, place: str, prefix: str | None, allowed: bool
) -> None:
    document = policies.permission_document(spec(drivers=drivers))
    decision = evaluate(_access(action, place, prefix=prefix), Policies((document,)))
    assert decision.allowed is allowed, decision.reason


@pytest.mark.parametrize(("action", "place"), [(GET, "bucket/a"), (PUT, "bucket/raw/a"), (LIST, "bucket")])
@pytest.mark.parametrize("tls", [True, False])
def test_a_buckets_policy_grants_nothing_and_denies_what_comes_without_tls(action: str, place: str, tls: bool) -> None:
    bucket = policies.bucket_document("aws", "bucket")
    permission = policies.permission_document(spec(drivers=WHOLE_DELETE))
    access = _access(action, place, tls=tls)
    assert evaluate(access, Policies((permission,), resource=bucket)).allowed is tls
    assert evaluate(access, Policies((), resource=bucket)).allowed is False


def test_documents_of_another_partition_say_nothing_about_this_one() -> None:
    document = policies.permission_document(spec(aws={"region": "cn-north-1"}, drivers=WHOLE))
    assert evaluate(_access(GET, "bucket/a", partition="aws-cn"), Policies((document,))).allowed
    assert not evaluate(_access(GET, "bucket/a"), Policies((document,))).allowed


@pytest.mark.parametrize(
    ("unique_id", "action", "allowed"),
    [
        ("AIDAUSER", "sts:AssumeRole", True),
        ("AIDAUSER", "sts:TagSession", False),
        ("AIDAOTHER", "sts:AssumeRole", False),
    ],
)
def test_only_the_user_itself_may_assume_the_role_and_needs_no_policy_of_its_own(
    unique_id: str, action: str, allowed: bool
) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/dataloop-acme-dev"
    caller = Principal("user", ACCOUNT, arn, arn, unique_id, unique_id)
    trust = policies.trust_document(arn, "AIDAUSER")
    trust["Statement"][0]["Principal"] = {"AWS": "AIDAUSER"}  # what AWS binds the ARN to when the document is saved
    access = Access(caller, action, f"arn:aws:iam::{ACCOUNT}:role/r", ACCOUNT)
    assert evaluate(access, Policies(resource=trust, is_trust=True)).allowed is allowed

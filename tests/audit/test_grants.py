"""Policy documents are compared by what they mean, and where that cannot be said they count as different."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataloop_sts.audit.grants import Grant, grants, principals, uncovered
from tests.audit.audited import allow

ARN = "arn:aws:s3:::bucket"


def says(*statements: Any, effect: str = "Allow") -> list[Grant]:
    """What the statements say."""
    return grants({"Statement": list(statements)}, effect)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (allow("s3:*", "*"), allow("s3:GetObject", f"{ARN}/raw/*")),
        (allow("S3:Get*", f"{ARN}/*"), allow("s3:getobject", f"{ARN}/raw/a")),
        (allow("s3:GetObject", f"{ARN}/?"), allow("s3:GetObject", f"{ARN}/x")),
        (
            allow("s3:ListBucket", ARN, Condition={"StringLike": {"s3:prefix": ["raw/*"]}}),
            allow("s3:ListBucket", ARN, Condition={"StringLike": {"S3:Prefix": "raw/a/*"}}),
        ),
        (
            allow("s3:ListBucket", ARN),
            allow("s3:ListBucket", ARN, Condition={"StringLike": {"s3:prefix": "raw/*"}}),
        ),
        (
            allow("kms:Decrypt", "k", Condition={"StringEquals": {"kms:ViaService": ["a", "b"]}}),
            allow("kms:Decrypt", "k", Condition={"StringEquals": {"kms:ViaService": "b"}}),
        ),
    ],
)
def test_the_wide_covers_the_narrow_and_not_the_other_way_round(wide: Any, narrow: Any) -> None:
    assert uncovered(says(narrow), says(wide)) == []
    assert uncovered(says(wide), says(narrow)) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (allow("s3:GetObject", f"{ARN}/?"), allow("s3:GetObject", f"{ARN}/*")),
        (
            allow("s3:GetObject", f"{ARN}/*", Condition={"StringNotLike": {"a:b": ["x", "y"]}}),
            allow("s3:GetObject", f"{ARN}/*", Condition={"StringNotLike": {"a:b": ["x"]}}),
        ),
        (
            allow("s3:GetObject", f"{ARN}/*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
            allow("s3:GetObject", f"{ARN}/*"),
        ),
    ],
)
def test_what_is_narrower_or_cannot_be_compared_does_not_cover(one: Any, other: Any) -> None:
    assert uncovered(says(other), says(one)) != []


def test_what_means_nothing_is_left_out() -> None:
    both = says(allow(["s3:ListBucket", "s3:GetObject", "s3:GetBucketPolicy"], [ARN, f"{ARN}/*"]))
    assert [str(grant) for grant in both] == [
        f"s3:ListBucket on {ARN}",
        f"s3:GetObject on {ARN}/*",
        f"s3:GetBucketPolicy on {ARN}",
        f"s3:GetBucketPolicy on {ARN}/*",
    ]


def test_not_action_counts_as_every_action_and_is_shown() -> None:
    (grant,) = says({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": f"{ARN}/*"})
    assert str(grant) == f"* on {ARN}/* (but action iam:*)"
    assert grant.wild


@pytest.mark.parametrize(
    ("action", "resource", "wild"),
    [
        ("s3:GetObject", f"{ARN}/*", False),
        ("s3:Get*", f"{ARN}/*", True),
        ("s3:GetObject", "*", True),
        ("s3:GetObject", "arn:aws:s3:::*", True),
        ("s3:GetObject", "arn:aws:s3:::buck*/x", True),
        ("kms:Decrypt", "arn:aws:kms:eu-west-1:123456789012:key/1-2", False),
        ("kms:Decrypt", "arn:aws:kms:eu-west-1:123456789012:key/*", True),
    ],
)
def test_a_wildcard_is_one_of_actions_or_beyond_one_bucket(action: str, resource: str, wild: bool) -> None:
    assert Grant(action, resource).wild is wild


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        (f"{ARN}/raw/*", f"{ARN}/*/secret", True),
        (f"{ARN}/raw/*", f"{ARN}/cooked/*", False),
        (f"{ARN}/a?c", f"{ARN}/abc", True),
        (f"{ARN}/a?c", f"{ARN}/ac", False),
        ("*", f"{ARN}/x", True),
    ],
)
def test_two_patterns_touch_where_some_text_fits_both(one: str, other: str, touch: bool) -> None:
    assert Grant("s3:GetObject", one).touches(Grant("s3:*", other)) is touch
    assert Grant("s3:*", other).touches(Grant("s3:GetObject", one)) is touch


_PATTERN = st.text("ab/*?", min_size=1, max_size=6)


@given(_PATTERN, _PATTERN)
def test_what_covers_also_touches_and_everything_covers_itself(one: str, other: str) -> None:
    first, second = Grant("s3:PutObjectAcl", one), Grant("s3:PutObjectAcl", other)
    assert first.covers(first)
    assert not first.covers(second) or first.touches(second)
    assert Grant("*", "*").covers(first)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"Principal": "*"}, [("AWS", "*")]),
        ({"Principal": {"AWS": "x"}}, [("AWS", "x")]),
        ({"Principal": {"AWS": ["x", "y"], "Service": "z"}}, [("AWS", "x"), ("AWS", "y"), ("Service", "z")]),
        ({"NotPrincipal": {"AWS": "x"}}, [("AWS", "*")]),
    ],
)
def test_principals_are_read_however_they_are_written(written: Any, read: list[tuple[str, str]]) -> None:
    assert principals(written) == read

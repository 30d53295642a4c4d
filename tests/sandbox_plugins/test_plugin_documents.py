"""Policy documents compared by meaning, and property values between wire and Python."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.plugins.aws.documents import equivalent
from sandbox.plugins.errors import ProviderError
from sandbox.plugins.values import SIGNATURE, UNKNOWN, Secret, marshal, unmarshal


def document(**changes: Any) -> str:
    statement = {
        "Sid": "S",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/u"},
        "Action": "sts:AssumeRole",
        "Resource": ["a", "b"],
        "Condition": {"StringLike": {"s3:prefix": ["raw/*"]}},
    }
    statement.update(changes)
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    "changes",
    [
        {"Action": ["sts:AssumeRole"]},
        {"Resource": ["b", "a"]},
        {"Principal": {"AWS": ["arn:aws:iam::123456789012:user/u"]}},
        {"Condition": {"StringLike": {"S3:Prefix": "raw/*"}}},
    ],
)
def test_another_spelling_of_a_document_is_equivalent(changes: dict[str, Any]) -> None:
    assert equivalent(document(), document(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"Sid": "T"},
        {"Effect": "Deny"},
        {"Action": ["sts:AssumeRole", "sts:TagSession"]},
        {"Resource": ["a"]},
        {"Principal": {"AWS": "AIDAEXAMPLE"}},
        {"Principal": "*"},
        {"Condition": {"StringEquals": {"s3:prefix": ["raw/*"]}}},
        {"Condition": {"StringLike": {"s3:prefix": ["raw/*", "other/*"]}}},
    ],
)
def test_another_meaning_of_a_document_is_a_difference(changes: dict[str, Any]) -> None:
    assert not equivalent(document(), document(**changes))


def test_statements_may_stand_in_any_order_or_alone() -> None:
    first, second = ({"Sid": sid, "Effect": "Allow", "Action": "s3:*", "Resource": "*"} for sid in "ab")
    assert equivalent(json.dumps({"Statement": [first, second]}), json.dumps({"Statement": [second, first]}))
    assert equivalent(json.dumps({"Statement": first}), json.dumps({"Statement": [first]}))
    assert not equivalent("nonsense", json.dumps({"Statement": first}))


def test_an_account_and_its_root_are_the_same_principal() -> None:
    account, root = {"AWS": "123456789012"}, {"AWS": "arn:aws:iam::123456789012:root"}
    assert equivalent(document(Principal=account), document(Principal=root))


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**50), 2**50) | st.text() | st.just(UNKNOWN),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Secret, inner),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_property_values_survive_the_wire(properties: dict[str, Any]) -> None:
    assert unmarshal(marshal(properties)) == properties


def test_a_secret_is_not_printed() -> None:
    assert "hush" not in repr(Secret("hush"))


def test_an_asset_is_refused() -> None:
    asset = struct_pb2.Struct()
    asset.update({"file": {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": "x"}})
    with pytest.raises(ProviderError, match="assets"):
        unmarshal(asset)

"""Whether S3 calls a bucket policy public.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
"""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

# A statement for everyone is not public where one of these has a fixed value.
_FIXING_KEYS = {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
}
_FIXING_OPERATORS = {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress"}
# S3 calls a wider range of addresses public.
_WIDEST_V4, _WIDEST_V6 = 8, 32


def is_public(policy: bytes | str) -> bool:
    """Tell whether a statement allows something to everyone, without a condition that fixes who."""
    statements = json.loads(policy)["Statement"]
    return any(_opens(statement) for statement in (statements if isinstance(statements, list) else [statements]))


def _opens(statement: Mapping[str, Any]) -> bool:
    if statement["Effect"] != "Allow" or not _names_everyone(statement["Principal"]):
        return False
    condition = statement.get("Condition", {})
    return not any(
        operator in _FIXING_OPERATORS and key.lower() in _FIXING_KEYS and _is_fixed(key.lower(), values)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _names_everyone(principal: Any) -> bool:
    named = principal.get("AWS", []) if isinstance(principal, Mapping) else principal
    return "*" in (named if isinstance(named, list) else [named])


def _is_fixed(key: str, values: Any) -> bool:
    texts = [str(value) for value in (values if isinstance(values, list) else [values])]
    if key == "aws:sourceip":
        return all(_is_narrow(text) for text in texts)
    if key == "aws:userid":  # AROA...:* is every session of one role
        texts = [text.removesuffix(":*") for text in texts]
    if key in ("aws:principalarn", "aws:sourcearn"):  # an account's id is enough
        texts = [":".join(text.split(":")[:5]) for text in texts]
    return not any(mark in text for text in texts for mark in ("*", "?", "${"))


def _is_narrow(text: str) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= (_WIDEST_V4 if network.version == 4 else _WIDEST_V6)

"""Resources as a stack would declare them, for the rules."""

from __future__ import annotations

import json
from typing import Any

from dataloop_sts.rules.declared import Declared

ACCOUNT = "123456789012"
PROVIDER = {
    "region": "eu-west-1",
    "allowedAccountIds": json.dumps([ACCOUNT]),
    "defaultTags": json.dumps(
        {"tags": {"managed-by": "pulumi", "dataloop-sts:customer": "acme", "dataloop-sts:environment": "dev"}}
    ),
}


def declared(type_: str, name: str = "it", *, after: tuple[Declared, ...] = (), **props: Any) -> Declared:
    """A resource; what is ``after`` others depends on them with each property that is given as a resource."""
    made_of = {key: frozenset({value.urn}) for key, value in props.items() if isinstance(value, Declared)}
    known = {key: value for key, value in props.items() if not isinstance(value, Declared)}
    depends_on = frozenset(each.urn for each in after) | frozenset().union(*made_of.values())
    return Declared(f"urn:{type_}::{name}", type_, name, known, PROVIDER, depends_on, made_of)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: object = "s3:GetObject", resource: object = "arn:aws:s3:::bucket/*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trusting(principal: object = None, **changes: Any) -> dict[str, Any]:
    """A trust policy with one statement."""
    statement = {
        "Effect": "Allow",
        "Principal": principal or {"AWS": f"arn:aws:iam::{ACCOUNT}:user/dataloop-acme-dev"},
        "Action": "sts:AssumeRole",
    }
    return document({**statement, **changes})

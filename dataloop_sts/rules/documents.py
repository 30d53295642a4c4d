"""What no policy document of a connection may say: rules on IAM's and S3's documents, as JSON text or as values."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_EXCEPT = ("NotPrincipal", "NotAction", "NotResource")
_WILDCARD = re.compile(r"[*?]")
_OBJECTS_OF_A_BUCKET = re.compile(r"arn:[a-z-]+:s3:::[^*?/]+/([^*?]+/)?\*")
"""All objects of one bucket, or of one folder of it."""
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
_USER = re.compile(r"arn:[a-z-]+:iam::(?P<account>[0-9]{12}):user/[A-Za-z0-9_+=,.@/-]+")


class NoDocument(ValueError):  # noqa: N818
    """It is not what IAM would take as a policy document; the message says why."""


def statements(document: object) -> list[Mapping[str, Any]]:
    """The statements of a document, given as JSON text or as values.

    Raises:
        NoDocument: it is none.
    """
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            raise NoDocument("is no JSON") from None
    found = document.get("Statement") if isinstance(document, Mapping) else None
    listed = [found] if isinstance(found, Mapping) else values(found)
    for statement in listed:
        if not isinstance(statement, Mapping) or statement.get("Effect") not in ("Allow", "Deny"):
            raise NoDocument("has a statement whose Effect is neither Allow nor Deny")
        if strange := sorted(set(statement) - _ELEMENTS):
            raise NoDocument(f"has {strange[0]!r} in a statement, which the policy language does not know")
    if not listed:
        raise NoDocument("has no statement")
    return listed


def allowing(document: object) -> list[Mapping[str, Any]]:
    """The statements of a document that allow; raises as :func:`statements`."""
    return [statement for statement in statements(document) if statement["Effect"] == "Allow"]


def values(one_or_many: object) -> list[Any]:
    """What an element holds, of which IAM takes one or a list."""
    if one_or_many is None:
        return []
    many = isinstance(one_or_many, Sequence) and not isinstance(one_or_many, str)
    return list(one_or_many) if many else [one_or_many]  # type: ignore[call-overload]


def wildcards(document: object) -> Iterator[str]:
    """Where a document allows more than it names; what it denies may be as wide as it likes.

    An action has no wildcard. A resource has one only as the last character, for all objects of a bucket
    (``arn:aws:s3:::bucket/*``) or of a folder in it (``arn:aws:s3:::bucket/raw/*``): that is how S3 names them. Nobody
    is everybody: no ``Principal`` is ``*``. Nothing is allowed by what it is not (``NotAction`` and the like).
    """
    try:
        allowed = allowing(document)
    except NoDocument as error:
        yield str(error)
        return
    for statement in allowed:
        for element in _EXCEPT:
            if element in statement:
                yield f"allows by {element}: everything but what it names"
        for action in values(statement.get("Action")):
            if not isinstance(action, str) or _WILDCARD.search(action):
                yield f"allows the action {action}: name each one"
        for resource in values(statement.get("Resource")):
            if not isinstance(resource, str) or not _is_bounded(resource):
                yield f"allows the resource {resource}: name it, or all objects of a bucket or of its folder"
        for principal in _principals(statement):
            if _WILDCARD.search(principal):
                yield f"allows the principal {principal}: name whom it allows"


def trust(document: object, account_ids: Collection[str]) -> Iterator[str]:
    """Where a role's trust policy is not: one IAM user of this account may call ``sts:AssumeRole``, nobody else.

    Conditions only narrow that, and are as they like; so are statements that deny.

    Args:
        document: the trust policy.
        account_ids: of the accounts that count as this one: those that the AWS provider is limited to.
    """
    try:
        allowed = allowing(document)
    except NoDocument as error:
        yield str(error)
        return
    if len(allowed) != 1:
        yield f"has {len(allowed)} statements that allow: it needs one, which names one user"
    for statement in allowed:
        actions = values(statement.get("Action"))
        if actions != ["sts:AssumeRole"] or "NotAction" in statement:
            yield f"allows {', '.join(map(str, actions)) or 'more than one action'}: sts:AssumeRole only"
        principals = _principals(statement)
        if len(principals) != 1 or "NotPrincipal" in statement:
            yield f"trusts {', '.join(principals) or 'all but some'}: it has to name one user"
            continue
        user = _USER.fullmatch(principals[0])
        if not user:
            yield f"trusts {principals[0]}, which is no IAM user"
        elif user["account"] not in account_ids:
            ours = ", ".join(sorted(account_ids))
            yield f"trusts a user of account {user['account']}, and this is {ours or 'an account that is not named'}"


def _is_bounded(resource: str) -> bool:
    named = resource.startswith("arn:") and not _WILDCARD.search(resource)
    return named or bool(_OBJECTS_OF_A_BUCKET.fullmatch(resource))


def _principals(statement: Mapping[str, Any]) -> list[str]:
    """Each as text; one that is not AWS's own kind with its kind before it: ``Service ec2.amazonaws.com``."""
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        return [str(each) for each in values(principal)]
    return [str(each) if kind == "AWS" else f"{kind} {each}" for kind in principal for each in values(principal[kind])]

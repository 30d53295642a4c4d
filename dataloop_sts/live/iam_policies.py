"""Policies of users and roles as they are, and the policy of the connection itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dataloop_sts.live.models import AttachedPolicy, Policy
from dataloop_sts.live.seeing import Unseen, in_aws, there_in_aws
from dataloop_sts.policies import Document

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_ATTACHED = {
    "PolicyRoles": ("role", "RoleName"),
    "PolicyUsers": ("user", "UserName"),
    "PolicyGroups": ("group", "GroupName"),
}


def everything(pages: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    """The entries of all pages of a listing."""
    return [entry for page in pages for entry in page.get(key, [])]


def inline_policies(
    names: Callable[[], list[str]], document: Callable[[str], Document], whose: str, kind: str
) -> dict[str, Document | Unseen] | Unseen:
    """The documents that are written into a user or a role itself.

    Args:
        names: lists their names.
        document: gets one of them.
        whose: for example ``user x``.
        kind: ``User`` or ``Role``, as the actions are named.
    """
    found = there_in_aws(names, f"the inline policies of {whose}", f"iam:List{kind}Policies")
    if isinstance(found, Unseen):
        return found
    return {
        name: there_in_aws(partial(document, name), f"inline policy {name} of {whose}", f"iam:Get{kind}Policy")
        for name in found
    }


def attached_policies(
    iam: IAMClient, arns: Callable[[], list[str]], whose: str, kind: str
) -> tuple[AttachedPolicy, ...] | Unseen:
    """The managed policies on a user or a role; arguments as of :func:`inline_policies`."""
    found = there_in_aws(arns, f"the attached policies of {whose}", f"iam:ListAttached{kind}Policies")
    if isinstance(found, Unseen):
        return found
    return tuple(AttachedPolicy(arn=arn, document=_document(iam, arn)) for arn in found)


def look_at_policy(iam: IAMClient, arn: str) -> Policy | Unseen | None:
    """The connection's own policy."""
    found = in_aws(lambda: iam.get_policy(PolicyArn=arn)["Policy"], f"policy {arn}", "iam:GetPolicy")
    if found is None or isinstance(found, Unseen):
        return found
    version = found.get("DefaultVersionId", "")
    return Policy(
        arn=arn,
        name=found.get("PolicyName", ""),
        path=found.get("Path", "/"),
        description=found.get("Description") or None,
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        default_version=version,
        document=_version(iam, arn, version),
        versions=there_in_aws(
            lambda: len(everything(iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn), "Versions")),
            f"the versions of policy {arn}",
            "iam:ListPolicyVersions",
        ),
        attached_to=there_in_aws(
            lambda: _bearers(iam, arn), f"what policy {arn} is attached to", "iam:ListEntitiesForPolicy"
        ),
    )


def _document(iam: IAMClient, arn: str) -> Document | Unseen:
    version = there_in_aws(
        lambda: iam.get_policy(PolicyArn=arn)["Policy"].get("DefaultVersionId", ""), f"policy {arn}", "iam:GetPolicy"
    )
    return version if isinstance(version, Unseen) else _version(iam, arn, version)


def _version(iam: IAMClient, arn: str, version: str) -> Document | Unseen:
    def get() -> Document:
        found: Any = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"].get("Document", {})
        return dict(found)

    return there_in_aws(get, f"the document of policy {arn}", "iam:GetPolicyVersion")


def _bearers(iam: IAMClient, arn: str) -> tuple[str, ...]:
    pages = list(iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn))
    return tuple(f"{kind} {entry[name]}" for key, (kind, name) in _ATTACHED.items() for entry in everything(pages, key))

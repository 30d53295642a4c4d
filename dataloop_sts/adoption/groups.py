"""What a user may do by the groups it is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dataloop_sts.live import Unseen
from dataloop_sts.live.iam_policies import attached_policies, everything, inline_policies
from dataloop_sts.policies import Document

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

GroupPolicies = dict[str, tuple[Document | Unseen, ...]]
"""The documents of each group's policies."""


def look_at_groups(iam: IAMClient, names: Sequence[str]) -> GroupPolicies:
    """The policies of these groups.

    Raises:
        AwsError: AWS gives no answer; a missing permission is :class:`Unseen`.
    """
    return {name: tuple(_documents(iam, name)) for name in names}


def _documents(iam: IAMClient, name: str) -> list[Document | Unseen]:
    whose = f"group {name}"

    def get(policy: str) -> Document:
        found: Any = iam.get_group_policy(GroupName=name, PolicyName=policy)["PolicyDocument"]
        return dict(found)

    inline = inline_policies(
        lambda: everything(iam.get_paginator("list_group_policies").paginate(GroupName=name), "PolicyNames"),
        get,
        whose,
        "Group",
    )
    attached = attached_policies(
        iam,
        lambda: [
            each["PolicyArn"]
            for each in everything(
                iam.get_paginator("list_attached_group_policies").paginate(GroupName=name), "AttachedPolicies"
            )
        ],
        whose,
        "Group",
    )
    found: list[Document | Unseen] = [inline] if isinstance(inline, Unseen) else list(inline.values())
    found += [attached] if isinstance(attached, Unseen) else [policy.document for policy in attached]
    return found

"""What the roles of two specs may do, and who may be them: the difference by meaning, not by text; pure.

The documents are made of names in the spec, so that all of it is known without AWS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from dataloop_sts import policies, regions
from dataloop_sts.audit.grants import Grant, grants, uncovered
from dataloop_sts.spec import ConnectionSpec

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_OTHER_ACCOUNT = "ACCOUNT"


@dataclass(frozen=True)
class Difference:
    """What one side allows and the other does not.

    Attributes:
        added: actions on resources, perhaps under a condition, that only the second allows.
        removed: those that only the first allows.
    """

    added: tuple[Grant, ...]
    removed: tuple[Grant, ...]


@dataclass(frozen=True)
class TrustDifference:
    """How it differs who may assume the role.

    Attributes:
        users: the ARNs of the user before and after, where it is another one.
        added, removed: address ranges from which the role may be assumed on one side alone.
    """

    users: tuple[str, str] | None
    added: tuple[str, ...]
    removed: tuple[str, ...]


def permission_difference(before: ConnectionSpec, after: ConnectionSpec) -> Difference:
    """What the role of ``after`` may do and that of ``before`` may not, and the other way round.

    A folder within one that was allowed adds nothing, and neither does a condition that only narrows.

    Raises:
        SpecError: a document is longer than IAM allows, so that there is none to compare.
    """
    was, now = (grants(policies.permission_document(spec)) for spec in (before, after))
    return Difference(tuple(uncovered(now, by=was)), tuple(uncovered(was, by=now)))


def trust_difference(before: ConnectionSpec, after: ConnectionSpec, environment: str) -> TrustDifference:
    """How it differs whom the role trusts.

    Args:
        before, after: the specs. Where one does not name its account, both count as of one account.
        environment: the environment's name, from which names derive.
    """
    known = before.aws.account_id and after.aws.account_id
    was, now = (_user(spec, environment, (known and spec.aws.account_id) or _OTHER_ACCOUNT) for spec in (before, after))
    old, new = (_networks(spec.aws.trust_source_ips) for spec in (before, after))
    return TrustDifference((was, now) if was != now else None, _outside(new, old), _outside(old, new))


def _user(spec: ConnectionSpec, environment: str, account: str) -> str:
    return regions.user_arn(spec.aws.partition, account, spec.names(environment).user, spec.aws.iam_path)


def _networks(ranges: Iterable[str]) -> list[_Network]:
    """Address ranges, those that touch as one; none is all."""
    found = [ipaddress.ip_network(each) for each in tuple(ranges) or _EVERYWHERE]
    fours = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv4Network))
    sixes = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv6Network))
    return [*fours, *sixes]


def _outside(these: Iterable[_Network], those: Iterable[_Network]) -> tuple[str, ...]:
    others = list(those)
    return tuple(str(each) for each in these if not any(_within(each, other) for other in others))


def _within(one: _Network, other: _Network) -> bool:
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and one.subnet_of(other)

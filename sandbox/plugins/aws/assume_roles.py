"""The provider's setting `assumeRoles`: the roles that it assumes one after the other, and the session of the last.

https://www.pulumi.com/registry/packages/aws/api-docs/provider/#assumerole; the rules are those of
https://github.com/hashicorp/aws-sdk-go-base/blob/main/credentials.go.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.credentials import RefreshableCredentials
    from mypy_boto3_sts import STSClient

SHORTEST_SECONDS: Final = 900
LONGEST_SECONDS: Final = 43200
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_FIELDS: Final = ("duration", "externalId", "policy", "roleArn", "sessionName")
# A session is renewed when less than this is left of it, by one thread; and by every thread that has to wait for it,
# when less than the second is left. botocore's own times are as long as the shortest session.
_RENEWED_SECONDS: Final = 300
_AWAITED_SECONDS: Final = 120


@dataclass(frozen=True)
class AssumedRole:
    """A role to assume, and how; None is what AWS, or the official provider, takes in its place."""

    arn: str
    duration_seconds: int = SHORTEST_SECONDS
    external_id: str | None = None
    session_name: str | None = None
    policy: str | None = None

    def request(self) -> dict[str, Any]:
        """The arguments of AssumeRole."""
        optional = {"ExternalId": self.external_id, "Policy": self.policy}
        return {
            "RoleArn": self.arn,
            "DurationSeconds": self.duration_seconds,
            "RoleSessionName": self.session_name or f"aws-go-sdk-{time.time_ns()}",
            **{name: value for name, value in optional.items() if value},
        }


def problems(value: Any, stand_in: str) -> list[str]:
    """What is wrong with a value of the setting.

    Args:
        value: the setting.
        stand_in: what this plugin stands in for.
    """
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return ["the provider setting assumeRoles must be a list of objects"]
    return [
        f"the provider setting assumeRoles[{index}]{problem}"
        for index, entry in enumerate(value)
        for problem in _problems(entry, stand_in)
    ]


def _problems(entry: Mapping[str, Any], stand_in: str) -> list[str]:
    given = {name: value for name, value in entry.items() if value is not None}
    found = [f".{name} is not served by {stand_in}" for name in given if name not in _FIELDS]
    found += [f".{name} must be a string" for name in _FIELDS if not isinstance(given.get(name, ""), str)]
    if found:
        return found
    if not _ROLE_ARN.fullmatch(given.get("roleArn", "")):
        found.append(f".roleArn must be the ARN of an IAM role, not {given.get('roleArn')!r}")
    seconds = _seconds(given.get("duration", "15m"))
    if seconds is None:
        found.append(f'.duration must be a time such as "15m" or "1h", not {given["duration"]!r}')
    elif not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        found.append(f".duration must lie between 15 minutes (15m) and 12 hours (12h), not {given['duration']!r}")
    return found


def parse(value: Any) -> tuple[AssumedRole, ...]:
    """The roles of a value in which `problems` found nothing."""
    return tuple(
        AssumedRole(
            arn=entry["roleArn"],
            duration_seconds=round(_seconds(entry.get("duration") or "15m") or 0),
            external_id=entry.get("externalId"),
            session_name=entry.get("sessionName"),
            policy=entry.get("policy"),
        )
        for entry in value
    )


def _seconds(duration: str) -> float | None:
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", duration):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))


def session(sts: STSClient, role: AssumedRole, region: str) -> Session:
    """Assumes a role; the session of it that is returned renews itself.

    Args:
        sts: a client with the credentials that may assume the role.
        role: the role.
        region: the session's.

    Raises:
        botocore.exceptions.ClientError: the role cannot be assumed.
    """
    import botocore.session
    from boto3.session import Session

    inner = botocore.session.get_session()
    inner.register_component("credential_provider", _Provided(_credentials(sts, role)))
    return Session(botocore_session=inner, region_name=region)


@dataclass(frozen=True)
class _Provided:
    """What botocore asks for credentials."""

    credentials: RefreshableCredentials

    def load_credentials(self) -> RefreshableCredentials:
        return self.credentials


def _credentials(sts: STSClient, role: AssumedRole) -> RefreshableCredentials:
    from botocore.credentials import RefreshableCredentials

    def assume() -> dict[str, str]:
        answer = sts.assume_role(**role.request())["Credentials"]
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    first = assume()
    return RefreshableCredentials(
        first["access_key"],
        first["secret_key"],
        first["token"],
        datetime.fromisoformat(first["expiry_time"]),
        refresh_using=assume,
        method="assume-role",
        time_fetcher=_now,
        advisory_timeout=_RENEWED_SECONDS,
        mandatory_timeout=_AWAITED_SECONDS,
    )


def _now() -> datetime:
    return datetime.now(UTC)

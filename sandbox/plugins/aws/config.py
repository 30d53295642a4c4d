"""The provider's configuration: reading, checking, and refusing what is not the sandbox.

Property names and meanings are those of https://www.pulumi.com/registry/packages/aws/api-docs/provider/.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.plugins.aws import assume_roles
from sandbox.plugins.aws.assume_roles import AssumedRole
from sandbox.plugins.aws.tags import TagSettings
from sandbox.plugins.values import Properties, has_unknown, plain

VERSION: Final = "7.51.1"
STAND_IN: Final = f"the sandbox's stand-in for pulumi-resource-aws {VERSION}"
LOOPBACK_ONLY: Final = (
    f"this is {STAND_IN}; it talks to loopback only; a real stack needs the official plugin: run "
    f"`pulumi plugin install resource aws v{VERSION}` with a PULUMI_HOME that is not the sandbox's"
)
SERVICES: Final = ("iam", "kms", "s3", "s3control", "sts")

_STRINGS: Final = frozenset({"region", "accessKey", "secretKey", "token", "httpProxy"})
_JSON: Final = frozenset(
    {
        "allowedAccountIds",
        "assumeRoles",
        "defaultTags",
        "endpoints",
        "ignoreTags",
        "s3UsePathStyle",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }
)
_SHAPES: Final[Mapping[str, Mapping[str, type]]] = {
    "defaultTags": {"tags": dict},
    "ignoreTags": {"keys": list, "keyPrefixes": list},
}
_ENGINE: Final = frozenset({"version", "pluginDownloadURL"})
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
_ACCOUNT: Final = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Credentials:
    """Keys to sign requests with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ProviderConfig:
    """A configuration that passed its checks."""

    region: str
    credentials: Credentials
    endpoints: Mapping[str, str]
    path_style: bool = False
    skip_credentials_validation: bool = False
    skip_requesting_account_id: bool = False
    allowed_account_ids: tuple[str, ...] = ()
    assumed_roles: tuple[AssumedRole, ...] = ()
    tags: TagSettings = field(default_factory=TagSettings)


Failure = tuple[str, str]
"""A property and what is wrong with it."""


def problems(config: Properties) -> list[Failure]:
    """What is wrong with a configuration, property by property; unknown values are left for the update to judge."""
    found: list[Failure] = []
    for key, value in config.items():
        if key in _ENGINE or key.startswith("__"):
            continue
        if key not in _STRINGS | _JSON:
            found.append((key, f"the provider setting {key} is not served by {STAND_IN}"))
        elif not has_unknown(value):
            found += [(key, reason) for reason in _setting_problems(key, plain(value))]
    if "endpoints" not in config:
        found.append(("endpoints", f"no endpoint is given: {LOOPBACK_ONLY}"))
    if "region" not in config and _environment_region() is None:
        found.append(("region", "no region: set the provider's region, or AWS_REGION in the environment"))
    return found


def parse(config: Properties) -> ProviderConfig:
    """Builds the configuration from properties in which `problems` found nothing.

    Raises:
        ValueError: no credentials are given, in the configuration or in the environment.
    """
    values = {key: _decoded(key, plain(value)) for key, value in config.items() if key in _STRINGS | _JSON}
    ignored = values.get("ignoreTags", {})
    return ProviderConfig(
        region=values.get("region") or _environment_region() or "",
        credentials=_credentials(values),
        endpoints={
            service: url for entry in values.get("endpoints", []) for service, url in entry.items() if url is not None
        },
        path_style=values.get("s3UsePathStyle", False),
        skip_credentials_validation=values.get("skipCredentialsValidation", False),
        skip_requesting_account_id=values.get("skipRequestingAccountId", False),
        allowed_account_ids=tuple(values.get("allowedAccountIds", [])),
        assumed_roles=assume_roles.parse(values.get("assumeRoles", [])),
        tags=TagSettings(
            defaults=values.get("defaultTags", {}).get("tags") or {},
            ignored_keys=frozenset(ignored.get("keys") or ()),
            ignored_prefixes=tuple(ignored.get("keyPrefixes") or ()),
        ),
    )


def partition(region: str) -> str:
    """The partition of a region (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _decoded(key: str, value: Any) -> Any:
    """The SDK sends everything but strings as JSON text."""
    return json.loads(value) if key in _JSON and isinstance(value, str) else value


def _setting_problems(key: str, value: Any) -> list[str]:
    try:
        value = _decoded(key, value)
    except ValueError:
        return [f"the provider setting {key} is not JSON"]
    if key in _STRINGS:
        return _string_problems(key, value)
    if key.startswith("skip") or key == "s3UsePathStyle":
        return [] if isinstance(value, bool) else [f"the provider setting {key} must be true or false"]
    if key == "endpoints":
        return _endpoint_problems(value)
    if key == "allowedAccountIds":
        return _account_problems(value)
    if key == "assumeRoles":
        return assume_roles.problems(value, STAND_IN)
    return _shape_problems(key, value, _SHAPES[key])


def _string_problems(key: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        return [f"the provider setting {key} must be a string"]
    if key == "region" and not _REGION.fullmatch(value):
        return [f"invalid AWS Region: {value}"]
    if key == "httpProxy" and not is_loopback(value):
        return [f"the proxy is {value}: {LOOPBACK_ONLY}"]
    return []


def _endpoint_problems(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return ["the provider setting endpoints must be a list of objects"]
    found = [(service, url) for entry in value for service, url in entry.items() if url is not None]
    if not found:
        return [f"no endpoint is given: {LOOPBACK_ONLY}"]
    return [
        f"an endpoint for {service} is not served by {STAND_IN}" for service, _ in found if service not in SERVICES
    ] + [f"the endpoint of {service} is {url}: {LOOPBACK_ONLY}" for service, url in found if not is_loopback(url)]


def _account_problems(value: Any) -> list[str]:
    if not isinstance(value, list):
        return ["the provider setting allowedAccountIds must be a list"]
    return [
        f"{account!r} is not an AWS account id of 12 digits"
        for account in value
        if not isinstance(account, str) or not _ACCOUNT.fullmatch(account)
    ]


def _shape_problems(key: str, value: Any, shape: Mapping[str, type]) -> list[str]:
    if not isinstance(value, dict):
        return [f"the provider setting {key} must be an object"]
    unknown = [f"the provider setting {key}.{name} is not served by {STAND_IN}" for name in value if name not in shape]
    wrong = [
        f"the provider setting {key}.{name} must be a {kind.__name__}"
        for name, kind in shape.items()
        if value.get(name) is not None and not isinstance(value[name], kind)
    ]
    return unknown + wrong


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine's loopback interface."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def _environment_region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _credentials(values: Mapping[str, Any]) -> Credentials:
    if values.get("accessKey") and values.get("secretKey"):
        return Credentials(values["accessKey"], values["secretKey"], values.get("token"))
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise ValueError(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the provider's accessKey and "
            'secretKey; `eval "$(python -m sandbox env)"` sets the sandbox\'s'
        )
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN"))

"""What a stack's deployment tells of its connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automation.errors import NoSuchStack
from dataloop_sts.steps.verify import VerificationRequest

if TYPE_CHECKING:
    from dataloop_sts.audit import Recorded

# How the engine marks a secret in an exported deployment:
# https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker


def verification_request(deployed: Mapping[str, Any], stack: str) -> VerificationRequest:
    """What the stack's verification last tried, credentials included.

    Raises:
        NoSuchStack: the stack has no connection.
    """
    for resource in _resources(deployed):
        if resource["type"] == "command:local:Command" and resource["urn"].endswith("::verification"):
            return VerificationRequest.model_validate_json(_plain(resource["inputs"]["stdin"]))
    raise NoSuchStack(f"Stack {stack} has no connection yet: make it with `dataloop-sts up` or `pulumi up`.")


def driver_ids(deployed: Mapping[str, Any]) -> dict[str, str]:
    """The ids of the stack's storage drivers by name."""
    return {
        resource["outputs"]["name"]: resource["id"]
        for resource in _resources(deployed)
        if resource["type"] == "pulumi-python:dynamic/dataloop:StorageDriver"
    }


def recorded(deployed: Mapping[str, Any]) -> Recorded | None:
    """What the stack remembers of its connection; None where it has none."""
    from dataloop_sts.audit import Recorded

    found: dict[str, Any] = {}
    keys: list[str] = []
    for resource in _resources(deployed):
        outputs = resource.get("outputs") or {}
        match resource["type"]:
            case "aws:iam/user:User":
                found["user_unique_id"] = outputs.get("uniqueId")
            case "aws:iam/role:Role":
                found["role_unique_id"] = outputs.get("uniqueId")
            case "aws:iam/accessKey:AccessKey":
                keys.append(resource["id"])
            case "pulumi-python:dynamic/dataloop:Integration":
                found["integration_id"] = resource["id"]
                found["integration_updated_at"] = outputs.get("updated_at")
                found["held_key_id"] = outputs.get("access_key_id")
    if not found:
        return None
    return Recorded(access_key_ids=tuple(keys), driver_ids=driver_ids(deployed), **found)


def _resources(deployed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(deployed.get("resources") or [])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET:
        return str(json.loads(value["plaintext"]))
    return str(value)

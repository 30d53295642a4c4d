"""Reads a stack of this project through Pulumi's automation API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi import automation

from dataloop_sts.errors import DataloopStsError
from dataloop_sts.redaction import one_line, redact
from dataloop_sts.verify import VerificationRequest

_PROJECT_FILE = "Pulumi.yaml"
# How the engine marks a secret in an exported deployment:
# https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker


class StackError(DataloopStsError):
    """The engine could not read the stack."""


def deployment(stack: str, project_dir: Path) -> Mapping[str, Any]:
    """The stack's last deployment with its secrets decrypted; keep it in memory only.

    Args:
        stack: the stack's name.
        project_dir: the folder with Pulumi.yaml.

    Raises:
        StackError: no project there, no such stack, wrong passphrase, no engine.
    """
    if not (project_dir / _PROJECT_FILE).is_file():
        raise StackError(f"There is no {_PROJECT_FILE} in {project_dir}: run this in the project's folder.")
    try:
        workspace = automation.LocalWorkspace(work_dir=str(project_dir))
        exported = workspace.export_stack(stack)
    except automation.CommandError as error:
        raise StackError(f"Stack {stack} cannot be read: {_reason(error)}") from None
    except (FileNotFoundError, automation.InvalidVersionError) as error:
        raise StackError(
            f"No usable `pulumi` on PATH ({one_line(str(error))}): see `python -m sandbox doctor`."
        ) from None
    return exported.deployment or {}


def verification_request(deployed: Mapping[str, Any], stack: str) -> VerificationRequest:
    """What the stack's verification last tried, credentials included.

    Raises:
        StackError: the stack has no connection.
    """
    for resource in _resources(deployed):
        if resource["type"] == "command:local:Command" and resource["urn"].endswith("::verification"):
            return VerificationRequest.model_validate_json(_plain(resource["inputs"]["stdin"]))
    raise StackError(f"Stack {stack} has no connection yet: run `pulumi up --stack {stack}` first.")


def driver_ids(deployed: Mapping[str, Any]) -> dict[str, str]:
    """The ids of the stack's storage drivers by name."""
    return {
        resource["outputs"]["name"]: resource["id"]
        for resource in _resources(deployed)
        if resource["type"] == "pulumi-python:dynamic/dataloop:StorageDriver"
    }


def _resources(deployed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(deployed.get("resources") or [])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping) and value.get(_SIGNATURE) == _SECRET:
        return str(json.loads(value["plaintext"]))
    return str(value)


def _reason(error: automation.CommandError) -> str:
    """The engine's own words out of the report that the automation API makes of them."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")]
    return redact(one_line("; ".join(said) or " ".join(lines)))

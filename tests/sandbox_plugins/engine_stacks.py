"""Stacks of the real engine with the stand-ins, in a backend and a PULUMI_HOME of their own."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pytest
from plugin_driver import CHECKOUT
from pulumi import automation

from sandbox import engine as sandbox_engine
from sandbox.aws.server import AwsServer

MakeStack = Callable[..., automation.Stack]
"""Takes a program and, where a test has several, the stack's name."""
_PLUGINS = {"aws": "7.51.1", "command": "1.2.1"}


def aws_provider(server: AwsServer, **changed: Any) -> aws.Provider:
    """The provider of a program, as the sandbox wants it."""
    url = server.endpoint_url
    settings: dict[str, Any] = {
        "region": server.region,
        "access_key": server.access_key_id,
        "secret_key": server.secret_access_key,
        "endpoints": [aws.ProviderEndpointArgs(iam=url, s3=url, sts=url)],
        "s3_use_path_style": True,
        "skip_metadata_api_check": True,
        "default_tags": aws.ProviderDefaultTagsArgs(tags={"managed-by": "pulumi"}),
        "ignore_tags": aws.ProviderIgnoreTagsArgs(key_prefixes=["AKIA"]),
    }
    return aws.Provider("aws", **(settings | changed))


def stack_maker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStack:
    """What makes a stack for a program, in a backend and a PULUMI_HOME of its own that has the stand-ins."""
    located = sandbox_engine.locate()
    if located is None:
        pytest.fail("no Pulumi engine: `make setup` builds or installs one", pytrace=False)
    home, backend = folder / "home", folder / "backend"
    backend.mkdir()
    for plugin, version in _PLUGINS.items():
        launcher = home / "plugins" / f"resource-{plugin}-v{version}" / f"pulumi-resource-{plugin}"
        launcher.parent.mkdir(parents=True)
        launcher.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(CHECKOUT))} exec {shlex.quote(sys.executable)} "
            f'-m sandbox.plugins.{plugin} "$@"\n'
        )
        launcher.chmod(0o755)
    paths = [str(located.bin_dir), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(paths))
    monkeypatch.chdir(folder)  # the engine looks for the project's own virtual environment where it is run
    for name, value in {
        "PULUMI_HOME": str(home),
        "PULUMI_CONFIG_PASSPHRASE": "only-for-this-test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }.items():
        monkeypatch.setenv(name, value)

    def make(program: Callable[[], None], name: str = "test") -> automation.Stack:
        settings = automation.ProjectSettings("plugins", "python", backend=automation.ProjectBackend(backend.as_uri()))
        return automation.create_stack(
            name, "plugins", program, opts=automation.LocalWorkspaceOptions(project_settings=settings)
        )

    return make


def changes(result: Any) -> dict[str, int]:
    """How many resources an operation did what with."""
    return {operation: count for operation, count in result.summary.resource_changes.items() if count}


def steps_of(update: Callable[..., Any]) -> list[str]:
    """Runs an operation; answers what was done to AWS, in the order of completion."""
    done: list[str] = []

    def note(event: automation.EngineEvent) -> None:
        if (finished := event.res_outputs_event) is not None:
            step = finished.metadata
            if step.type.startswith("aws:") and step.op not in ("same", "replace"):
                done.append(f"{step.op.value} {step.urn.rsplit('::', maxsplit=1)[1]}")

    update(on_event=note)
    return done

"""The Pulumi stacks that a sandbox's backend remembers, and whether their resources are of this sandbox's life."""

import gzip
import zlib
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError


class RememberedStack(BaseModel):
    """A Pulumi stack in the sandbox's backend that still has resources."""

    model_config = ConfigDict(frozen=True)

    project: str
    stack: str
    resources: int
    """How many resources the stack remembers, itself and its providers not counted."""
    stale: int
    """How many of them lie in a sandbox that is gone, so that Pulumi would look for them in vain."""


def remembered_stacks(backend: Path, *, sandbox_start: datetime | None) -> tuple[RememberedStack, ...]:
    """The stacks of a Pulumi file backend that have resources.

    A resource is stale where it was made before `sandbox_start` (None: no sandbox runs, so nothing is compared). The
    resources are asked, not the file's date, which moves with each attempt to use the stack in the empty sandbox.
    Layout and fields: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (ResourceV3).
    """
    found = []
    files = (*backend.glob(".pulumi/stacks/*/*.json"), *backend.glob(".pulumi/stacks/*/*.json.gz"))
    for file in sorted(files):
        try:
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            checkpoint = _Checkpoint.model_validate_json(content)
        except (OSError, EOFError, zlib.error, ValidationError):
            continue  # being replaced, or not a checkpoint: Pulumi itself tells what is wrong with it
        latest = checkpoint.checkpoint.latest
        resources = [each for each in (latest.resources if latest else []) if not each.type.startswith("pulumi:")]
        if resources:
            stale = [each for each in resources if sandbox_start and each.created and each.created < sandbox_start]
            name = file.name.removesuffix(".gz").removesuffix(".json")
            found.append(
                RememberedStack(project=file.parent.name, stack=name, resources=len(resources), stale=len(stale))
            )
    return tuple(found)


class _Resource(BaseModel):
    type: str
    created: AwareDatetime | None = None


class _Deployment(BaseModel):
    resources: list[_Resource] = []


class _Latest(BaseModel):
    latest: _Deployment | None = None


class _Checkpoint(BaseModel):
    checkpoint: _Latest

"""A backend in a bucket, by the real CLI against the sandbox: both find the same files at the same places."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from unittest import mock

import pytest

from automation import records
from automation.backend import Backend
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import StackLocked
from automation.repair.locks import lock_files, release
from automation.stores import S3Store
from automation.unchanged import is_unchanged, wanted_digest
from dataloop_sts.digest import OUTPUT
from tests.e2e.conftest import new_project, world
from tests.e2e.harness import Project, World

__all__ = ["new_project", "world"]
BUCKET, FOLDER = "pulumi-state", "of/dataloop-sts"


def test_the_cli_and_python_read_the_same_stack_in_a_bucket(world: World, new_project: Callable[..., Project]) -> None:
    project = new_project()
    s3 = world.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    url = f"s3://{BUCKET}/{FOLDER}?region=eu-west-1&s3ForcePathStyle=true&endpoint={world.ready.aws.endpoint_url}"
    with mock.patch.dict(os.environ, {**project.environment, "PULUMI_BACKEND_URL": url}):
        connection = Connection.of(records.find(Environment.of(project.stack, project.folder), None))
        connection.command(["stack", "init", "--no-select"])
        store = Backend.of(connection.environment).store
        assert isinstance(store, S3Store)
        state = f".pulumi/stacks/dataloop-sts/{connection.stack}.json"
        made = store.read(state)
        assert made and json.loads(made)["version"] == 3, "the CLI wrote it where Python looks for it"
        assert not is_unchanged(connection), "nothing was applied yet"

        # what Python takes for a stack's state, the CLI does
        checkpoint = json.loads(made)
        resource = {"urn": f"urn:pulumi:{connection.stack}::dataloop-sts::pulumi:pulumi:Stack::dataloop-sts-x"}
        outputs = {OUTPUT: wanted_digest(connection)}
        checkpoint["checkpoint"]["latest"] = {
            **(checkpoint["checkpoint"].get("latest") or {"manifest": {"time": datetime.now(UTC).isoformat()}}),
            "resources": [{**resource, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs}],
        }
        s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{state}", Body=json.dumps(checkpoint))
        assert json.loads(connection.command(["stack", "output", "--json"])) == outputs
        assert connection.outputs() == outputs

        # a lock at its place keeps the CLI off
        now = datetime.now(UTC).isoformat()
        lock = {"pid": os.getpid(), "username": "ann", "hostname": socket.gethostname(), "timestamp": now}
        place = f"{FOLDER}/.pulumi/locks/organization/dataloop-sts/{connection.stack}/1.json"
        s3.put_object(Bucket=BUCKET, Key=place, Body=json.dumps(lock))
        files = lock_files(url, "dataloop-sts", connection.stack)
        assert files
        with pytest.raises(StackLocked, match="ann@"):
            list(release(files))
        with pytest.raises(StackLocked, match="ann@"):
            connection.destroy()

"""Customers for the benchmarks: their records, and stacks copied from one that was really made."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from automation import records
from automation.connection import Connection
from automation.environment import Environment
from automation.records import Record
from automation.unchanged import wanted_digest
from automation.workspace import PROJECT
from sandbox.instance import find_checkout
from sandbox.ready import ReadyFile


def write_environment(project: Path, environment: str, ready: ReadyFile) -> Path:
    """Writes an environment of the sandbox, with what its customers share; returns the folder of their records."""
    folder = project / "customers" / environment
    folder.mkdir(parents=True)
    (folder / "_environment.yaml").write_text("sandbox: true\n")
    aws = {"region": "eu-west-1", "account_id": ready.aws.account_id}
    shared = {"organization_id": ready.dataloop.org_id, "aws": aws, "on_destroy": "delete"}
    (folder / "_defaults.yaml").write_text(json.dumps(shared))
    return folder


def write_project(project: Path, environment: str, ready: ReadyFile) -> Path:
    """Writes an environment as in :func:`write_environment`, and beside it what the plain CLI needs."""
    checkout = find_checkout()
    records = write_environment(project, environment, ready)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(checkout / name, project)
    (project / ".venv").symlink_to(checkout / ".venv")
    return records


def by_plain_cli(command: str, connections: Iterable[Connection], project: Path, workers: int) -> None:
    """Runs a shell command over stacks, their settings files written before; ``$1`` in it is a stack."""
    stacks = []
    for connection in connections:
        connection.write_config(project)
        stacks.append(connection.stack)
    loop = ["xargs", f"-P{workers}", "-I{}", "sh", "-c", command, "sh", "{}"]
    subprocess.run(loop, input="\n".join(stacks), text=True, cwd=project, check=True, stdout=subprocess.DEVNULL)


def write_record(folder: Path, name: str, ready: ReadyFile, *, allow_delete: bool = False) -> None:
    """Writes a customer's record; JSON is YAML."""
    driver = {"name": name, "project_id": ready.dataloop.project_id, "bucket": {"name": f"dataloop-{name}"}}
    (folder / f"{name}.yaml").write_text(json.dumps({"drivers": [{**driver, "allow_delete": allow_delete}]}))


def valid(environment: Environment) -> list[Record]:
    """All records of an environment that have no mistake."""
    return [record for record in records.all_of(environment).values() if isinstance(record, Record)]


def copy_stack(first: Connection, to: Iterable[Connection], backend: Path) -> None:
    """Gives others the files of a stack that was just made, each with the digest of its own spec.

    Args:
        first: whose files they are.
        to: who gets them.
        backend: the folder ``.pulumi``.
    """
    digest, stacks = wanted_digest(first), backend / "stacks" / PROJECT
    state = (stacks / f"{first.stack}.json").read_text()
    (entry,) = (backend / "history" / PROJECT / first.stack).glob("*.history.json")
    if state.count(digest) != 1:
        raise SystemExit("The state does not have its digest once.")
    for connection in to:
        copied = state.replace(digest, wanted_digest(connection))
        (stacks / f"{connection.stack}.json").write_text(copied)
        history = backend / "history" / PROJECT / connection.stack
        history.mkdir(exist_ok=True)
        name = entry.name.replace(first.stack, connection.stack)
        (history / name).write_text(entry.read_text())
        (history / name.replace(".history.", ".checkpoint.")).write_text(copied)

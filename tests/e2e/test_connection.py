"""A connection run from Python and by `dataloop-sts`, and by the plain CLI in turns."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from automation import Connection, Environment, Outcome, Progress
from automation.environment import EnvironmentSettings
from automation.errors import DataloopFailed, Interrupted, NoSuchStack, Refused, StackError, StackLocked
from automation.records import find
from automation.unchanged import is_unchanged
from dataloop_sts.spec import ConnectionSpec
from tests.e2e.harness import CHECKOUT, Project, World


def _cli(project: Project, *arguments: str, code: int = 0) -> str:
    process = project.begin("-e", "dev", *arguments)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == code, said + errors
    assert "Traceback" not in errors
    return said + errors


def test_a_record_is_brought_up_by_command_and_taken_over_by_python_and_by_the_plain_cli(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, customer = empty_project, f"r-{empty_project.customer}"
    settings = project.records / "_environment.yaml"
    settings.write_text(f"sandbox: true\npolicy_pack: {CHECKOUT / 'policy'}\n")
    spec: dict[str, Any] = yaml.safe_load(project.write_record(customer).read_text())
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    record = find(Environment.of("dev", project.folder), customer)
    connection = Connection.of(record)

    with pytest.raises(NoSuchStack, match="has no connection yet"):
        connection.outputs()
    made = json.loads(_cli(project, "up", customer, "--json"))
    assert made["changes"] == {"create": 22}, "held to the policies, and violating none"
    settings.write_text("sandbox: true\n")
    assert "8 of 8 checks hold" in _cli(project, "verify", customer)
    secret = next(
        json.loads(each["outputs"]["secret"]["plaintext"])
        for each in connection.state(show_secrets=True)["resources"]
        if each["type"] == "aws:iam/accessKey:AccessKey"
    )

    # the plain CLI, with the settings that `config` writes
    assert f"pulumi preview --stack dev.{customer}" in _cli(project, "config", customer)
    held = ("--policy-pack", str(CHECKOUT / "policy"))
    plain = project.pulumi("preview", "--expect-no-changes", *held, "--stack", f"dev.{customer}").ok()
    assert "22 unchanged" in plain.output

    # another machine has no work folder: the encryption comes from the state, and nothing changes
    files = [path for path in (project.folder / ".dataloop-sts").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o77 for path in files} == {0}
    assert [path for path in files if secret in path.read_text()] == []
    before = yaml.safe_load((connection.work_dir / f"Pulumi.dev.{customer}.yaml").read_text())
    shutil.rmtree(project.folder / ".dataloop-sts")
    lines: list[str] = []
    again = Connection.of(record, on_output=lines.append).up()
    assert (again.changes, again.changed) == ({"same": 22}, 0)
    assert "22 unchanged" in "\n".join(lines)
    assert yaml.safe_load((connection.work_dir / f"Pulumi.dev.{customer}.yaml").read_text()) == before
    outputs = connection.outputs()
    assert outputs == json.loads(connection.command(["stack", "output", "--json"])), "read as the CLI reads them"
    assert outputs["bucket_names"] == [f"dataloop-{customer}"]

    # a change in the record: seen by a preview's exit code, refused words are the preflight's
    record.path.write_text(yaml.safe_dump({**spec, "access_key": {"description": "DataLoop the second"}}))
    # the key's description, and what the guard knows of it
    assert json.loads(_cli(project, "preview", customer, "--json", code=3))["changes"]["update"] == 2
    # the plain CLI makes it, and then there is nothing to do for us
    _cli(project, "config", customer)
    plain = project.pulumi("up", "--yes", "--skip-preview", "--stack", f"dev.{customer}").ok()
    assert "2 updated" in plain.output
    assert is_unchanged(Connection.of(find(record.environment, customer)))
    assert json.loads(_cli(project, "preview", customer, "--json"))["changes"] == {"same": 22}
    with pytest.raises(Refused, match=r"access_key\.generation: the last applied generation is 1"):
        Connection.of(find(record.environment, customer).with_access_key(generation=7, retiring=None)).preview()

    project.world.client("s3").put_object(Bucket=f"dataloop-{customer}", Key="photo.jpg", Body=b"x")
    record.path.write_text(yaml.safe_dump(spec))
    assert "holds 1 object: photo.jpg" in _cli(project, "destroy", customer, "--yes", code=1)
    assert "names 'another'" in _cli(project, "destroy", customer, "--yes", "--confirm-delete", "another", code=1)
    _cli(project, "destroy", customer, "--yes", "--confirm-delete", customer)
    left = {kind: [name for name in names if customer in name] for kind, names in project.world.inventory().items()}
    assert not any(left.values())
    assert Path(connection.work_dir).is_dir()
    told = json.loads(_cli(project, "history", customer, "--json"))
    assert [(run["command"], run["result"]) for run in told][::-1][:2] == [("up", "succeeded")] * 2
    assert "destroy succeeded in " in _cli(project, "history", customer).splitlines()[0]


def test_four_customers_at_once_do_not_mix_and_the_same_one_twice_is_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "4")
    settings = EnvironmentSettings(sandbox=True)
    steps: dict[str, list[Progress]] = {}
    second: list[StackError] = []

    def connection(customer: str, **own_variables: str) -> Connection:
        spec = {
            "customer": customer,
            "organization_id": world.ready.dataloop.org_id,
            "aws": {"region": "eu-west-1", "tags": {"of": customer}},
            "on_destroy": "delete",
            "access_key": {"description": f"DataLoop of {customer}"},
            "drivers": [
                {
                    "name": customer,
                    "project_id": world.ready.dataloop.project_id,
                    "bucket": {"name": f"dataloop-{customer}"},
                }
            ],
        }

        def hear(step: Progress) -> None:
            steps.setdefault(customer, []).append(step)
            if customer == names[0] and (step.resource, step.outcome) == ("integration", "started"):
                with pytest.raises(StackLocked) as caught:
                    connection(customer).preview()
                second.append(caught.value)
            if customer == names[2] and (step.resource, step.outcome) == ("role", "started") and not cancelling:
                cancelling.append(threading.Thread(target=connection(customer).cancel))
                cancelling[0].start()

        return Connection(
            Environment("dev", tmp_path, settings, own_variables),
            ConnectionSpec.parse(spec, environment="dev"),
            on_event=hear,
        )

    names = [f"t{number}-{os.getpid()}" for number in range(4)]
    cancelling: list[threading.Thread] = []
    connections = [connection(name) for name in names[:3]]
    connections.append(connection(names[3], DATALOOP_TOKEN=world.ready.dataloop.expired_token))

    async def together() -> list[Outcome | BaseException]:
        return await asyncio.gather(*(asyncio.to_thread(each.up) for each in connections), return_exceptions=True)

    first, other, cancelled, without_token = asyncio.run(together())
    assert [isinstance(each, Outcome) and each.changes for each in (first, other)] == [{"create": 22}] * 2
    assert isinstance(cancelled, Interrupted)
    assert isinstance(without_token, DataloopFailed)
    assert "expired" in str(without_token)
    cancelling[0].join()

    assert [(error.who, error.pid) for error in second] == [("this process", os.getpid())]
    [made] = [each for each in steps[names[0]] if (each.resource, each.outcome) == ("integration", "done")]
    assert (made.type, made.operation) == ("pulumi-python:dynamic/dataloop:Integration", "create")
    assert made.duration_s is not None
    for name, each in zip(names[:2], connections, strict=False):
        assert each.outputs()["bucket_names"] == [f"dataloop-{name}"]
        tags = world.client("iam").list_user_tags(UserName=f"dataloop-{name}-dev")["Tags"]
        assert {"Key": "of", "Value": name} in tags
        assert f"DataLoop of {name}" in [tag["Value"] for tag in tags]

    # no lock is left, and the same command goes on
    assert not connections[2].state().get("pending_operations")
    assert connections[2].up().changed > 0
    assert [(run.command, run.result) for run in connections[2].history()] == [("up", "succeeded"), ("up", "failed")]
    names_left = [each.name() for each in psutil.Process().children(recursive=True)]
    assert [name for name in names_left if name.startswith("pulumi")] == []

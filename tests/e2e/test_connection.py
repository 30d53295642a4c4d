"""A connection run from Python and by `dataloop-sts`, and by the plain CLI in turns."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from automation.connection import Connection
from automation.environment import Environment
from automation.errors import NoSuchStack, StackError
from automation.records import find
from tests.e2e.harness import CHECKOUT, Project


def _cli(project: Project, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [str(CHECKOUT / ".venv" / "bin" / "dataloop-sts"), "-e", "dev", *arguments],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_record_is_brought_up_by_command_and_taken_over_by_python_and_by_the_plain_cli(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, customer = empty_project, f"r-{empty_project.customer}"
    folder = project.folder / "customers" / "dev"
    folder.mkdir(parents=True)
    (folder / "_environment.yaml").write_text("sandbox: true\n")
    spec: dict[str, Any] = {**project.spec, "customer": customer}
    spec["drivers"] = [{**spec["drivers"][0], "name": customer, "bucket": {"name": f"dataloop-{customer}"}}]
    (folder / f"{customer}.yaml").write_text(yaml.safe_dump(spec))
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    record = find(Environment.of("dev", project.folder), customer)
    connection = Connection.of(record)

    with pytest.raises(NoSuchStack, match="has no connection yet"):
        connection.outputs()
    made = json.loads(_cli(project, "up", customer, "--json"))
    assert made["changes"] == {"create": 22}
    assert "8 of 8 checks hold" in _cli(project, "verify", customer)
    secret = next(
        json.loads(each["outputs"]["secret"]["plaintext"])
        for each in connection.state(show_secrets=True)["resources"]
        if each["type"] == "aws:iam/accessKey:AccessKey"
    )

    # the plain CLI, with the settings that `config` writes
    assert f"pulumi preview --stack dev.{customer}" in _cli(project, "config", customer)
    plain = project.pulumi("preview", "--expect-no-changes", "--stack", f"dev.{customer}").ok()
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
    assert connection.outputs()["bucket_names"] == [f"dataloop-{customer}"]

    # a change in the record: seen by a preview's exit code, refused words are the preflight's
    record.path.write_text(yaml.safe_dump({**spec, "access_key": {"description": "DataLoop the second"}}))
    # the key's description, and what the guard knows of it
    assert json.loads(_cli(project, "preview", customer, "--json", code=3))["changes"]["update"] == 2
    with pytest.raises(StackError, match=r"access_key\.generation: the last applied generation is 1"):
        Connection.of(find(record.environment, customer).with_access_key(generation=7, retiring=None)).preview()

    project.world.client("s3").put_object(Bucket=f"dataloop-{customer}", Key="photo.jpg", Body=b"x")
    record.path.write_text(yaml.safe_dump(spec))
    assert "holds 1 object: photo.jpg" in _cli(project, "destroy", customer, "--yes", code=1)
    assert "names 'another'" in _cli(project, "destroy", customer, "--yes", "--confirm-delete", "another", code=1)
    _cli(project, "destroy", customer, "--yes", "--confirm-delete", customer)
    left = {kind: [name for name in names if customer in name] for kind, names in project.world.inventory().items()}
    assert not any(left.values())
    assert Path(connection.work_dir).is_dir()

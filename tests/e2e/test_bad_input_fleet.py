"""What keeps a customer from being run, on the real engine: what it says, that the others are done, nothing is lost."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.e2e.harness import Project

_DEAD = 2**22 + 1  # no process has such a number


class Said(NamedTuple):
    code: int
    out: str
    error: str


class Customers:
    """Two customers of a project, and the whole command to run on them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.names = tuple(f"{letter}-{project.customer}" for letter in "ab")
        self.folder, self.backend = project.records, project.backend
        for name in self.names:
            self.write(name)

    def write(self, name: str, **more: Any) -> None:
        self.project.write_record(name, **more)

    def run(self, *arguments: str, **variables: str) -> Said:
        process = self.project.begin("-e", "dev", *arguments, environment={**self.project.environment, **variables})
        said, errors = process.communicate(timeout=180)
        assert "Traceback" not in said + errors, said + errors
        return Said(process.returncode, said, errors)

    def fleet(self, *arguments: str, code: int, **variables: str) -> list[dict[str, Any]]:
        """Runs it over both; their rows."""
        done = self.run("fleet", *arguments, "--json", **variables)
        assert done.code == code, done
        rows: list[dict[str, Any]] = json.loads(done.out)["customers"]
        assert [row["customer"] for row in rows] == list(self.names)
        return rows

    def state(self, name: str) -> Path:
        return self.backend / ".pulumi" / "stacks" / "dataloop-sts" / f"dev.{name}.json"

    def lock(self, name: str, pid: int) -> Path:
        """A lock as the engine makes it."""
        folder = self.backend / ".pulumi" / "locks" / "organization" / "dataloop-sts" / f"dev.{name}"
        folder.mkdir(parents=True, exist_ok=True)
        held = {"pid": pid, "username": "ann", "hostname": socket.gethostname(), "timestamp": _now()}
        (folder / "1.json").write_text(json.dumps(held))
        return folder / "1.json"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _told(rows: list[dict[str, Any]]) -> list[str]:
    return [row["error"]["class"] if row["error"] else row["outcome"] for row in rows]


def test_what_keeps_one_customer_from_being_run_is_told_and_the_other_is_done(empty_project: Project) -> None:
    customers = Customers(empty_project)
    a, _ = customers.names
    assert _told(customers.fleet("up", code=0)) == ["succeeded", "succeeded"]

    # a wrong passphrase: nothing is changed, and there is nothing to repair afterwards
    before = customers.state(a).read_bytes()
    mend = "incorrect passphrase. Set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE, to the passphrase"
    customers.write(a, access_key={"description": "DataLoop the second"})
    wrong = {"PULUMI_CONFIG_PASSPHRASE": "wrong"}
    rows = customers.fleet("up", code=1, **wrong)
    assert _told(rows) == ["EngineFailed", "unchanged"] and mend in rows[0]["error"]["message"]
    said = customers.run("up", a, **wrong)
    assert said.code == 1 and mend in said.error
    assert customers.state(a).read_bytes() == before

    # the backend is gone: told once, and the last report still knows who is left
    report = empty_project.folder / ".dataloop-sts" / "fleet" / "dev" / "up.json"
    reported = report.read_bytes()
    aside = customers.backend.with_name("aside")
    customers.backend.rename(aside)
    try:
        for arguments in (("fleet", "up"), ("up", a)):
            said = customers.run(*arguments)
            assert said.code == 1 and said.error.count("Error: ") == 1
            assert f"The backend {customers.backend} cannot be read: No such file or directory. Mount it" in said.error
        assert not customers.backend.exists() and report.read_bytes() == reported
    finally:
        aside.rename(customers.backend)

    # a lock of a run that lives is never taken away
    lock = customers.lock(a, os.getpid())
    held = lock.read_bytes()
    for arguments in (("up",), ("up", "--only-failed"), ("refresh", "--select", "a-*")):
        done = customers.run("fleet", *arguments, "--json")
        row = json.loads(done.out)["customers"][0]
        assert (done.code, row["customer"], row["error"]["class"]) == (1, a, "StackLocked")
        assert f"is locked by ann@{socket.gethostname()}, process {os.getpid()}, since" in row["error"]["message"]
        assert "and its process lives: wait for it, or end it" in row["error"]["message"]
    said = customers.run("up", a)
    assert said.code == 1 and "If it was killed: `dataloop-sts repair`" in said.error
    said = customers.run("repair", a)
    assert said.code == 1 and "and its process lives" in said.error
    assert lock.read_bytes() == held
    assert customers.state(a).read_bytes() == before

    # one of a run that was killed goes, with what it had begun; a work folder of another program is put right
    customers.lock(a, _DEAD)
    state = json.loads(before)
    latest = state["checkpoint"]["latest"]
    driver = next(each for each in latest["resources"] if each["type"].endswith(":StorageDriver"))
    latest["pending_operations"] = [{"resource": driver, "type": "updating"}]
    customers.state(a).write_text(json.dumps(state))
    work = empty_project.folder / ".dataloop-sts" / f"dev.{a}"
    settings = yaml.safe_load((work / f"Pulumi.dev.{a}.yaml").read_text())
    (work / f"Pulumi.dev.{a}.yaml").write_text("config: [")
    (work / "Pulumi.yaml").write_text("name: another\nruntime: nodejs\n")
    rows = customers.fleet("up", code=0)
    assert _told(rows) == ["succeeded", "unchanged"]
    assert [text.partition(", since")[0] for text in rows[0]["repaired"]] == [
        f"The lock of ann@{socket.gethostname()}, process {_DEAD}",
        f"StorageDriver {a} was being changed: the next run does it again",
    ]
    assert rows[0]["changes"] == {"create": 0, "update": 2, "replace": 0, "delete": 0, "same": 20}
    assert not lock.exists()
    again = yaml.safe_load((work / f"Pulumi.dev.{a}.yaml").read_text())
    assert again["encryptionsalt"] == settings["encryptionsalt"]
    assert yaml.safe_load((work / "Pulumi.yaml").read_text())["name"] == "dataloop-sts"
    assert "pending_operations" not in json.loads(customers.state(a).read_text())["checkpoint"]["latest"]

    # a state that a full disk has cut short: nothing is made anew beside it, and the last run's copy brings it back
    whole = customers.state(a).read_bytes()
    customers.state(a).write_bytes(whole[:32768])
    rows = customers.fleet("up", code=1)
    assert _told(rows) == ["EngineFailed", "unchanged"]
    assert "The state was cut short: see docs/backends.md, A full disk." in rows[0]["error"]["message"]
    copies = customers.backend / ".pulumi" / "history" / "dataloop-sts" / f"dev.{a}"
    customers.state(a).write_bytes(max(copies.glob("*.checkpoint.json")).read_bytes())
    assert _told(customers.fleet("up", code=0)) == ["unchanged", "unchanged"]

    # what a kill has cut short beside the state, which is whole: the engine reads nothing until it is gone
    beside = customers.state(a).with_name(f"dev.{a}.json.attrs")
    mended = f"dev.{a}.json.attrs was cut short by a kill or a full disk, and was removed: the stack does without it."
    for left in (b"", b'{"user.cache_control":'):
        beside.write_bytes(left)
        said = customers.run("preview", a)
        assert said.code == 1 and "A kill came while the state was written: `dataloop-sts repair`, then" in said.error
        said = customers.run("repair", a)
        assert said.code == 0 and mended in said.out
    beside.write_bytes(b"")
    customers.write(a)
    rows = customers.fleet("up", code=0)
    assert _told(rows) == ["succeeded", "unchanged"]
    assert rows[0]["repaired"] == [mended]

    # and a lock that was begun and never ended: the engine takes it for one, and cannot read it
    began = f"{secrets.token_hex(8)}.json.{time.time_ns() - 3_600_000_000_000:x}.tmp"
    locks = customers.backend / ".pulumi" / "locks" / "organization" / "dataloop-sts" / f"dev.{a}"
    (locks / began).write_bytes(b"")
    said = customers.run("up", a)
    assert said.code == 1 and "A lock was cut short by a kill or a full disk: `dataloop-sts repair`, then" in said.error
    said = customers.run("repair", a)
    assert said.code == 0 and f"{began} was cut short by a kill or a full disk, and was removed" in said.out
    (locks / began).write_bytes(b"")
    customers.write(a, access_key={"description": "DataLoop the third"})
    rows = customers.fleet("up", code=0)
    assert _told(rows) == ["succeeded", "unchanged"]
    assert [text.partition(" was")[0] for text in rows[0]["repaired"]] == [began]

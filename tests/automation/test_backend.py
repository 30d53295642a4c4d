"""What a stack's files say without the engine: only what is certain counts, everything else is for the CLI."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from automation import records
from automation.backend import Backend
from automation.connection import Connection
from automation.environment import Environment
from automation.stores import LocalStore, S3Store
from automation.unchanged import is_unchanged, wanted_digest
from tests.steps.aws_world import REGION, World
from tests.steps.conftest import running, world

__all__ = ["running", "world"]
STACK = "prod.acme"
RECORD = """\
organization_id: org-1
aws: {region: eu-west-1}
drivers:
  - {name: images, project_id: project-1, bucket: {name: dataloop-acme}}
"""
STATE, LOCK = f".pulumi/stacks/dataloop-sts/{STACK}.json", f".pulumi/locks/organization/dataloop-sts/{STACK}/1.json"
HISTORY = f".pulumi/history/dataloop-sts/{STACK}/{STACK}-"
FLAGS = {
    "pulumi.flag.yes": "true",
    "pulumi.flag.skip-preview": "true",
    "pulumi.flag.stack": "set",
    "pulumi.env.PULUMI_HOME": "set",
}


@dataclass
class Folder:
    root: Path

    @property
    def url(self) -> str:
        return f"file://{self.root}"

    def write(self, path: str, content: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()


@dataclass
class Bucket:
    world: World
    prefix: str = "state/of all/"

    def __post_init__(self) -> None:
        self.name = self.world.make_bucket()

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{self.prefix.strip('/')}?region={REGION}"

    def write(self, path: str, content: bytes) -> None:
        self.world.s3.put_object(Bucket=self.name, Key=self.prefix + path, Body=content)

    def remove(self, path: str) -> None:
        self.world.s3.delete_object(Bucket=self.name, Key=self.prefix + path)


@dataclass
class Written:
    """A stack's files as an update leaves them."""

    files: Folder | Bucket
    connection: Connection
    moment: int = 1000
    suffix: str = ""
    outputs: dict[str, Any] = field(default_factory=lambda: {"user_arn": "arn"})
    integration: dict[str, Any] = field(default_factory=lambda: {"changed_outside_at": ""})

    def update(self, digest: str | None = None, **changes: Any) -> None:
        """An update, and what it writes to the history; the state is rewritten by every one."""
        self.moment += 1
        self.state(digest or wanted_digest(self.connection))
        self.files.write(f"{HISTORY}{self.moment}.checkpoint.json{self.suffix}", self.content)
        self.entry(self.moment, **changes)

    def entry(self, moment: int, flags: dict[str, str] | None = None, **changes: Any) -> None:
        whole = {"kind": "update", "result": "succeeded", "endTime": 1795538450, "version": 0, **changes}
        entry = {**whole, "environment": {**FLAGS, **(flags or {})}}
        self.files.write(f"{HISTORY}{moment}.history.json{self.suffix}", self._packed(entry))
        self.files.write(f"{HISTORY}{moment}.history.json{self.suffix}.attrs", b"{}")

    def state(self, digest: str, version: Any = 3, pending: Any = None, **more: Any) -> None:
        resources = [
            {"type": "pulumi:pulumi:Stack", "urn": "s", "outputs": {"applied_digest": digest, **self.outputs}},
            {"type": "aws:iam/user:User", "urn": "u"},
            {"type": "pulumi-python:dynamic/dataloop:Integration", "urn": "i", "outputs": self.integration},
        ]
        latest = {"manifest": {"time": self.moment}, "resources": resources}
        if pending:
            latest["pending_operations"] = pending
        self.content = self._packed({"version": version, "checkpoint": {"stack": STACK, "latest": latest}, **more})
        self.files.write(STATE + self.suffix, self.content)

    def _packed(self, content: Any) -> bytes:
        text = json.dumps(content).encode()
        return gzip.compress(text) if self.suffix else text

    @property
    def unchanged(self) -> bool:
        return is_unchanged(self.connection)


def _written(files: Folder | Bucket, folder: Path, suffix: str = "") -> Written:
    customers = folder / "customers" / "prod"
    customers.mkdir(parents=True)
    (customers / "acme.yaml").write_text(RECORD)
    (customers / "_environment.yaml").write_text(f"backend_url: {json.dumps(files.url)}\n")
    connection = Connection.of(records.find(Environment.of("prod", folder), "acme"))
    written = Written(files, connection, suffix=suffix)
    written.update()
    return written


@pytest.fixture(params=["folder", "folder, compressed", "bucket"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    """A stack that an update of its record has just left."""
    if request.param == "bucket":
        return _written(Bucket(request.getfixturevalue("world")), tmp_path)
    return _written(Folder(tmp_path / "state"), tmp_path, ".gz" if "compressed" in request.param else "")


@pytest.fixture
def local(tmp_path: Path) -> Written:
    """The same in a folder."""
    return _written(Folder(tmp_path / "state"), tmp_path)


def test_a_stack_at_its_record_is_unchanged_and_is_not_once_anything_happened(stack: Written) -> None:
    assert stack.unchanged
    stack.files.write(LOCK, b"{}")
    assert not stack.unchanged, "locked"
    stack.files.remove(LOCK)
    assert stack.unchanged
    stack.update(result="failed")
    assert not stack.unchanged, "the last update failed, though its digest was written"
    stack.update()
    assert stack.unchanged


def test_outputs_are_read_without_the_cli_and_secrets_masked(stack: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    stack.outputs = {"user_arn": "arn", "one": secret, "several": [secret, {"in": secret, "number": 1.5}]}
    stack.state("digest")
    masked = {"user_arn": "arn", "one": "[secret]", "several": ["[secret]", {"in": "[secret]", "number": 1.5}]}
    assert stack.connection.outputs() == {"applied_digest": "digest", **masked}


def test_outputs_of_another_form_are_left_to_the_cli(local: Written) -> None:
    backend = Backend.of(local.connection.environment)
    asset = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": "x"}
    local.outputs = {"asset": asset}
    local.state("digest")
    assert backend.outputs(STACK) is None
    local.outputs = {}
    local.state("digest", version=4)
    assert backend.outputs(STACK) is None
    assert backend.outputs("prod.other") is None


def test_what_the_files_say(stack: Written) -> None:
    found = Backend.of(stack.connection.environment).read(STACK)
    assert found
    assert (found.digest, found.settled, found.locked) == (wanted_digest(stack.connection), True, False)
    assert found.updated_at.isoformat() == "2026-11-24T16:40:50+00:00"
    assert Backend.of(stack.connection.environment).read("prod.acm") is None


AFTERWARDS: dict[str, Callable[[Written], None]] = {
    "another spec": lambda stack: stack.update("0.1.0-other"),
    "destroyed": lambda stack: stack.update(kind="destroy"),
    "refreshed": lambda stack: stack.update(kind="refresh"),
    "imported": lambda stack: stack.update(kind="resource-import"),
    "under way": lambda stack: stack.update(result="in-progress"),
    "partly": lambda stack: stack.update(flags={"pulumi.flag.target": "set"}),
    "all but a part": lambda stack: stack.update(flags={"pulumi.flag.exclude": "set"}),
    "partly, by a variable": lambda stack: stack.update(flags={"pulumi.env.PULUMI_OPTION_TARGET": "set"}),
    "in a way not known": lambda stack: stack.update(flags={"pulumi.flag.new-in-another-version": "true"}),
    "edited": lambda stack: stack.state(wanted_digest(stack.connection), edited="by hand"),
    "no state": lambda stack: stack.files.remove(STATE),
    "a state cut short": lambda stack: stack.files.write(STATE, stack.content[:-9]),
    "two states": lambda stack: stack.files.write(STATE + ".zst", b"another form"),
    "a history of another form": lambda stack: stack.files.write(f"{HISTORY}9999.history.json", b"{}"),
    "no history": lambda stack: stack.files.remove(f"{HISTORY}{stack.moment}.history.json"),
    "no copy of the state": lambda stack: stack.files.remove(f"{HISTORY}{stack.moment}.checkpoint.json"),
}


@pytest.mark.parametrize("after", AFTERWARDS.values(), ids=AFTERWARDS)
def test_a_stack_to_which_something_else_happened_is_not_unchanged(
    local: Written, after: Callable[[Written], None]
) -> None:
    assert local.unchanged
    after(local)
    assert not local.unchanged


@pytest.mark.parametrize(
    "form",
    [{"version": 4}, {"version": "3"}, {"features": ["new"]}, {"pending": [{"type": "creating"}]}, {"checkpoint": {}}],
    ids=str,
)
def test_a_state_of_another_form_or_with_pending_operations_is_not_unchanged(
    local: Written, form: dict[str, Any]
) -> None:
    digest = wanted_digest(local.connection)
    local.state(digest)
    local.files.write(f"{HISTORY}{local.moment}.checkpoint.json", local.content)
    assert local.unchanged
    local.state(digest, **form)
    local.files.write(f"{HISTORY}{local.moment}.checkpoint.json", local.content)
    assert not local.unchanged


def test_an_integration_that_a_refresh_saw_changed_is_not_unchanged(local: Written) -> None:
    local.integration = {"changed_outside_at": "1795553994687"}
    local.update()
    assert not local.unchanged


def test_another_record_program_or_setting_is_not_unchanged(local: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_unchanged(replace(local.connection, spec=local.connection.spec.model_copy(update={"customer": "b"})))
    monkeypatch.setattr("dataloop_sts.digest._program", lambda: "another program")
    assert not local.unchanged


@pytest.mark.parametrize("url", ["", "https://api.pulumi.com", "postgres://host/db", "file://relative"])
def test_another_backend_is_not_known(local: Written, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    environment = Environment("prod", local.connection.environment.project_dir)
    assert Backend.of(environment).read(STACK) is None


def test_a_backend_out_of_reach_is_not_known(local: Written, world: World) -> None:
    assert isinstance(local.files, Folder)
    blocked = local.files.root / ".pulumi" / "locks"
    blocked.write_text("no folder")
    assert not local.unchanged
    assert Backend(S3Store(world.s3, "no-such-bucket", "")).read(STACK) is None
    assert Backend(LocalStore(blocked)).read(STACK) is None

"""The access key is rotated while somebody uses the integration all the time: never a failure, whatever is killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import requests
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from automation.cli.frame import app
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import RotationStopped, StackLocked
from automation.records import Record, find
from automation.repair.mending import repair
from tests.e2e.harness import CHECKOUT, World, eventually
from tests.rotation.holding import Door, door_to
from tests.rotation.prober import Probes, probing

Point = Callable[["Case"], AbstractContextManager[Callable[[], None]]]
_RECORD = """\
# A customer's connection; the numbers of its keys are written by `dataloop-sts rotate`.
organization_id: {organization}
aws: {{region: eu-west-1, account_id: "{account}"}}
on_destroy: delete
access_key: {{grace_days: 0}}   # the old key goes at once
drivers:
  - name: {customer}-images
    project_id: {project}
    bucket: {{name: dataloop-{customer}}}
"""


@dataclass
class Case:
    """A connection that works, with a record; its program reaches AWS through a door that can be held."""

    world: World
    folder: Path
    customer: str
    door: Door

    @property
    def record(self) -> Record:
        return find(Environment.of("dev", self.folder), self.customer)

    @property
    def connection(self) -> Connection:
        return Connection.of(self.record)

    @property
    def generation(self) -> int:
        return self.record.spec.access_key.generation

    @property
    def user(self) -> str:
        return f"dataloop-{self.customer}-dev"

    def run(self, *arguments: str) -> str:
        """Runs a command of `dataloop-sts`, in this process."""
        done = CliRunner().invoke(app, ["-e", "dev", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def kill_rotation(self, point: Point, *, with_python: bool = True) -> str:
        """Starts a rotation and kills the CLI at a point; what it had started is left to die by itself."""
        with point(self) as wait:
            process = subprocess.Popen(
                [str(CHECKOUT / ".venv" / "bin" / "dataloop-sts"), "-e", "dev", "rotate", self.customer],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            wait()
            cli = next(p for p in psutil.Process(process.pid).children(recursive=True) if p.name() == "pulumi")
            cli.kill()
            if with_python:
                process.send_signal(signal.SIGKILL)
            output, _ = process.communicate(timeout=30)
        assert process.returncode != 0
        return output

    def keys(self) -> dict[str, str]:
        """The user's keys and their status."""
        listed = self.world.client("iam").list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    def assert_settled(self, generation: int) -> None:
        """One key, described, of this generation; Dataloop holds it; nothing is under way."""
        state = self.connection.state()
        assert not state.get("pending_operations")
        told = next(each["outputs"] for each in state["resources"] if each["type"] == "pulumi:pulumi:Stack")
        assert told["access_key_generation"] == generation == self.generation
        assert self.keys() == {told["access_key_id"]: "Active"}
        tags = self.world.client("iam").list_user_tags(UserName=self.user)["Tags"]
        assert [tag["Key"] for tag in tags if tag["Key"].startswith("AKIA")] == [told["access_key_id"]]
        self.world.dataloop("GET", self.driver_test)

    @cached_property
    def driver_test(self) -> str:
        return f"/drivers/{self.connection.outputs()['driver_ids'][f'{self.customer}-images']}/test"

    def using_it(self) -> AbstractContextManager[Probes]:
        """Somebody uses the integration all the time."""
        dataloop = self.world.ready.dataloop
        return probing(dataloop.api_url + self.driver_test, dataloop.token)


@pytest.fixture(scope="module")
def case(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """One connection for all tests of this module; each leaves it settled."""
    customer = f"k-{uuid.uuid4().hex[:8]}"  # anew where tests of other modules came between these
    folder = tmp_path_factory.mktemp("rotation")
    records = folder / "customers" / "dev"
    records.mkdir(parents=True)
    (records / "_environment.yaml").write_text("sandbox: true\n")
    dataloop, account = world.ready.dataloop, world.ready.aws.account_id
    (records / f"{customer}.yaml").write_text(
        _RECORD.format(organization=dataloop.org_id, project=dataloop.project_id, account=account, customer=customer)
    )
    with door_to(world.ready.aws.endpoint_url) as door, pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", door.url)
        monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "4")
        monkeypatch.chdir(folder)
        made = Case(world, folder, customer, door)
        made.connection.up()
        yield made
        world.clear_faults()
    shutil.rmtree(folder / ".dataloop-sts")


def _at(action: str, *, after: bool = False) -> Point:
    """A call of AWS, held before AWS gets it or before its answer comes back."""

    @contextmanager
    def point(case: Case) -> Iterator[Callable[[], None]]:
        with case.door.holding(action, after=after) as reached:
            yield lambda: eventually(reached.is_set)

    return point


@contextmanager
def _after_the_patch(case: Case) -> Iterator[Callable[[], None]]:
    """Dataloop holds the new credentials, its answer is lost, and what would be sent next is held up."""
    path = "/orgs/[^/]+/integrations$"
    case.world.fault("PATCH", path, drop="after")
    case.world.fault("PATCH", path, drop="before", delay_s=30)

    def wait() -> None:
        eventually(lambda: any(c["method"] == "PATCH" and c["drop"] == "after" for c in case.world.calls()))

    case.world.forget_calls()
    yield wait
    case.world.clear_faults()


POINTS = {
    "the new key is made, and not noted in the state": _at("CreateAccessKey", after=True),
    "the new key is being described": _at("TagUser"),
    "the new key is being verified": _at("AssumeRole"),
    "Dataloop has the new key, and that is not noted in the state": _after_the_patch,
    "the new key is handed over, the old one not yet deleted": _at("DeleteAccessKey"),
}


def test_a_rotation_is_not_seen_by_who_uses_the_integration(case: Case) -> None:
    before, generation = case.keys(), case.generation
    with case.using_it() as probes:
        done = Connection.of(case.record).rotate()
    assert probes.failed == []
    assert probes.passed > 10
    assert (done.outcome, done.key.generation) == ("rotated", generation + 1)
    assert done.key.id not in before
    case.assert_settled(generation + 1)
    text = case.record.path.read_text()
    assert text.startswith("# A customer's connection")
    assert "# the old key goes at once" in text
    assert Connection.of(case.record).rotate(older_than=1).outcome == "young"


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_a_rotation_that_is_killed_goes_on_and_is_not_seen(case: Case, point: Point) -> None:
    before, generation = case.keys(), case.generation
    with case.using_it() as probes:
        case.kill_rotation(point)
        assert len(case.keys()) <= 2
        findings = list(repair(case.connection))
        assert "which is dead, was removed" in findings[0].text
        assert not any(finding.left for finding in findings)
        done = Connection.of(case.record).rotate()
    assert probes.failed == []
    assert probes.passed > 10
    assert done.key.generation == generation + 1
    assert done.key.id not in before
    case.assert_settled(generation + 1)


def test_a_rotation_that_is_given_up_after_dataloop_got_the_new_key_never_ends_with_a_deleted_one(case: Case) -> None:
    before, generation = case.keys(), case.generation
    with case.using_it() as probes:
        said = case.kill_rotation(_after_the_patch, with_python=False)
        assert f"asks for generation {generation + 1}: the same command or `up` goes on with it" in " ".join(
            said.split()
        )
        record = case.record.with_access_key(generation=generation, retiring=None)
        with pytest.raises(StackLocked, match="If it was killed: `dataloop-sts repair`"):
            Connection.of(record).up()
        told = case.run("repair", case.customer)
        assert f"Next: dataloop-sts -e dev up {case.customer}" in told
        case.connection.up()
    assert probes.failed == []
    assert case.keys() == before
    case.assert_settled(generation)
    assert case.run("repair", case.customer) == f"Nothing is broken in stack dev.{case.customer}.\n"


def test_a_new_key_that_fails_its_test_is_taken_back_and_the_next_run_starts_over(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, generation = case.keys(), case.generation
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "0")
    case.world.fault("GET", "/drivers/[^/]+/test$", delay_s=0.01)  # the one that asks whether it works before
    case.world.fault("GET", "/drivers/[^/]+/test$", status=400)
    with pytest.raises(RotationStopped) as stopped:
        Connection.of(case.record).rotate()
    case.world.clear_faults()
    for text in ("after its integration's update failed", "The former credentials were put back; their key stays."):
        assert text in str(stopped.value)
    assert before.items() <= case.keys().items()
    case.world.dataloop("GET", case.driver_test)
    assert Connection.of(case.record).rotate().key.generation == generation + 1
    case.assert_settled(generation + 1)


def test_a_key_is_kept_for_its_grace_and_a_leaked_one_is_dead_at_once(case: Case) -> None:
    before, generation = case.keys(), case.generation
    text = case.record.path.read_text()
    case.record.path.write_text(text.replace("grace_days: 0", "grace_days: 1"))
    with case.using_it() as probes:
        kept = Connection.of(case.record).rotate()
    assert probes.failed == []
    assert case.keys() == {**dict.fromkeys(before, "Inactive"), kept.key.id: "Active"}
    assert f"kept until {datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}. Nothing was done" in case.run(
        "rotate", case.customer, "--finish"
    )
    case.record.path.write_text(case.record.path.read_text().replace("grace_days: 1", "grace_days: 0"))
    told = json.loads(case.run("rotate", case.customer, "--finish", "--json"))
    assert (told["outcome"], told["access_key"]["age_days"]) == ("finished", 0)
    case.assert_settled(generation + 1)

    # revoked: key and running sessions are dead; `up` makes a new key, and new sessions work
    s3 = _session(case)
    s3.list_objects_v2(Bucket=f"dataloop-{case.customer}")
    assert "access_key.generation is" in case.run("revoke", case.customer, "--yes")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=f"dataloop-{case.customer}")
    with pytest.raises(requests.HTTPError):
        case.world.dataloop("GET", case.driver_test)
    case.connection.up()
    case.assert_settled(generation + 2)


def _session(case: Case) -> Any:
    """S3 as the role, by the stack's key."""
    state = case.connection.state(show_secrets=True)
    key = next(each for each in state["resources"] if each["type"] == "aws:iam/accessKey:AccessKey")
    options = {"endpoint_url": case.world.ready.aws.endpoint_url, "region_name": "eu-west-1"}
    secret = json.loads(key["outputs"]["secret"]["plaintext"])
    sts = boto3.client("sts", aws_access_key_id=key["id"], aws_secret_access_key=secret, **options)
    given = sts.assume_role(RoleArn=case.connection.outputs()["role_arn"], RoleSessionName="leaked")["Credentials"]
    return boto3.client(
        "s3",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        **options,
    )

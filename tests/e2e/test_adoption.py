"""What people made by hand becomes the stack's: from each starting point, and with nothing of it lost."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from automation.adoption import Adoption, AdoptionRefused
from automation.connection import Connection
from automation.environment import Environment
from automation.records import find
from automation.repair.mending import repair
from tests.adoption.by_hand import Hand
from tests.e2e.harness import CHECKOUT, Project, World, eventually

_counter = itertools.count(1)


@dataclass
class Case:
    """Somebody who made things by hand, and the record that names them."""

    world: World
    hand: Hand
    folder: Path

    def record(self, **changes: Any) -> None:
        """Writes the record."""
        self.spec = {**self.hand.spec, **changes}
        (self.folder / "customers" / "dev" / f"{self.hand.tag}.yaml").write_text(yaml.safe_dump(self.spec))

    @property
    def connection(self) -> Connection:
        return Connection.of(find(Environment.of("dev", self.folder), self.hand.tag))

    def adoption(self) -> Adoption:
        return Adoption.of(self.connection)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [str(CHECKOUT / ".venv" / "bin" / "dataloop-sts"), "-e", "dev", "adopt", self.hand.tag, *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=180)
        assert "Traceback" not in errors, errors
        return process.returncode, output, errors

    @property
    def keys(self) -> list[str]:
        listed = self.hand.iam.list_access_keys(UserName=self.hand.user)["AccessKeyMetadata"]
        return [key["AccessKeyId"] for key in listed]

    def assert_nothing_left_to_change(self) -> None:
        preview = self.connection.preview()
        assert (preview.changed, preview.warnings) == (0, ())

    def assert_nothing_left_to_change_for_the_plain_cli(self) -> None:
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(CHECKOUT / name, self.folder)
        (self.folder / ".venv").symlink_to(CHECKOUT / ".venv")
        self.connection.write_config(self.folder)
        project = Project(self.folder, self.world, f"dev.{self.hand.tag}", self.spec)
        project.pulumi("preview", "--expect-no-changes", "--stack", project.stack).ok()

    def assert_adopted(self) -> None:
        """One key, the stack's, which works, and the same driver."""
        outputs = self.connection.outputs()
        assert self.keys == [outputs["access_key_id"]]
        assert outputs["verification"]["ok"] is True
        self.world.dataloop("GET", f"/drivers/{outputs['driver_ids'][self.hand.driver]}/test")
        names = [each["name"] for each in self.world.dataloop("GET", f"/orgs/{self.hand.organization_id}/integrations")]
        assert names.count(self.hand.integration) == 1
        assert [name for name in names if name.startswith("dataloop-sts-adopting-")] == []
        tags = self.hand.iam.list_user_tags(UserName=self.hand.user)["Tags"]
        assert [tag["Key"] for tag in tags if tag["Key"].startswith("AKIA")] == self.keys


@pytest.fixture
def new_case(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Case]]:
    """Makes cases, in a shell that has the sandbox's settings."""
    for name, value in {**world.environment, "DATALOOP_STS_SETTLE_SECONDS": "4"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "customers" / "dev").mkdir(parents=True)
    (tmp_path / "customers" / "dev" / "_environment.yaml").write_text("sandbox: true\n")

    def make() -> Case:
        ready = world.ready
        hand = Hand(
            s3=world.client("s3"),
            iam=world.client("iam"),
            dataloop=world.dataloop,
            organization_id=ready.dataloop.org_id,
            project_id=ready.dataloop.project_id,
            account_id=ready.aws.account_id,
            tag=f"a{next(_counter)}-{os.getpid()}",
        )
        return Case(world, hand, tmp_path)

    yield make
    world.clear_faults()


def test_what_follows_the_instructions_is_adopted_although_the_first_run_is_killed(
    new_case: Callable[[], Case],
) -> None:
    case = new_case()
    hand, world = case.hand, case.world
    hand.makes_everything()
    hand.works()
    case.record()

    before = world.inventory()
    code, output, _ = case.run()
    assert code == 4  # the wizard's instance profile
    assert "It can be adopted: --apply does it." in output
    code, output, _ = case.run("--json")
    report = json.loads(output)
    assert (code, report["can_be_applied"], report["applied"]) == (4, True, False)
    assert report["rows"][-1]["becomes"] == "is taken over; keeps its id and 1 dataset"
    assert world.inventory() == before

    # killed while the new key is on trial: its temporary integration is left, the real one works on with the old key
    world.fault("POST", "/drivers/test$", delay_s=20)
    process = case.start("--apply")
    eventually(lambda: any("dataloop-sts-adopting-" in name for name in world.inventory()["Dataloop integrations"]))
    children = psutil.Process(process.pid).children(recursive=True)
    next(child for child in children if child.name() == "pulumi").kill()  # in a session of its own
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    world.clear_faults()
    assert hand.key in case.keys
    assert any("dataloop-sts-adopting-" in name for name in world.inventory()["Dataloop integrations"])
    assert any("which is dead, was removed" in finding.text for finding in repair(case.connection))

    code, output, errors = case.run("--apply")
    assert code == 0, output + errors
    assert f"The connection of {hand.tag} is adopted. What stays is yours to mend: role {hand.role}." in output
    case.assert_adopted()
    case.assert_nothing_left_to_change_for_the_plain_cli()
    assert hand.key not in case.keys
    outputs = case.connection.outputs()
    assert outputs["driver_ids"] == {hand.driver: hand.driver_id}
    assert (outputs["integration_id"], outputs["access_key_generation"]) == (hand.integration_id, 1)
    assert hand.s3.get_object(Bucket=hand.bucket, Key="raw/cat.jpg")["Body"].read() == b"a cat"
    assert world.dataloop("GET", f"/datasets/{hand.dataset_id}")["driver"] == hand.driver_id
    policy = hand.iam.get_policy(PolicyArn=hand.policy_arn)["Policy"]
    assert policy["Description"] == "DataLoop may use the bucket"  # the same policy, not one made in its place


def test_the_usual_deviations_are_brought_to_the_spec(new_case: Callable[[], Case]) -> None:
    case = new_case()
    hand = case.hand
    hand.deviates()
    hand.works()
    case.record(drivers=[{**hand.spec["drivers"][0], "allow_delete": False}])
    assert case.adoption().report.refusals == ()
    case.adoption().apply()
    case.assert_adopted()
    case.assert_nothing_left_to_change()

    block = hand.s3.get_public_access_block(Bucket=hand.bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    trust = hand.iam.get_role(RoleName=hand.role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in trust] == [{"AWS": hand.user_arn}]
    attached = hand.iam.list_attached_role_policies(RoleName=hand.role)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [hand.policy_arn]
    assert hand.iam.list_role_policies(RoleName=hand.role)["PolicyNames"] == []
    assert hand.iam.get_policy(PolicyArn=hand.more_arn)["Policy"]["AttachmentCount"] == 0  # it is there, on nobody
    driver = case.world.dataloop("GET", f"/drivers/{hand.driver_id}")
    assert driver["allowExternalDelete"] is False
    assert case.connection.outputs()["driver_ids"] == {hand.driver: hand.driver_id}
    assert hand.iam.get_login_profile(UserName=hand.user)  # a person's: told, and left
    report = case.adoption().report
    assert {danger.check for danger in report.dangers} == {"role-instance-profile", "user-console"}
    assert (report.takes_over, {row.equal for row in report.rows}) == (False, {True})


def test_of_the_aws_half_alone_the_rest_is_made_and_what_a_destroy_leaves_is_adopted_again(
    new_case: Callable[[], Case],
) -> None:
    case = new_case()
    hand = case.hand
    hand.makes_the_aws_half()
    hand.s3.put_object(Bucket=hand.bucket, Key="raw/cat.jpg", Body=b"a cat")
    case.record()
    case.adoption().apply()
    case.assert_adopted()
    case.assert_nothing_left_to_change()
    assert hand.key not in case.keys

    hand.iam.remove_role_from_instance_profile(InstanceProfileName=hand.role, RoleName=hand.role)  # as it was told
    case.connection.destroy()  # the bucket stays, as on_destroy says by default
    assert case.adoption().report.refusals == ()
    assert case.adoption().apply().changes["import"] == 5
    case.assert_adopted()
    assert hand.s3.get_object(Bucket=hand.bucket, Key="raw/cat.jpg")["Body"].read() == b"a cat"


def test_nothing_is_touched_where_the_spec_is_wrong(new_case: Callable[[], Case]) -> None:
    case = new_case()
    hand = case.hand
    hand.makes_everything()
    hand.works()
    before = case.world.inventory()
    integration = case.world.dataloop("GET", f"/orgs/{hand.organization_id}/integrations/{hand.integration_id}")

    wrong_region = {**hand.spec["aws"], "region": "us-east-1"}
    wrong_names = {**hand.spec["aws"], "names": {"user": "nobody", "role": "nobody", "policy": "nobody"}}
    for changes, told in (
        ({"aws": wrong_region}, f"Bucket {hand.bucket} is in eu-west-1, the spec says us-east-1"),
        ({"aws": wrong_names, "drivers": [{**hand.spec["drivers"][0], "name": "nobody"}]}, "write them into the spec"),
    ):
        case.record(**changes)
        assert told in str([str(each) for each in case.adoption().report.refusals])
        with pytest.raises(AdoptionRefused, match="Nothing was adopted"):
            case.adoption().apply()
    second = hand.iam.create_access_key(UserName=hand.user)["AccessKey"]["AccessKeyId"]
    case.record()
    code, output, errors = case.run("--apply")
    assert code == 1
    assert hand.key in output and second in output
    assert errors == "Error: Nothing was adopted, and nothing was touched: the report says why.\n"
    hand.iam.delete_access_key(UserName=hand.user, AccessKeyId=second)

    assert case.world.inventory() == before
    assert case.world.dataloop("GET", f"/orgs/{hand.organization_id}/integrations/{hand.integration_id}") == integration
    case.world.dataloop("GET", f"/drivers/{hand.driver_id}/test")
    stacks = Path(case.world.environment["PULUMI_BACKEND_URL"].removeprefix("file://")) / ".pulumi" / "stacks"
    assert not (stacks / "dataloop-sts" / f"dev.{hand.tag}.json").exists()

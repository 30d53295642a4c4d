"""A run that is cut off, or an answer that is lost, never leads to duplicates or orphans."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from unittest import mock

import pytest
from typer.testing import CliRunner

from automation.backend import Backend
from automation.cli.frame import FINDING, app
from automation.stores import LocalStore
from tests.e2e.harness import Project, eventually
from tests.rotation.holding import door_to


def _kill(project: Project, at: Callable[[], bool]) -> None:
    """Kills the CLI at a point of `pulumi up`; what it had started is left to die by itself."""
    project.configure()
    process = project.start("up", "--yes", "--skip-preview", "--stack", project.stack)
    eventually(at)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()  # plugins may still hold the other end
    # where the kill came while the engine wrote, it reads nothing until this is gone: docs/backends.md
    store = LocalStore(project.backend)
    for path in Backend(store).cut_short(project.stack):
        store.remove(path)


def _integrations(project: Project) -> list[str]:
    return project.owned().get("Dataloop integrations", [])


def _assert_one_of_each(project: Project) -> None:
    owned = project.owned()
    assert {kind: len(names) for kind, names in owned.items()} == {
        "buckets": 1,
        "IAM users": 1,
        "IAM roles": 1,
        "IAM policies": 1,
        "Dataloop integrations": 1,
        "Dataloop drivers": 1,
    }
    keys = project.world.client("iam").list_access_keys(UserName=project.iam_name)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [project.outputs()["access_key_id"]]


def test_a_lost_answer_to_the_integrations_creation_ends_with_one_integration(project: Project) -> None:
    project.world.fault("POST", "/orgs/[^/]+/integrations$", drop="after", times=1)
    project.up().ok()
    _assert_one_of_each(project)
    project.destroy().ok()
    assert project.owned() == {}


def test_whatever_a_killed_run_was_making_is_taken_up_and_nothing_is_made_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, s3 = project.world, project.world.client("s3")
    monkeypatch.chdir(project.folder)

    def repair(*, code: int = 0) -> str:
        with mock.patch.dict(os.environ, project.environment):
            done = CliRunner().invoke(app, ["-e", project.stack, "repair"], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.output

    with door_to(world.ready.aws.endpoint_url) as door:
        project.extra["AWS_ENDPOINT_URL"] = door.url
        # user, policy and bucket are made, and nobody can note it
        with door.holding("CreateUser", "CreatePolicy", f"PUT /{project.bucket}", after=True) as reached:
            _kill(project, reached.is_set)
        project.up().refused("pulumi cancel")
        s3.put_object(Bucket=project.bucket, Key="photo.jpg", Body=b"x")
        said = repair(code=FINDING)
        assert "which is dead, was removed" in said
        assert f"bucket {project.bucket} is there, and holds objects. Remove it where nobody needs it" in said
        assert "in the stack now" not in said
        s3.delete_object(Bucket=project.bucket, Key="photo.jpg")
        said = repair()
        for made in (f"User user {{}} {project.iam_name}", "Policy policy {} arn:", f"Bucket {project.bucket} {{}}"):
            assert made.format("was made, and is in the stack now:") in said

        # the next run's role and key likewise; the key's secret is lost, and so is the key
        with door.holding("CreateRole", "CreateAccessKey", after=True) as reached:
            _kill(project, reached.is_set)
        said = repair()
        assert f"Role role was made, and is in the stack now: {project.iam_name}" in said
        assert "was made and its secret is lost with the run: it was deleted." in said
        assert world.client("iam").list_access_keys(UserName=project.iam_name)["AccessKeyMetadata"] == []

        # and the integration: the answer is lost, and the take-over that would follow is held up
        world.fault("POST", "/orgs/[^/]+/integrations$", drop="after", times=1)
        world.fault("PATCH", "/orgs/[^/]+/integrations$", drop="before", delay_s=20, times=1)
        _kill(project, lambda: bool(_integrations(project)))
        world.clear_faults()
        project.pulumi("cancel", "--yes", "--stack", project.stack).ok()
        project.up().ok()
        assert "Integration integration was being made: the next run does it again" in repair()
        assert "Nothing is broken" in repair()
        _assert_one_of_each(project)
        for driver_id in project.outputs()["driver_ids"].values():
            world.dataloop("GET", f"/drivers/{driver_id}/test")
        project.up("--expect-no-changes").ok()
        project.destroy().ok()
        assert project.owned() == {}


def test_a_lost_answer_to_the_drivers_creation_ends_with_one_driver(project: Project) -> None:
    project.world.fault("POST", "/drivers$", drop="after", times=1)
    project.up().ok()
    _assert_one_of_each(project)


def test_an_interrupted_up_ends_cleanly_and_goes_on_where_it_was(project: Project) -> None:
    project.world.fault("POST", "/orgs/[^/]+/integrations$", delay_s=3, times=1)
    project.configure()
    process = project.start("up", "--yes", "--skip-preview", "--stack", project.stack)
    eventually(lambda: bool(project.owned().get("IAM roles")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    project.world.clear_faults()

    project.up().ok()
    _assert_one_of_each(project)


def test_a_provider_whose_engine_was_killed_makes_no_further_call(project: Project) -> None:
    project.world.fault("POST", "/drivers/test$", delay_s=4, times=1)
    _kill(project, lambda: bool(_integrations(project)))
    eventually(lambda: any(call["path"].endswith("/drivers/test") for call in project.world.calls()))
    assert "Dataloop drivers" not in project.owned()
    project.pulumi("cancel", "--yes", "--stack", project.stack).ok()
    project.up().ok()
    _assert_one_of_each(project)

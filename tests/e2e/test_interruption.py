"""A run that is cut off, or an answer that is lost, never leads to duplicates or orphans."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.e2e.harness import eventually


def _integrations(project: Any) -> list[str]:
    return project.owned().get("Dataloop integrations", [])


def _assert_one_of_each(project: Any) -> None:
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


def test_a_lost_answer_to_the_integrations_creation_ends_with_one_integration(project: Any) -> None:
    project.world.fault("POST", "/orgs/[^/]+/integrations$", drop="after", times=1)
    project.up().ok()
    _assert_one_of_each(project)
    project.destroy().ok()
    assert project.owned() == {}


def test_a_kill_right_after_the_integrations_creation_is_healed_by_the_next_up(project: Any) -> None:
    # the answer is lost, and the take-over that would follow is held up, so that the kill comes in between
    project.world.fault("POST", "/orgs/[^/]+/integrations$", drop="after", times=1)
    project.world.fault("PATCH", "/orgs/[^/]+/integrations$", drop="before", delay_s=20, times=1)
    project.configure()
    process = project.start("up", "--yes", "--skip-preview", "--stack", project.stack)
    eventually(lambda: bool(_integrations(project)))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()  # plugins may still hold the other end
    project.world.clear_faults()

    project.up().refused("pulumi cancel")
    project.pulumi("cancel", "--yes", "--stack", project.stack).ok()
    project.up().ok()
    _assert_one_of_each(project)
    for driver_id in project.outputs()["driver_ids"].values():
        project.world.dataloop("GET", f"/drivers/{driver_id}/test")
    project.up("--expect-no-changes").ok()
    project.destroy().ok()
    assert project.owned() == {}


def test_a_lost_answer_to_the_drivers_creation_ends_with_one_driver(project: Any) -> None:
    project.world.fault("POST", "/drivers$", drop="after", times=1)
    project.up().ok()
    _assert_one_of_each(project)


def test_an_interrupted_up_ends_cleanly_and_goes_on_where_it_was(project: Any) -> None:
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


def test_a_provider_whose_engine_was_killed_makes_no_further_call(project: Any) -> None:
    project.world.fault("POST", "/drivers/test$", delay_s=4, times=1)
    project.configure()
    process = project.start("up", "--yes", "--skip-preview", "--stack", project.stack)
    eventually(lambda: bool(_integrations(project)))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    eventually(lambda: any(call["path"].endswith("/drivers/test") for call in project.world.calls()))
    assert "Dataloop drivers" not in project.owned()
    project.pulumi("cancel", "--yes", "--stack", project.stack).ok()
    project.up().ok()
    _assert_one_of_each(project)

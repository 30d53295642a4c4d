"""A run that is terminated, takes too long or runs out of room ends cleanly on the real engine; the next goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from unittest import mock

import psutil
import pytest

from automation import Connection, Environment, find
from automation.errors import EngineFailed, TimedOut
from tests.e2e.harness import Project, eventually


def test_a_run_that_is_ended_early_writes_its_state_and_frees_its_lock(empty_project: Project) -> None:
    project, customer = empty_project, f"ends-{empty_project.customer}"
    project.write_record(customer)
    backend = project.backend / ".pulumi"
    integrations = f"/orgs/{project.world.ready.dataloop.org_id}/integrations"

    def assert_ended_cleanly(*, among: str) -> None:
        """The state is whole, nothing in it is unknown, nobody holds it, and no engine is left."""
        assert list(backend.rglob(f"locks/**/dev.{customer}/*.json")) == []
        latest = json.loads((backend / "stacks" / "dataloop-sts" / f"dev.{customer}.json").read_text())
        deployed = latest["checkpoint"]["latest"]
        assert not deployed.get("pending_operations")
        assert among in {each["urn"].rpartition("::")[2] for each in deployed["resources"]}
        running = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
        assert [each for each in running if f"dev.{customer}" in each] == []

    def called(method: str) -> bool:
        return any(
            call["method"] == method and call["path"].endswith("/integrations") for call in project.world.calls()
        )

    # SIGTERM, as a service manager or a CI sends it, while a call is under way: that one is let come back
    project.world.forget_calls()
    project.world.fault("POST", f"{integrations}$", delay_s=4, times=1)
    process = project.begin("-e", "dev", "up", customer)
    under_way = backend / "stacks" / "dataloop-sts" / f"dev.{customer}.json"
    eventually(
        lambda: (
            under_way.exists()
            and '"type":"creating"' in (text := under_way.read_text()).replace(" ", "")
            and "::integration" in text
        ),
        120,
    )
    process.send_signal(signal.SIGTERM)
    said = "".join(process.communicate(timeout=90))
    assert process.returncode not in (0, -signal.SIGTERM), said
    assert "Traceback" not in said
    assert_ended_cleanly(among="integration")
    assert called("POST")

    with mock.patch.dict(os.environ, project.environment):
        environment = Environment.of("dev", project.folder)

        # other programs fill the backend's disk, while the driver is tested
        usage, scarce = shutil.disk_usage(backend), threading.Event()
        room = mock.patch("shutil.disk_usage", lambda _: usage._replace(free=(5 if scarce.is_set() else 99) << 20))
        project.world.fault("POST", "/drivers/test$", delay_s=4, times=1)
        connection = Connection.of(find(environment, customer), on_event=lambda step: scarce.set())
        with room, pytest.raises(EngineFailed) as full:
            connection.up()
        assert "the run was ended: the disk of the backend" in str(full.value)
        assert "has 5 MiB left, and the state could have been lost: make room there. " in str(full.value)
        assert_ended_cleanly(among=customer)

        # a limit of time, by the API; the driver's call is let come back likewise
        project.write_record(customer, {"allow_delete": True})
        project.world.fault("PATCH", "/drivers/", delay_s=20, times=1)
        with pytest.raises(TimedOut, match="did not end in 12 s and was interrupted") as caught:
            Connection.of(find(environment, customer), timeout_s=12).up()
        assert caught.value.seconds == 12
        assert_ended_cleanly(among="integration")
        project.world.clear_faults()

        # the same command completes it, once and for all
        connection = Connection.of(find(environment, customer))
        assert connection.up().changes["create"] >= 1
        assert connection.preview().changed == 0
        assert connection.verify().ok
    owned = {kind: [name for name in names if customer in name] for kind, names in project.world.inventory().items()}
    assert [len(owned[kind]) for kind in ("IAM users", "Dataloop integrations", "Dataloop drivers")] == [1, 1, 1]

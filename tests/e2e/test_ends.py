"""A run that is terminated, or takes too long, ends cleanly on the real engine, and the next one goes on with it."""

from __future__ import annotations

import json
import os
import signal
from unittest import mock

import psutil
import pytest

from automation import Connection, Environment, find
from automation.errors import TimedOut
from tests.e2e.harness import Project, eventually


def test_a_run_that_is_terminated_or_over_its_time_writes_its_state_and_frees_its_lock(empty_project: Project) -> None:
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

    # a limit of time, by the API; the driver's call is let come back likewise
    project.world.fault("POST", "/drivers/test$", delay_s=20, times=1)
    with mock.patch.dict(os.environ, project.environment):
        environment = Environment.of("dev", project.folder)
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

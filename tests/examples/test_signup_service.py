"""The sign-up service does what its page promises, on the real engine, against the sandbox."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from automation import Environment, EnvironmentSettings, Progress
from dataloop_sts.errors import SpecError
from examples.signup_service.in_asyncio import sign_up, sign_up_all
from examples.signup_service.in_threads import workers
from examples.signup_service.service import DELAYED, Signups
from examples.signup_service.store import Customer, Store
from tests.e2e.conftest import world
from tests.e2e.harness import CHECKOUT, World, eventually

__all__ = ["world"]

_KILLED = """
import sys
from pathlib import Path
from automation import Environment, EnvironmentSettings
from examples.signup_service.service import Signups
from examples.signup_service.store import Store

folder = Path(sys.argv[1])
store = Store(folder / "customers.sqlite")
show = lambda name, step: print(step.resource, step.outcome, flush=True)
Signups(Environment("dev", folder, EnvironmentSettings(sandbox=True)), store, show).rotate(sys.argv[2])
"""


class _Service:
    """The service on a folder of its own, with what it has told."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.steps: dict[str, list[Progress]] = {}
        self.store = Store(folder / "customers.sqlite")
        self.service = self.started()

    def started(self) -> Signups:
        environment = Environment("dev", self.folder, EnvironmentSettings(sandbox=True))
        return Signups(environment, self.store, self._hear)

    def form(self, name: str, **changes: Any) -> dict[str, Any]:
        bucket = {"name": f"dataloop-{name}"}
        driver = {"name": name, "project_id": self.world.ready.dataloop.project_id, "bucket": bucket}
        return {
            "customer": name,
            "organization_id": self.world.ready.dataloop.org_id,
            "aws": {"region": "eu-west-1", "account_id": self.world.ready.aws.account_id},
            "on_destroy": "delete",
            "drivers": [driver | changes],
        }

    def key(self, name: str) -> tuple[str, int]:
        customer = self.store.find(name)
        assert customer
        outputs = self.service.connection(customer.spec).outputs()
        return outputs["access_key_id"], outputs["access_key_generation"]

    def secret(self, name: str) -> str:
        customer = self.store.find(name)
        assert customer
        state = self.service.connection(customer.spec).state(show_secrets=True)
        keys = (each for each in state["resources"] if each["type"] == "aws:iam/accessKey:AccessKey")
        return str(next(keys)["outputs"]["secret"]["plaintext"]).strip('"')

    def done(self, name: str) -> list[str]:
        return [step.resource for step in self.steps[name] if step.outcome == "done"]

    def _hear(self, name: str, step: Progress) -> None:
        self.steps.setdefault(name, []).append(step)


@pytest.fixture
def service(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Service:
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "4")
    return _Service(world, tmp_path)


def _said(*customers: Customer) -> list[tuple[str, str]]:
    return [(customer.name, customer.status) for customer in customers]


def test_customers_sign_up_from_threads_and_asyncio_and_each_failure_is_told_to_whom_it_concerns(
    service: _Service, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    before = world.inventory()
    with pytest.raises(SpecError) as mistaken:
        service.service.parse(service.form("Vandelay"))
    assert [problem.path for problem in mistaken.value.problems] == ["customer", "drivers[0].bucket.name"]
    with workers(service.service, at_once=2) as threads:
        # from threads: one of them with a project that is not there
        forms = [service.form("hooli"), service.form("initech", project_id="no-such-project")]
        made, refused = threads.map(service.service.sign_up, map(service.service.parse, forms))
        assert _said(made, refused) == [("hooli", "connected"), ("initech", "refused")]
        assert "Dataloop knows no project no-such-project" in refused.note
        assert {"role", "verification", "integration", "hooli"} <= set(service.done("hooli"))
        assert caplog.records == [], "a refusal is no matter of the operator's"

        # from asyncio: the mended one, and one whose integration Dataloop fails to make
        world.fault("POST", "/integrations$", times=1, status=503)
        specs = [service.service.parse(service.form(name)) for name in ("initech", "umbrella")]
        both = asyncio.run(sign_up_all(service.service, specs))
        [delayed] = [customer for customer in both if customer.status == "connecting"]
        assert delayed.note == DELAYED
        assert [record.name for record in caplog.records] == ["examples.signup_service.service"]
        assert f"{delayed.name}: DataloopFailed: " in caplog.text
        assert "ServerError" in caplog.text
        assert service.service.under_way() == [delayed.name]
        assert _said(service.service.go_on(delayed.name)) == [(delayed.name, "connected")]

        # a new key, then an untimely form: it keeps that key
        former, _ = service.key("hooli")
        secret = service.secret("hooli")
        assert _said(service.service.rotate("hooli")) == [("hooli", "connected")]
        key, generation = service.key("hooli")
        assert (key != former, generation) == (True, 2)
        assert _said(service.service.sign_up(service.service.parse(service.form("hooli")))) == [("hooli", "connected")]
        assert service.key("hooli") == (key, 2)

        assert _said(service.service.rotate("umbrella", older_than_days=30)) == [("umbrella", "connected")]
        told = caplog.text + "".join(map(str, (service.steps, service.store.with_status("connected"))))
        for hidden in (secret, service.secret("hooli"), world.ready.dataloop.token):
            assert hidden not in told
            assert [file for file in _files(service.folder) if hidden.encode() in file.read_bytes()] == []
        assert _said(*threads.map(service.service.remove, ["hooli", "initech", "umbrella"])) == [
            (name, "removed") for name in ("hooli", "initech", "umbrella")
        ]
    assert world.inventory() == before
    assert service.service.under_way() == []


def test_a_service_that_is_killed_or_cancelled_goes_on_when_it_starts_again(service: _Service, world: World) -> None:
    async def cancelled_while_it_makes_the_role() -> None:
        task = asyncio.create_task(sign_up(service.service, service.service.parse(service.form("acme"))))
        while not any(step.resource == "role" for step in service.steps.get("acme", [])):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_while_it_makes_the_role())
    customer = service.store.find("acme")
    assert customer
    assert customer.status == "connecting"
    assert _said(service.started().go_on("acme")) == [("acme", "connected")]

    former, _ = service.key("acme")
    rotating = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(service.folder), "acme"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert rotating.stdout
    for line in rotating.stdout:
        if line.startswith("access-key-2 done"):
            break
    rotating.send_signal(signal.SIGKILL)
    rotating.wait()
    assert service.store.with_status("connecting")[0].spec.access_key.generation == 2
    # its engine ends by itself, and is not hurried
    eventually(lambda: _tried(service) == "connected", seconds=180)
    key, generation = service.key("acme")
    assert (key != former, generation) == (True, 2)
    keys = world.client("iam").list_access_keys(UserName="dataloop-acme-dev")["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in keys] == [key]

    closing = service.started()
    closing.close()
    assert _said(closing.remove("acme")) == [("acme", "removing")]
    assert _said(service.started().go_on("acme")) == [("acme", "removed")]
    left = [name for names in world.inventory().values() for name in names]
    assert [name for name in left if "acme" in name] == []


def _tried(service: _Service) -> str:
    [name] = service.service.under_way()
    status = service.started().go_on(name).status
    time.sleep(0.5)
    return status


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

"""Runs the service for an hour of its life, in a sandbox of its own: ``python -m examples.signup_service``.

The service knows nothing of the sandbox: it gets an environment, as it would in production, and the variables of the
process lead to AWS and Dataloop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import requests

from automation import Environment, EnvironmentSettings, Progress
from dataloop_sts import ConnectionSpec
from examples.signup_service.in_asyncio import sign_up_all
from examples.signup_service.in_threads import workers
from examples.signup_service.service import Signups
from examples.signup_service.store import Customer, Store
from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance
from sandbox.inventory import inventory
from sandbox.ready import ReadyFile

_MILESTONES = {
    "aws:iam/role:Role": "a role for Dataloop is there",
    "command:local:Command verification": "the role can read and write, and do nothing else",
    "pulumi-python:dynamic/dataloop:Integration": "Dataloop knows the role",
    "pulumi-python:dynamic/dataloop:StorageDriver": "Dataloop's test of the bucket passes",
}


def main() -> int:
    """Runs it; 0 where everything came as it should."""
    logging.basicConfig(level=logging.WARNING, format="     operator: %(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is under way is ended cleanly
    with _sandbox() as (folder, ready):
        environment = Environment("dev", folder, EnvironmentSettings(sandbox=True))
        store = Store(folder / "customers.sqlite")
        service = Signups(environment, store, _show, timeout_s=300)
        return _hour(service, store, ready)


def _hour(service: Signups, store: Store, ready: ReadyFile) -> int:
    before = inventory(ready)
    customers = [f"customer-{number}" for number in range(1, 11)]
    with workers(service) as threads:
        _title("Five customers sign up at once, from threads; somebody else has one's bucket name")
        _take_name(ready, "dataloop-customer-2-photos")
        began = time.monotonic()
        asked = [_asked(service, ready, name) for name in customers[:5]]
        came = list(threads.map(service.sign_up, asked))
        _tell(*came, took=time.monotonic() - began)

        _title("customer-2 chooses another name")
        _tell(service.sign_up(_asked(service, ready, "customer-2", "dataloop-customer-2-pictures")))

        _title("Five more at once, from asyncio; Dataloop has an outage")
        _outage(ready)
        began = time.monotonic()
        asked = [_asked(service, ready, name) for name in customers[5:]]
        came = asyncio.run(sign_up_all(service, asked))
        _tell(*came, took=time.monotonic() - began)

        _title("Later, the service goes on with whoever is under way")
        _tell(*threads.map(service.go_on, service.under_way()))

        _title("customer-1 gets a new access key")
        former = _key(service, store)
        _tell(service.rotate("customer-1"))
        _say(f"Dataloop held {former}, and holds {_key(service, store)} now")

        _title("customer-3 leaves")
        _tell(service.remove("customer-3"))
        connected = [customer.name for customer in store.with_status("connected")]

        _title("All others too, and nothing is left")
        list(threads.map(service.remove, connected))
    left = {kind: sorted(set(names) - set(before[kind])) for kind, names in inventory(ready).items()}
    for kind, names in left.items():
        _say(f"{kind:<22} {', '.join(names) or 'none'}")
    return int(any(left.values()) or len(connected) != len(customers) - 1)


def _asked(service: Signups, ready: ReadyFile, name: str, bucket: str | None = None) -> ConnectionSpec:
    """What the customer has filled in, as a page would send it."""
    driver = {
        "name": f"{name}-photos",
        "project_id": ready.dataloop.project_id,
        "bucket": {"name": bucket or f"dataloop-{name}-photos"},
    }
    return service.parse(
        {
            "customer": name,
            "organization_id": ready.dataloop.org_id,
            "aws": {"region": "eu-west-1", "account_id": ready.aws.account_id},
            "on_destroy": "delete",
            "drivers": [driver],
        }
    )


def _key(service: Signups, store: Store) -> str:
    customer = store.find("customer-1")
    return str(service.connection(customer.spec).outputs()["access_key_id"]) if customer else ""


def _take_name(ready: ReadyFile, bucket: str) -> None:
    boto3.client(
        "s3",
        endpoint_url=ready.aws.endpoint_url,
        aws_access_key_id=ready.aws.other_account_access_key_id,
        aws_secret_access_key=ready.aws.other_account_secret_access_key,
        region_name="eu-west-1",
    ).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def _outage(ready: ReadyFile) -> None:
    fault = {"method": "POST", "path": "/integrations$", "times": 1, "status": 503}
    requests.post(f"{ready.dataloop.control_url}/faults", json=fault, timeout=30).raise_for_status()


def _show(name: str, step: Progress) -> None:
    kind = f"{step.type} {step.resource}" if step.type == "command:local:Command" else step.type
    if step.outcome == "done" and step.operation == "create" and kind in _MILESTONES:
        _say(f"{name:<12} {_MILESTONES[kind]}")


def _tell(*customers: Customer, took: float | None = None) -> None:
    for customer in customers:
        _say(f"{customer.name:<12} {customer.status.upper()} {customer.note}")
    if took is not None:
        _say(f"in {took:.1f} s")


def _title(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"  {text.rstrip()}\n")
    sys.stdout.flush()


@contextmanager
def _sandbox() -> Iterator[tuple[Path, ReadyFile]]:
    """AWS and Dataloop on loopback, with this process led to them; and an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(state_dir=Path(folder) / "sandbox")
        instance.prepare()
        ensure_plugins(ensure(_say), instance.pulumi_home, lambda _: None)
        instance.up()
        try:
            led = instance.process_environment()
            os.environ.clear()
            os.environ.update(led)
            yield Path(folder), instance.ready()
        finally:
            instance.down()


if __name__ == "__main__":
    sys.exit(main())

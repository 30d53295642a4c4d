"""The service from asyncio: a task for each customer, whose cancellation ends its run cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from automation import in_thread
from dataloop_sts import ConnectionSpec
from examples.signup_service.service import Signups
from examples.signup_service.store import Customer


async def sign_up(service: Signups, spec: ConnectionSpec) -> Customer:
    """Signs a customer up. Where the task is cancelled, the run ends first; ``under_way`` has the customer then."""
    return await in_thread(service.connection(spec), service.sign_up, spec)


async def sign_up_all(service: Signups, specs: Iterable[ConnectionSpec], at_once: int = 5) -> list[Customer]:
    """Signs customers up, so many at once; each run is an engine of some 300 MB."""
    turn = asyncio.Semaphore(at_once)

    async def one(spec: ConnectionSpec) -> Customer:
        async with turn:
            return await sign_up(service, spec)

    async with asyncio.TaskGroup() as tasks:
        begun = [tasks.create_task(one(spec)) for spec in specs]
    return [task.result() for task in begun]

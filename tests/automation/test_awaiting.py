"""A call in a thread of its own is awaited, and a cancelled task leaves no run behind."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import cast

import pytest

from automation import in_thread
from automation.errors import Interrupted
from automation.stack import Stack


class _Stack:
    """A stack with one run under way, which takes a moment to end."""

    stack = "dev.acme"

    def __init__(self, runs: int = 1) -> None:
        self.runs = runs
        self.begun = threading.Event()
        self.ended: list[int] = []
        self._asked = threading.Semaphore(0)
        self._under_way = False

    def up(self) -> None:
        for run in range(self.runs):
            self._under_way = True
            self.begun.set()
            assert self._asked.acquire(timeout=10)
            self._under_way = False
            self.ended.append(run)
        raise Interrupted("Stack dev.acme: the run was interrupted.")

    def cancel(self) -> bool:
        if self._under_way:
            self._asked.release()
        return self._under_way


def _as_stack(stack: _Stack) -> Stack:
    return cast(Stack, stack)


async def _begun(stack: _Stack) -> asyncio.Task[None]:
    task = asyncio.ensure_future(in_thread(_as_stack(stack), stack.up))
    while not stack.begun.is_set():
        await asyncio.sleep(0.01)
    return task


def test_a_call_gets_its_arguments_and_context_and_gives_its_result_or_error() -> None:
    customer: ContextVar[str] = ContextVar("customer")

    def call(number: int, *, by: int) -> tuple[str, float]:
        return customer.get(), number / by

    async def main() -> tuple[str, float]:
        customer.set("acme")
        with pytest.raises(ZeroDivisionError):
            await in_thread(_as_stack(_Stack()), call, 1, by=0)
        return await in_thread(_as_stack(_Stack()), call, 6, by=2)

    assert asyncio.run(main()) == ("acme", 3)


@pytest.mark.parametrize("runs", [1, 2], ids=["one run", "a run that another one follows"])
def test_a_cancelled_task_ends_when_its_run_has_ended_and_not_before(runs: int) -> None:
    async def main() -> list[int]:
        stack = _Stack(runs)
        task = await _begun(stack)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return stack.ended

    assert asyncio.run(main()) == list(range(runs))


def test_a_time_limit_of_asyncio_ends_the_run() -> None:
    async def main() -> list[int]:
        stack = _Stack()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await in_thread(_as_stack(stack), stack.up)
        return stack.ended

    assert asyncio.run(main()) == [0]


def test_a_run_is_cancelled_though_others_have_all_of_asyncios_own_threads() -> None:
    async def main() -> list[int]:
        stack, go_on = _Stack(), threading.Event()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        other = asyncio.ensure_future(asyncio.to_thread(go_on.wait, 10))
        task = await _begun(stack)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        go_on.set()
        assert await other
        return stack.ended

    assert asyncio.run(main()) == [0]

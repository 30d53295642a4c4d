"""From asyncio: a call of a stack in a thread, whose cancellation ends the stack's run cleanly."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from automation.stack import Stack

_LOOK_S = 0.2
_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")


async def in_thread(
    stack: Stack, call: Callable[_Given, _Got], *arguments: _Given.args, **options: _Given.kwargs
) -> _Got:
    """Awaits a call that runs a stack, such as ``connection.up``, in a thread.

    Where the task is cancelled, by ``asyncio.timeout`` or a task group for example, the stack's run is ended as by
    :meth:`Connection.cancel`, and waited for; only then the cancellation goes on. What is no run of the engine, such as
    ``verify``, is waited for.

    Each call has a thread of its own. The few that ``asyncio.to_thread`` shares out would soon all be taken by runs,
    and whatever else needs one, the cancelling of these runs too, would wait for them. Bound the number of runs by a
    semaphore.

    Args:
        stack: whose run is ended; any connection of the same customer will do.
        call: what to do.
        arguments, options: of the call.

    Raises:
        CancelledError: the task was cancelled.
        BaseException: whatever the call raises.

    Example:
        >>> async with asyncio.timeout(900):
        ...     await in_thread(connection, connection.up, refresh=True)
    """
    threads = ThreadPoolExecutor(2, f"stack {stack.stack}")
    try:
        running = threads.submit(contextvars.copy_context().run, partial(call, *arguments, **options))
        ended = asyncio.wrap_future(running)
        try:
            await asyncio.wait([ended])
        except asyncio.CancelledError:
            threads.submit(_cancel_until, running, stack)
            while not ended.done():
                with suppress(asyncio.CancelledError):  # a second one hurries nothing
                    await asyncio.wait([ended])
            ended.exception()  # it is looked at: asyncio would tell of it otherwise
            raise
        return ended.result()
    finally:
        threads.shutdown(wait=False)


def _cancel_until(running: Future[_Got], stack: Stack) -> None:
    while not running.done():  # once more: it may have been between two commands
        stack.cancel()
        wait([running], _LOOK_S)

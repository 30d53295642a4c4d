"""Serves a Pulumi program that runs in this process, and ends it properly where the engine ends first."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
from pulumi import RunError
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2

Program = Callable[[], None]
_END_S = 10.0
"""How long a program whose engine is gone may take to notice."""


class ProgramServer(LanguageServer):
    """The SDK's server of inline programs, which leaves nothing behind.

    Where a run fails or is interrupted, the engine is gone while the program still waits for it. The SDK's server then
    tells the engine of that, fails, and leaves the program's tasks pending in a loop that nobody closes: warnings of
    Python long afterwards, and memory. Here they are cancelled.

    Args:
        program: the program.
    """

    def __init__(self, program: Program) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._ended.set()

        def in_its_loop() -> None:
            self._loop = asyncio.get_running_loop()
            program()

        super().__init__(in_its_loop)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Runs the program to its end."""
        self._ended.clear()
        try:
            return super().Run(request, context)  # type: ignore[no-untyped-call]
        except grpc.RpcError:
            return language_pb2.RunResponse()  # to nobody
        except RunError as error:  # of a task that waited for the engine; gRPC would log it with its traceback
            return language_pb2.RunResponse(error=str(error))
        finally:
            try:
                self._end_tasks()
            finally:
                self._ended.set()

    def wait(self) -> None:
        """Waits until the program has ended, once the engine has."""
        self._ended.wait(_END_S)

    def _end_tasks(self) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        loop.set_exception_handler(lambda *_: None)  # each is the engine's being gone
        deadline = time.monotonic() + _END_S
        while (tasks := asyncio.all_tasks(loop)) and time.monotonic() < deadline:
            for task in tasks:
                task.cancel()  # again and again: some take it for a failure of what they wait for, and go on
            with suppress(RuntimeError):  # the SDK has told the loop to stop, which ends this once
                loop.run_until_complete(asyncio.wait(tasks, timeout=0.1))
        loop.close()

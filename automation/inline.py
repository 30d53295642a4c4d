"""Serves a Pulumi program that runs in this process, and ends it properly where the engine ends first; hears events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi import RunError
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import events_pb2_grpc, language_pb2, language_pb2_grpc

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


@contextmanager
def serving(program: Program | None, on_event: Callable[[dict[str, Any]], None] | None) -> Iterator[list[str]]:
    """Serves the program and hears the events, on loopback; yields the arguments that tell the CLI where.

    Args:
        program: the program, if the command runs one.
        on_event: gets every event of the engine.
    """
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=_NO_SIZE_LIMIT)
    language = ProgramServer(program) if program else None
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    arguments: list[str] = []
    if language:
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(language, server)
        arguments += [f"--client={address}", "--exec-kind", "auto.inline"]
    if on_event:
        events_pb2_grpc.add_EventsServicer_to_server(_Listener(on_event), server)
        arguments += ["--event-log", f"tcp://{address}"]
    server.start()
    try:
        yield arguments
    finally:
        if language:
            language.wait()
        server.stop(0).wait()


_NO_SIZE_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class _Listener(events_pb2_grpc.EventsServicer):
    def __init__(self, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._on_event = on_event

    def StreamEvents(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Any:  # noqa: N802
        for request in request_iterator:
            self._on_event(json.loads(request.event))
        return empty_pb2.Empty()

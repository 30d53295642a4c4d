"""Serves a plugin for as long as the engine that started it lives."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import NoReturn

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

_WORKERS = 32  # one update has some 15 resources in flight; a thread that waits costs next to nothing
_PARENT_POLL_SECONDS = 0.25
_UNLIMITED = -1


def serve(servicer: provider_pb2_grpc.ResourceProviderServicer, clean_up: Callable[[], None]) -> NoReturn:
    """Serves on a free loopback port, says the port on stdout, and ends with the process.

    The engine ends a plugin with SIGINT; the answer is an immediate exit, since an orderly shutdown of gRPC can outlast
    the five seconds after which the engine kills, and a KeyboardInterrupt would show as a traceback in its output. An
    engine that is killed sends nothing: so the parent's process id is watched.

    Args:
        servicer: the provider.
        clean_up: called once before the process ends, from any thread; it must not block.
    """
    parent = os.getppid()

    def leave(_signal: int = 0, _frame: FrameType | None = None) -> NoReturn:
        clean_up()
        os._exit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)

    server = grpc.server(
        ThreadPoolExecutor(max_workers=_WORKERS),
        options=[
            ("grpc.max_receive_message_length", _UNLIMITED),
            ("grpc.max_send_message_length", _UNLIMITED),
            ("grpc.so_reuseport", 0),
        ],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the engine died before it could be watched
        leave()

    threading.Thread(target=_watch, args=(parent, leave), name="parent-watch", daemon=True).start()
    server.wait_for_termination()
    leave()


def _watch(parent: int, leave: Callable[[], NoReturn]) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_SECONDS)
    leave()

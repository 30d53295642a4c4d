"""The provider: Pulumi's own for dynamic resources, in a process that was forked for one run of the engine."""

from __future__ import annotations

import gc
import os
import runpy
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import pulumi.dynamic
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

from dataloop_sts import aws

_ORPHAN_S = 10.0
"""How long an engine may still come where whoever started the run was killed; one that comes later fails its run."""
_LOOK_S = 0.5


def prepare() -> None:
    """Loads what every provider needs, once; nothing of it depends on an environment, and no thread is started."""
    import_module("dataloop_sts.providers")
    aws.preload()
    gc.collect()
    gc.freeze()  # a collection in a child would copy the pages: https://docs.python.org/3/library/gc.html#gc.freeze


def serve(variables: Mapping[str, str], folder: str, port: int, parent: int) -> None:
    """Serves one run, until this process is ended or the engine is gone.

    Args:
        variables: the run's environment.
        folder: where its engine works.
        port: a descriptor, to which the port is written as a line.
        parent: the process that this one was forked from, which ends when whoever started the run does.
    """
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    os.dup2(port, sys.stdout.fileno())  # the SDK's provider prints its port
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.close(port)
    servicer: Any = provider_pb2_grpc.ResourceProviderServicer
    servicer.Attach = _Engine(parent).attach  # the SDK's provider, which the engine starts itself, has none
    runpy.run_module(pulumi.dynamic.__name__, run_name="__main__", alter_sys=True)


class _Engine:
    """The engine that the provider works for. The provider ends with it, whoever else is alive."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._attached = threading.Event()
        threading.Thread(target=self._end_with_it, daemon=True).start()

    def attach(self, request: Any, context: Any) -> Any:
        """Takes the engine's address; the SDK's provider, which is started by the engine, has it as an argument."""
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads what else is printed
        sys.argv = [pulumi.dynamic.__name__, request.address]
        self._attached.set()
        return empty_pb2.Empty()

    def _end_with_it(self) -> None:
        if self._comes():
            host, _, port = sys.argv[-1].rpartition(":")
            with suppress(OSError):
                while True:  # the engine closes a connection on which nothing is said, after two minutes
                    with socket.create_connection((host, int(port))) as connection:
                        while connection.recv(1 << 10):
                            pass
                    time.sleep(_LOOK_S)
        os._exit(0)

    def _comes(self) -> bool:
        while os.getppid() == self._parent:
            if self._attached.wait(_LOOK_S):
                return True
        return self._attached.wait(_ORPHAN_S)

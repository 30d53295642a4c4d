"""Sends a command's output to the engine, line by line, as the official plugin does."""

from __future__ import annotations

import contextlib

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_TIMEOUT_SECONDS = 5


class EngineLog:
    """The engine's log.

    Args:
        address: where the engine listens, as it tells a plugin in its first argument; None for nowhere.
    """

    def __init__(self, address: str | None) -> None:
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None

    def info(self, urn: str, line: str) -> None:
        """Logs a line under a resource; a line that the engine does not take is lost, the command goes on."""
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn)
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(request, timeout=_TIMEOUT_SECONDS)

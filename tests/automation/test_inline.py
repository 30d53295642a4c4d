"""A program whose engine goes away leaves nothing pending in this process, at whichever moment that is."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, language_pb2, resource_pb2, resource_pb2_grpc

from automation.inline import ProgramServer


class _Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers so many registrations; then the engine is gone, in the middle of a call."""

    def __init__(self, answers: int, gone: threading.Event) -> None:
        self._answers, self._gone = answers, gone

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._answers -= 1
        if self._answers < 0:
            self._gone.set()
            context.abort(grpc.StatusCode.UNAVAILABLE, "the engine is gone")
        return resource_pb2.RegisterResourceResponse(urn=f"urn:{request.name}", id="1", object=request.object)

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


class _Engine(engine_pb2_grpc.EngineServicer):
    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


@contextmanager
def _engine(answers: int) -> Iterator[str]:
    gone = threading.Event()
    server = grpc.server(ThreadPoolExecutor(8))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(_Monitor(answers, gone), server)
    engine_pb2_grpc.add_EngineServicer_to_server(_Engine(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stopping = threading.Thread(target=lambda: (gone.wait(), server.stop(0)))
    stopping.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        gone.set()
        stopping.join()


def _three_resources() -> None:
    for number in range(3):
        pulumi.ComponentResource("a:b:C", f"component-{number}")


@pytest.mark.parametrize("answers", range(4))
def test_an_engine_that_goes_away_leaves_nothing_pending(answers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: told.append(f"{it.err_msg} {it.object} {it.exc_value}"))
    with _engine(answers) as address:
        request = language_pb2.RunRequest(
            project="p", stack="s", monitor_address=address, args=[address], parallel=4, dryRun=False
        )
        ProgramServer(_three_resources).Run(request, None)
    gc.collect()
    assert told == []

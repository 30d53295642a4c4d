"""Drives a served plugin with the calls that the engine makes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from sandbox.plugins.values import marshal, plain, unmarshal

CHECKOUT = Path(__file__).parents[2]


@dataclass
class PluginProcess:
    """A served plugin and a channel to it."""

    process: subprocess.Popen[str]
    stub: provider_pb2_grpc.ResourceProviderStub

    def resource(self, token: str, name: str = "thing") -> Resource:
        return Resource(self.stub, f"urn:pulumi:dev::project::{token}::{name}")

    def check_config(self, settings: dict[str, Any]) -> dict[str, str]:
        answer = self.stub.CheckConfig(provider_pb2.CheckRequest(news=marshal(settings)), timeout=20)
        return {failure.property: failure.reason for failure in answer.failures}

    def configure(self, settings: dict[str, Any]) -> Any:
        return self.stub.Configure(provider_pb2.ConfigureRequest(args=marshal(settings)), timeout=20)

    def invoke(self, token: str) -> dict[str, Any]:
        answer = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token), timeout=20)
        return unmarshal(getattr(answer, "return"))


@dataclass
class Resource:
    """A resource as the engine handles it: the inputs, outputs and id of the last call are remembered."""

    stub: provider_pb2_grpc.ResourceProviderStub
    urn: str
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def check(self, news: dict[str, Any]) -> dict[str, str]:
        """Checks new inputs; answers the failures. The checked inputs are in `checked`."""
        answer = self.stub.Check(
            provider_pb2.CheckRequest(urn=self.urn, olds=marshal(self.inputs), news=marshal(news)), timeout=20
        )
        self.checked = unmarshal(answer.inputs)
        return {failure.property: failure.reason for failure in answer.failures}

    def create(self, news: dict[str, Any], *, preview: bool = False) -> dict[str, Any]:
        assert self.check(news) == {}
        answer = self.stub.Create(
            provider_pb2.CreateRequest(urn=self.urn, properties=marshal(self.checked), preview=preview), timeout=40
        )
        if not preview:
            self.id, self.inputs, self.outputs = answer.id, self.checked, unmarshal(answer.properties)
        return unmarshal(answer.properties)

    def diff(self, news: dict[str, Any], ignoring: Sequence[str] = ()) -> Any:
        assert self.check(news) == {}
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                id=self.id,
                urn=self.urn,
                olds=marshal(self.outputs),
                news=marshal(self.checked),
                old_inputs=marshal(self.inputs),
                ignoreChanges=ignoring,
            ),
            timeout=20,
        )

    def changes(self, news: dict[str, Any], ignoring: Sequence[str] = ()) -> dict[str, str]:
        """The detailed diff against new inputs: paths and kinds."""
        answer = self.diff(news, ignoring)
        assert (answer.changes == provider_pb2.DiffResponse.DIFF_SOME) == bool(answer.detailedDiff)
        kinds = provider_pb2.PropertyDiff.Kind.Name
        return {path: kinds(change.kind) for path, change in answer.detailedDiff.items()}

    def update(self, news: dict[str, Any], *, preview: bool = False, ignoring: Sequence[str] = ()) -> dict[str, Any]:
        assert self.check(news) == {}
        answer = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=self.id,
                urn=self.urn,
                olds=marshal(self.outputs),
                news=marshal(self.checked),
                old_inputs=marshal(self.inputs),
                ignoreChanges=ignoring,
                preview=preview,
            ),
            timeout=40,
        )
        if not preview:
            self.inputs, self.outputs = self.checked, unmarshal(answer.properties)
        return unmarshal(answer.properties)

    def refresh(self) -> dict[str, Any] | None:
        """Reads the resource; answers its outputs, or None if it is gone."""
        answer = self.stub.Read(
            provider_pb2.ReadRequest(
                id=self.id, urn=self.urn, properties=marshal(self.outputs), inputs=marshal(self.inputs)
            ),
            timeout=20,
        )
        if not answer.id:
            return None
        self.inputs, self.outputs = unmarshal(answer.inputs), unmarshal(answer.properties)
        return plain(self.outputs)

    def import_(self, resource_id: str) -> dict[str, Any]:
        """Reads a resource of which only the id is known; answers its inputs."""
        answer = self.stub.Read(provider_pb2.ReadRequest(id=resource_id, urn=self.urn), timeout=20)
        self.id, self.inputs, self.outputs = answer.id, unmarshal(answer.inputs), unmarshal(answer.properties)
        return {name: value for name, value in self.inputs.items() if name != "__defaults"}

    def delete(self) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(id=self.id, urn=self.urn, properties=marshal(self.outputs)), timeout=40
        )


def start_plugin(module: str, cwd: Path | None = None) -> PluginProcess:
    """Starts `python -m MODULE`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdout=subprocess.PIPE,
        text=True,
        cwd=cwd or CHECKOUT,
        env={**environment, "PYTHONPATH": str(CHECKOUT)},
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    return PluginProcess(process, provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}")))


def stop_plugin(plugin: PluginProcess) -> None:
    """Ends a plugin as the engine does, and sees that it obeys."""
    plugin.process.send_signal(signal.SIGINT)
    assert plugin.process.wait(timeout=5) == 0
    assert plugin.process.stdout is not None
    plugin.process.stdout.close()


def call_error(call: Any, *arguments: Any, **options: Any) -> grpc.RpcError:
    """The error that a call must end with."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value

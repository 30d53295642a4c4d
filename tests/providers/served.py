"""A served `python -m pulumi.dynamic`, and the calls that the engine makes of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

_TIMEOUT_S = 30
Props = dict[str, Any]


@dataclass
class Served:
    """The process, and one provider's calls; each speaks of properties as the engine does."""

    stub: provider_pb2_grpc.ResourceProviderStub
    engine: socket.socket

    def check(self, provider: ResourceProvider, olds: Props, news: Props) -> tuple[Props, list[str]]:
        """The checked inputs and the failures' reasons."""
        request = provider_pb2.CheckRequest(olds=self._struct(provider, olds), news=self._struct(provider, news))
        answer = self.stub.Check(request, timeout=_TIMEOUT_S)
        return _plain(answer.inputs), [failure.reason for failure in answer.failures]

    def diff(self, provider: ResourceProvider, id_: str, olds: Props, news: Props) -> tuple[bool, list[str]]:
        """Whether there are changes, and what makes it a replacement."""
        request = provider_pb2.DiffRequest(id=id_, olds=self._struct(provider, olds), news=self._struct(provider, news))
        answer = self.stub.Diff(request, timeout=_TIMEOUT_S)
        assert answer.changes != provider_pb2.DiffResponse.DIFF_UNKNOWN
        return answer.changes == provider_pb2.DiffResponse.DIFF_SOME, list(answer.replaces)

    def create(self, provider: ResourceProvider, props: Props) -> tuple[str, Props]:
        """The id and the outputs."""
        answer = self.stub.Create(self.create_request(provider, props), timeout=_TIMEOUT_S)
        return answer.id, _plain(answer.properties)

    def create_request(self, provider: ResourceProvider, props: Props) -> provider_pb2.CreateRequest:
        """What :meth:`create` sends, for a call that is not waited for."""
        return provider_pb2.CreateRequest(properties=self._struct(provider, props))

    def read(self, provider: ResourceProvider, id_: str, props: Props) -> tuple[str, Props]:
        """The id, empty where it is gone, and the outputs."""
        request = provider_pb2.ReadRequest(id=id_, properties=self._struct(provider, props))
        answer = self.stub.Read(request, timeout=_TIMEOUT_S)
        return answer.id, _plain(answer.properties)

    def update(self, provider: ResourceProvider, id_: str, olds: Props, news: Props) -> Props:
        """The outputs."""
        request = provider_pb2.UpdateRequest(
            id=id_, olds=self._struct(provider, olds), news=self._struct(provider, news)
        )
        return _plain(self.stub.Update(request, timeout=_TIMEOUT_S).properties)

    def delete(self, provider: ResourceProvider, id_: str, props: Props) -> None:
        """Deletes it."""
        request = provider_pb2.DeleteRequest(id=id_, properties=self._struct(provider, props))
        self.stub.Delete(request, timeout=_TIMEOUT_S)

    @staticmethod
    def _struct(provider: ResourceProvider, props: Props) -> struct_pb2.Struct:
        return json_format.ParseDict({**props, "__provider": serialize_provider(provider)}, struct_pb2.Struct())


def _plain(struct: struct_pb2.Struct) -> Props:
    props: Props = json_format.MessageToDict(struct)
    assert props.pop("__provider")
    return props


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[Served]:
    """The process with these variables, and an engine's address that answers, for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as engine:
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic", address],
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Served(provider_pb2_grpc.ResourceProviderStub(channel), engine)
        finally:
            process.kill()
            process.communicate()

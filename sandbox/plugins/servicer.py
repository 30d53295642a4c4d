"""The part of the provider protocol that is the same for every stand-in plugin."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.plugins.errors import DetailedStatus, InitializationError, ProviderError
from sandbox.plugins.values import marshal

_Method = TypeVar("_Method", bound=Callable[..., Any])


def answering(method: _Method) -> _Method:
    """Turns the errors that a method of a servicer raises into gRPC statuses of one clear message each."""

    @functools.wraps(method)
    def answer(self: BaseServicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except ProviderError as error:
            context.abort(error.code, str(error))
        except InitializationError as error:
            context.abort_with_status(_init_failed(error))
        except Exception as error:
            reported = self.explain(error)
            context.abort(reported.code, str(reported))

    return answer  # type: ignore[return-value]


class BaseServicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the calls that every plugin answers alike.

    Args:
        version: the version of the official plugin that this one stands in for, without a "v".
        accept_secrets: whether secret inputs arrive marked. If not, the engine marks an output secret when the input
            of the same name is.
    """

    def __init__(self, version: str, *, accept_secrets: bool) -> None:
        self.version = version
        self._accept_secrets = accept_secrets

    def explain(self, error: Exception) -> ProviderError:
        """The error that a user reads in the place of one that no code of the plugin raised."""
        return ProviderError(f"{type(error).__name__}: {error}", grpc.StatusCode.UNKNOWN)

    def Handshake(  # noqa: N802 - the protocol's name
        self, _request: provider_pb2.ProviderHandshakeRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=self._accept_secrets)

    def GetPluginInfo(  # noqa: N802
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    @answering
    def GetSchema(  # noqa: N802
        self, _request: provider_pb2.GetSchemaRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        raise ProviderError(
            "the sandbox's stand-in plugins have no schema to generate code from; the import itself is done: next time "
            "add --generate-code=false",
            grpc.StatusCode.UNIMPLEMENTED,
        )

    def Cancel(self, _request: empty_pb2.Empty, _context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def configured(self) -> provider_pb2.ConfigureResponse:
        """What Configure answers when it succeeds."""
        return provider_pb2.ConfigureResponse(acceptSecrets=self._accept_secrets, supportsPreview=True)


def _init_failed(error: InitializationError) -> DetailedStatus:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id, properties=marshal(error.properties), reasons=[error.reason]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=error.reason)
    status.details.add().Pack(detail)
    return DetailedStatus(
        grpc.StatusCode.UNKNOWN, error.reason, (("grpc-status-details-bin", status.SerializeToString()),)
    )

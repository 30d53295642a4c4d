"""Errors of a stand-in plugin, and the gRPC statuses that carry them to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc


class ProviderError(Exception):
    """A call failed; the message is what the user reads under the resource's name.

    Args:
        message: what happened and what to do next.
        code: how the engine takes it. UNKNOWN and INTERNAL leave the resource's state in doubt, every other code says
            that nothing was changed
            (https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/provider_plugin.go).
    """

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION) -> None:
        super().__init__(message)
        self.code = code


class InitializationError(Exception):
    """A resource was created or changed, but the call could not be completed.

    The engine records the id and the properties, shows the reason, and updates the resource next time.

    Args:
        resource_id: the provider's id of the resource.
        properties: its outputs, as far as they are known.
        reason: what the user reads.
    """

    def __init__(self, resource_id: str, properties: Mapping[str, Any], reason: str) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.properties = properties
        self.reason = reason


@dataclass(frozen=True)
class DetailedStatus(grpc.Status):  # type: ignore[misc]
    """A gRPC status with a serialized google.rpc.Status in its trailing metadata."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]

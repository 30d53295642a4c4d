"""Refuses settings that no policy takes: the engine passes over most, and a misspelt one would go unheeded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
from pulumi_policy import Policy
from pulumi_policy import policy as sdk

Settings = Mapping[str, Mapping[str, Any]]


def hold_settings_to(policies: Sequence[Policy]) -> None:
    """Lets the pack that is served from now on refuse settings of another policy, or by another name.

    The SDK offers no way to look at all settings, so its servicer is extended.

    Args:
        policies: of the pack.
    """

    class Servicer(sdk._PolicyAnalyzerServicer):  # type: ignore[misc]
        def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - gRPC's name
            given = {name: dict(config.properties.items()) for name, config in request.policyConfig.items()}
            if found := [*problems(given, policies)]:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "; ".join(found))
            return super().Configure(request, context)

    sdk._PolicyAnalyzerServicer = Servicer


def problems(given: Settings, policies: Sequence[Policy]) -> Iterator[str]:
    """What is wrong with the names in the settings.

    Args:
        given: the settings by the policy's name.
        policies: of the pack.
    """
    known = {policy.name: policy.config_schema.properties if policy.config_schema else {} for policy in policies}
    for name, settings in given.items():
        if name not in known and name != "all":
            yield f"the policies' settings name {name!r}, which is no policy: there are {', '.join(sorted(known))}"
        for setting in settings if name in known else ():
            if setting not in known[name]:
                takes = ", ".join(known[name]) or "no setting but enforcementLevel"
                yield f"the policy {name} has no setting {setting!r}: it takes {takes}"

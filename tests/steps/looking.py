"""How the tests run a preflight."""

from __future__ import annotations

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.preflight import Findings, PreflightRequest, preflight


def look(request: PreflightRequest) -> Findings:
    """Runs the preflight with the environment's client."""
    return preflight(request, DataloopClient.shared)


def problems(request: PreflightRequest) -> dict[str, str]:
    """The problems' messages by their paths."""
    found = look(request).problems
    assert len({problem.path for problem in found}) == len(found)
    return {problem.path: problem.message for problem in found}

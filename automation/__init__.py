"""Runs stacks of dataloop-sts from Python and from the command line, through Pulumi's automation API.

What a service needs is here, and its errors are in :mod:`automation.errors`. Each name is imported when it is first
asked for: a command that reads records does not load what runs stacks.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automation import errors
    from automation.awaiting import in_thread
    from automation.connection import Connection
    from automation.environment import Environment, EnvironmentSettings
    from automation.events import Progress
    from automation.fleet import Fleet, Limits, Operation, Report, Row
    from automation.fleet import Progress as FleetProgress
    from automation.records import Record, all_of, find
    from automation.repair.mending import Finding
    from automation.results import Outcome, PastRun, Step
    from automation.rotation import Rotation
    from automation.selection import Selection

__all__ = [
    "Connection",
    "Environment",
    "EnvironmentSettings",
    "Finding",
    "Fleet",
    "FleetProgress",
    "Limits",
    "Operation",
    "Outcome",
    "PastRun",
    "Progress",
    "Record",
    "Report",
    "Rotation",
    "Row",
    "Selection",
    "Step",
    "all_of",
    "errors",
    "find",
    "in_thread",
]
_HOMES = {
    "Connection": "connection:Connection",
    "Environment": "environment:Environment",
    "EnvironmentSettings": "environment:EnvironmentSettings",
    "Finding": "repair.mending:Finding",
    "Fleet": "fleet:Fleet",
    "FleetProgress": "fleet:Progress",
    "Limits": "fleet:Limits",
    "Operation": "fleet:Operation",
    "Outcome": "results:Outcome",
    "PastRun": "results:PastRun",
    "Progress": "events:Progress",
    "Record": "records:Record",
    "Report": "fleet:Report",
    "Rotation": "rotation:Rotation",
    "Row": "fleet:Row",
    "Selection": "selection:Selection",
    "Step": "results:Step",
    "all_of": "records:all_of",
    "errors": "errors",
    "find": "records:find",
    "in_thread": "awaiting:in_thread",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{__name__}.{_HOMES[name]}")

"""Runs stacks of dataloop-sts from Python and from the command line, through Pulumi's automation API.

What a service needs is here, and its errors are in :mod:`automation.errors`.
"""

from automation import errors
from automation.awaiting import in_thread
from automation.connection import Connection
from automation.environment import Environment, EnvironmentSettings
from automation.events import Progress
from automation.fleet import Fleet, Limits, Operation, Report, Row
from automation.fleet import Progress as FleetProgress
from automation.records import Record, all_of, find
from automation.repair import Finding
from automation.results import Outcome, PastRun
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
    "all_of",
    "errors",
    "find",
    "in_thread",
]

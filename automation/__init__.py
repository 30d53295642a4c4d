"""Runs stacks of dataloop-sts from Python and from the command line, through Pulumi's automation API."""

from automation.connection import Connection
from automation.environment import Environment
from automation.events import Progress
from automation.fleet import Fleet
from automation.records import Record, find
from automation.results import Outcome, PastRun

__all__ = ["Connection", "Environment", "Fleet", "Outcome", "PastRun", "Progress", "Record", "find"]

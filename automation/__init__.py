"""Runs stacks of dataloop-sts from Python and from the command line, through Pulumi's automation API."""

from automation.connection import Connection, Outcome
from automation.environment import Environment

__all__ = ["Connection", "Environment", "Outcome"]

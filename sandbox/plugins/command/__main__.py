"""Starts the stand-in for pulumi-resource-command: `python -m sandbox.plugins.command [ENGINE_ADDRESS]`."""

import sys

from sandbox.plugins.command.engine_log import EngineLog
from sandbox.plugins.command.processes import Processes
from sandbox.plugins.command.provider import CommandProvider
from sandbox.plugins.serving import serve

processes = Processes()
serve(CommandProvider(processes, EngineLog(sys.argv[1] if len(sys.argv) > 1 else None)), clean_up=processes.kill)

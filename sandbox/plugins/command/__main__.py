"""Starts the stand-in for pulumi-resource-command: `python -m sandbox.plugins.command [ENGINE_ADDRESS]`."""

import sys

from sandbox.plugins import protocol

protocol.load_alone()

from sandbox.plugins.command.engine_log import EngineLog  # noqa: E402
from sandbox.plugins.command.processes import Processes  # noqa: E402
from sandbox.plugins.command.provider import CommandProvider  # noqa: E402
from sandbox.plugins.serving import serve  # noqa: E402

processes = Processes()
serve(CommandProvider(processes, EngineLog(sys.argv[1] if len(sys.argv) > 1 else None)), clean_up=processes.kill)

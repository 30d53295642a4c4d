"""Runs the Pulumi CLI for one stack: one process for a command, the program in this one, events as they happen.

The automation API's own `Stack` starts up to eight processes for an update (version, select, init, config, up, output
twice, history); only the update itself is needed, since settings are files and outputs are in the state.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi import automation
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import events_pb2_grpc, language_pb2_grpc

from automation.errors import StackError
from dataloop_sts.redaction import one_line, redact

Event = dict[str, Any]
"""An engine event as JSON: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go."""
Program = Callable[[], None]
OnOutput = Callable[[str], None]
OnEvent = Callable[[Event], None]


class CommandFailed(StackError):  # noqa: N818
    """The CLI ended with an error; ``output`` is all that it said, redacted."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def run(
    arguments: list[str],
    work_dir: Path,
    variables: Mapping[str, str],
    *,
    program: Program | None = None,
    on_output: OnOutput | None = None,
    on_event: OnEvent | None = None,
) -> str:
    """Runs one command of the CLI to its end.

    Args:
        arguments: such as ``["up", "--yes", "--stack", "dev"]``; never a secret, since arguments can be seen.
        work_dir: the folder with Pulumi.yaml.
        variables: environment variables beside those of this process.
        program: the Pulumi program, run in this process.
        on_output: gets every line of both outputs, redacted.
        on_event: gets every event of the engine.

    Returns:
        Standard output, as it is.

    Raises:
        CommandFailed: the command failed; the message is the CLI's own, in one line.
        StackError: there is no usable CLI.
    """
    pulumi = _pulumi(os.environ.get("PATH", ""))
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if on_output:
            on_output(redact(line))

    with _serving(program, on_event) as more:
        try:
            return pulumi.run([*arguments, *more], str(work_dir), _environment(variables), hear, hear).stdout
        except automation.CommandError:
            output = redact("\n".join(lines))
            raise CommandFailed(_reason(output), output) from None


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """For the CLI and all it starts: this Python first, for the dynamic providers and the steps."""
    here = str(Path(sys.executable).parent)
    return {
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_DEBUG_COMMANDS": "true",  # lets the CLI know --event-log
        **variables,
        "PATH": here + os.pathsep + variables.get("PATH", os.environ.get("PATH", "")),
    }


@cache
def _pulumi(path: str) -> automation.PulumiCommand:
    """The CLI on this PATH; asked for its version once."""
    try:
        return automation.PulumiCommand()
    except (FileNotFoundError, automation.InvalidVersionError) as error:
        raise StackError(
            f"No usable `pulumi` on PATH ({one_line(str(error))}): see `python -m sandbox doctor`."
        ) from None


@contextmanager
def _serving(program: Program | None, on_event: OnEvent | None) -> Iterator[list[str]]:
    """Serves the program and hears the events, on loopback; yields the arguments that tell the CLI where."""
    if program is None and on_event is None:
        yield []
        return
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=_NO_SIZE_LIMIT)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    arguments: list[str] = []
    if program:
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(program), server)
        arguments += [f"--client={address}", "--exec-kind", "auto.inline"]
    if on_event:
        events_pb2_grpc.add_EventsServicer_to_server(_Listener(on_event), server)
        arguments += ["--event-log", f"tcp://{address}"]
    server.start()
    try:
        yield arguments
    finally:
        server.stop(0).wait()


_NO_SIZE_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class _Listener(events_pb2_grpc.EventsServicer):
    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    def StreamEvents(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Any:  # noqa: N802
        for request in request_iterator:
            self._on_event(json.loads(request.event))
        return empty_pb2.Empty()


# What the CLI says besides, wherever something failed.
_FOLLOWING = ("update failed", "preview failed", "Resource monitor has terminated, shutting down")


def _reason(output: str) -> str:
    """The CLI's own words out of all that it printed; of a step that failed the step's last line, with its mend."""
    paragraphs = [[line.strip() for line in part.splitlines()] for part in re.split(r"\n\s*\n", output.strip())]
    said = [
        lines[-1] if line.endswith(":") else line.removeprefix("error:").strip()
        for lines in paragraphs
        for line in lines
        if line.startswith("error:")
    ]
    specific = [words for words in said if words not in _FOLLOWING]
    return one_line("; ".join(dict.fromkeys(specific or said)) or " ".join(paragraphs[-1][-5:]), limit=None)

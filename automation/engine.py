"""Runs the Pulumi CLI for one stack: one process for a command, the program in this one, events as they happen.

The automation API's own `Stack` starts up to eight processes for an update (version, select, init, config, up, output
twice, history); only the update itself is needed, since settings are files and outputs are in the state.

Pulumi's SDK is imported when a command is run, not with this module: it takes longer than all that needs no engine.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

from automation.errors import StackError
from automation.fork_server.client import forks
from dataloop_sts.redaction import one_line, redact

if TYPE_CHECKING:
    from automation.inline import Program

Event = dict[str, Any]
"""An engine event as JSON: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go."""
OnOutput = Callable[[str], None]
OnEvent = Callable[[Event], None]


SDK = threading.RLock()
"""Held while Pulumi's SDK is imported: its modules import each other in circles, and two threads would see halves."""
RUN_BY_VARIABLE = "DATALOOP_STS_RUN_BY"
"""In the CLI's environment the process that started it: another parent means that this one is dead."""
GRACE_S = 60.0
"""How long the engine may take to end cleanly once it is interrupted: it lets the calls under way come back."""


class Stop:
    """Asks a command that runs, and all that follow with the same stop, to end; from any thread."""

    def __init__(self) -> None:
        self.asked = False
        self.because = ""
        self.timed_out = False
        self._wake = threading.Event()

    def ask(self, because: str = "") -> None:
        """Asks; ``because`` says why and what mends it, where nobody wanted it to end."""
        self.because = self.because or because
        self.asked = True
        self._wake.set()


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
    stop: Stop | None = None,
    deadline: float | None = None,
) -> str:
    """Runs one command of the CLI to its end.

    Args:
        arguments: such as ``["up", "--yes", "--stack", "dev"]``; never a secret, since arguments can be seen.
        work_dir: the folder with Pulumi.yaml.
        variables: environment variables beside those of this process.
        program: the Pulumi program, run in this process.
        on_output: gets every line of both outputs, redacted.
        on_event: gets every event of the engine.
        stop: ends the command when it is asked to: an interrupt, and where that does not end it in :data:`GRACE_S`, a
            kill of the CLI and all that it started. So does an interrupt of this process.
        deadline: in seconds of :func:`time.monotonic`; then the command is ended likewise.

    Returns:
        Standard output, as it is.

    Raises:
        CommandFailed: the command failed or was ended; the message is the CLI's own, in one line.
        StackError: there is no usable CLI.
    """
    _usable_cli(os.environ.get("PATH", ""))
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if on_output:
            on_output(redact(line))

    environment = _environment(variables)
    with _served(program, on_event, environment, work_dir) as (more, found):
        command = ["pulumi", "--non-interactive", *arguments, *more]
        code, said = _ran(command, work_dir, {**environment, **found}, hear, stop or Stop(), deadline)
    if code:
        output = redact("\n".join(lines))
        raise CommandFailed(_killed(-code) if code < 0 else _reason(output), output)
    return said


def _ran(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    hear: OnOutput,
    stop: Stop,
    deadline: float | None,
) -> tuple[int, str]:
    """Runs a program to its end, whatever happens here; returns its exit code and standard output."""
    stop._wake.clear()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # an interrupt of the terminal reaches it once only, through this process
    )
    said: list[str] = []
    readers = [
        threading.Thread(target=_read, args=(process.stdout, said, hear), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, [], hear), daemon=True),
        threading.Thread(target=_wake_at_the_end, args=(process, stop), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        if not stop.asked:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            stop.timed_out = not stop._wake.wait(left)
    finally:
        if early := process.poll() is None:
            _end(process)
        for reader in readers:
            reader.join(_READ_OUT_S)
    # an engine that is interrupted at its very beginning does nothing, and says that all went well (3.274, destroy)
    return process.returncode or (-signal.SIGINT if early else 0), "\n".join(said)


_READ_OUT_S = 5.0  # of a program that has ended: a process that it left could hold its outputs open for ever


def _wake_at_the_end(process: subprocess.Popen[str], stop: Stop) -> None:
    process.wait()
    stop._wake.set()


def _read(stream: IO[str], said: list[str], hear: OnOutput) -> None:
    with stream:
        for line in stream:
            said.append(line.rstrip())
            hear(said[-1])


def _end(process: subprocess.Popen[str]) -> None:
    """Lets it end cleanly; one that does not is killed, with all that it started."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_S)
    except BaseException as error:  # a second interrupt too
        process.kill()
        for pid in psutil.pids():  # plugins are groups of their own, in the session that was begun for the CLI
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) == process.pid:
                    os.kill(pid, signal.SIGKILL)
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """For the CLI and all it starts: this Python first, for the dynamic providers and the steps."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PULUMI_AUTOMATION_API": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_DEBUG_COMMANDS": "true",  # lets the CLI know --event-log
        RUN_BY_VARIABLE: str(os.getpid()),
        **variables,
        "PATH": here + os.pathsep + variables.get("PATH", os.environ.get("PATH", "")),
    }


@cache
def _usable_cli(path: str) -> None:
    """Makes sure of the CLI on this PATH; asked for its version once."""
    with SDK:
        from pulumi import automation
    try:
        automation.PulumiCommand()
    except (FileNotFoundError, automation.InvalidVersionError) as error:
        raise StackError(
            f"No usable `pulumi` on PATH ({one_line(str(error))}): see `python -m sandbox doctor`."
        ) from None


@contextmanager
def _served(
    program: Program | None, on_event: OnEvent | None, environment: Mapping[str, str], folder: Path
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """What a command that works on resources needs beside it; yields arguments and variables that tell the CLI where.

    Other commands have neither a program nor events, and need nothing.
    """
    if program is None and on_event is None:
        yield [], {}
        return
    with SDK:
        from automation.inline import serving
    with forks(environment, folder) as variables, serving(program, on_event) as arguments:
        yield arguments, variables


def _words(lines: list[str]) -> str:
    """What an error says that begins with the first line: all of several, the last line where it is a step's."""
    if lines[0].endswith("errors occurred:"):
        return "; ".join(lines[1:])
    return lines[-1] if lines[0].endswith(":") else lines[0].removeprefix("error:").strip()


# What the CLI says besides, wherever something failed.
_FOLLOWING = ("update failed", "preview failed", "Resource monitor has terminated, shutting down")


def _killed(number: int) -> str:
    return (
        f"signal {number} ({signal.strsignal(number)}) has ended the Pulumi CLI, for want of memory perhaps: "
        "`dataloop-sts repair`, then the same command."
    )


def _reason(output: str) -> str:
    """The CLI's own words out of all that it printed; of a step that failed the step's last line, with its mend."""
    paragraphs = [[line.strip() for line in part.splitlines()] for part in re.split(r"\n\s*\n", output.strip())]
    said = [
        _words(lines[number:]) for lines in paragraphs for number, line in enumerate(lines) if line.startswith("error:")
    ]
    specific = [words for words in said if words not in _FOLLOWING]
    return one_line("; ".join(dict.fromkeys(specific or said)) or " ".join(paragraphs[-1][-5:]), limit=None)

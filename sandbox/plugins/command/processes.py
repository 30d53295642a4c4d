"""Runs commands, each in a process group of its own, so that none outlives the plugin."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Finished:
    """A command that ended.

    Attributes:
        status: the exit status; negative for a signal.
        stdout: what it wrote to stdout.
        stderr: what it wrote to stderr.
        output: both, in the order in which they came.
    """

    status: int
    stdout: str
    stderr: str
    output: str


class Processes:
    """The commands that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._ended = False

    def run(
        self,
        arguments: Sequence[str],
        *,
        directory: str | None,
        environment: Mapping[str, str],
        stdin: str,
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
    ) -> Finished:
        """Runs a command to its end.

        Args:
            arguments: the program and its arguments.
            directory: where it runs; None for the plugin's own.
            environment: all of its environment variables.
            stdin: what it reads from stdin; nothing if empty.
            on_stdout: called with each line of stdout as it comes, without its newline.
            on_stderr: the same for stderr.

        Raises:
            OSError: it could not be started.
            RuntimeError: the update was cancelled before it could start.
        """
        with self._lock:
            if self._ended:
                raise RuntimeError("the update was cancelled")
            process = subprocess.Popen(
                list(arguments),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running.add(process.pid)
        try:
            return _to_the_end(process, stdin, on_stdout, on_stderr)
        finally:
            with self._lock:
                self._running.discard(process.pid)

    def kill(self) -> None:
        """Ends every command with its children, and lets no other start."""
        with self._lock:
            self._ended = True
            for group in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


def _to_the_end(
    process: subprocess.Popen[bytes], stdin: str, on_stdout: Callable[[str], None], on_stderr: Callable[[str], None]
) -> Finished:
    output: list[bytes] = []
    collected: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

    def collect(name: str, stream: IO[bytes], on_line: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                collected[name].append(line)
                output.append(line)
                on_line(line.decode(errors="replace").rstrip("\n"))

    def feed(stream: IO[bytes]) -> None:
        with contextlib.suppress(BrokenPipeError), stream:  # a command need not read all that it is given
            stream.write(stdin.encode())

    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
    threads = [
        threading.Thread(target=collect, args=("stdout", process.stdout, on_stdout), daemon=True),
        threading.Thread(target=collect, args=("stderr", process.stderr, on_stderr), daemon=True),
    ]
    if process.stdin is not None:
        threads.append(threading.Thread(target=feed, args=(process.stdin,), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = process.wait()
    texts = {name: b"".join(lines).decode(errors="replace") for name, lines in collected.items()}
    return Finished(status, texts["stdout"], texts["stderr"], b"".join(output).decode(errors="replace"))

"""`python -m sandbox` as a user runs it, on a state folder of its own."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sandbox.instance import STATE_DIR_VARIABLE
from sandbox.serve import pid_file_holder

CHECKOUT = Path(__file__).parents[2]


class SandboxCommand:
    """`python -m sandbox` of one state folder; the developer's own sandbox is never touched."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", *arguments],
            cwd=CHECKOUT,
            env={**os.environ, STATE_DIR_VARIABLE: str(self.state_dir), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        try:
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
        assert "Traceback" not in stderr
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def done(self, *arguments: str, **environment: str) -> str:
        """Runs a command that must work, and returns what it printed."""
        finished = self.run(*arguments, **environment)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    @property
    def pid(self) -> int | None:
        holder = pid_file_holder(self.state_dir / "pid")
        return holder.pid if holder else None

    def kill(self) -> None:
        """Ends whatever this started and still runs, in the foreground and in the background."""
        for process in self._started:
            process.kill()
            process.wait()
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

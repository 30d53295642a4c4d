"""Runs a sandbox: in this process for a test (`running_sandbox`), or as one (`serve`) that others find and end."""

import errno
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox import SandboxError
from sandbox.ready import AwsReady, DataloopReady, ReadyFile, no_proxy

HOST = "127.0.0.1"
_PID_FILE_CHECK_S = 2.0
_END_S = 10.0


@contextmanager
def running_sandbox(*, aws_port: int = 0, dataloop_port: int = 0) -> Iterator[ReadyFile]:
    """A sandbox in this process, for as long as the block runs; port 0 means any free one.

    One at a time in a process: moto keeps its world in module globals. Raises SandboxError where a port is taken.
    """
    # Both first, so that no start is for nothing.
    _require_free_port(aws_port, "--aws-port")
    _require_free_port(dataloop_port, "--dataloop-port")
    if aws_port and aws_port == dataloop_port:
        raise SandboxError(f"--aws-port and --dataloop-port are both {aws_port}; name two, or 0 for any free one")

    # Imported here, since moto and boto3 take a second that `status` and `env` need not pay.
    from sandbox.aws.server import AwsServer
    from sandbox.dataloop.server import DataloopServer

    with ExitStack() as running:
        aws = AwsServer(port=aws_port, host=HOST)
        aws.start()
        running.callback(aws.stop)
        dataloop = DataloopServer(aws.endpoint_url, port=dataloop_port, host=HOST)
        dataloop.start()
        running.callback(dataloop.stop)
        yield ReadyFile(aws=AwsReady.model_validate(aws), dataloop=DataloopReady.model_validate(dataloop))


def serve(
    ready_file: Path,
    *,
    aws_port: int = 0,
    dataloop_port: int = 0,
    pid_file: Path | None = None,
    report: Callable[[str], None],
) -> None:
    """Run a sandbox until SIGTERM, SIGINT or SIGHUP, which end it cleanly; call it on the main thread.

    `ready_file` is written once AWS and Dataloop both answer, and removed at the end if it is still this sandbox's.
    `pid_file` is held locked for as long as the process lives; when it vanishes, the sandbox ends by itself.
    Raises SandboxError where a port or the pid file is taken, or the ready file cannot be written.
    """
    # Blocked before any thread starts, so that every thread inherits it and only sigwait below receives them: no
    # handler can then interrupt a start or a stop halfway.
    stop_signals = {signal.SIGTERM, signal.SIGINT}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        stop_signals.add(signal.SIGHUP)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)

    _leave_real_environment()
    if not ready_file.parent.is_dir() or ready_file.is_dir():
        raise SandboxError(f"cannot write the ready file {ready_file}: name a file in a folder that exists")
    with ExitStack() as held:
        if pid_file is not None:
            descriptor = _hold_pid_file(pid_file)
            held.callback(os.close, descriptor)
            _stop_when_gone(pid_file, descriptor)
        ready_file.unlink(missing_ok=True)  # or whoever waits for it would take a dead sandbox's for ours
        ready = held.enter_context(running_sandbox(aws_port=aws_port, dataloop_port=dataloop_port))
        ready.write_atomically(ready_file)
        held.callback(_remove_if_ours, ready_file, ready)
        report(f"AWS       {ready.aws.endpoint_url}")
        report(f"Dataloop  {ready.dataloop.api_url}")
        report(f"ready     {ready_file} (stop with Ctrl-C or SIGTERM)")
        signal.sigwait(stop_signals)


@dataclass(frozen=True)
class Holder:
    """The process that holds a pid file, and since when."""

    pid: int
    since: datetime


def pid_file_holder(path: Path) -> Holder | None:
    """The live process that holds the pid file, or None.

    The lock decides, not the number in the file: the system drops it with its process, however that ended, so a file
    left behind, copied, or naming a process id that now belongs to something else is never taken for a sandbox.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        for _ in range(100):
            if _lock(descriptor, fcntl.LOCK_SH):
                return None
            written = os.pread(descriptor, 32, 0).strip()
            if written.isdigit():
                return Holder(int(written), datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC))
            time.sleep(0.02)  # the holder has the lock and is about to write its number
        raise SandboxError(f"{path} is locked by a process that does not say which it is; end it, then try again")
    finally:
        os.close(descriptor)


def start_detached(
    ready_file: Path, pid_file: Path, log_file: Path, *, aws_port: int, dataloop_port: int
) -> subprocess.Popen[bytes]:
    """Start `python -m sandbox serve` in a session of its own, so that it outlives its parent and the terminal."""
    command = [sys.executable, "-m", "sandbox", "serve", "--ready-file", str(ready_file), "--pid-file", str(pid_file)]
    command += ["--aws-port", str(aws_port), "--dataloop-port", str(dataloop_port)]
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],  # where `sandbox` is importable, installed or not
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


def end_holder(pid_file: Path) -> bool:
    """End the process that holds the pid file: SIGTERM, and SIGKILL after ten seconds. False where there is none.

    Raises SandboxError where the process is another user's, or does not end.
    """
    holder = pid_file_holder(pid_file)
    if holder is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(holder.pid, number)
        except ProcessLookupError:
            return True
        except PermissionError:
            raise SandboxError(
                f"the sandbox (process {holder.pid}) belongs to another user; ask them to end it"
            ) from None
        deadline = time.monotonic() + _END_S
        while time.monotonic() < deadline:
            if pid_file_holder(pid_file) is None:
                return True
            time.sleep(0.05)
    raise SandboxError(f"the sandbox (process {holder.pid}) does not end, not even killed; end it, then try again")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection's remains do not count
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _require_free_port(port: int, option: str) -> None:
    if port and not is_free(port):
        raise SandboxError(
            f"port {port} of {HOST} is in use or not allowed ({option}); name another one, or 0 for any free port"
        )


def _leave_real_environment() -> None:
    """Forget the shell's AWS settings and proxies: the servers call each other on loopback with their own keys."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    os.environ.update(AWS_EC2_METADATA_DISABLED="true")
    os.environ.update(dict.fromkeys(("NO_PROXY", "no_proxy"), no_proxy(os.environ)))
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request would fill the log


def _remove_if_ours(path: Path, ready: ReadyFile) -> None:
    with suppress(SandboxError, OSError):
        if ReadyFile.read(path) == ready:
            path.unlink()


def _hold_pid_file(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(100):
        if _lock(descriptor, fcntl.LOCK_EX):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor
        time.sleep(0.02)  # `pid_file_holder` of another process holds it for an instant
    os.close(descriptor)
    raise SandboxError(f"another sandbox holds {path}; end it first: python -m sandbox down")


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop_when_gone(pid_file: Path, descriptor: int) -> None:
    """Ends the sandbox when its folder is deleted, since no command could find it again."""
    ours = os.fstat(descriptor).st_ino

    def watch() -> None:
        while True:
            time.sleep(_PID_FILE_CHECK_S)
            try:
                gone = pid_file.stat().st_ino != ours
            except FileNotFoundError:
                gone = True
            if gone:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, name="pid-file-watch", daemon=True).start()

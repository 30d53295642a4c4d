"""The one background sandbox of a checkout: started, stopped, asked after and forgotten."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from sandbox import SandboxError
from sandbox.ready import FOREIGN_VARIABLES, ReadyFile
from sandbox.serve import Holder, end_holder, is_free, pid_file_holder, start_detached
from sandbox.stacks import RememberedStack, remembered_stacks

PASSPHRASE = "sandbox"  # noqa: S105 - it encrypts the secrets of a throwaway world
STATE_DIR_VARIABLE = "DATALOOP_STS_SANDBOX_DIR"
_MARKER_NAME = ".gitignore"
_MARKER = "# The state of `python -m sandbox`: private, and thrown away by `python -m sandbox reset`.\n*\n"
_KEPT_ENGINE_LOGS = 40
_POLL_S = 0.05


class Status(BaseModel):
    """What is known of a checkout's sandbox. `ready` is None while it is starting, and while it is not running."""

    model_config = ConfigDict(frozen=True)

    state_dir: Path
    pid: int | None
    since: AwareDatetime | None
    ready: ReadyFile | None
    stacks: tuple[RememberedStack, ...]

    @property
    def running(self) -> bool:
        return self.pid is not None

    @property
    def notice(self) -> str | None:
        """What to do about stacks that remember an earlier sandbox; None where there is nothing to do."""
        stale = [stack for stack in self.stacks if stack.stale]
        if not stale:
            return None
        names = ", ".join(f"stack {each.stack} ({each.stale} resources)" for each in stale)
        return (
            f"Pulumi's state is older than this sandbox, which started empty: {names}. Forget it and begin again: "
            "python -m sandbox reset"
        )


class Instance:
    """The background sandbox of one checkout, or of any folder named by `state_dir` (several may run side by side).

    `state_dir` holds, readable by its owner only: ready.json, pid (locked while the sandbox lives), serve.log,
    ports.json (so that a restart answers where the stack's AWS provider remembers it), pulumi-home/ and backend/.
    """

    def __init__(self, checkout: Path | None = None, *, state_dir: Path | None = None) -> None:
        self.checkout = (checkout or find_checkout()).resolve()
        self.state_dir = (state_dir or self.checkout / ".sandbox").absolute()
        self.ready_file = self.state_dir / "ready.json"
        self.pid_file = self.state_dir / "pid"
        self.log_file = self.state_dir / "serve.log"
        self.ports_file = self.state_dir / "ports.json"
        self.pulumi_home = self.state_dir / "pulumi-home"
        self.backend = self.state_dir / "backend"
        self._child: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the state folder and what belongs in it. Raises SandboxError where the folder is someone else's."""
        try:
            self._claim_state_dir()
            for folder in (self.pulumi_home, self.backend):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SandboxError(f"cannot keep the sandbox's state in {self.state_dir}: {error.strerror}") from None
        self._trim_engine_logs()

    def up(self, *, timeout_s: float = 60.0) -> bool:
        """Start the sandbox unless it runs, and return once it answers: True where it was started by this call.

        Raises SandboxError, with the end of its log, where it does not answer in time; nothing is left running then.
        """
        self.prepare()
        with self._exclusive():
            if self._holder():
                self._wait_until_ready(timeout_s)
                return False
            self._child = self._start()
            try:
                self._wait_until_ready(timeout_s)
            except BaseException:
                self._terminate()
                raise
            self._remember_ports()
            return True

    def down(self) -> bool:
        """Stop the sandbox: SIGTERM, and SIGKILL after ten seconds. False where it was not running."""
        if not _is_claimed(self.state_dir):
            return False
        with self._exclusive():
            was_running = self._terminate()
            self.ready_file.unlink(missing_ok=True)
            return was_running

    def reset(self) -> tuple[RememberedStack, ...]:
        """Stop the sandbox and forget its Pulumi stacks, which are returned; plugins and engine settings stay."""
        if not self.state_dir.is_dir():
            return ()
        self._claim_state_dir()
        with self._exclusive():
            self._terminate()
            self.ready_file.unlink(missing_ok=True)
            forgotten = remembered_stacks(self.backend, sandbox_start=None)
            if self.backend.is_symlink():
                self.backend.unlink()  # what it leads to lies outside the sandbox
            elif self.backend.exists():
                shutil.rmtree(self.backend)
        return forgotten

    def status(self) -> Status:
        """Look, and change nothing."""
        holder = self._holder()
        since = holder.since if holder else None
        ready = None
        if holder:
            with suppress(SandboxError):
                ready = ReadyFile.read(self.ready_file)
        return Status(
            state_dir=self.state_dir,
            pid=holder.pid if holder else None,
            since=since,
            ready=ready,
            stacks=remembered_stacks(self.backend, sandbox_start=since),
        )

    def ready(self) -> ReadyFile:
        """Where the running sandbox answers. Raises SandboxError where it does not run."""
        if not self._holder():
            raise SandboxError("the sandbox is not running; start it: python -m sandbox up")
        if not self.ready_file.exists():
            raise SandboxError("the sandbox is still starting; wait until it answers: python -m sandbox up")
        return ReadyFile.read(self.ready_file)

    def environment(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The variables in which `pulumi` and this project's programs work in the sandbox.

        PATH and NO_PROXY extend those of `environ`; everything else replaces what is there, the passphrase too, since
        Pulumi.dev.yaml belongs to that one. FOREIGN_VARIABLES must be unset beside it: see `process_environment`.
        Raises SandboxError where the sandbox does not run.
        """
        # Imported here, since the engine's set-up is of no interest to the rest.
        from sandbox.engine.engines import locate
        from sandbox.engine.plugins import find_plugins

        ready = self.ready()
        self.prepare()
        variables = ready.variables(environ) | {
            "PULUMI_HOME": str(self.pulumi_home),
            "PULUMI_BACKEND_URL": self.backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        first_on_path = [self.checkout / ".venv" / "bin"]
        if engine := locate():
            first_on_path.insert(0, engine.bin_dir)
        if any(plugin.source == "stand-in" for plugin in find_plugins(self.pulumi_home)):
            # The engine would try for seconds to download what is not there, instead of saying so.
            variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        path = [*map(str, first_on_path), *environ.get("PATH", os.defpath).split(os.pathsep)]
        return variables | {"PATH": os.pathsep.join(dict.fromkeys(path))}

    def process_environment(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """A whole environment for a child process: `environ` without FOREIGN_VARIABLES, under `environment`."""
        kept = {name: value for name, value in environ.items() if name not in FOREIGN_VARIABLES}
        return kept | self.environment(environ)

    def _holder(self) -> Holder | None:
        """The process that serves this sandbox; one that locks a file named pid in someone else's folder is none."""
        return pid_file_holder(self.pid_file) if _is_claimed(self.state_dir) else None

    def _claim_state_dir(self) -> None:
        """`reset` deletes in here: take no folder that holds someone else's files.

        Folders of other sandboxes may lie in it, as the demo's does in a checkout that has no other yet.
        """
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Listed before the marker is looked for: a command that runs beside this one sets the marker first.
        entries = list(self.state_dir.iterdir())
        if not _is_claimed(self.state_dir):
            foreign = [
                each.name for each in entries if not (each.name.startswith(f"{_MARKER_NAME}.") or _is_claimed(each))
            ]
            if foreign:
                raise SandboxError(
                    f"{self.state_dir} holds files that are not a sandbox's ({min(foreign)}); "
                    "move them away, or name an empty or a new folder"
                )
            descriptor, aside = tempfile.mkstemp(prefix=f"{_MARKER_NAME}.", dir=self.state_dir)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(_MARKER)
            Path(aside).replace(self.state_dir / _MARKER_NAME)
        self.state_dir.chmod(0o700)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One command at a time changes this sandbox; a second one waits for the first."""
        with (self.state_dir / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # bounded, since whoever holds it waits for a bounded time
            yield

    def _start(self) -> subprocess.Popen[bytes]:
        self.ready_file.unlink(missing_ok=True)
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".log.1"))  # tells why the last one ended
        aws_port, dataloop_port = self._remembered_ports()
        return start_detached(
            self.ready_file, self.pid_file, self.log_file, aws_port=aws_port, dataloop_port=dataloop_port
        )

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.ready_file.exists():
            ended = self._child.poll() is not None if self._child else self._holder() is None
            if ended:
                raise SandboxError(f"the sandbox ended while it started: {self._last_words()}")
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"the sandbox has not answered for {timeout_s:.0f} s: {self._last_words()}; "
                    "end it with `python -m sandbox down`, then try again"
                )
            time.sleep(_POLL_S)

    def _last_words(self) -> str:
        lines = (
            self.log_file.read_text(encoding="utf-8", errors="replace").split("\n") if self.log_file.exists() else []
        )
        spoken = [line.strip() for line in lines if line.strip()]
        last = spoken[-1].removeprefix("Error: ") if spoken else "it said nothing"
        return f"{last} (log: {self.log_file})"

    def _terminate(self) -> bool:
        """End the process that holds the pid file, and the one that this object started. True where there was one."""
        was_running = end_holder(self.pid_file)
        if self._child:
            self._child.kill()  # nothing happens where it has ended; it may not have reached its pid file yet
            self._child.wait()
            self._child = None
        return was_running

    def _remembered_ports(self) -> tuple[int, int]:
        """The ports of the last start, each 0 where there was none or where something else listens now."""
        try:
            ports = TypeAdapter(dict[str, int]).validate_json(self.ports_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return 0, 0
        wanted = (ports.get("aws", 0), ports.get("dataloop", 0))
        aws, dataloop = (port if 0 < port < 65536 and is_free(port) else 0 for port in wanted)
        return aws, dataloop

    def _remember_ports(self) -> None:
        ready = ReadyFile.read(self.ready_file)
        urls = {"aws": ready.aws.endpoint_url, "dataloop": ready.dataloop.api_url}
        self.ports_file.write_text(
            json.dumps({name: urlsplit(url).port for name, url in urls.items()}), encoding="utf-8"
        )

    def _trim_engine_logs(self) -> None:
        """Pulumi adds a log to its home with each command, and never removes one."""
        logs = []
        for log in self.pulumi_home.glob("logs/*"):
            with suppress(FileNotFoundError):  # a command that runs beside this one trims too
                if log.is_file():
                    logs.append((log.stat().st_mtime, log))
        for _, log in sorted(logs, reverse=True)[_KEPT_ENGINE_LOGS:]:
            log.unlink(missing_ok=True)


def _is_claimed(folder: Path) -> bool:
    """Whether a sandbox keeps its state in this folder: many a folder has a .gitignore, but not this one."""
    try:
        return (folder / _MARKER_NAME).read_text(encoding="utf-8", errors="replace") == _MARKER
    except (FileNotFoundError, NotADirectoryError):
        return False


def find_checkout() -> Path:
    """The checkout that this package lies in, else the one around the current folder. Raises SandboxError."""
    for folder in (Path(__file__).parents[1], Path.cwd(), *Path.cwd().parents):
        if (folder / "pyproject.toml").is_file() and (folder / "sandbox").is_dir():
            return folder
    raise SandboxError("there is no checkout of dataloop-sts here; change to its folder, then try again")

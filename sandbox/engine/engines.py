"""Finds Pulumi's engine, or gets it: official from PATH, official from its installer, or built with a stand-in host."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.engine import build, cache, network, versions
from sandbox.engine.errors import EngineError

__all__ = ["Engine", "EngineError", "ensure", "locate"]

_LANGUAGE_HOST = "pulumi-language-python"
_STAND_IN_FILES = (
    versions.HERE / "launchers" / _LANGUAGE_HOST,
    versions.HERE / "launchers" / "pulumi-resource-pulumi-python",
    versions.HERE / "python_runtime.py",
)
_INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Engine:
    """A Pulumi CLI with a language host for Python. `bin_dir` goes first on PATH."""

    pulumi: Path
    version: str
    source: Literal["path", "installed", "built"]
    language_host: Literal["official", "stand-in"]
    bin_dir: Path


def locate() -> Engine | None:
    """Return the engine that is there, in the order of `ensure`; install nothing."""
    return _on_path() or _installed() or _built()


def ensure(report: Callable[[str], None]) -> Engine:
    """Return the engine; where there is none, get the official one or else build it, and say so in lines to `report`.

    Raises EngineError, with the mend, where none can be had.
    """
    found = locate()
    if found:
        return found
    if network.official_answers():
        try:
            return _install(report)
        except EngineError as error:
            report(f"{error}.")
    else:
        report(f"{network.OFFICIAL} does not answer.")
    return _build(report)


def _on_path() -> Engine | None:
    """An official CLI of the user's own; the sandbox's, which its environment puts on PATH, is not one."""
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if folder and not _is_the_sandboxs(Path(folder).resolve())
    ]
    path = os.pathsep.join(folders)
    pulumi = shutil.which("pulumi", path=path)
    if not pulumi:
        return None
    beside = os.pathsep.join([str(Path(pulumi).resolve().parent), path])
    if not shutil.which(_LANGUAGE_HOST, path=beside):
        return None
    version = _version_of(Path(pulumi))
    if not version or not versions.fits(version):
        return None
    return Engine(Path(pulumi), version, "path", "official", Path(pulumi).parent)


def _is_the_sandboxs(folder: Path) -> bool:
    """A stand-in gives itself away wherever it lies: XDG_CACHE_HOME may have been another one when it was built."""
    return folder.is_relative_to(cache.folder().resolve()) or (folder / _STAND_IN_FILES[-1].name).exists()


def _installed() -> Engine | None:
    return _cached(cache.folder() / _installed_entry(), f"v{versions.sdk()}", "installed")


def _built() -> Engine | None:
    return _cached(cache.folder() / _built_entry(), versions.built_cli(), "built")


def _cached(path: Path, version: str, source: Literal["installed", "built"]) -> Engine | None:
    pulumi = path / "bin" / "pulumi"
    if not pulumi.exists():
        return None
    return Engine(pulumi, version, source, "official" if source == "installed" else "stand-in", pulumi.parent)


def _installed_entry() -> str:
    return f"engine-v{versions.sdk()}-official-{versions.host_platform()}"


def _built_entry() -> str:
    """The name carries the language host's content too: another checkout may have another one."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in _STAND_IN_FILES))
    return f"engine-{build.cli_entry().removeprefix('cli-')}-{digest.hexdigest()[:12]}"


def _install(report: Callable[[str], None]) -> Engine:
    """Run the SDK's own installer, in a process of its own since it has no time limit."""
    report(f"Installing the Pulumi CLI v{versions.sdk()} by its official installer ...")

    def install(aside: Path) -> None:
        script = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"
        try:
            done = subprocess.run(
                [sys.executable, "-c", script, str(aside)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"The official installer did not finish in {_INSTALL_SECONDS} seconds") from None
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise EngineError(f"The official installer failed ({said})")
        if not (aside / "bin" / _LANGUAGE_HOST).exists():
            raise EngineError("The official installer brought no language host for Python")

    cache.entry(_installed_entry(), install, report)
    return _there(_installed())


def _build(report: Callable[[str], None]) -> Engine:
    cli = build.build_cli(report)

    def assemble(aside: Path) -> None:
        """The CLI looks for its language host beside itself, symbolic links resolved: hence a hard link to it."""
        folder = aside / "bin"
        folder.mkdir()
        (folder / "pulumi").hardlink_to(cli)
        for file in _STAND_IN_FILES:
            shutil.copy(file, folder)
            executable = file.suffix == ""
            (folder / file.name).chmod(0o755 if executable else 0o644)

    cache.entry(_built_entry(), assemble, report)
    return _there(_built())


def _there(engine: Engine | None) -> Engine:
    if not engine:
        raise EngineError(f"{cache.folder()} was changed while the engine was set up: run this again")
    return engine


def _version_of(pulumi: Path) -> str | None:
    try:
        said = subprocess.run(
            [pulumi, "version"],
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout.strip()
        versions.numbers(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return said

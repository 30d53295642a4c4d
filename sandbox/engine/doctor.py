"""Tells which engine, language host and plugins are in use here, and what is missing, with the mend."""

import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox import SandboxError
from sandbox.engine import build, cache, versions
from sandbox.engine.engines import Engine, locate
from sandbox.engine.plugins import find_plugins

_CHECKOUT = Path(__file__).resolve().parents[2]
_SETUP = "python -m sandbox setup"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and, where it is not as it should be, the mend."""

    name: str
    ok: bool
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All checks; `ok` where nothing that is needed is missing, so that the exit code can be `not ok`."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The shape that `python -m sandbox doctor --json` prints."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}

    def lines(self) -> list[str]:
        """One line for each check, and one for each mend."""
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{'ok     ' if check.ok else 'MISSING'}  {check.name:{width}}  {check.found}")
            if check.mend:
                lines.append(f"{'':{width + 9}}  -> {check.mend}")
        return lines


def report(state_dir: Path | None = None) -> Report:
    """Look at everything and change nothing; `state_dir` is the sandbox's, by default this checkout's."""
    engine = locate()
    folder = state_dir or _CHECKOUT / ".sandbox"
    return Report(
        (
            _python(),
            _project(),
            *_engine(engine),
            *_plugins(folder / "pulumi-home"),
            Check("cache folder", True, str(cache.folder())),
            _sandbox(folder),
        )
    )


def _python() -> Check:
    in_environment = sys.prefix != sys.base_prefix
    found = f"{platform.python_version()} in {sys.prefix}" + ("" if in_environment else " (no virtual environment)")
    fits = in_environment and sys.version_info >= (3, 11)
    return Check("Python", fits, found, "" if fits else "make setup, then use .venv/bin/python")


def _project() -> Check:
    """The engine starts plugins in other directories: they find the project only where it is installed."""
    asked = subprocess.run(
        [sys.executable, "-P", "-c", "import sandbox; print(sandbox.__path__[0])"],
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        return Check("project", False, "not installed in this environment", "make setup")
    installed = Path(asked.stdout.strip()).resolve().parent
    if installed == _CHECKOUT:
        return Check("project", True, str(_CHECKOUT))
    return Check("project", False, f"{installed} is installed, not {_CHECKOUT}", "make clean setup")


def _engine(engine: Engine | None) -> list[Check]:
    if engine:
        return [
            Check("engine", True, f"Pulumi {engine.version}, {engine.source}: {engine.pulumi}"),
            Check("language host", True, f"{engine.language_host}, SDK {versions.sdk()}"),
        ]
    needed = ".".join(map(str, versions.oldest_cli()))
    missing = Check("engine", False, f"no Pulumi {needed} or newer on PATH, and none set up", _SETUP)
    go = build.find_go()
    if go:
        return [missing, Check("Go", True, f"{go}, for a build where the official installer does not answer")]
    wanted = ".".join(map(str, versions.oldest_go()))
    return [missing, Check("Go", True, f"none from {wanted} on: {versions.GO_FROM_PYPI} would be fetched for a build")]


def _plugins(pulumi_home: Path) -> list[Check]:
    there = {plugin.name: plugin for plugin in find_plugins(pulumi_home)}
    checks = []
    for name in versions.PLUGINS:
        if name in there:
            found = f"{there[name].version}, {there[name].source}: {there[name].path}"
            checks.append(Check(f"plugin {name}", True, found))
        else:
            checks.append(Check(f"plugin {name}", False, f"no {versions.plugin(name)} in {pulumi_home}", _SETUP))
    return checks


def _sandbox(state_dir: Path) -> Check:
    """A sandbox that is down is no fault: it is started when it is wanted."""
    from sandbox.instance import Instance

    try:
        status = Instance(state_dir=state_dir).status()
    except SandboxError as error:
        return Check("sandbox", False, str(error), "python -m sandbox reset")
    if status.ready:
        return Check("sandbox", True, f"running, AWS at {status.ready.aws.endpoint_url}", status.notice or "")
    return Check("sandbox", True, "not running (python -m sandbox up starts it)", status.notice or "")

"""Puts the resource plugins into a PULUMI_HOME: the official ones where they can be had, else the stand-ins."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.engine import cache, network, versions
from sandbox.engine.engines import Engine
from sandbox.engine.errors import EngineError

CHOICE_VARIABLE = "DATALOOP_STS_SANDBOX_PLUGINS"
"""`official` or `stand-in` forces the choice, which is otherwise made once, when the plugins are first set up."""

Source = Literal["official", "stand-in"]
_INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Plugin:
    """A resource plugin in a PULUMI_HOME; `path` is its program."""

    name: str
    version: str
    source: Source
    path: Path


def find_plugins(pulumi_home: Path) -> list[Plugin]:
    """The plugins of the versions that the installed SDKs ask for, as far as they are there."""
    plugins = []
    for name in versions.PLUGINS:
        version = versions.plugin(name)
        path = _folder(pulumi_home, name, version) / f"pulumi-resource-{name}"
        if path.exists():
            with path.open("rb") as file:
                source: Source = "stand-in" if file.read(2) == b"#!" else "official"
            plugins.append(Plugin(name, version, source, path))
    return plugins


def ensure_plugins(engine: Engine, pulumi_home: Path, report: Callable[[str], None]) -> list[Plugin]:
    """Put the plugins into `pulumi_home` and return them: all official, or all stand-ins, which `report` is told.

    The official ones are kept in the cache folder, so that they are downloaded once. Raises EngineError where the
    official ones are asked for by DATALOOP_STS_SANDBOX_PLUGINS and cannot be had.
    """
    choice = os.environ.get(CHOICE_VARIABLE, "")
    if choice not in ("", "official", "stand-in"):
        raise EngineError(f"{CHOICE_VARIABLE} is {choice!r}: set it to official or stand-in, or unset it")
    there = find_plugins(pulumi_home)
    sources = {plugin.source for plugin in there}
    if len(there) == len(versions.PLUGINS) and len(sources) == 1 and (not choice or sources == {choice}):
        if sources == {"stand-in"}:
            _write_stand_ins(pulumi_home)  # the checkout may have moved
        return find_plugins(pulumi_home)
    official = None if choice == "stand-in" else _official(engine, report, required=choice == "official")
    for name in versions.PLUGINS:
        target = _folder(pulumi_home, name, versions.plugin(name))
        shutil.rmtree(target, ignore_errors=True)
        if official:  # a folder of its own: the engine passes over symbolic links
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(official / target.name, target, copy_function=_link_or_copy)
    if not official:
        _write_stand_ins(pulumi_home)
    plugins = find_plugins(pulumi_home)
    named = ", ".join(f"{plugin.name} {plugin.version}" for plugin in plugins)
    if official:
        report(f"Plugins: the official ones ({named}).")
    else:
        report(f"Plugins: the sandbox's stand-ins ({named}), which serve loopback endpoints only.")
    return plugins


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _folder(pulumi_home: Path, name: str, version: str) -> Path:
    """https://github.com/pulumi/pulumi/blob/v3.274.1/sdk/go/common/workspace/plugins.go"""
    return pulumi_home / "plugins" / f"resource-{name}-v{version}"


def _official(engine: Engine, report: Callable[[str], None], *, required: bool) -> Path | None:
    """The folder of the official plugins in the cache; None where they cannot be had and need not be."""
    named = "-".join(f"{name}-v{versions.plugin(name)}" for name in versions.PLUGINS)
    entry = f"plugins-{named}-{versions.host_platform()}"
    if not (cache.folder() / entry).exists() and not network.official_answers():
        if required:
            raise EngineError(f"the official plugins cannot be had: {network.OFFICIAL} does not answer")
        return None

    def install(aside: Path) -> None:
        for name in versions.PLUGINS:
            version = versions.plugin(name)
            report(f"Installing the official plugin {name} {version} ...")
            try:
                done = subprocess.run(
                    [engine.pulumi, "plugin", "install", "resource", name, f"v{version}"],
                    env=os.environ | {"PULUMI_HOME": str(aside), "PULUMI_SKIP_UPDATE_CHECK": "true"},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=_INSTALL_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise EngineError(f"the plugin {name} {version} did not arrive in {_INSTALL_SECONDS} seconds") from None
            if done.returncode or not _folder(aside, name, version).is_dir():
                said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                raise EngineError(f"the official plugin {name} {version} could not be installed ({said})")

    try:
        return cache.entry(entry, install, report) / "plugins"
    except EngineError as error:
        if required:
            raise
        report(f"{error}.")
        return None


def _write_stand_ins(pulumi_home: Path) -> None:
    """Each is a script that becomes this interpreter, with the sandbox's plugin in it: its first line is its port."""
    for name in versions.PLUGINS:
        path = _folder(pulumi_home, name, versions.plugin(name)) / f"pulumi-resource-{name}"
        script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -u -P -m sandbox.plugins.{name} "$@"\n'
        if path.exists() and path.read_text("utf-8") == script:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(script, "utf-8")
        aside.chmod(0o755)
        aside.replace(path)

"""What has to be the same where a run of the fleet is begun and on each worker that does a part of it."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import automation
import dataloop_sts
from automation.environment import Environment
from automation.stores import LocalStore, store_of
from dataloop_sts.digest import hash_of_text

PROGRAM, PYTHON, DASK = "dataloop-sts", "Python", "Dask"
FOLDER, BACKEND, BACKEND_FOLDER, API = "the project folder", "the backend", "the backend's folder", "Dataloop's API"
_MARK = "folder-id"
_NAMESPACE, _BOOT = Path("/proc/self/ns/pid"), Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Place:
    """Where a worker runs.

    Attributes:
        surroundings: what is compared, by name.
        has_engine: whether there is a `pulumi` on its PATH.
        host: the name by which the locks of its engines are told apart.
        machine: what numbers its processes, where that is known: two of the same host name must not differ in it.
    """

    surroundings: Mapping[str, str]
    has_engine: bool
    host: str
    machine: str


@cache
def versions() -> Mapping[str, str]:
    """Versions by name; that of this program with a hash of its text, since work on it does not change the number."""
    text = "".join(hash_of_text(Path(str(package.__file__)).parent) for package in (automation, dataloop_sts))
    program = f"{version('dataloop-sts')} ({_hash(text)[:12]})"
    return {PROGRAM: program, PYTHON: "{}.{}".format(*sys.version_info), DASK: version("distributed")}


def surroundings(environment: Environment) -> dict[str, str]:
    """What has to be the same, by name; of addresses, which may hold a password, a hash."""
    known = {**os.environ, **environment.variables()}
    backend = known.get("PULUMI_BACKEND_URL", "")
    return {
        **versions(),
        FOLDER: _mark_file(environment).read_text() if _mark_file(environment).is_file() else "",
        BACKEND: _hash(backend),
        BACKEND_FOLDER: _made_at(backend),
        API: _hash(known.get("DATALOOP_API_URL", "")),
    }


def mark(environment: Environment) -> None:
    """Makes sure that the project folder has a mark, by which workers see that theirs is the same one.

    Raises:
        OSError: it cannot be written.
    """
    file = _mark_file(environment)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError), file.open("x") as new:
        new.write(secrets.token_hex(8))


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What differs, in words; what was not known when the run was begun does not count."""
    differing = [name for name, value in wanted.items() if value and found.get(name) != value]
    told = (PROGRAM, PYTHON, DASK)
    return [f"{name} is {found.get(name)}, not {wanted[name]}" if name in told else name for name in differing]


def look(environment: Environment) -> Place:
    """What a worker finds where it runs."""
    machine = ""
    with suppress(OSError):  # not Linux
        machine = f"{_BOOT.read_text().strip()} {_NAMESPACE.stat().st_ino}"
    return Place(surroundings(environment), shutil.which("pulumi") is not None, socket.gethostname(), machine)


def _mark_file(environment: Environment) -> Path:
    return environment.work_dir("fleet") / _MARK


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else "none"


def _made_at(backend: str) -> str:
    """When a backend in a folder was made, by a file that is written once; empty where that is not known."""
    store = store_of(backend)
    if not isinstance(store, LocalStore):
        return ""
    try:
        return str(int((store.root / ".pulumi" / "meta.yaml").stat().st_mtime))
    except OSError:
        return ""

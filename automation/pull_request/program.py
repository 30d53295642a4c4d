"""Which changed files of a repository are the program's, and which are another environment's."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from automation.environment import EnvironmentSettings
from dataloop_sts import naming

_FOLDERS = ("automation", "dataloop_sts", "policy")
_FILES = ("*.py", "Pulumi.yaml")
_DEPENDENCIES = (
    "requirements*.txt",
    "requirements*.in",
    "constraints*.txt",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "*.lock",
    "pylock*.toml",
    "Pipfile",
    ".python-version",
)
"""Files by which Python projects fix what they are run with, in the project's folder or in one above it."""


@dataclass(frozen=True)
class Sorted:
    """Changed files, each of one kind; those that change no connection are left out.

    Attributes:
        program: of the program, its dependencies and the policies.
        elsewhere: environments, other than the one in question, that have changed files of their own.
    """

    program: tuple[str, ...]
    elsewhere: tuple[str, ...]


def sort(names: Iterable[str], *, prefix: str, environment: str, settings: Iterable[EnvironmentSettings]) -> Sorted:
    """Sorts the names of changed files.

    Args:
        names: relative to the repository.
        prefix: the project's folder in the repository, with a slash at the end; or empty.
        environment: the one in question.
        settings: its settings on both sides, which may name policies elsewhere.
    """
    policies = {
        posixpath.normpath(posixpath.join(prefix, path))
        for each in settings
        for path in (each.policy_pack, each.policy_config)
        if path
    }
    program, elsewhere = [], set()
    for name in names:
        if _is_program(name, prefix) or any(name == path or name.startswith(f"{path}/") for path in policies):
            program.append(name)
        elif (other := _environment_of(name.removeprefix(prefix))) and name.startswith(prefix):
            elsewhere.add(other)
    return Sorted(tuple(program), tuple(sorted(elsewhere - {environment})))


def _is_program(name: str, prefix: str) -> bool:
    path = PurePosixPath(name)
    if name.startswith(prefix):
        inside = PurePosixPath(name.removeprefix(prefix))
        if inside.parts[0] in _FOLDERS or (len(inside.parts) == 1 and _fits(path, _FILES)):
            return True
    return _fits(path, _DEPENDENCIES) and f"{prefix}/".startswith("" if path.parent.name == "" else f"{path.parent}/")


def _fits(path: PurePosixPath, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path.name, pattern) for pattern in patterns)


def _environment_of(inside: str) -> str | None:
    """The environment that a file in the project's folder belongs to."""
    first, *rest = inside.split("/")
    own = first.removeprefix("Pulumi.").removesuffix(".yaml") if first.startswith("Pulumi.") else ""
    name = rest[0] if first == "customers" and len(rest) > 1 else own if not rest else ""
    return name if naming.SLUG.fullmatch(name) else None

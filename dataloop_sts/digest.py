"""What a run declares, in one word: where it is the one that was applied last, nothing has to be run again."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

from dataloop_sts.spec import ConnectionSpec

OUTPUT = "applied_digest"
"""Name of the stack output that keeps it."""
_PACKAGES = ("pulumi", "pulumi-aws", "pulumi-command")


def digest(spec: ConnectionSpec, *, environment: str, sandbox: bool) -> str:
    """The digest of an ordinary run: version of this package, and a hash of all that decides what is declared.

    Args:
        spec: the connection; what it leaves to defaults counts as the defaults.
        environment: the environment's name, from which names derive.
        sandbox: whether the AWS side is the sandbox.
    """
    settings = {
        "spec": spec.model_dump(mode="json"),
        "environment": environment,
        "sandbox": sandbox,
        "program": _program(),
    }
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return f"{_version()}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


@cache
def _version() -> str:
    """This package's version."""
    return version("dataloop-sts")


@cache
def _program() -> str:
    """A hash of the program's text and the versions of the SDKs whose defaults it uses.

    The text, since a version stays the same while one works on the program.
    """
    versions = "".join(f"{name} {version(name)}\n" for name in _PACKAGES)
    return hashlib.sha256(f"{versions}{hash_of_text(Path(__file__).parent)}".encode()).hexdigest()


def hash_of_text(package: Path) -> str:
    """A hash of the text of all modules below a folder."""
    whole = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        text = file.read_bytes()
        whole.update(f"{file.relative_to(package).as_posix()} {len(text)}\n".encode())
        whole.update(text)
    return whole.hexdigest()

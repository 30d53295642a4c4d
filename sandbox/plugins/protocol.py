"""Loads the protocol's generated modules out of the Pulumi SDK without the SDK around them.

Importing the SDK takes most of a plugin's start, and two plugins start with every command of the engine; of the SDK a
plugin needs the generated modules alone, and those import nothing but each other.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_alone() -> None:
    """Makes `pulumi.runtime.proto` importable without running the packages above it; for a plugin's process only.

    Raises:
        ModuleNotFoundError: the SDK is not installed.
    """
    found = importlib.util.find_spec("pulumi")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the Pulumi SDK for Python is not installed", name="pulumi")
    folder = Path(found.origin).parent
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package

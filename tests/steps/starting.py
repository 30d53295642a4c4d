"""Steps as pulumi-command starts them: each a process, which runs the step or hands it over."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from tests.steps.aws_world import World


@dataclass(frozen=True)
class Starting:
    """How steps are started.

    Attributes:
        found: what is in the environment beside the world, by which a step finds who runs it.
    """

    found: dict[str, str]

    def run(self, words: str, stdin: str, world: World, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a step, such as ``key_description write``, to its end; the request on its standard input."""
        name, *arguments = words.split()
        return subprocess.run(
            [sys.executable, "-m", f"dataloop_sts.{name}", *arguments],
            input=stdin,
            env={"PATH": "/usr/bin:/bin", **world.environment, **self.found, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

"""Fixtures: sandboxes with state folders of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox_instance.command import SandboxCommand


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxCommand]:
    """One sandbox for the tests that only ask it, in a folder whose name a shell and a URL must quote."""
    command = SandboxCommand(tmp_path_factory.mktemp("running") / 'it\'s 100% "mine"')
    command.done("up")
    yield command
    command.kill()


@pytest.fixture
def new_command(tmp_path: Path) -> Iterator[Callable[..., SandboxCommand]]:
    """Makes commands of state folders of their own; whatever still runs at the end of the test is killed."""
    made: list[SandboxCommand] = []

    def make(name: str = "state") -> SandboxCommand:
        made.append(SandboxCommand(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def command(new_command: Callable[[], SandboxCommand]) -> SandboxCommand:
    return new_command()

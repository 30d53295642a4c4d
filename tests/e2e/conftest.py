"""The end-to-end tests' fixtures: a sandbox of each test worker's own, and projects in it on the real engine."""

from __future__ import annotations

import copy
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import CHECKOUT, Project, World, running_world

_counter = itertools.count(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox of this test worker's own, in processes of its own."""
    with running_world(tmp_path_factory.mktemp("sandbox") / "state") as world:
        yield world


def _project(world: World, parent: Path, **changes: Any) -> Project:
    number = next(_counter)
    customer = f"c{number}-{os.getpid()}"
    folder = parent / customer
    folder.mkdir()
    (folder / ".venv").symlink_to(CHECKOUT / ".venv")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(CHECKOUT / name, folder)
    spec = {
        "customer": customer,
        "organization_id": world.ready.dataloop.org_id,
        "aws": {"region": "eu-west-1", "account_id": world.ready.aws.account_id},
        "on_destroy": "delete",
        "drivers": [
            {
                "name": f"{customer}-images",
                "project_id": world.ready.dataloop.project_id,
                "bucket": {"name": f"dataloop-{customer}"},
                "allow_delete": False,
            }
        ],
        **changes,
    }
    project = Project(folder, world, f"e{number}-{os.getpid()}", spec)
    project.pulumi("stack", "init", project.stack).ok()
    project.configure()
    return project


@pytest.fixture
def new_project(world: World, tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Makes projects, each with a customer of its own; what they leave goes with the sandbox."""

    def make(**changes: Any) -> Project:
        return _project(world, tmp_path, **changes)

    yield make
    world.clear_faults()


@pytest.fixture(scope="module")
def _shared_project(world: World, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return _project(world, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def empty_project(_shared_project: Project) -> Iterator[Project]:
    """A project for tests that make nothing: they share one, and what each does to its settings is undone."""
    spec = copy.deepcopy(_shared_project.spec)
    yield _shared_project
    _shared_project.spec, _shared_project.sandbox, _shared_project.extra = spec, True, {}
    _shared_project.plain = False
    _shared_project.world.clear_faults()


@pytest.fixture
def project(new_project: Callable[..., Project]) -> Project:
    """One project with a customer of its own."""
    return new_project()

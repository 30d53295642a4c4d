"""Which changed files are the program's."""

from __future__ import annotations

import pytest

from automation.environment import EnvironmentSettings
from automation.pull_request import program

SETTINGS = EnvironmentSettings(policy_pack="../shared/pack", policy_config="config/policies.json")


def sort(name: str, prefix: str = "infra/aws/") -> program.Sorted:
    return program.sort([name], prefix=prefix, environment="prod", settings=[SETTINGS])


@pytest.mark.parametrize(
    "name",
    [
        "infra/aws/dataloop_sts/spec.py",
        "infra/aws/automation/cli/frame.py",
        "infra/aws/policy/requirements.txt",
        "infra/aws/policy",  # a submodule
        "infra/aws/__main__.py",
        "infra/aws/ours.py",
        "infra/aws/Pulumi.yaml",
        "infra/aws/requirements.txt",
        "infra/requirements-dev.txt",
        "pyproject.toml",
        "uv.lock",
        "infra/shared/pack/__main__.py",
        "infra/aws/config/policies.json",
    ],
)
def test_of_the_program_are_its_code_dependencies_and_policies(name: str) -> None:
    assert sort(name) == program.Sorted((name,), ())
    if name.startswith("infra/aws/") and "config" not in name:
        inside = name.removeprefix("infra/aws/")
        assert sort(inside, "") == program.Sorted((inside,), ())


@pytest.mark.parametrize(
    "name",
    [
        "infra/aws/README.md",
        "infra/aws/docs/errors.md",
        "infra/aws/tests/test_it.py",
        "infra/aws/customers/prod/acme.yaml",
        "infra/aws/customers/prod/requirements.yaml",
        "infra/aws/customers/README.md",
        "infra/aws/Pulumi.prod.yaml",
        "infra/aws-old/dataloop_sts/spec.py",
        "infra/aws-old/requirements.txt",
        "dataloop_sts/spec.py",
        "infra/tool/pyproject.toml",
        "in",
        "infra/a",
        ".github/workflows/ci.yml",
    ],
)
def test_all_else_changes_no_connection(name: str) -> None:
    assert sort(name) == program.Sorted((), ())


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("infra/aws/customers/dev/acme.yaml", ("dev",)),
        ("infra/aws/customers/dev/_environment.yaml", ("dev",)),
        ("infra/aws/Pulumi.dev.yaml", ("dev",)),
        ("infra/aws/Pulumi.Dev.yaml", ()),
        ("infra/aws/customers/README/acme.yaml", ()),
        ("infra/customers/dev/acme.yaml", ()),
    ],
)
def test_other_environments_are_known_by_their_files(name: str, environment: tuple[str, ...]) -> None:
    assert sort(name) == program.Sorted((), environment)

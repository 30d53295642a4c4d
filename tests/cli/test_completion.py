"""The shell is offered customers and environments by the names of files, as bash, zsh and fish ask for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("dataloop-sts")
HEAVY = ("pulumi", "grpc", "boto3", "botocore", "requests", "rich")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for environment, names in {"dev": ["acme.yaml"], "prod": ["globex.yaml", "globe.yml", "initech.yaml"]}.items():
        folder = tmp_path / "customers" / environment
        folder.mkdir(parents=True)
        for name in [*names, "_defaults.yaml"]:
            (folder / name).write_text("not: [valid")
    (tmp_path / "Pulumi.demo.yaml").touch()
    (tmp_path / "Pulumi.dev.acme.yaml").touch()
    return tmp_path


def offered(project: Path, line: str, shell: str = "bash") -> list[str]:
    """What the shell gets for a line whose last word is being typed."""
    words = line.split(" ")
    variables = {
        "_DATALOOP_STS_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [COMMAND], cwd=project, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dataloop-sts up ", ["acme"]),
        ("dataloop-sts -e prod destroy glob", ["globe", "globex"]),
        ("dataloop-sts --environment prod records show i", ["initech"]),
        ("dataloop-sts -e prod fleet up --select g", ["globe", "globex"]),
        ("dataloop-sts -e nowhere up ", []),
        ("dataloop-sts -e ", ["demo", "dev", "prod"]),
        ("dataloop-sts rev", ["revoke"]),
    ],
)
def test_bash_is_offered_what_is_there(project: Path, line: str, words: list[str]) -> None:
    assert offered(project, line) == words


def test_fish_and_zsh_are_offered_the_same(project: Path) -> None:
    assert offered(project, "dataloop-sts -e prod up glob", "fish") == ["globe", "globex"]
    assert '"globe" "globex"' in " ".join(offered(project, "dataloop-sts -e prod up glob", "zsh"))


def test_neither_help_nor_completion_nor_records_load_what_runs_stacks(project: Path) -> None:
    look = f"import sys, automation.cli; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", look], cwd=project, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

"""``dataloop-sts changed`` as a script and a person meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.pull_request.repository import OWN_STACK, Repo


def changed(repo: Repo, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "automation.cli", "-e", "prod", *before, "changed", *arguments]
    root = str(Path(__file__).resolve().parents[2])
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root}
    return subprocess.run(command, cwd=repo.project, env=environment, capture_output=True, text=True, timeout=120)


def test_it_prints_json_and_tells_people_the_same(repo: Repo) -> None:
    for number in range(25):
        repo.record(f"new-{number:02}")
    (repo.folder / "acme.yaml").rename(repo.folder / "acme-europe.yaml")
    repo.record("globex", "on_destroy: refuse\n")
    repo.write("Pulumi.prod.yaml", OWN_STACK)
    repo.write("customers/dev/acme.yaml", "")
    done = changed(repo, "--base", "HEAD")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["changed"] == ["globex"]
    assert told["renamed"] == [{"from": "acme", "to": "acme-europe"}]
    assert (len(told["added"]), told["removed"], told["by_program"], told["unchanged"]) == (25, [], [], 0)
    assert (told["own_stack"], told["elsewhere"], told["problems"]) == ("added", ["dev"], [])
    assert "  changed: globex\n" in done.stderr
    assert "  renamed: acme to acme-europe\n" in done.stderr
    assert "new-19 and 5 more\n" in done.stderr
    silent = changed(repo, "--base", "HEAD", "--json")
    assert (silent.stdout, silent.stderr) == (done.stdout, "")
    assert changed(repo, "--base", "HEAD", before=("--json",)).stderr == ""


def test_a_mistake_is_bad_input_and_hides_nobody(repo: Repo) -> None:
    repo.record("acme", "on_destroy: refuse\n")
    repo.record("globex", "on_destroy: never\n")
    done = changed(repo, "--base", "HEAD")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["changed"] == ["acme", "globex"]
    (problem,) = told["problems"]
    assert problem["customer"] == "globex"
    assert problem["problems"][0] in done.stderr


def test_a_revision_that_does_not_exist_is_bad_input(repo: Repo) -> None:
    done = changed(repo, "--base=--output=x", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["class"] == "RecordError"
    assert "The changes cannot be looked at:\n  '--output=x' is no commit" in done.stderr
    assert not (repo.project / "x").exists()
    wrong = subprocess.run(
        [sys.executable, "-m", "automation.cli", "-e", "nowhere", "changed", "--base", "HEAD"],
        cwd=repo.project,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert wrong.returncode == 2
    assert "There is nothing to compare in nowhere:\n  neither side has a record" in wrong.stderr

"""Six pull requests in a repository made for them, and what `dataloop-sts pr preview` writes into each.

Every customer is deployed first, by real runs in a sandbox of its own; then the six are previewed as CI would, and the
summaries are kept as examples. Some two minutes on two cores. Usage::

    python -m drills.pull_requests [FOLDER [FEW]]     # docs/examples/pull-requests; FEW customers in place of 40
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.harness import CHECKOUT, SETTLE_SECONDS, World, running_world

EXAMPLES = CHECKOUT / "docs" / "examples" / "pull-requests"
_PYTHON = str(CHECKOUT / ".venv" / "bin" / "python")
_PROGRAM = ("automation", "dataloop_sts", "Pulumi.yaml", "__main__.py", "pyproject.toml")
_CODES = {0: "clean", 1: "failed", 3: "changes", 4: "risky"}
_GIT = {
    **{
        f"GIT_{who}_{what[0]}": what[1]
        for who in ("AUTHOR", "COMMITTER")
        for what in (("NAME", "Example"), ("EMAIL", "example@example.com"), ("DATE", "2026-01-01T00:00:00Z"))
    },
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@dataclass(frozen=True)
class Repository:
    """A project in git, with the world that it deploys into.

    Attributes:
        folder: the project's.
        world: the sandbox.
    """

    folder: Path
    world: World

    def git(self, *arguments: str) -> None:
        """Runs git in it."""
        environment = {**os.environ, **_GIT}
        subprocess.run(["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True)

    def sts(self, environment: str, *arguments: str) -> int:
        """Runs dataloop-sts by the program of the working tree; returns its exit code."""
        variables = {**self.world.environment, "DATALOOP_STS_SETTLE_SECONDS": SETTLE_SECONDS}
        command = [_PYTHON, "-m", "automation.cli", "-e", environment, *arguments]
        return subprocess.run(command, cwd=self.folder, env=variables, check=False).returncode

    def write(self, environment: str, customer: str, **more: Any) -> None:
        """Writes a record."""
        driver = {
            "name": f"{customer}-images",
            "project_id": self.world.ready.dataloop.project_id,
            "bucket": {"name": f"dataloop-{customer}-images"},
            **more,
        }
        self.edit(f"customers/{environment}/{customer}.yaml", {"drivers": [driver]})

    def defaults(self, environment: str, **aws: Any) -> None:
        """Writes what all records of an environment inherit."""
        ready = self.world.ready
        settled = {"region": "eu-west-1", "account_id": ready.aws.account_id, **aws}
        self.edit(f"customers/{environment}/_defaults.yaml", {"organization_id": ready.dataloop.org_id, "aws": settled})

    def edit(self, name: str, content: Any) -> None:
        """Writes a YAML file."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def commit(self, branch: str, message: str) -> None:
        """Commits everything to a branch that begins here."""
        self.git("checkout", "-q", "-B", branch)
        self.git("add", ".")
        self.git("commit", "-q", "-m", message)


@dataclass(frozen=True)
class PullRequest:
    """One example.

    Attributes:
        name: of its file.
        environment: which is previewed.
        change: what it edits.
        by_new_code: whether it is previewed by its own program, as after an approval.
    """

    name: str
    environment: str
    change: Callable[[Repository], None]
    by_new_code: bool = False


def _change_program(repository: Repository) -> None:
    file = repository.folder / "dataloop_sts" / "policies.py"
    text = file.read_text()
    changed = text.replace('"s3:GetObject"]', '"s3:GetObject", "s3:GetObjectTagging"]')
    if changed == text:
        raise SystemExit("The program does not have the line that the example changes.")
    file.write_text(changed)


PULL_REQUESTS = (
    PullRequest("1-new-customer", "prod", lambda it: it.write("prod", "umbrella", prefix="raw/")),
    PullRequest("2-allow-delete", "prod", lambda it: it.write("prod", "acme", allow_delete=True)),
    PullRequest("3-prefix", "prod", lambda it: it.write("prod", "globex", prefix="incoming/")),
    PullRequest(
        "4-bucket-renamed", "prod", lambda it: it.write("prod", "initech", bucket={"name": "dataloop-initech-pictures"})
    ),
    PullRequest("5-defaults-of-40", "trial", lambda it: it.defaults("trial", tags={"cost-center": "4711"})),
    PullRequest("6-program", "prod", _change_program, by_new_code=True),
    PullRequest("6-program-before-approval", "prod", _change_program),
)


def main(folder: Path = EXAMPLES, few: int = 40) -> None:
    """Makes the world and the repository, and writes the examples."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, running_world(Path(temporary) / "sandbox") as world:
        repository = Repository(Path(temporary) / "project", world)
        _make(repository, few)
        for pull_request in PULL_REQUESTS:
            _preview(repository, pull_request, folder)


def _make(repository: Repository, few: int) -> None:
    repository.folder.mkdir()
    for name in _PROGRAM:
        source = CHECKOUT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, repository.folder / name)
    (repository.folder / ".gitignore").write_text("__pycache__/\n.dataloop-sts/\n")
    customers = {"prod": ["acme", "globex", "initech"], "trial": [f"tenant-{number:02}" for number in range(few)]}
    for environment, names in customers.items():
        repository.edit(f"customers/{environment}/_environment.yaml", {"sandbox": True})
        repository.defaults(environment)
        for name in names:
            repository.write(environment, name, **({"prefix": "raw/"} if name == "globex" else {}))
    repository.git("init", "-q", "-b", "main")
    repository.commit("main", "Connect them")
    for environment in customers:
        if repository.sts(environment, "fleet", "up"):
            raise SystemExit(f"{environment} could not be deployed.")


def _preview(repository: Repository, pull_request: PullRequest, folder: Path) -> None:
    repository.git("checkout", "-q", "main")
    pull_request.change(repository)
    repository.commit(pull_request.name, pull_request.name)
    file, document = folder / f"{pull_request.name}.md", repository.folder.parent / "preview.json"
    revisions = ["--base", "main"]
    if not pull_request.by_new_code:  # as the workflow does: the program is that of main
        repository.git("checkout", "-q", "main")
        revisions += ["--head", pull_request.name]
    files = ["--markdown", str(file), "--json-file", str(document)]
    code = repository.sts(pull_request.environment, "pr", "preview", *revisions, *files)
    sys.stdout.write(f"{file.name}: {_CODES[code]}, {len(file.read_bytes()):,} bytes\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((Path, int), sys.argv[1:], strict=False)))

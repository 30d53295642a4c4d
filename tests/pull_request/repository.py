"""A git repository with a project in it, as the tests of changes need it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from automation.environment import Environment
from automation.pull_request.changes import Change, Changes, changes_between

DEFAULTS = 'organization_id: org-1\naws: {region: eu-west-1, account_id: "123456789012"}\n'
RECORD = "drivers:\n  - name: {name}-images\n    project_id: project-1\n    bucket: {{name: dataloop-{name}}}\n"
OWN_STACK = """\
config:
  dataloop-sts:sandbox: "true"
  dataloop-sts:connection:
    customer: own
    organization_id: org-1
    aws: {region: eu-west-1}
    drivers: [{name: own, project_id: project-1, bucket: {name: dataloop-own}}]
"""


@dataclass(frozen=True)
class Repo:
    """A repository; ``project`` is the project's folder in it."""

    root: Path
    project: Path

    @classmethod
    def make(cls, root: Path, prefix: str = "") -> Repo:
        """A repository whose first commit has two customers in ``prod``."""
        repo = cls(root, root / prefix)
        repo.project.mkdir(parents=True, exist_ok=True)
        repo.git("init", "-q", "-b", "main")
        repo.write("customers/prod/_defaults.yaml", DEFAULTS)
        for name in ("acme", "globex"):
            repo.record(name)
        repo.commit()
        return repo

    @property
    def folder(self) -> Path:
        """The folder of the records."""
        return self.project / "customers" / "prod"

    def git(self, *arguments: str) -> str:
        """Runs git, for the test's own purposes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        names = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, env=kept | names, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, path: str, text: str) -> Path:
        """Writes a file of the project."""
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def record(self, name: str, more: str = "", *, of: str = "") -> Path:
        """Writes a record; ``of``: with what that customer's record says."""
        return self.write(f"customers/prod/{name}.yaml", more + RECORD.format(name=of or name))

    def commit(self) -> str:
        """Commits all there is."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    def changes(self, base: str = "HEAD", head: str | None = None, environment: str = "prod") -> Changes:
        """What differs."""
        return changes_between(Environment(environment, self.project), base, head)

    def kinds(self, base: str = "HEAD", head: str | None = None) -> dict[str, str]:
        """Who differs how, by customer."""
        return {change.customer: change.kind for change in self.changes(base, head).customers}

    def change(self, base: str = "HEAD", head: str | None = None) -> Change:
        """The one change that there is."""
        (change,) = self.changes(base, head).customers
        return change

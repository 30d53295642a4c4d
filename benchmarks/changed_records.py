"""How long it takes to find whom a change of files is about: ``python -m benchmarks.changed_records [NUMBER]``."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from automation.environment import Environment
from automation.pull_request.changes import changes_between
from benchmarks.records import DEFAULTS, RECORD


def main(number: int) -> None:
    """Commits the records in a temporary repository, changes some, and prints what finding them takes."""
    with tempfile.TemporaryDirectory() as place:
        project = Path(place)
        folder = project / "customers" / "prod"
        folder.mkdir(parents=True)
        defaults = folder / "_defaults.yaml"
        defaults.write_text(DEFAULTS)
        for index in range(number):
            (folder / f"customer-{index}.yaml").write_text(RECORD.format(name=f"customer-{index}"))
        _git(project, "init", "-q")
        _commit(project)
        one = folder / "customer-0.yaml"
        one.write_text(one.read_text().replace("clips/", "films/"))
        _measure("one record", project, None)
        _commit(project)
        _measure("one record, of a commit", project, "HEAD")
        defaults.write_text(DEFAULTS.replace("data-platform", "platform"))
        _measure("the defaults of all", project, None)


def _measure(what: str, project: Path, head: str | None) -> None:
    cpu, wall = _cpu(), time.perf_counter()
    changes = changes_between(Environment("prod", project), "HEAD~1" if head else "HEAD", head)
    cpu, wall = _cpu() - cpu, time.perf_counter() - wall
    counts = f"{len(changes.customers):,} changed, {changes.unchanged:,} not"
    sys.stdout.write(f"{what}: {counts}: {cpu:.1f} s of CPU, {wall:.1f} s\n")


def _cpu() -> float:
    """Seconds of this process and of those that it has run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _commit(project: Path) -> None:
    _git(project, "add", "-A")
    _git(
        project, "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com", "commit", "-q", "-m", "records"
    )


def _git(project: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(project), *arguments], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

"""Reads what git has: revisions, where two of them parted, which files differ, and files as they are at a revision.

Git is only asked, never told to change anything; what it is asked runs no hook, filter or program of the repository.
No word of a user's gets to git as an option, and files are read as they are stored: no attribute changes them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from automation.errors import RecordError
from dataloop_sts.errors import Problem
from dataloop_sts.redaction import one_line

LINK, FOLDER, SUBMODULE = "120000", "040000", "160000"
"""Kinds of what a folder holds, as git writes them; all others are files."""
_TIMEOUT_S = 300.0
_QUIET = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
_OPTIONS = ("-c", "core.fsmonitor=false", "--no-pager", "--literal-pathspecs")
_DIFF = (
    *("--name-only", "-z", "--no-renames", "--no-relative"),
    *("--no-ext-diff", "--no-textconv", "--ignore-submodules=none"),
)
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What git sets for its hooks, and would rather believe than the folder in which it runs."""
_HEADING = "The changes cannot be looked at:"
_MENDS = {
    "not a git": "run it in the project's folder, in a clone of its repository",
    "dubious ownership": "the repository is another user's: run as its owner, or trust it by "
    "git config --global --add safe.directory FOLDER",
    "a work tree": "the repository has no files of its own: run it in a clone that has",
}


@dataclass(frozen=True)
class Entry:
    """What a folder holds under a name: its kind, and the id of its content."""

    kind: str
    id: str


@dataclass(frozen=True)
class Repository:
    """The repository that a project's folder is in.

    Attributes:
        project_dir: that folder.
        prefix: its path within the repository, with a slash at the end; empty where it is the repository's own.
    """

    project_dir: Path
    prefix: str

    @classmethod
    def of(cls, project_dir: Path) -> Repository:
        """The repository of a folder.

        Raises:
            RecordError: there is none, git refuses it or is not installed.
        """
        _git(project_dir, "rev-parse", "--show-toplevel")  # which fails where there are no files
        return cls(project_dir, os.fsdecode(_git(project_dir, "rev-parse", "--show-prefix")).removesuffix("\n"))

    def commit(self, revision: str) -> str:
        """The id of the commit that a revision names.

        Raises:
            RecordError: there is none, or it is no single revision.
        """
        unusable = not revision or revision.startswith("-") or any(ord(character) < 32 for character in revision)
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = "" if unusable else _git(self.project_dir, *asked, may_fail=True).decode(errors="replace").strip()
        if not found:
            what = f"{revision!r} is no commit that this clone knows: correct it, or fetch it{self._if_shallow()}"
            raise RecordError(_HEADING, [Problem("", what)])
        return found

    def merge_base(self, base: str, head: str) -> str:
        """The commit where two commits parted.

        Raises:
            RecordError: they have none in common, as far as this clone knows.
        """
        found = _git(self.project_dir, "merge-base", base, head, may_fail=True).decode().split()
        if not found:
            what = f"{base[:12]} and {head[:12]} have no commit in common that this clone knows{self._if_shallow()}"
            raise RecordError(_HEADING, [Problem("", what)])
        return found[0]

    def changed_files(self, base: str, head: str | None) -> list[str]:
        """The names of all files that differ, relative to the repository; sorted.

        Args:
            base: a commit's id.
            head: another's; None for the working tree, of which files that git does not know yet count too.
        """
        names = _git(self.project_dir, "diff", *_DIFF, base, *([head] if head else []), "--")
        if head is None:
            names += _git(self.project_dir, "ls-files", "-z", "--full-name", "--others", "--exclude-standard")
        return sorted(set(_split(names)))

    def entries(self, commit: str, *paths: str) -> dict[str, Entry]:
        """What there is at a commit.

        Args:
            commit: its id.
            paths: relative to the project's folder; one with a slash at its end stands for what that folder holds.

        Returns:
            What there is of them, by path.
        """
        found = {}
        for line in _split(_git(self.project_dir, "ls-tree", "-z", commit, "--", *paths)):
            what, _, path = line.partition("\t")
            kind, _, identity = what.split()
            found[path] = Entry(kind, identity)
        return found

    def contents(self, ids: Iterable[str], largest: int) -> Mapping[str, bytes | None]:
        """The contents of files by their ids; None for one of more than ``largest`` bytes.

        Raises:
            RecordError: the clone has left some out.
        """
        wanted = list(dict.fromkeys(ids))
        checked = _git(self.project_dir, "cat-file", "--batch-check", given="\n".join([*wanted, ""]))
        found: dict[str, bytes | None] = dict.fromkeys(wanted)
        small = []
        for line in checked.decode().splitlines():
            identity, kind, *rest = line.split()
            if kind == "missing":
                what = "this clone lacks files of the base or the head: clone it without --filter, or fetch them"
                raise RecordError(_HEADING, [Problem("", what)])
            if int(rest[0]) <= largest:
                small.append(identity)
        text = _git(self.project_dir, "cat-file", "--batch", given="\n".join([*small, ""]))
        at = 0
        for identity in small:
            end = text.index(b"\n", at)
            size = int(text[at:end].split()[2])
            found[identity] = text[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return found

    def _if_shallow(self) -> str:
        if _git(self.project_dir, "rev-parse", "--is-shallow-repository").strip() != b"true":
            return ""
        return "; it is shallow: let the checkout have fetch-depth: 0, or run git fetch --unshallow"


def _git(folder: Path, *arguments: str, given: str = "", may_fail: bool = False) -> bytes:
    command = ["git", *_OPTIONS, *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK} | _QUIET
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, input=given.encode(), capture_output=True, timeout=_TIMEOUT_S
        )
    except FileNotFoundError:
        raise RecordError(_HEADING, [Problem("", "git is not installed, or not on PATH: install it")]) from None
    except subprocess.TimeoutExpired:
        what = f"git {arguments[0]} gave no answer within {_TIMEOUT_S:g} s"
        raise RecordError(_HEADING, [Problem("", what)]) from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace")
    mend = next((mend for sign, mend in _MENDS.items() if sign in said), None)
    if may_fail and mend is None:
        return b""
    what = mend or f"git {arguments[0]} failed: {one_line(said)}"
    raise RecordError(_HEADING, [Problem("", what)])


def _split(text: bytes) -> list[str]:
    return [os.fsdecode(each) for each in text.split(b"\0") if each]

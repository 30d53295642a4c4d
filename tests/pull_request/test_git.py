"""What git cannot tell is bad input, with its mend; nothing of a user's gets to git as an option."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automation.errors import RecordError
from automation.pull_request.git import Repository
from tests.pull_request.repository import RECORD, Repo


def told(repo: Repo, base: str = "HEAD", head: str | None = None) -> str:
    with pytest.raises(RecordError) as caught:
        repo.changes(base, head)
    assert caught.value.heading == "The changes cannot be looked at:"
    return str(caught.value.problems[0])


@pytest.mark.parametrize(
    "revision",
    ["nowhere", "", "HEAD..HEAD", "HEAD HEAD", "--all", "-n1", "--output=x", "HEAD\n", "0" * 40, "HEAD:customers"],
)
def test_what_names_no_commit_is_refused(revision: str, repo: Repo) -> None:
    assert told(repo, revision) == f"{revision!r} is no commit that this clone knows: correct it, or fetch it"
    assert (
        told(repo, "HEAD", revision or "-")
        == f"{revision or '-'!r} is no commit that this clone knows: correct it, or fetch it"
    )
    assert not (repo.root / "x").exists()


@pytest.mark.parametrize("revision", ["main", "HEAD~1", "v1", "HEAD^{/a change}"])
def test_every_way_to_name_a_commit_is_taken(revision: str, repo: Repo) -> None:
    repo.git("tag", "-a", "v1", "-m", "v1")
    repo.commit()
    assert repo.kinds(revision) == {}


def test_histories_that_never_met_are_refused(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    repo.write("another", "")
    repo.commit()
    assert "have no commit in common that this clone knows" in told(repo, "main")


def test_a_shallow_clone_is_told_how_to_get_deeper(repo: Repo, tmp_path: Path) -> None:
    old = repo.git("rev-parse", "HEAD")
    for _ in range(2):
        repo.commit()
    repo.git("clone", "-q", "--depth", "1", repo.root.as_uri(), str(tmp_path / "shallow"))
    shallow = Repo(tmp_path / "shallow", tmp_path / "shallow")
    assert told(shallow, old).endswith(
        "it is shallow: let the checkout have fetch-depth: 0, or run git fetch --unshallow"
    )
    shallow.git("fetch", "-q", "--depth", "1", "origin", old)
    assert "have no commit in common that this clone knows; it is shallow" in told(shallow, old)


def test_a_clone_without_the_files_is_told_and_fetches_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.record("acme", "on_destroy: refuse\n")
    repo.commit()
    repo.git("clone", "-q", "--filter=blob:none", "--no-checkout", repo.root.as_uri(), str(tmp_path / "partial"))
    shutil.move(repo.root, tmp_path / "gone")  # a fetch would fail
    partial = Repo(tmp_path / "partial", tmp_path / "partial")
    # git before 2.45 tries to fetch, whatever it is told
    assert told(partial, "HEAD~1", "HEAD").startswith(("this clone lacks files", "git cat-file failed: "))


def test_no_repository_and_one_without_files_are_told(tmp_path: Path, repo: Repo) -> None:
    assert "in a clone of its repository" in told(Repo(tmp_path, tmp_path))
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "bare"))
    assert "no files of its own" in told(Repo(tmp_path / "bare", tmp_path / "bare"))


def test_a_repository_of_somebody_else_is_told(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "git config --global --add safe.directory" in told(repo)


def test_a_machine_without_git_is_told(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert told(repo) == "git is not installed, or not on PATH: install it"


def test_nothing_of_the_repository_is_run(repo: Repo, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for key in ("core.fsmonitor", "diff.external", "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv"):
        repo.git("config", key, f"touch {ran}; cat")
    for hook in ("post-index-change", "reference-transaction"):
        file = repo.root / ".git" / "hooks" / hook
        file.write_text(f"#!/bin/sh\ntouch {ran}\n")
        file.chmod(0o755)
    repo.record("acme", "on_destroy: refuse\n")
    index = (repo.root / ".git" / "index").read_bytes()
    base = (repo.root / ".git" / "HEAD").read_text()
    assert repo.kinds() == {"acme": "changed"}
    assert not ran.exists()
    assert ((repo.root / ".git" / "index").read_bytes(), (repo.root / ".git" / "HEAD").read_text()) == (index, base)


def test_files_are_read_as_they_are_stored(repo: Repo) -> None:
    repo.write(".gitattributes", "*.yaml export-ignore export-subst ident\n")
    repo.record("acme", "# $Format:%H$ $Id$\non_destroy: refuse\n")
    base, head = repo.git("rev-parse", "HEAD"), repo.commit()
    assert repo.kinds(base, head) == {"acme": "changed"}
    entry = Repository.of(repo.project).entries(head, "customers/prod/acme.yaml")["customers/prod/acme.yaml"]
    (content,) = Repository.of(repo.project).contents([entry.id], 1000).values()
    assert content == f"# $Format:%H$ $Id$\non_destroy: refuse\n{RECORD.format(name='acme')}".encode()


def test_many_contents_are_kept_apart(repo: Repo) -> None:
    texts = ["", "\n", "no line end", "0" * 100, "a b missing\n"]
    for number, text in enumerate(texts):
        repo.write(f"files/{number}", text)
    head = repo.commit()
    repository = Repository.of(repo.project)
    entries = repository.entries(head, "files/")
    contents = repository.contents([entry.id for entry in entries.values()], 50)
    found = [contents[entries[f"files/{number}"].id] for number in range(len(texts))]
    assert found == [b"", b"\n", b"no line end", None, b"a b missing\n"]
    assert repository.contents([], 50) == {}


def test_neither_a_hooks_variables_nor_peoples_settings_change_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repo.make(tmp_path / "repository", "infra")
    for setting in ("diff.relative=true", "diff.renames=copies", "diff.ignoreSubmodules=all", "core.quotePath=true"):
        repo.git("config", *setting.split("="))
    (repo.root / "requirements-ü.txt").write_text("")
    repo.record("acme", "on_destroy: refuse\n")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    monkeypatch.setenv("GIT_PREFIX", "infra/")
    base = repo.git("rev-parse", "HEAD")
    assert repo.kinds() == {"acme": "changed"}
    assert repo.changes(base, repo.commit()).program == ("requirements-ü.txt",)

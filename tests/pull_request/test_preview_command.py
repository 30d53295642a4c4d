"""``dataloop-sts pr preview`` where no engine is needed: what the records alone tell, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.pull_request.repository import Repo

_ROOT = str(Path(__file__).resolve().parents[2])


def preview(repo: Repo, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs it without credentials, and without an engine on the PATH."""
    command = [sys.executable, "-m", "automation.cli", "-e", "prod", "pr", "preview", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": _ROOT, "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(command, cwd=repo.project, env=environment, capture_output=True, text=True, timeout=120)


def test_without_changes_it_is_clean_and_prints_the_summary(repo: Repo) -> None:
    done = preview(repo, "--base", "HEAD")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## 🟢 No changes in `prod`: nothing would change\n")


def test_without_credentials_the_records_still_tell_who_changes_and_what_is_risky(repo: Repo, tmp_path: Path) -> None:
    repo.record("globex", "on_destroy: delete\n")
    repo.record("new")
    (repo.folder / "acme.yaml").unlink()
    markdown, document = tmp_path / "preview.md", tmp_path / "all.json"
    done = preview(repo, "--base", "HEAD", "--markdown", str(markdown), "--json-file", str(document))
    assert done.returncode == 4, done.stderr
    rows = {row["customer"]: row for row in json.loads(document.read_text())["customers"]}
    assert {who: row["kind"] for who, row in rows.items()} == {"acme": "removed", "globex": "changed", "new": "added"}
    assert [len(rows[who]["missing"]) for who in ("acme", "globex", "new")] == [0, 2, 2]
    assert all(not row["steps"] and row["error"] is None for row in rows.values())
    text = markdown.read_text()
    assert text.startswith(
        "## 🔴 Risky changes in `prod`: 2 of 3 customers risky; 2 of 3 customers not fully looked at"
    )
    assert "dataloop-sts -e prod destroy acme" in text and "guard is lifted" in text and "`all.json`" in text
    assert "prod.globex: not fully looked at" in done.stderr


def test_a_broken_record_is_a_row_and_a_failure(repo: Repo) -> None:
    repo.record("globex", "on_destroy: never\n")
    done = preview(repo, "--base", "HEAD", "--json")
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)["customers"]
    assert row["error"]["class"] == "RecordError" and "globex.yaml:" in row["error"]["message"]


def test_a_changed_program_is_never_run_from_the_head(repo: Repo) -> None:
    repo.write("dataloop_sts/policies.py", "raise SystemExit('it was run')\n")
    repo.commit()
    repo.git("checkout", "-q", "HEAD^")
    done = preview(repo, "--base", "HEAD", "--head", "main")
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[0].endswith("not fully looked at; not by the changed program")


def test_bad_input_is_told_before_anything_is_previewed(repo: Repo, tmp_path: Path) -> None:
    (repo.folder / "acme.yaml").unlink()
    nowhere = tmp_path / "no-such-folder" / "preview.md"
    done = preview(repo, "--base", "HEAD", "--markdown", str(nowhere))
    assert done.returncode == 2 and f"{nowhere} cannot be written:" in done.stderr
    kept = tmp_path / "kept.md"
    kept.write_text("of the last run")
    done = preview(repo, "--base", "no-such-revision", "--markdown", str(kept))
    assert done.returncode == 2 and "no-such-revision" in done.stderr
    assert kept.read_text() == "of the last run"

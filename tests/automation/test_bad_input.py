"""What keeps one customer or all from being done: what it says, that the others are done, and that nothing is lost."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from automation import cli, new_record
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import RecordError, StackError
from automation.fleet import Fleet, Operation, Row
from automation.new_record import NewRecord
from automation.records import all_of, find
from dataloop_sts.errors import AwsError

RECORD = "drivers:\n  - name: {name}\n    project_id: p\n    bucket: {{name: dataloop-{name}}}\n"
UP = Operation("up", everyone=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text("organization_id: org-1\naws: {region: eu-west-1}\n")
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(RECORD.format(name=name))
    (tmp_path / "backend").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/backend")
    monkeypatch.setenv("PATH", "")  # no engine is started
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def environment(folder: Path) -> Environment:
    return Environment.of("prod", folder.parents[1])


def done(environment: Environment, customer: str, operation: Operation) -> Row:
    return Row(customer, "succeeded", attempts=1)


class Told(NamedTuple):
    code: int | str | None
    output: str


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Told:
    """Runs the whole command; what it says in the end."""
    monkeypatch.setattr("sys.argv", ["dataloop-sts", "-e", "prod", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return Told(caught.value.code, capsys.readouterr().err)


@contextmanager
def no_room() -> Iterator[None]:
    """Lets every write to a file fail, as on a full disk, without one: by a limit that the kernel keeps."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_mistake_among_a_thousand_records_keeps_nobody_else_from_being_done(
    folder: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1000):
        (folder / f"c{number:04}.yaml").write_text(RECORD.format(name=f"c{number:04}"))
    (folder / "c0500.yaml").write_text(RECORD.format(name="c0500") + "on_destroy: never\n")
    (folder / "c0600.yml").write_text(RECORD.format(name="c0600"))
    report = Fleet(environment, job=done).run(UP, all_of(environment))
    assert (report.counts["succeeded"], report.counts["failed"]) == (1000, 2)
    mistaken, twice = report.bad
    assert mistaken.error and f"{folder}/c0500.yaml:5: on_destroy: input should be" in mistaken.error[1]
    assert twice.error and "has c0600.yaml and c0600.yml: keep one of them" in twice.error[1]
    for customer in ("c0500", "c0600"):
        assert command(monkeypatch, capsys, "up", customer).code == 2
    told = command(monkeypatch, capsys, "records", "validate")
    assert told.code == 2
    assert told.output.startswith("2 of 1,002 records are not valid:\n") and told.output.count("\n") == 3


def test_a_label_that_selects_nobody_begins_nothing_and_leaves_the_last_report(
    folder: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(environment, job=done)
    fleet.run(UP, all_of(environment))
    before = fleet.report_file(UP).read_bytes()
    told = command(monkeypatch, capsys, "fleet", "up", "--label", "tier=gold")
    assert told == (2, "The selection does not fit the records:\n  tier=gold: selects nobody; no record has labels\n")
    assert fleet.report_file(UP).read_bytes() == before


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file://{folder}/none", "The backend {folder}/none cannot be read: No such file or directory. Mount it, "),
        (
            "s3://nowhere/x?region=eu-west-1&endpoint=http://127.0.0.1:9&s3ForcePathStyle=true",
            "Cannot list the backend's bucket nowhere: Could not connect to the endpoint URL",
        ),
    ],
)
def test_a_backend_that_is_out_of_reach_is_told_once_and_nobody_is_begun(
    url: str, says: str, folder: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(environment, job=done)
    fleet.run(UP, all_of(environment))
    before = fleet.report_file(UP).read_bytes()
    root = folder.parents[1]
    monkeypatch.setenv("PULUMI_BACKEND_URL", url.format(folder=root))
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_MAX_ATTEMPTS", "1")):
        monkeypatch.setenv(name, value)
    begun: list[str] = []

    def note(environment: Environment, customer: str, operation: Operation) -> Row:
        begun.append(customer)
        return Row(customer, "succeeded")

    with pytest.raises((StackError, AwsError)) as caught:
        Fleet(environment, job=note).run(UP, all_of(environment))
    assert says.format(folder=root) in str(caught.value)
    assert begun == []
    assert fleet.report_file(UP).read_bytes() == before, "--only-failed still knows who is left"


def test_a_disk_with_no_room_for_the_state_is_told_before_anything_is_begun(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=3 << 20))
    says = "has 3 MiB left, and a run needs 64, or the state could be lost: make room. Nothing was begun."
    for name in ("up", "refresh", "destroy", "repair"):
        with pytest.raises(StackError) as caught:
            getattr(Connection.of(find(environment, "a")), name)()
        assert says in str(caught.value)
    told = command(monkeypatch, capsys, "fleet", "up")
    assert told.code == 1 and says in told.output
    assert not environment.work_dir("prod.a").exists()


def test_what_is_written_on_a_full_disk_is_whole_or_as_it_was(folder: Path, environment: Environment) -> None:
    record, before = find(environment, "a"), (folder / "a.yaml").read_text()
    connection = Connection.of(record)
    with no_room(), pytest.raises(RecordError, match=r"a\.yaml cannot be written: File too large"):
        record.with_access_key(generation=2, retiring=None)  # as a rotation does
    assert (folder / "a.yaml").read_text() == before

    with no_room(), pytest.raises(RecordError, match=r"new\.yaml cannot be written: File too large"):
        new_record.write(environment, "new", NewRecord("new", "p", "dataloop-new"))
    assert sorted(path.name for path in folder.iterdir()) == ["_defaults.yaml", "a.yaml", "b.yaml"]

    with no_room(), pytest.raises(StackError, match=r"work folder .* cannot be used: File too large\. Make room"):
        connection.up()
    assert list(connection.work_dir.iterdir()) == []

    fleet = Fleet(environment, job=done)
    fleet.run(UP, all_of(environment))
    report, log = fleet.report_file(UP).read_bytes(), fleet.log_file.read_bytes()
    with no_room(), pytest.raises(RecordError, match="cannot be written: File too large: nothing was begun"):
        fleet.run(UP, all_of(environment))
    assert fleet.report_file(UP).read_bytes() == report
    assert fleet.log_file.read_bytes() == log
    assert sorted(path.name for path in fleet.log_file.parent.iterdir()) == ["log.jsonl", "up.json"]


def test_a_report_that_can_no_longer_be_written_is_told_and_the_work_is_done(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(environment: Environment, customer: str, operation: Operation) -> Row:
        begun.append(customer)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
        return Row(customer, "succeeded")

    fleet = Fleet(environment, job=fill)
    try:
        with pytest.raises(RecordError, match="File too large: what was done is done, the same command goes on"):
            fleet.run(UP, all_of(environment))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(begun) == ["a", "b"]
    left = json.loads(fleet.report_file(UP).read_text())["customers"]
    assert {row["outcome"] for row in left} <= {"interrupted", "skipped"}, "nobody is told done who may not be"


def test_a_work_folder_of_another_version_is_put_right_and_keeps_its_encryption(
    environment: Environment, tmp_path: Path
) -> None:
    connection = Connection.of(find(environment, "a"))
    folder = connection.work_dir
    folder.mkdir(parents=True, mode=0o755)
    (folder / "Pulumi.yaml").write_text("name: another-project\nruntime: nodejs\n")
    settings = {"encryptionsalt": "v1:salt", "config": {"dataloop-sts:connection": {"of": "another version"}}}
    (folder / "Pulumi.prod.a.yaml").write_text(yaml.safe_dump(settings))
    (folder / "notes.txt").write_text("somebody's")
    connection.write_config(tmp_path)
    assert yaml.safe_load((folder / "Pulumi.yaml").read_text()) == {"name": "dataloop-sts", "runtime": "python"}
    settings = yaml.safe_load((folder / "Pulumi.prod.a.yaml").read_text())
    assert settings["encryptionsalt"] == "v1:salt"
    assert settings["config"]["dataloop-sts:connection"]["customer"] == "a"
    assert (folder / "notes.txt").read_text() == "somebody's"
    assert folder.stat().st_mode & 0o77 == 0


def test_a_work_folder_that_cannot_be_used_is_told(environment: Environment) -> None:
    folder = environment.work_dir("prod.a")
    folder.parent.mkdir()
    folder.write_text("a file")
    with pytest.raises(StackError, match=r"Stack prod\.a: its work folder .*prod\.a cannot be used: File exists"):
        Connection.of(find(environment, "a")).up()

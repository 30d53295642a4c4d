"""A selection finds the customers that it names, and says what there is where it finds nobody."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from automation import records
from automation.environment import Environment
from automation.errors import RecordError
from automation.records import Record
from automation.selection import Selection

RECORD = (
    "labels: {{tier: {tier}, wave: '1'}}\ndrivers: [{{name: {name}, project_id: p, bucket: {{name: dl-{name}}}}}]\n"
)


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Record | RecordError]:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text("organization_id: org-1\naws: {region: eu-west-1}\n")
    for name, tier in [("acme", "gold"), ("acme-labs", "silver"), ("globex", "gold")]:
        (folder / f"{name}.yaml").write_text(RECORD.format(name=name, tier=tier))
    (folder / "initech.yaml").write_text(RECORD.format(name="initech", tier="silver") + "on_destroy: never\n")
    (folder / "unreadable.yaml").write_text("drivers: [")
    return records.all_of(Environment.of("prod", tmp_path))


@pytest.mark.parametrize(
    ("words", "selected"),
    [
        ([], ["acme", "acme-labs", "globex", "initech", "unreadable"]),
        (["globex", "acme"], ["acme", "globex"]),
        (["acme*"], ["acme", "acme-labs"]),
        (["acme*", "tier=gold"], ["acme"]),
        (["tier=silver", "wave=1"], ["acme-labs", "initech", "unreadable"]),
    ],
)
def test_names_and_globs_add_up_and_labels_narrow(
    words: list[str], selected: list[str], known: dict[str, Record | RecordError]
) -> None:
    assert list(Selection.of(words).among(known)) == selected


def test_names_come_out_of_a_file_or_standard_input(
    tmp_path: Path, known: dict[str, Record | RecordError], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "names").write_text("# wave 1\nacme\n\nglo*  # and this\n")
    assert list(Selection.of(names_file=str(tmp_path / "names")).among(known)) == ["acme", "globex"]
    monkeypatch.setattr("sys.stdin", io.StringIO("initech\n"))
    assert list(Selection.of(["acme"], "-").among(known)) == ["acme", "initech"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["acne", "acme"], "acne: selects nobody; there are: acme, acme-labs, globex, initech, unreadable"),
        (["x-*"], "x-*: selects nobody; there are: acme,"),
        (["acme*", "tier=bronze"], "tier=bronze: selects nobody; there are: tier=gold, tier=silver, wave=1"),
        (["tier="], "'tier=': give a name, a glob such as 'acme-*', or KEY=VALUE"),
        ([""], "'': give a name"),
    ],
)
def test_a_selection_that_selects_nobody_says_what_there_is(
    words: list[str], says: str, known: dict[str, Record | RecordError]
) -> None:
    with pytest.raises(RecordError) as caught:
        Selection.of(words).among(known)
    assert says in str(caught.value)


def test_a_file_that_names_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"names cannot be read: No such file"):
        Selection.of(names_file=str(tmp_path / "names"))
    (tmp_path / "names").write_text("# nobody\n")
    with pytest.raises(RecordError, match="names nobody; write one customer a line"):
        Selection.of(names_file=str(tmp_path / "names"))
    with pytest.raises(RecordError, match="no customer has a record"):
        Selection().among({})
    with pytest.raises(RecordError, match="no record has labels"):
        Selection.of(["a=b"]).among({"x": RecordError("The record is not valid:", [], labels={})})

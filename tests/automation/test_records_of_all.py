"""All records of an environment are read at once, and each mistake is told beside what is well."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from automation import records
from automation.environment import Environment
from automation.errors import RecordError
from automation.records import Record

DEFAULTS = """\
organization_id: org-1
aws: {region: eu-west-1, account_id: "123456789012"}
labels: {tier: silver, team: data}
"""
RECORD = "drivers:\n  - name: {name}-images\n    project_id: project-1\n    bucket: {{name: dataloop-{name}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text(DEFAULTS)
    for name in ("acme", "globex"):
        write(folder, name)
    return folder


def write(folder: Path, name: str, more: str = "", file: str = "") -> Path:
    path = folder / (file or f"{name}.yaml")
    path.write_text(more + RECORD.format(name=name))
    return path


def read(folder: Path) -> dict[str, Record | RecordError]:
    return records.all_of(Environment.of("prod", folder.parents[1]))


def mistakes(folder: Path) -> dict[str, str]:
    return {customer: str(found) for customer, found in read(folder).items() if isinstance(found, RecordError)}


def test_labels_are_inherited_and_stay_out_of_the_spec(folder: Path) -> None:
    write(folder, "acme", "labels: {tier: gold}\n")
    acme = read(folder)["acme"]
    assert isinstance(acme, Record)
    assert acme.labels == {"tier": "gold", "team": "data"}
    assert "labels" not in acme.spec.model_dump()


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("labels: gold", ":1: labels: must hold keys of its own"),
        ("labels:\n  tier: 1", ":2: labels.tier: a label's value is text: write it in quotes"),
        ("labels: {tier: a b}", ":1: labels.tier: a label's value has 1 to 63 letters"),
        ("labels: {Tier: a}", ":1: labels.Tier: a label's key has 1 to 63 lower-case letters"),
        ("labels: {" + ", ".join(f"k{n}: v" for n in range(49)) + "}", "labels: 51 labels, at most 50"),
        ("lables: {tier: gold}", ":1: lables: is not a key of the spec"),
    ],
)
def test_labels_that_are_none_are_told_with_their_place(labels: str, says: str, folder: Path) -> None:
    path = write(folder, "acme", labels + "\non_destroy: never\n")
    (told,) = mistakes(folder).values()
    assert says in told
    assert f"{path}:" in told
    assert "on_destroy: input should be" in told


def test_one_mistake_hides_no_other_record(folder: Path) -> None:
    (folder / "broken.yaml").write_text("drivers: [")
    (folder / "Upper.yaml").write_text("")
    (folder / "listed.yaml").write_text("- a\n")
    (folder / "keyed.yaml").write_text("? [a, b]\n: c\n")
    (folder / "dated.yaml").write_text("customer: 2026-13-01\n")
    (folder / "tagged.yaml").write_text("on_destroy:\n  !!bool maybe\n")
    (folder / "mapped.yaml").write_text("aws: !!map none\n")
    (folder / "folder.yaml").mkdir()
    (folder / ".hidden.yaml").write_text("- a\n")
    (folder / "_notes.yml").write_text("- a\n")
    write(folder, "twice", file="twice.yaml")
    write(folder, "twice", file="twice.yml")
    write(folder, "single", file="single.yml")
    told = mistakes(folder)
    assert list(read(folder)) == sorted(["acme", "globex", "single", *told])
    assert told.keys() == {"broken", "Upper", "listed", "keyed", "dated", "tagged", "mapped", "folder", "twice"}
    assert "is not valid YAML: line 2, column 1" in told["broken"]
    assert "'Upper' is not a customer's name" in told["Upper"]
    assert "a key is one word" in told["keyed"]
    assert "line 1, column 11: the value is written like a timestamp and is none" in told["dated"]
    assert "line 2, column 3: the value is written like a bool and is none" in told["tagged"]
    assert (
        f"Customer 'twice' has two records in prod: {folder}: has twice.yaml and twice.yml: keep one" in told["twice"]
    )
    with pytest.raises(RecordError, match="has two records"):
        records.find(Environment.of("prod", folder.parents[1]), "twice")
    (folder / "_defaults.yaml").write_text("- a\n")
    with pytest.raises(RecordError, match=r"_defaults\.yaml is not a record"):
        read(folder)


def test_records_that_name_the_same_thing_are_both_told(folder: Path) -> None:
    path = folder / "globex.yaml"
    path.write_text("aws:\n  names: {user: Dataloop-acme-prod}\n" + RECORD.format(name="acme"))
    told = mistakes(folder)
    assert told.keys() == {"acme", "globex"}
    assert (
        f"{path}:2: aws.names.user: IAM user 'Dataloop-acme-prod' in account 123456789012 is that of acme too"
        in (told["globex"])
    )
    assert f"{folder / 'acme.yaml'}: aws.names.user: IAM user 'dataloop-acme-prod'" in told["acme"]
    assert f"{path}:4: drivers[0].name: driver 'acme-images' in project project-1 is that of acme too" in told["globex"]
    assert f"{path}:6: drivers[0].bucket.name: bucket 'dataloop-acme' in partition aws" in told["globex"]


def test_what_is_unique_elsewhere_or_shared_on_purpose_is_no_conflict(folder: Path) -> None:
    shared = "drivers: [{name: x, project_id: project-2, bucket: {existing: dataloop-acme}}]\n"
    names = "{user: same, role: same, policy: same}"
    (folder / "globex.yaml").write_text(f'aws: {{account_id: "210987654321", names: {names}}}\n{shared}')
    (folder / "initech.yaml").write_text(
        f"organization_id: org-2\nintegration: {{name: globex-prod-sts}}\naws: {{names: {names}}}\n"
        + shared.replace("project-2", "project-3")
    )
    assert mistakes(folder) == {}


def test_a_thousand_records_that_all_name_one_thing_are_told_shortly(folder: Path) -> None:
    (folder / "_defaults.yaml").write_text(DEFAULTS + "integration: {name: ours}\n")
    for number in range(1000):
        write(folder, f"c{number}")
    begin = time.process_time()
    told = mistakes(folder)
    assert time.process_time() - begin < 10  # a few tenths of a second, unless the work is squared
    assert len(told) == 1002
    assert "is that of acme, c0, c1 and 998 more too" in told["globex"]

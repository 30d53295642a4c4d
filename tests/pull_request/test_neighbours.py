"""Of the records that may clash with some others, none is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.conflicts import conflicts
from automation.environment import Environment
from automation.files import parse_yaml
from automation.pull_request.neighbours import neighbours
from automation.records import Record, read_record
from dataloop_sts.errors import DataloopStsError

ENVIRONMENT = Environment("prod", Path())
NAMES = ("a", "b-c", "dataloop-a-prod", "dataloop-B-C-prod", "b-c-prod-sts", "it's a driver", "a  b", "Ünï", "x y z")
CUSTOMERS = ("a", "b-c", "d")


def record(customer: str, data: dict[str, Any], inherited: dict[str, Any]) -> Record | None:
    text = yaml.safe_dump(data, allow_unicode=True, width=1)
    return parsed(customer, text, yaml.safe_dump(inherited))


def parsed(customer: str, text: str, inherited: str) -> Record | None:
    defaults = parse_yaml(Path("_defaults.yaml"), inherited)
    try:
        return read_record(
            ENVIRONMENT, customer, [Path(f"{customer}.yaml")], defaults, lambda path: parse_yaml(path, text)
        )
    except DataloopStsError:
        return None


names = st.sampled_from(NAMES)
drivers = st.lists(
    st.fixed_dictionaries(
        {
            "name": names,
            "project_id": st.sampled_from(["p1", "p2"]),
            "bucket": st.fixed_dictionaries({"name": st.sampled_from(["one-bucket", "two.bucket"])}),
        }
    ),
    min_size=1,
    max_size=2,
)
iam_names = st.fixed_dictionaries({}, optional={"user": names, "role": names, "policy": names})
described = st.fixed_dictionaries(
    {"drivers": drivers},
    optional={
        "aws": st.fixed_dictionaries({"names": iam_names}),
        "integration": st.fixed_dictionaries({"name": names}),
    },
)
styles = st.fixed_dictionaries(
    {
        "default_style": st.sampled_from([None, '"', "'", "|", ">"]),
        "allow_unicode": st.booleans(),
        "width": st.sampled_from([1, 80]),
    }
)
shared = st.fixed_dictionaries(
    {"organization_id": st.just("org-1"), "aws": st.just({"region": "eu-west-1"})},
    optional={"integration": st.fixed_dictionaries({"name": names}), "drivers": drivers},
)


@given(st.lists(st.tuples(described, styles), min_size=3, max_size=3), styles, shared)
@settings(max_examples=100, deadline=None)
def test_who_clashes_is_a_neighbour_however_it_is_written(
    written: list[tuple[dict[str, Any], dict[str, Any]]], style: dict[str, Any], inherited: dict[str, Any]
) -> None:
    texts = {customer: yaml.safe_dump(data, **how) for customer, (data, how) in zip(CUSTOMERS, written, strict=True)}
    defaults = yaml.safe_dump(inherited, **style)
    records = {customer: found for customer, text in texts.items() if (found := parsed(customer, text, defaults))}
    for customer, one in records.items():
        others = {other: text.encode() for other, text in texts.items() if other != customer}
        near = set(neighbours([one], others, defaults.encode()))
        clashing = {other for other, each in records.items() if other != customer and conflicts([one, each])}
        assert clashing <= near


BUCKET = "project_id: p1, bucket: {name: %s-bucket}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("aws: {names: {user: dataloop-b-c-prod}}", ""),
        ("integration: {name: b-c-prod-sts}", ""),
        ("aws: {names: {user: OURS}}", "aws: {names: {user: ours}}"),
        ("aws: {names: {user: ours}}", "aws: {names: {user: OURS}}"),
        ("integration: {name: x y z}", "integration:\n  name: x\n    y\n    z"),
        ("integration: {name: x y z}", "integration:\n  name: >-\n    x y\n    z"),
        ("integration: {name: x  y}", "integration: {name: x  y}"),
        ("integration: {name: it's}", "integration: {name: 'it''s'}"),
        ("integration: {name: ours}", 'integration: {name: "o\\x75rs"}'),
        ("integration: {name: ours}", "integration: {name: !!binary b3Vycw==}"),
        ("integration: {name: ours}", "labels: {a: &a ours}\nintegration: {name: *a}"),
    ],
)
def test_a_name_is_found_in_every_form(one: str, other: str) -> None:
    texts = {
        customer: f"{text}\ndrivers: [{{name: {customer}, {BUCKET % customer}}}]\n"
        for customer, text in (("a", one), ("b-c", other))
    }
    inherited = "organization_id: org-1\naws: {region: eu-west-1}\n"
    first, second = (parsed(customer, text, inherited) for customer, text in texts.items())
    assert first and second
    assert conflicts([first, second])
    assert list(neighbours([first], {"b-c": texts["b-c"].encode()}, inherited.encode())) == ["b-c"]


def test_who_has_nothing_in_common_is_not_parsed() -> None:
    data = {"drivers": [{"name": "images", "project_id": "p", "bucket": {"name": "dataloop-images"}}]}
    inherited = {"organization_id": "org-1", "aws": {"region": "eu-west-1"}}
    one = record("d", data, inherited)
    assert one
    texts = {
        "far": b"drivers: [{name: audio, bucket: {name: dataloop-audio}}]",
        "near": b"# like dataloop-images",
        "escaped": b'drivers: [{name: "im\\x61ges"}]',
        "no-text": b"\xff",
    }
    assert list(neighbours([one], texts, b"organization_id: org-1")) == ["near", "escaped"]
    assert list(neighbours([one], texts, b"drivers: [{name: images}]")) == list(texts)
    assert list(neighbours([one] * 31, texts, b"")) == list(texts)

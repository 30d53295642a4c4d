"""Of a changed spec every value that differs is told, of a new one what its record gives."""

from __future__ import annotations

from typing import Any

from automation.pull_request.changes import Change
from automation.pull_request.differences import differences
from dataloop_sts.spec import ConnectionSpec
from tests.pull_request.synthetic import spec


def _with(**of_driver: Any) -> ConnectionSpec:
    given = spec("acme").model_dump(mode="json", exclude_defaults=True)
    given["drivers"][0] |= of_driver
    return ConnectionSpec.parse(given, environment="prod")


def _told(change: Change) -> list[str]:
    return [f"{each.path}: {each.before} → {each.after}" for each in differences(change)]


def test_a_value_that_comes_goes_or_becomes_its_default_again_is_told_with_both() -> None:
    before, after = _with(allow_delete=True, prefix="raw/"), _with(allow_delete=False)
    there = _told(Change("changed", "acme", before=before, after=after))
    assert there == ["drivers[acme-images].allow_delete: true → false", "drivers[acme-images].prefix: raw/ → None"]
    back = _told(Change("changed", "acme", before=after, after=before))
    assert back == ["drivers[acme-images].allow_delete: false → true", "drivers[acme-images].prefix: None → raw/"]


def test_of_a_new_customer_its_own_values_are_told_and_of_a_removed_one_none() -> None:
    assert _told(Change("added", "acme", after=spec("acme"))) == [
        "aws.account_id: None → 123456789012",
        "aws.region: None → eu-west-1",
        "drivers[acme-images].bucket.name: None → dataloop-acme",
        "drivers[acme-images].name: None → acme-images",
        "drivers[acme-images].project_id: None → p-1",
        "organization_id: None → o-1",
    ]
    assert _told(Change("removed", "acme", before=spec("acme"))) == []


def test_a_driver_is_compared_with_the_one_of_its_name_wherever_it_stands() -> None:
    two = spec("acme").model_dump(mode="json", exclude_defaults=True)
    other = {**two["drivers"][0], "name": "videos", "prefix": "videos/"}
    two["drivers"][0]["prefix"] = "images/"
    here, there = ({**two, "drivers": each} for each in ([two["drivers"][0], other], [other, two["drivers"][0]]))
    before, after = (ConnectionSpec.parse(each, environment="prod") for each in (here, there))
    assert _told(Change("changed", "acme", before=before, after=after)) == []

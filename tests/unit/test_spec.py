"""The connection spec: what it accepts, what it derives, and every mistake at its place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import dataloop_sts
from dataloop_sts.errors import SpecError
from dataloop_sts.spec import ConnectionSpec
from tests.unit.spec_examples import PROJECT, data, driver, problems, spec


def test_the_smallest_spec_gets_safe_defaults() -> None:
    parsed = spec()
    assert parsed.on_destroy == "retain"
    assert parsed.access_key.generation == 1
    assert "DataLoop" in parsed.access_key.description
    assert parsed.drivers[0].allow_delete is False
    assert parsed.drivers[0].prefix is None
    assert parsed.aws.account_id is None
    assert parsed.aws.partition == "aws"


def test_names_derive_from_customer_and_environment_unless_given() -> None:
    given = spec(aws={"region": "eu-west-1", "names": {"role": "their-role"}}, integration={"name": "Their STS"})
    assert given.names("prod") == given.names("prod")
    assert (given.names("prod").user, given.names("prod").policy) == ("dataloop-acme-prod", "dataloop-acme-prod")
    assert (given.names("prod").role, given.names("prod").integration) == ("their-role", "Their STS")
    assert spec().names("dev").integration == "acme-dev-sts"


def test_a_spec_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(ValidationError):
        spec().on_destroy = "delete"


def test_buckets_shared_by_drivers_are_named_once_in_order() -> None:
    drivers = [driver("a", "bucket-b", prefix="x"), driver("b", "bucket-a"), driver("c", "bucket-b", prefix="y")]
    assert spec(drivers=drivers).bucket_names == ("bucket-b", "bucket-a")


def test_a_buckets_folders_are_its_drivers_and_a_driver_without_one_is_of_the_whole_bucket() -> None:
    parsed = spec(drivers=[driver("a", "bucket-b", prefix="x"), driver("b", "bucket-a"), driver("c", "bucket-b")])
    assert parsed.folders("bucket-b") == ("x/", "")
    assert parsed.folders("bucket-a") == ("",)
    assert parsed.folders("bucket-c") == ()


def test_tags_that_differ_in_more_than_case_are_accepted() -> None:
    tags = {"Team": "a", "teams": "A", "managed-bys": "us"}
    assert spec(aws={"region": "eu-west-1", "tags": tags}).aws.tags == tags


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"costumer": "acme"}, "costumer", "not a key"),
        ({"customer": "Acme"}, "customer", "lower-case"),
        ({"customer": "acme."}, "customer", "lower-case"),
        ({"customer": 7}, "customer", "text"),
        ({"organization_id": ""}, "organization_id", "Dataloop id"),
        ({"organization_id": "a/b"}, "organization_id", "Dataloop id"),
        ({"on_destroy": "keep"}, "on_destroy", "retain"),
        ({"drivers": []}, "drivers", "at least one"),
        ({"drivers": {"name": "x"}}, "drivers", "list"),
        ({"aws": {}}, "aws.region", "missing"),
        ({"aws": "eu-west-1"}, "aws", "keys"),
        ({"aws": {"region": "Ireland"}}, "aws.region", "eu-west-1"),
        ({"aws": {"region": "eu-west-\u0661"}}, "aws.region", "eu-west-1"),
        ({"aws": {"region": "us-iso-east-1"}}, "aws.region", "isolated"),
        ({"aws": {"region": "eu-west-1", "zone": "a"}}, "aws.zone", "not a key"),
        ({"aws": {"region": "eu-west-1", "account_id": 123456789012}}, "aws.account_id", "quotes"),
        ({"aws": {"region": "eu-west-1", "account_id": "12345678901"}}, "aws.account_id", "12 digits"),
        ({"aws": {"region": "eu-west-1", "account_id": "\u0661" * 12}}, "aws.account_id", "12 digits"),
        ({"aws": {"region": "eu-west-1", "tags": {"aws:x": "y"}}}, "aws.tags", "AWS uses itself"),
        ({"aws": {"region": "eu-west-1", "tags": {"AKIAX": "y"}}}, "aws.tags", "AWS uses itself"),
        ({"aws": {"region": "eu-west-1", "tags": {"x": "y" * 257}}}, "aws.tags", "256"),
        (
            {"aws": {"region": "eu-west-1", "tags": {"Team": "a", "team": "b"}}},
            "aws.tags",
            "'team' and 'Team' differ in",
        ),
        ({"aws": {"region": "eu-west-1", "tags": {"Managed-By": "us"}}}, "aws.tags", "'Managed-By' and 'managed-by'"),
        ({"aws": {"region": "eu-west-1", "tags": {"DataLoop-STS:customer": "x"}}}, "aws.tags", "differ in case alone"),
        ({"aws": {"region": "eu-west-1", "tags": {str(n): "" for n in range(41)}}}, "aws.tags", "at most 40"),
        ({"aws": {"region": "eu-west-1", "names": {"user": "a/b"}}}, "aws.names.user", "IAM allows"),
        ({"aws": {"region": "eu-west-1", "names": {"role": "r" * 65}}}, "aws.names.role", "64"),
        ({"aws": {"region": "eu-west-1", "names": {"policy": "p" * 129}}}, "aws.names.policy", "128"),
        ({"integration": {"name": " x"}}, "integration.name", "no space at the ends"),
        ({"integration": {"name": "a\nb"}}, "integration.name", "printable"),
        ({"access_key": {"generation": 0}}, "access_key.generation", "greater than or equal to 1"),
        ({"access_key": {"generation": "2"}}, "access_key.generation", "without quotes"),
        ({"access_key": {"generation": True}}, "access_key.generation", "without quotes"),
        ({"access_key": {"description": "S3 key"}}, "access_key.description", "DataLoop"),
        ({"access_key": {"description": "DataLoop <key>"}}, "access_key.description", "characters"),
        ({"drivers": [driver(allow_delete="yes")]}, "drivers[0].allow_delete", "true or false"),
        ({"drivers": [driver(), driver("b", "UPPER")]}, "drivers[1].bucket.name", "lower-case"),
        ({"drivers": [driver(bucket="s3")]}, "drivers[0].bucket.name", "3 to 63"),
        ({"drivers": [{"name": "a", "project_id": PROJECT}]}, "drivers[0].bucket", "missing"),
        ({"drivers": [driver(prefix="/raw")]}, "drivers[0].prefix", "leading slash"),
        ({"drivers": [driver(prefix="")]}, "drivers[0].prefix", "leave prefix out"),
        ({"drivers": [driver(prefix="raw/*")]}, "drivers[0].prefix", "wildcards"),
        ({"drivers": [driver(prefix="${aws:username}")]}, "drivers[0].prefix", "wildcards"),
        ({"drivers": [driver(prefix="raw//x")]}, "drivers[0].prefix", "empty part"),
        ({"drivers": [driver(prefix="raw/../x")]}, "drivers[0].prefix", "part"),
        ({"drivers": [driver(prefix="x" * 512)]}, "drivers[0].prefix", "512"),
    ],
)
def test_a_mistake_is_told_with_its_path_and_its_mend(changes: dict[str, Any], path: str, says: str) -> None:
    found = problems(data(**changes))
    assert list(found) == [path]
    assert says in found[path]


def test_all_mistakes_are_told_at_once() -> None:
    broken = data(
        customer="ACME",
        on_destroy="never",
        aws={"region": "mars", "account_id": "1"},
        drivers=[driver(prefix="*"), driver("b", "-x-", allow_delete=1)],
        extra=1,
    )
    assert set(problems(broken)) == {
        "customer",
        "on_destroy",
        "aws.region",
        "aws.account_id",
        "drivers[0].prefix",
        "drivers[1].bucket.name",
        "drivers[1].allow_delete",
        "extra",
    }


def test_mistakes_between_drivers_are_told_together_with_those_elsewhere() -> None:
    twice = [driver("a", "bucket-a"), driver("a", "bucket-b"), driver("c", "bucket-a", allow_delete=True)]
    found = problems(data(aws={"region": "mars"}, drivers=twice))
    assert set(found) == {"aws.region", "drivers[1].name", "drivers[0].allow_delete"}


@pytest.mark.parametrize("source", [None, [], "acme", 7, {1: 2}, [data()]])
def test_what_is_no_spec_at_all_is_one_clear_error(source: object) -> None:
    with pytest.raises(SpecError) as caught:
        ConnectionSpec.parse(source, environment="dev")
    assert "\n" not in str(caught.value)
    assert "ConnectionSpec" not in str(caught.value)


def test_the_same_driver_name_twice_is_refused_where_it_stands() -> None:
    found = problems(data(drivers=[driver("a", "bucket-a"), driver("b", "bucket-b"), driver("a", "bucket-c")]))
    assert found == {"drivers[2].name": "'a' is the name of drivers[0] already"}


def test_a_former_name_is_of_one_driver_alone() -> None:
    assert problems(data(drivers=[driver("a", former_name="b"), driver("c", "bucket-c", former_name="c")])) == {}
    drivers = [
        driver("a", former_name="x"),
        driver("b", "bucket-b", former_name="a"),
        driver("c", "bucket-c", former_name="x"),
    ]
    assert problems(data(drivers=drivers)) == {
        "drivers[1].former_name": "'a' is or was the name of drivers[0]: leave it out here",
        "drivers[2].former_name": "'x' is or was the name of drivers[0]: leave it out here",
    }


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {}),
        ({}, {"prefix": "raw"}),
        ({"prefix": "raw"}, {"prefix": "raw/"}),
        ({"prefix": "raw"}, {"prefix": "raw/images"}),
    ],
)
def test_a_driver_that_may_not_delete_cannot_lie_within_one_that_may(
    wide: dict[str, Any], narrow: dict[str, Any]
) -> None:
    drivers = [driver("wide", allow_delete=True, **wide), driver("narrow", allow_delete=False, **narrow)]
    found = problems(data(drivers=drivers))
    assert list(found) == ["drivers[1].allow_delete"]
    assert "'wide'" in found["drivers[1].allow_delete"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"prefix": "raw"}, {"prefix": "raw2", "allow_delete": True}),  # not the same folder, though the text begins so
        ({"prefix": "raw"}, {"bucket": "other-bucket", "allow_delete": True}),
        ({"prefix": "raw", "allow_delete": True}, {}),  # the folder may delete, the rest of the bucket may not
        ({"allow_delete": True}, {"prefix": "raw", "allow_delete": True}),
    ],
)
def test_drivers_that_do_not_contradict_each_other_are_accepted(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert problems(data(drivers=[driver("a", **first), driver("b", **second)])) == {}


@pytest.mark.parametrize("written", ["raw", "raw/"])
def test_a_prefix_is_kept_with_one_slash_at_its_end(written: str) -> None:
    assert spec(drivers=[driver(prefix=written)]).drivers[0].prefix == "raw/"


def test_derived_names_that_are_too_long_are_told_for_each_object_that_has_no_name_of_its_own() -> None:
    customer = "c" * 52  # dataloop-CUSTOMER-dev is 65 long
    found = problems(data(customer=customer))
    assert set(found) == {"aws.names.user", "aws.names.role"}
    assert "65 characters" in found["aws.names.user"]
    named = {"region": "eu-west-1", "names": {"user": "their-user"}}
    assert set(problems(data(customer=customer, aws=named))) == {"aws.names.role"}
    assert problems(data(customer="c" * 51)) == {}
    assert set(problems(data(customer="c" * 51), environment="prod")) == {"aws.names.user", "aws.names.role"}


def test_a_derived_integration_name_that_is_too_long_is_told() -> None:
    names = {"user": "u", "role": "r", "policy": "p"}
    long = data(customer="c" * 63, aws={"region": "eu-west-1", "names": names})
    assert set(problems(long, environment="e" * 40)) == {"integration.name"}
    assert problems({**long, "integration": {"name": "theirs"}}, environment="e" * 40) == {}


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("ap-southeast-2", "aws")],
)
def test_the_region_decides_the_partition(region: str, partition: str) -> None:
    assert spec(aws={"region": region}).aws.partition == partition


def test_every_key_has_a_description_for_the_people_who_write_specs() -> None:
    def without(schema: dict[str, Any]) -> list[str]:
        return [name for name, value in schema.get("properties", {}).items() if not value.get("description")]

    schema = ConnectionSpec.model_json_schema()
    assert without(schema) == []
    assert {name: without(part) for name, part in schema["$defs"].items() if without(part)} == {}


def test_a_spec_in_memory_is_checked_for_the_environment_that_it_is_read_for() -> None:
    parsed = spec()
    assert ConnectionSpec.parse(parsed, environment="dev") == parsed
    with pytest.raises(SpecError, match=r"aws\.names\.user"):
        ConnectionSpec.parse(parsed, environment="e" * 60)


def test_other_programs_find_the_spec_and_the_error_at_the_package_itself() -> None:
    assert dataloop_sts.ConnectionSpec is ConnectionSpec
    assert issubclass(SpecError, dataloop_sts.DataloopStsError)

"""The spec's fields for real accounts: what they accept, and each mistake at its place."""

from __future__ import annotations

from typing import Any

import pytest

from dataloop_sts import policies
from dataloop_sts.errors import SpecError
from tests.unit.spec_examples import PROJECT, data, driver, problems, spec

ACCOUNT, OTHER = "123456789012", "210987654321"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/security/dataloop-boundary"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/deploy/dataloop-deploy"


def aws(**changes: Any) -> dict[str, Any]:
    """The spec's `aws` with changes."""
    return {"region": "eu-west-1", "account_id": ACCOUNT, **changes}


def existing(name: str, bucket: str, **more: Any) -> dict[str, Any]:
    """A driver of a bucket that is there."""
    of_driver = {key: more.pop(key) for key in ("prefix", "allow_delete") if key in more}
    return {"name": name, "project_id": PROJECT, "bucket": {"existing": bucket, **more}, **of_driver}


def test_everything_that_real_accounts_ask_for_is_accepted_together() -> None:
    parsed = spec(
        aws=aws(
            iam_path="/dataloop/prod/",
            permissions_boundary=BOUNDARY,
            trust_source_ips=["203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "203.0.113.0/24"],
            deploy_role={"arn": DEPLOYER, "external_id": "acme-4711"},
        ),
        drivers=[
            driver("made", "bucket-made"),
            existing("theirs", "bucket-theirs", kms_key_arn=KEY, prefix="raw"),
            existing("theirs-too", "bucket-theirs", kms_key_arn=KEY, prefix="out", allow_delete=True),
        ],
    )
    assert parsed.aws.trust_source_ips == ("203.0.113.0/24", "198.51.100.7/32", "2001:db8::/32")
    assert (parsed.managed_buckets, parsed.existing_buckets) == (("bucket-made",), ("bucket-theirs",))
    assert parsed.bucket_names == ("bucket-made", "bucket-theirs")
    assert (parsed.kms_key_arn("bucket-theirs"), parsed.kms_key_arn("bucket-made")) == (KEY, None)
    assert parsed.kms_key_arns == (KEY,)
    assert parsed.folders("bucket-theirs") == ("raw/", "out/")


@pytest.mark.parametrize("path", ["/", "/dataloop/", "/a/b_c+=,.@-d/"])
def test_an_iam_path_is_accepted(path: str) -> None:
    assert spec(aws=aws(iam_path=path)).aws.iam_path == path


def test_a_policy_of_aws_itself_may_be_the_boundary() -> None:
    arn = "arn:aws:iam::aws:policy/PowerUserAccess"
    assert spec(aws=aws(permissions_boundary=arn)).aws.permissions_boundary == arn


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"aws": aws(iam_path="dataloop")}, "aws.iam_path", "begins and ends with a slash"),
        ({"aws": aws(iam_path="/dataloop")}, "aws.iam_path", "begins and ends with a slash"),
        ({"aws": aws(iam_path="//")}, "aws.iam_path", "begins and ends with a slash"),
        ({"aws": aws(iam_path=f"/{'p' * 511}/")}, "aws.iam_path", "begins and ends with a slash"),
        (
            {"aws": aws(permissions_boundary="boundary")},
            "aws.permissions_boundary",
            "must be an ARN such as arn:aws:iam",
        ),
        ({"aws": aws(permissions_boundary=DEPLOYER)}, "aws.permissions_boundary", "policy/name"),
        ({"aws": aws(deploy_role={"arn": BOUNDARY})}, "aws.deploy_role.arn", "role/deploy"),
        ({"aws": aws(deploy_role={"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b"})}, "aws.deploy_role.arn", "role/"),
        ({"aws": aws(deploy_role={"external_id": "x" * 9})}, "aws.deploy_role.arn", "missing"),
        ({"aws": aws(deploy_role={"arn": DEPLOYER, "external_id": "a"})}, "aws.deploy_role.external_id", "2 to 1,224"),
        (
            {"aws": aws(deploy_role={"arn": DEPLOYER, "external_id": "a b"})},
            "aws.deploy_role.external_id",
            "2 to 1,224",
        ),
        ({"aws": aws(trust_source_ips="203.0.113.0/24")}, "aws.trust_source_ips", "list"),
        ({"aws": aws(trust_source_ips=["203.0.113.0/33"])}, "aws.trust_source_ips", "is not an address range such as"),
        ({"aws": aws(trust_source_ips=["203.0.113.9/24"])}, "aws.trust_source_ips", "host bits"),
        ({"aws": aws(trust_source_ips=["office"])}, "aws.trust_source_ips", "is not an address range such as"),
        ({"aws": aws(trust_source_ips=["0.0.0.0/0"])}, "aws.trust_source_ips", "is every address"),
        ({"aws": aws(trust_source_ips=["::/0"])}, "aws.trust_source_ips", "is every address"),
        (
            {"drivers": [{**driver(), "bucket": {"name": "bucket-a", "existing": "bucket-b"}}]},
            "drivers[0].bucket",
            "needs either name",
        ),
        ({"drivers": [{"name": "a", "project_id": PROJECT, "bucket": {}}]}, "drivers[0].bucket", "needs either name"),
        ({"drivers": [existing("a", "UPPER")]}, "drivers[0].bucket.existing", "lower-case"),
        (
            {"drivers": [existing("a", "bucket-a", kms_key_arn="alias/x")]},
            "drivers[0].bucket.kms_key_arn",
            "(no alias)",
        ),
        (
            {"drivers": [existing("a", "bucket-a", kms_key_arn=KEY.replace("key/", "alias/"))]},
            "drivers[0].bucket.kms_key_arn",
            "(no alias)",
        ),
        ({"access_key": {"grace_days": -1}}, "access_key.grace_days", "greater than or equal to 0"),
        ({"access_key": {"generation": 3, "retiring": 1}}, "access_key", "before 3"),
    ],
)
def test_a_mistake_is_told_with_its_path_and_its_mend(changes: dict[str, Any], path: str, says: str) -> None:
    found = problems(data(**changes))
    assert list(found) == [path]
    assert says in found[path]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (driver("a", "bucket-a"), existing("b", "bucket-a")),
        (existing("a", "bucket-a", kms_key_arn=KEY), existing("b", "bucket-a")),
        (existing("a", "bucket-a", kms_key_arn=KEY), existing("b", "bucket-a", kms_key_arn=KEY[:-1] + "c")),
    ],
)
def test_one_bucket_cannot_be_described_in_two_ways(first: dict[str, Any], second: dict[str, Any]) -> None:
    found = problems(data(drivers=[first, second]))
    assert list(found) == ["drivers[1].bucket"]
    assert "bucket 'bucket-a' is described otherwise than in drivers[0]" in found["drivers[1].bucket"]


@pytest.mark.parametrize(
    ("of_aws", "key", "where", "says"),
    [
        ({"permissions_boundary": BOUNDARY.replace(ACCOUNT, OTHER)}, KEY, "aws.permissions_boundary", OTHER),
        ({"deploy_role": {"arn": DEPLOYER.replace(ACCOUNT, OTHER)}}, KEY, "aws.deploy_role.arn", OTHER),
        ({}, KEY.replace(ACCOUNT, OTHER), "drivers[0].bucket.kms_key_arn", f"is in account {OTHER}"),
        ({}, KEY.replace("eu-west-1", "eu-west-2"), "drivers[0].bucket.kms_key_arn", "name a key of that region"),
        ({}, KEY.replace(":aws:", ":aws-cn:"), "drivers[0].bucket.kms_key_arn", "is in partition aws-cn"),
        (
            {"permissions_boundary": BOUNDARY.replace(":aws:", ":aws-us-gov:")},
            KEY,
            "aws.permissions_boundary",
            "aws-us",
        ),
        # without account_id it is the deploying role that says in which account the connection is
        (
            {
                "account_id": None,
                "deploy_role": {"arn": DEPLOYER},
                "permissions_boundary": BOUNDARY.replace(ACCOUNT, OTHER),
            },
            KEY,
            "aws.permissions_boundary",
            f"the connection in {ACCOUNT}",
        ),
    ],
)
def test_an_arn_of_another_place_than_the_connections_is_told(
    of_aws: dict[str, Any], key: str, where: str, says: str
) -> None:
    found = problems(data(aws=aws(**of_aws), drivers=[existing("a", "bucket-a", kms_key_arn=key)]))
    assert list(found) == [where]
    assert says in found[where]


def test_more_source_addresses_than_a_trust_policy_can_hold_are_refused() -> None:
    def of(count: int) -> Any:
        ranges = [f"198.51.{n}.0/24" for n in range(count)]
        return spec(aws=aws(trust_source_ips=ranges, iam_path=f"/{'p' * 300}/"))

    policies.check_trust_length(of(60), "dev")
    with pytest.raises(SpecError) as caught:
        policies.check_trust_length(of(90), "dev")
    (problem,) = caught.value.problems
    assert problem.path == "aws.trust_source_ips"
    assert "IAM allows 2048: use fewer or wider ranges" in problem.message

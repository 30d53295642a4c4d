"""Each risk is told where it is one, in words with the customer's names, and not where it is none."""

from __future__ import annotations

from typing import Any

import pytest

from automation.pull_request.changes import Change
from automation.pull_request.risks import risks
from automation.results import Step
from dataloop_sts.errors import Problem
from dataloop_sts.rules import declared
from dataloop_sts.spec import ConnectionSpec

A, B = "123456789012", "210987654321"
KEY = f"arn:aws:kms:eu-west-1:{A}:key/k"
BOUNDARY = f"arn:aws:iam::{A}:policy/bound"
DEPLOY = f"arn:aws:iam::{A}:role/deploy"


def spec(customer: str = "acme", aws: dict[str, Any] | None = None, **more: Any) -> ConnectionSpec:
    data = {"customer": customer, "organization_id": "org-1", "drivers": [driver()], **more}
    data["aws"] = {"region": "eu-west-1", "account_id": A, **(aws or {})}
    return ConnectionSpec.parse(data, environment="prod")


def driver(name: str = "images", bucket: dict[str, Any] | str = "b-images", **more: Any) -> dict[str, Any]:
    place = {"name": bucket} if isinstance(bucket, str) else bucket
    return {"name": name, "project_id": "p-1", "bucket": place, **more}


def told(change: Change, *steps: Step) -> dict[str, str]:
    """The level of each risk, by its sentence."""
    return {risk.what: risk.level for risk in risks(change, steps, environment="prod")}


def between(before: ConnectionSpec, after: ConnectionSpec) -> dict[str, str]:
    return told(Change("changed", "acme", before=before, after=after))


def test_what_says_the_same_is_no_risk() -> None:
    assert between(spec(), spec()) == {}
    assert told(Change("program", "acme", before=spec(), after=spec())) == {}
    assert told(Change("added", "acme", after=spec())) == {}


RISKY = {
    "It is in AWS account 210987654321 instead of 123456789012.": ({}, {"aws": {"account_id": B}}),
    "It is no longer limited to AWS account 123456789012 (aws.account_id).": ({}, {"aws": {"account_id": None}}),
    "It is in region eu-west-2 instead of eu-west-1: a bucket cannot move.": ({}, {"aws": {"region": "eu-west-2"}}),
    "It is in Dataloop organization org-2 instead of org-1: it has another integration there.": (
        {},
        {"organization_id": "org-2"},
    ),
    "IAM user dataloop-acme-prod is replaced by reader, and its access key by another.": (
        {},
        {"aws": {"names": {"user": "reader"}}},
    ),
    "The role trusts another user: arn:aws:iam::123456789012:user/reader instead of "
    "arn:aws:iam::123456789012:user/dataloop-acme-prod.": ({}, {"aws": {"names": {"user": "reader"}}}),
    "IAM role dataloop-acme-prod is replaced by reader.": ({}, {"aws": {"names": {"role": "reader"}}}),
    "IAM policy dataloop-acme-prod is replaced by reader.": ({}, {"aws": {"names": {"policy": "reader"}}}),
    "User, role and policy are in path /x/ instead of /: role and policy have to be replaced.": (
        {},
        {"aws": {"iam_path": "/x/"}},
    ),
    f"The permissions boundary {BOUNDARY} bounds user and role no more: nothing does.": (
        {"aws": {"permissions_boundary": BOUNDARY}},
        {},
    ),
    f"The permissions boundary {BOUNDARY} bounds user and role no more: {BOUNDARY}2 does.": (
        {"aws": {"permissions_boundary": BOUNDARY}},
        {"aws": {"permissions_boundary": f"{BOUNDARY}2"}},
    ),
    "The role can be assumed from more addresses: 192.0.2.0/24.": (
        {"aws": {"trust_source_ips": ["203.0.113.0/24"]}},
        {"aws": {"trust_source_ips": ["203.0.113.0/24", "192.0.2.0/24"]}},
    ),
    "The role can be assumed from more addresses: everywhere.": ({"aws": {"trust_source_ips": ["203.0.113.0/24"]}}, {}),
    "The role can no longer be assumed from everywhere: Dataloop is shut out if it calls from there.": (
        {},
        {"aws": {"trust_source_ips": ["203.0.113.0/24"]}},
    ),
    f"What deploys it is {DEPLOY} instead of the shell's own credentials (aws.deploy_role).": (
        {},
        {"aws": {"deploy_role": {"arn": DEPLOY}}},
    ),
    f"The deploying role {DEPLOY} is assumed with external id two instead of one.": (
        {"aws": {"deploy_role": {"arn": DEPLOY, "external_id": "one"}}},
        {"aws": {"deploy_role": {"arn": DEPLOY, "external_id": "two"}}},
    ),
    "Bucket b-images leaves the connection: it stays in AWS with its objects, and nothing looks after it any more "
    "(on_destroy retain).": ({}, {"drivers": [driver(bucket="b-other")]}),
    "Bucket b-images leaves the connection: it is deleted, if nothing in it would be lost (on_destroy delete).": (
        {"on_destroy": "delete"},
        {"drivers": [driver(bucket="b-other")]},
    ),
    "Bucket b-images leaves the connection: it stays as it is, and is used no more.": (
        {"drivers": [driver(bucket={"existing": "b-images"})]},
        {"drivers": [driver(bucket={"existing": "b-other"})]},
    ),
    "Bucket b-images is no longer managed: it stays in AWS with its objects, and nothing looks after it any more "
    "(on_destroy retain).": ({}, {"drivers": [driver(bucket={"existing": "b-images"})]}),
    "Bucket b-images, which was there already, is to be made and managed.": (
        {"drivers": [driver(bucket={"existing": "b-images"})]},
        {},
    ),
    f"Bucket b-images is encrypted by S3's own key instead of {KEY}.": (
        {"drivers": [driver(bucket={"name": "b-images", "kms_key_arn": KEY})]},
        {},
    ),
    "Storage driver images has bucket b-other instead of b-images: another driver is made, and the old one is "
    "deleted.": ({}, {"drivers": [driver(bucket="b-other")]}),
    "Storage driver images is in project p-2 instead of p-1: another driver is made, and the old one is deleted.": (
        {},
        {"drivers": [driver(project_id="p-2")]},
    ),
    "Storage driver images is deleted: datasets that use it lose their storage.": ({}, {"drivers": [driver("audio")]}),
    "Dataloop may delete objects of bucket b-images: storage driver images.": (
        {},
        {"drivers": [driver(allow_delete=True)]},
    ),
    "Dataloop may delete objects of folder raw/ of bucket b-two: storage driver two.": (
        {},
        {"drivers": [driver(), driver("two", "b-two", prefix="raw", allow_delete=True)]},
    ),
    "The role may do more: s3:DeleteObject on arn:aws:s3:::b-images/*.": ({}, {"drivers": [driver(allow_delete=True)]}),
    "The role may do more: s3:ListBucket on arn:aws:s3:::b-images where s3:prefix is b/*.": (
        {"drivers": [driver(prefix="a")]},
        {"drivers": [driver(prefix="b")]},
    ),
    "The role may do more: s3:PutObject, s3:GetObject on arn:aws:s3:::b-images/*.": (
        {"drivers": [driver(prefix="a")]},
        {},
    ),
    f"The role may do more: kms:Decrypt, kms:GenerateDataKey on {KEY} where kms:viaservice is "
    "s3.eu-west-1.amazonaws.com.": ({}, {"drivers": [driver(bucket={"name": "b-images", "kms_key_arn": KEY})]}),
    "The access key is rotated: generation 2 instead of 1, of which the old one is deleted.": (
        {},
        {"access_key": {"generation": 2}},
    ),
    "The access key is rotated: generation 2 instead of 1, of which the old one stays, switched off.": (
        {},
        {"access_key": {"generation": 2, "retiring": 1}},
    ),
    "The access key's generation goes back from 3 to 2.": (
        {"access_key": {"generation": 3}},
        {"access_key": {"generation": 2}},
    ),
    "The access key of generation 1, which was kept, is deleted.": (
        {"access_key": {"generation": 2, "retiring": 1}},
        {"access_key": {"generation": 2}},
    ),
    "The guard is lifted: on_destroy is delete instead of refuse, so that buckets that leave are deleted if nothing in "
    "them would be lost.": ({"on_destroy": "refuse"}, {"on_destroy": "delete"}),
}


@pytest.mark.parametrize("what", RISKY)
def test_a_risk_is_told_in_words(what: str) -> None:
    before, after = (spec(**each) for each in RISKY[what])
    assert between(before, after).get(what) == "risky"
    assert what not in between(after, before)
    assert what not in between(after, after)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ({"aws": {"account_id": None}}, {}, "It is limited to AWS account 123456789012 (aws.account_id)."),
        ({}, {"integration": {"name": "x"}}, "Integration acme-prod-sts is renamed to x, in place."),
        (
            {},
            {"aws": {"permissions_boundary": BOUNDARY}},
            f"The permissions boundary {BOUNDARY} bounds user and role.",
        ),
        (
            {"drivers": [driver("pictures")]},
            {"drivers": [driver(former_name="pictures")]},
            "Storage driver pictures is renamed to images, in place.",
        ),
        (
            {"drivers": [driver(allow_delete=True)]},
            {},
            "The role may do less: s3:DeleteObject on arn:aws:s3:::b-images/* no more.",
        ),
        (
            {"drivers": [driver(allow_delete=True)]},
            {},
            "Dataloop may no longer delete objects through storage driver images.",
        ),
        (
            {},
            {"drivers": [driver(prefix="raw")]},
            "Storage driver images has folder raw/ of bucket b-images instead of the whole bucket.",
        ),
        (
            {"on_destroy": "refuse"},
            {},
            "A destroy is refused no more: it leaves the buckets where they are (on_destroy retain).",
        ),
    ],
)
def test_what_only_narrows_or_renames_in_place_is_a_note(
    before: dict[str, Any], after: dict[str, Any], what: str
) -> None:
    found = between(spec(**before), spec(**after))
    assert found[what] == "note"
    assert set(found.values()) == {"note"}


@pytest.mark.parametrize(
    "after",
    [
        {"aws": {"tags": {"a": "b"}}},
        {"access_key": {"description": "DataLoop", "grace_days": 3}},
        {"aws": {"names": {"user": "dataloop-acme-prod"}}},
        {"on_destroy": "refuse"},
    ],
)
def test_what_loses_and_opens_nothing_is_not_told(after: dict[str, Any]) -> None:
    assert between(spec(), spec(**after)) == {}


def test_a_new_customer_has_only_what_it_allows() -> None:
    new = spec(on_destroy="delete", drivers=[driver(allow_delete=True), driver("two", "b-two")])
    assert told(Change("added", "acme", after=new)) == {
        "Dataloop may delete objects of bucket b-images: storage driver images.": "risky",
        "A destroy deletes its buckets, if nothing in them would be lost (on_destroy delete).": "note",
    }


def test_a_record_that_goes_or_is_renamed_says_what_stays_and_what_to_run() -> None:
    removed = told(Change("removed", "acme", before=spec()))
    (what,) = removed
    assert removed[what] == "risky"
    assert "its stack prod.acme stays" in what
    assert "run dataloop-sts -e prod destroy acme before the merge" in what
    (what,) = told(Change("removed", "prod", before=spec(), own_stack=True))
    assert "its stack prod stays" in what
    assert "run dataloop-sts -e prod destroy before the merge" in what
    renamed = Change("renamed", "acme-eu", former="acme", before=spec(), after=spec("acme-eu"))
    (what,) = told(renamed)
    assert "prod.acme stays" in what and "prod.acme-eu would make" in what


def test_what_was_before_is_not_known_where_the_base_is_broken() -> None:
    change = Change("changed", "acme", after=spec(), base_problems=(Problem("x", "is wrong"),))
    assert told(change) == {
        "The record at the base has mistakes, so whether more is allowed than before is not known.": "risky"
    }


@pytest.mark.parametrize(
    ("setting", "level", "says"),
    [
        ("backend_url", "risky", "would be made anew"),
        ("sandbox", "risky", "another AWS"),
        ("dataloop_api_url", "risky", "is sent the token"),
        ("policy_pack", "risky", "other policies"),
        ("organizations.org-1", "risky", "organization org-1 are taken from elsewhere"),
        ("_environment.yaml", "risky", "is not known"),
        ("something_new", "risky", "setting something_new differs"),
        ("secrets_provider", "note", "new stacks"),
    ],
)
def test_a_setting_that_differs_is_told(setting: str, level: str, says: str) -> None:
    found = told(Change("program", "acme", before=spec(), after=spec(), settings=(setting,)))
    ((what, found_level),) = found.items()
    assert found_level == level
    assert says in what


def test_a_policy_that_is_too_long_cannot_be_compared() -> None:
    long = spec(drivers=[driver(str(number), prefix=f"{number:0250}") for number in range(20)])
    found = between(spec(), long)
    assert any(what.startswith("What the role may do cannot be compared: the role's policy would") for what in found)


BUCKET = "aws:s3/bucket:Bucket"


class TestSteps:
    SAME = Change("program", "acme", before=spec(), after=spec())

    @pytest.mark.parametrize(
        ("step", "what"),
        [
            (Step("b-images", BUCKET, "replace"), "Bucket b-images would be replaced."),
            (
                Step("b-images", BUCKET, "delete"),
                "Bucket b-images would leave the stack, and stays in AWS (on_destroy retain).",
            ),
            (Step("user", declared.USER, "replace"), "IAM user dataloop-acme-prod would be replaced."),
            (Step("role", declared.ROLE, "delete"), "IAM role dataloop-acme-prod would be deleted."),
            (Step("access-key-1", declared.ACCESS_KEY, "delete"), "Access key access-key-1 would be deleted."),
            (Step("images", declared.DRIVER, "delete"), "Storage driver images would be deleted."),
            (
                Step("integration", "pulumi-python:dynamic/dataloop:Integration", "replace"),
                "Integration acme-prod-sts would be replaced.",
            ),
            (
                Step("b-images-public-access", declared.ACCESS_BLOCK, "update", ("blockPublicAcls",)),
                "The public access block b-images-public-access of a bucket would be changed.",
            ),
            (
                Step("b-images-tls-only", "aws:s3/bucketPolicy:BucketPolicy", "delete"),
                "The policy b-images-tls-only of a bucket would be deleted.",
            ),
            (
                Step("role", declared.ROLE, "update", ("assumeRolePolicy",)),
                "The trust policy of IAM role dataloop-acme-prod would be changed, though not by the record.",
            ),
            (
                Step("policy", declared.POLICY, "update", ("policy",)),
                "What IAM policy dataloop-acme-prod allows would be changed, though not by the record.",
            ),
        ],
    )
    def test_what_would_be_lost_or_opened_is_told(self, step: Step, what: str) -> None:
        assert told(self.SAME, step) == {what: "risky"}

    @pytest.mark.parametrize(
        "step",
        [
            Step("b-images", BUCKET, "create"),
            Step("b-images", BUCKET, "update", ("tags",)),
            Step("user", declared.USER, "update", ("tags",)),
            Step("role", declared.ROLE, "update", ("tags",)),
            Step("policy", declared.POLICY, "update", ("tags",)),
            Step("policy", declared.POLICY, "update", ("policy",), ("{}", "{ }")),
            Step("images", declared.DRIVER, "update", ("path",)),
            Step("b-images-public-access", declared.ACCESS_BLOCK, "create"),
            Step("verification", declared.COMMAND, "replace"),
            Step("role-policy", declared.ATTACHMENT, "replace"),
        ],
    )
    def test_what_loses_and_opens_nothing_is_not_told(self, step: Step) -> None:
        assert told(self.SAME, step) == {}

    def test_what_the_record_says_itself_is_not_told_twice(self) -> None:
        after = spec(drivers=[driver(allow_delete=True)], aws={"trust_source_ips": ["192.0.2.0/24"]})
        steps = [
            Step("policy", declared.POLICY, "update", ("policy",)),
            Step("role", declared.ROLE, "update", ("assumeRolePolicy",)),
        ]
        found = told(Change("changed", "acme", before=spec(), after=after), *steps)
        assert not any("though not by the record" in what for what in found)

    def test_settings_that_go_with_their_bucket_are_not_told(self) -> None:
        steps = [
            Step("b-images", BUCKET, "delete"),
            Step("b-images-public-access", declared.ACCESS_BLOCK, "delete"),
        ]
        refused = Change("program", "acme", before=spec(on_destroy="delete"), after=spec(on_destroy="delete"))
        assert told(refused, *steps) == {"Bucket b-images would be deleted.": "risky"}

    def test_the_old_key_of_a_rotation_is_a_note_beside_it(self) -> None:
        rotated = Change("changed", "acme", before=spec(), after=spec(access_key={"generation": 2}))
        found = told(rotated, Step("access-key-1", declared.ACCESS_KEY, "delete"))
        assert found["Access key access-key-1 would be deleted, once the new one is proved."] == "note"


def test_the_risky_ones_go_first_and_each_is_told_once() -> None:
    steps = [Step("b-images", BUCKET, "replace")] * 2
    after = spec(integration={"name": "x"})
    found = risks(Change("changed", "acme", before=spec(), after=after), steps, environment="prod")
    assert [risk.level for risk in found] == ["risky", "note"]

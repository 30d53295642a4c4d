"""The report says what is there, how it differs, what is dangerous, and what becomes of it."""

from __future__ import annotations

import json

from dataloop_sts import policies
from dataloop_sts.adopted import FormerKey, RoleLeftovers
from dataloop_sts.adoption import Known
from tests.adoption.by_hand import OTHER_ACCOUNT, Hand
from tests.adoption.looking import dangers_of, plan_of, refusals_of, report_of
from tests.steps.aws_world import World


def test_what_follows_the_instructions_to_the_letter_is_found_equal_and_imported(hand: Hand) -> None:
    hand.makes_everything()
    hand.works()
    report = report_of(hand.spec)
    assert report.refusals == ()
    assert [row.kind for row in report.rows if not row.found] == ["bucket policy", "access key"]
    assert [row.kind for row in report.rows if row.found and not row.equal] == ["access key"]  # of unknown secret
    driver = report.rows[-1]
    assert (driver.kind, driver.becomes) == ("driver", "is taken over; keeps its id and 1 dataset")
    # the console's wizard leaves one thing that the instructions do not speak of
    assert dangers_of(hand.spec) == {
        "role-instance-profile": f"It is in instance profile {hand.role}. It stays. `aws iam "
        f"remove-role-from-instance-profile --role-name {hand.role} --instance-profile-name {hand.role}`"
    }
    found = plan_of(hand)
    assert len(found.imports) == 9
    assert (found.former_key, found.leftovers) == (FormerKey(hand.key, True), None)
    assert (found.integration_id, found.driver_ids) == (hand.integration_id, {hand.driver: hand.driver_id})
    assert json.loads(json.dumps(report.document()))["can_be_applied"] is True


def test_every_usual_deviation_is_shown_with_what_becomes_of_it(hand: Hand) -> None:
    hand.deviates()
    spec = {**hand.spec, "drivers": [{**hand.spec["drivers"][0], "allow_delete": False}]}
    assert refusals_of(spec) == {}
    dangers = dangers_of(spec, days_later=100)
    for check, what in {
        "bucket-public-access-block": "Off: block_public_acls, ignore_public_acls, block_public_policy, "
        "restrict_public_buckets. The adoption mends it.",
        "trust-service": "names Service ec2.amazonaws.com. The adoption mends it.",
        "trust-other-account": f"names AWS arn:aws:iam::{OTHER_ACCOUNT}:root. The adoption mends it.",
        "role-wildcard": "The adoption mends it.",
        "user-console": f"It stays. `aws iam delete-login-profile --user-name {hand.user}`",
        "key-old": "It is 100 days old; 90 are allowed. The adoption replaces the key.",
        "key-never-used": "never used. The adoption replaces the key.",
        "driver-allow-delete": "Its flag is on; the spec says off. The adoption mends it.",
        "role-instance-profile": "It stays.",
    }.items():
        assert what in dangers.pop(check)
    assert dangers == {}

    report = report_of(spec)
    rows = {(row.kind, row.name): row for row in report.rows}
    block = rows["public access block", hand.bucket]
    assert block.becomes == "is imported, and brought to the spec"
    trust = rows["trust", hand.role]
    assert (trust.differences, trust.becomes) == (
        ("It names Service ec2.amazonaws.com.", f"It names AWS arn:aws:iam::{OTHER_ACCOUNT}:root."),
        "names the user alone then",
    )
    assert any("beyond the spec" in each for each in rows["policy", hand.policy].differences)
    assert rows["further policy of the role", hand.more_arn].becomes == "is detached"
    assert rows["further policy of the role", "by-hand"].becomes == "is deleted"
    assert rows["driver", hand.driver].differences == ("Its deletion flag is on; the spec says off.",)
    assert plan_of(hand).leftovers == RoleLeftovers(attached=(hand.more_arn,), inline=("by-hand",))


def test_a_driver_that_may_not_delete_although_the_spec_says_so_is_no_danger(hand: Hand) -> None:
    hand.makes_the_aws_half()
    hand.makes_the_dataloop_half(allow_delete=False)
    assert "driver-allow-delete" not in dangers_of(hand.spec)
    assert rows_of_driver(hand) == ("Its deletion flag is off; the spec says on.",)


def rows_of_driver(hand: Hand) -> tuple[str, ...]:
    """The differences of the one driver."""
    return next(row.differences for row in report_of(hand.spec).rows if row.kind == "driver")


def test_of_half_a_set_up_the_other_half_is_made(hand: Hand) -> None:
    hand.makes_the_aws_half()
    report = report_of(hand.spec)
    assert report.refusals == ()
    made = [row.kind for row in report.rows if row.becomes == "is made"]
    assert made == ["bucket policy", "integration", "driver"]
    found = plan_of(hand)
    assert (found.integration_id, found.driver_ids) == (None, {})


def test_what_an_interrupted_run_has_taken_over_is_not_taken_over_again(hand: Hand, world: World) -> None:
    hand.makes_everything()
    new_key = world.iam.create_access_key(UserName=hand.user)["AccessKey"]["AccessKeyId"]
    before = plan_of(hand, Known({("aws:iam/accessKey:AccessKey", "access-key-1"): new_key}))
    assert before.former_key == FormerKey(hand.key, True)

    ids = {
        **before.imports,
        ("aws:iam/accessKey:AccessKey", "access-key-1"): new_key,
        ("pulumi-python:dynamic/dataloop:Integration", "integration"): hand.integration_id,
    }
    known = Known(ids)
    assert refusals_of(hand.spec, known) == {}
    after = plan_of(hand, known)
    assert (after.imports, after.former_key, after.integration_id) == ({}, None, None)
    assert after.driver_ids == {hand.driver: hand.driver_id}
    becomes = {(row.kind, row.name): row.becomes for row in report_of(hand.spec, known).rows}
    assert becomes["user", hand.user] == "is the stack's already"
    assert becomes["access key", new_key] == "is the stack's already"
    assert "deleted once the new key has proved itself" in becomes["access key", hand.key]


def test_the_stacks_resources_are_read_out_of_a_deployment() -> None:
    urn = "urn:pulumi:dev.acme::dataloop-sts::dataloop-sts:identity:Identity$aws:iam/user:User::user"
    user = {"type": "aws:iam/user:User", "urn": urn, "id": "reader"}
    component = {"type": "dataloop-sts:identity:Identity", "urn": "urn:pulumi:dev.acme::dataloop-sts::x::identity"}
    assert Known.of([user, component, {**user, "id": "old", "delete": True}]).ids == {
        ("aws:iam/user:User", "user"): "reader"
    }


def test_tags_that_would_go_are_told_and_those_of_the_spec_that_lack(hand: Hand, world: World) -> None:
    hand.makes_everything()
    world.iam.tag_user(UserName=hand.user, Tags=[{"Key": "team", "Value": "data"}])
    spec = {**hand.spec, "aws": {**hand.spec["aws"], "tags": {"cost-center": "4711"}}}
    row = next(row for row in report_of(spec).rows if row.kind == "user")
    assert row.differences == (
        "It has the tag team=data, which goes: write it into aws.tags to keep it.",
        "It lacks the spec's tags cost-center.",
    )


def test_a_policy_on_the_role_that_only_denies_stays(hand: Hand, world: World) -> None:
    hand.makes_everything()
    deny = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    world.iam.put_role_policy(RoleName=hand.role, PolicyName="never", PolicyDocument=document)
    assert plan_of(hand).leftovers is None
    assert "further policy of the role" not in {row.kind for row in report_of(hand.spec).rows}


def test_a_bucket_that_a_destroy_has_left_is_equal_to_the_spec(hand: Hand, world: World) -> None:
    hand.makes_the_bucket()
    tags = {"managed-by": "dataloop-sts", "dataloop-sts:customer": hand.tag, "dataloop-sts:environment": "dev"}
    tag_set = [{"Key": key, "Value": value} for key, value in tags.items()]
    world.s3.put_bucket_tagging(Bucket=hand.bucket, Tagging={"TagSet": tag_set})
    document = policies.canonical(policies.bucket_document("aws", hand.bucket))
    world.s3.put_bucket_policy(Bucket=hand.bucket, Policy=document)
    assert refusals_of(hand.spec) == {}
    buckets = [row for row in report_of(hand.spec).rows if row.name == hand.bucket]
    assert [row.equal for row in buckets] == [True] * 5
    assert {kind for kind, _ in plan_of(hand).imports} == {
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketPolicy:BucketPolicy",
    }

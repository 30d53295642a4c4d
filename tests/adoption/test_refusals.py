"""What something else uses, or what cannot become what the spec says, is not adopted, and the mend is told."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dataloop_sts.adoption import Known
from dataloop_sts.dataloop import DataloopClient
from tests.adoption.by_hand import ALLOW_EVERYTHING_OF_S3, REGION, Hand
from tests.adoption.looking import refusals_of, report_of
from tests.steps.aws_world import World


@pytest.fixture
def made(hand: Hand) -> Hand:
    """Somebody who has made everything."""
    hand.makes_everything()
    assert refusals_of(hand.spec) == {}
    return hand


def changed(spec: dict[str, Any], *path: str | int, value: Any) -> dict[str, Any]:
    """The spec with another value at a place."""
    new = copy.deepcopy(spec)
    place: Any = new
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return new


def test_a_bucket_and_a_driver_in_another_region_are_not_adopted(made: Hand) -> None:
    found = report_of(changed(made.spec, "aws", "region", value="us-east-1")).refusals
    assert [each.path for each in found] == ["aws.region", "aws.region"]
    assert str(found[0]) == f"aws.region: Bucket {made.bucket} is in {REGION}, the spec says us-east-1: correct it."
    assert "is over the region eu-west-1, the spec says us-east-1" in found[1].message


def test_names_under_which_nothing_is_are_told(made: Hand) -> None:
    spec = changed(made.spec, "aws", "names", value={"user": "nobody", "role": "nobody", "policy": "nobody"})
    spec["integration"]["name"] = spec["drivers"][0]["name"] = "nobody"
    spec["drivers"][0]["bucket"]["name"] = f"{made.bucket}-elsewhere"
    assert list(refusals_of(spec)) == ["aws.names"]
    assert "Nothing of this connection was found" in refusals_of(spec)["aws.names"]


def test_a_wrong_name_among_right_ones_is_told_with_the_name_that_is_there(made: Hand) -> None:
    assert refusals_of(changed(made.spec, "aws", "names", "user", value="nobody")) == {
        "aws.names.user": f"There is no user nobody, and role {made.role} trusts {made.user_arn}: "
        f"is that {made.user!r}?"
    }
    found = refusals_of(changed(made.spec, "aws", "names", "policy", value="nobody"))
    assert f"role {made.role} has {made.policy_arn}: write its name." in found["aws.names.policy"]
    found = refusals_of(changed(made.spec, "integration", "name", value="nobody"))
    assert (
        f"uses integration {made.integration_id}, and there is none of the name 'nobody'" in found["integration.name"]
    )
    found = refusals_of(changed(made.spec, "drivers", 0, "name", value="nobody"))
    assert f"is used by 1 driver: {made.driver}: write them into the spec" in found["drivers"]


def test_a_user_with_two_keys_is_told_with_both_and_their_use(made: Hand, world: World) -> None:
    second = world.iam.create_access_key(UserName=made.user)["AccessKey"]["AccessKeyId"]
    message = refusals_of(made.spec)["aws.names.user"]
    for key in (made.key, second):
        assert f"{key} (made on " in message
    assert "0 days ago, never used" in message
    assert f"aws iam delete-access-key --user-name {made.user} --access-key-id ID." in message
    assert "repair" not in message
    # once the stack has the first one, the other can be what an interrupted run left
    known = Known({("aws:iam/accessKey:AccessKey", "access-key-0"): made.key})
    message = refusals_of(made.spec, known)["aws.names.user"]
    assert second in message
    assert "dataloop-sts repair" in message


def test_a_bucket_with_a_policy_or_a_key_of_its_own_is_not_adopted(made: Hand, world: World) -> None:
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{made.account_id}:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{made.bucket}/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    world.s3.put_bucket_policy(Bucket=made.bucket, Policy=document)
    key = f"arn:aws:kms:{REGION}:{made.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    world.s3.put_bucket_encryption(Bucket=made.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    found = refusals_of(made.spec)
    assert (
        "has a policy of its own, with 1 statement that the spec's has not: use it as `existing`"
        in (found["drivers[].bucket.name"])
    )
    assert f"encrypts with {key}: write that key's ARN" in found["drivers[].bucket.kms_key_arn"]
    named = changed(made.spec, "drivers", 0, "bucket", value={"name": made.bucket, "kms_key_arn": key})
    assert list(refusals_of(named)) == ["drivers[].bucket.name"]


def test_a_bucket_of_another_account_is_not_adopted(hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hand.makes_everything()
    spec = {**hand.spec, "aws": {key: value for key, value in hand.spec["aws"].items() if key != "account_id"}}
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    found = refusals_of(spec)
    assert "belongs to another account than" in found["drivers[].bucket.name"]


def test_credentials_of_another_account_are_told_and_nothing_else(
    made: Hand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    assert "needs credentials of account 123456789012" in refusals_of(made.spec)[""]


@pytest.mark.parametrize(
    ("principal", "named"),
    [
        ({"AWS": "arn:aws:iam::123456789012:user/somebody"}, ":user/somebody"),
        ({"AWS": "arn:aws:iam::123456789012:role/something"}, ":role/something"),
        ({"Service": "lambda.amazonaws.com"}, "lambda.amazonaws.com"),
        ({"Federated": "arn:aws:iam::123456789012:saml-provider/idp"}, "saml-provider/idp"),
    ],
)
def test_a_role_that_something_else_may_take_is_not_adopted(
    principal: dict[str, str], named: str, made: Hand, world: World
) -> None:
    user, role = f"somebody-{world.tag}", f"something-{world.tag}"
    world.iam.create_user(UserName=user)
    world.iam.create_role(RoleName=role, AssumeRolePolicyDocument=ALLOW_EC2)
    principal = {
        key: value.replace("/somebody", f"/{user}").replace("/something", f"/{role}")
        for key, value in principal.items()
    }
    made.updates_the_trust(principal)
    message = refusals_of(made.spec)["aws.names.role"]
    assert named in message
    assert "so something else uses it: give another role." in message


ALLOW_EC2 = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def test_a_role_of_machines_is_not_adopted(made: Hand, world: World) -> None:
    profile = f"machines-{world.tag}"
    world.iam.create_instance_profile(InstanceProfileName=profile)
    world.iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=made.role)
    assert f"is in instance profile {profile}, so machines use it" in refusals_of(made.spec)["aws.names.role"]


@pytest.mark.parametrize(("path", "where"), [("/service-role/", "aws.names.role"), ("/team/", "aws.iam_path")])
def test_a_role_under_another_path_is_not_adopted(path: str, where: str, hand: Hand, world: World) -> None:
    world.iam.create_role(RoleName=hand.role, Path=path, AssumeRolePolicyDocument=ALLOW_EC2)
    assert f"Role {hand.role} is under {path}" in refusals_of(hand.spec)[where]


@pytest.mark.parametrize(
    "tag",
    ["ManagedBy=terraform", "managed-by=pulumi", "dataloop-sts:customer=somebody-else", "managed-by=dataloop-sts"],
)
def test_what_another_tool_or_customer_has_is_not_adopted(tag: str, made: Hand, world: World) -> None:
    key, _, value = tag.partition("=")
    world.iam.tag_role(RoleName=made.role, Tags=[{"Key": key, "Value": value}])
    found = refusals_of(made.spec)
    if value == "dataloop-sts":
        assert found == {}
    else:
        assert f"Role {made.role} belongs to something else, as its tag {tag} says" in found["aws.names"]


def test_a_policy_that_is_on_somebody_else_too_is_not_adopted(made: Hand, world: World) -> None:
    world.iam.create_role(RoleName=f"other-{world.tag}", AssumeRolePolicyDocument=ALLOW_EC2)
    world.iam.attach_role_policy(RoleName=f"other-{world.tag}", PolicyArn=made.policy_arn)
    assert f"is on role other-{world.tag} too" in refusals_of(made.spec)["aws.names.policy"]


def test_a_user_who_reaches_the_buckets_without_the_role_is_not_adopted_but_a_harmless_one_is(
    made: Hand, world: World
) -> None:
    harmless = {"Effect": "Allow", "Action": "iam:ChangePassword", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [harmless]})
    world.iam.put_user_policy(UserName=made.user, PolicyName="own", PolicyDocument=document)
    group = f"readers-{world.tag}"
    world.iam.create_group(GroupName=group)
    world.iam.add_user_to_group(GroupName=group, UserName=made.user)
    report = report_of(made.spec)
    assert report.refusals == ()
    stay = {each.check: each.becomes for each in report.dangers}
    assert stay["user-permission"].startswith("It stays. Take it off the user: `aws iam delete-user-policy")
    assert stay["user-group"].startswith("It stays. `aws iam remove-user-from-group")

    world.iam.put_group_policy(GroupName=group, PolicyName="s3", PolicyDocument=ALLOW_EVERYTHING_OF_S3)
    message = refusals_of(made.spec)["aws.names.user"]
    assert f"by policy 1 of group {group}" in message
    assert f"aws iam remove-user-from-group --user-name {made.user} --group-name {group}" in message


def test_an_integration_of_another_type_or_of_more_drivers_is_not_adopted(
    made: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.makes_a_driver("one more")
    assert "is used by 1 driver: one more" in refusals_of(made.spec)["drivers"]
    monkeypatch.setattr(DataloopClient, "driver_count", lambda _, id_: 5)
    assert "is used by 3 drivers that the token's user may not see" in refusals_of(made.spec)["integration.name"]


def test_an_integration_of_another_type_is_not_adopted(hand: Hand) -> None:
    hand.makes_the_aws_half()
    path = f"/orgs/{hand.organization_id}/integrations"
    options = {"key": hand.key, "secret": "x" * 40}
    hand.dataloop("POST", path, {"type": "s3", "name": hand.integration, "options": options})
    assert "is of type 's3', not aws-sts" in refusals_of(hand.spec)["integration.name"]


def test_a_driver_over_another_bucket_or_with_another_integration_is_not_adopted(made: Hand, world: World) -> None:
    world.make_bucket(f"other-{made.bucket}")
    spec = changed(made.spec, "drivers", 0, "bucket", "name", value=f"other-{made.bucket}")
    assert f"is over the bucket {made.bucket}, the spec says other-" in refusals_of(spec)["drivers[].bucket.name"]

    options = {"key": made.key, "secret": "x" * 40, "roleArns": made.role_arn}
    body = {"type": "aws-sts", "name": f"{made.tag} second", "options": options}
    made.dataloop("POST", f"/orgs/{made.organization_id}/integrations", body)
    found = refusals_of(changed(made.spec, "integration", "name", value=f"{made.tag} second"))
    assert f"uses integration {made.integration_id}, not '{made.tag} second'" in found["integration.name"]


def test_a_driver_whose_datasets_read_another_folder_is_not_adopted(made: Hand) -> None:
    spec = changed(made.spec, "drivers", 0, "prefix", value="raw/")
    assert refusals_of(spec) == {}
    made.works()
    message = refusals_of(spec)["drivers[].prefix"]
    assert f"reads the folder (whole bucket), the spec says raw/, and is used by 1 dataset: {made.tag} cats" in message


def test_what_may_not_be_seen_is_told_with_the_permission_that_is_lacking(made: Hand, world: World) -> None:
    reader = world.iam.create_user(UserName=f"reader-{world.tag}")["User"]["UserName"]
    statement = {
        "Effect": "Allow",
        "Action": ["iam:Get*", "iam:List*", "s3:List*", "s3:GetBucketLocation"],
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.iam.put_user_policy(UserName=reader, PolicyName="read", PolicyDocument=document)
    key = world.iam.create_access_key(UserName=reader)["AccessKey"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        found = [each.message for each in report_of(made.spec).refusals]
    assert any("the policy of bucket" in each and "(needs s3:GetBucketPolicy)" in each for each in found)

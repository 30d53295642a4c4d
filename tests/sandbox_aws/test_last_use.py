"""What GetAccessKeyLastUsed and GetRole tell of the last use: the truth, whoever refused the request.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


def of_key(world: Any, user: dict[str, str]) -> dict[str, Any]:
    answer = world.client("iam").get_access_key_last_used(AccessKeyId=user["key"])
    assert answer["UserName"] == f"user-{world.tag}"
    used: dict[str, Any] = answer["AccessKeyLastUsed"]
    return used


def of_role(world: Any) -> dict[str, Any]:
    used: dict[str, Any] = world.client("iam").get_role(RoleName=f"role-{world.tag}")["Role"].get("RoleLastUsed", {})
    return used


def now_ish(moment: datetime) -> bool:
    return abs(datetime.now(UTC) - moment) < timedelta(seconds=5)


def test_key_that_was_never_used_says_so(world: Any) -> None:
    _, user = world.user()
    assert of_key(world, user) == {"ServiceName": "N/A", "Region": "N/A"}


def test_the_last_signed_request_is_told_whether_it_was_allowed_or_not(world: Any) -> None:
    bucket, (_, user) = world.bucket(), world.user()
    calls = [
        ("sts", "eu-west-1", lambda sts: sts.get_caller_identity(), True),
        ("s3", "us-east-1", lambda s3: s3.list_objects_v2(Bucket=bucket), False),
        ("iam", "us-east-1", lambda iam: iam.list_users(), False),
        ("kms", "eu-central-1", lambda kms: kms.list_keys(), False),
        ("s3", "eu-west-1", lambda s3: s3.get_object(Bucket="no-such-bucket-here", Key="k"), False),
    ]
    for service, region, call, allowed in calls:
        client = world.client(service, **user, region=region)
        if allowed:
            call(client)
        else:
            world.refused(lambda call=call, client=client: call(client))
        used = of_key(world, user)
        assert (used["ServiceName"], used["Region"]) == (service, region)
        assert now_ish(used["LastUsedDate"])


@pytest.mark.parametrize("attempt", ["wrong secret", "inactive"])
def test_attempts_that_do_not_authenticate_do_not_count(world: Any, attempt: str) -> None:
    _, user = world.user()
    world.client("sts", **user).get_caller_identity()
    before = of_key(world, user)
    keys = dict(user)
    if attempt == "wrong secret":
        keys["secret"] = "x" * 40
    else:
        iam = world.client("iam")
        iam.update_access_key(UserName=f"user-{world.tag}", AccessKeyId=user["key"], Status="Inactive")
    time.sleep(1.1)  # dates are told in whole seconds
    world.refused(world.client("sts", **keys).get_caller_identity)
    world.refused(world.client("s3", **keys).list_buckets)
    assert of_key(world, user) == before


def test_a_sessions_requests_count_for_the_role_and_not_for_the_key(world: Any) -> None:
    bucket, (arn, user) = world.bucket(), world.user()
    role = world.role(arn)
    assert of_role(world) == {}
    session = world.session(user, role)
    assumed = of_key(world, user)
    assert (assumed["ServiceName"], assumed["Region"]) == ("sts", "us-east-1")
    assert of_role(world) == {}
    time.sleep(1.1)
    world.refused(lambda: world.client("s3", **session, region="eu-west-1").list_objects_v2(Bucket=bucket))
    used = of_role(world)
    assert used["Region"] == "eu-west-1"
    assert now_ish(used["LastUsedDate"])
    assert of_key(world, user) == assumed


def test_a_refused_assume_role_is_a_use_of_the_key(world: Any) -> None:
    _, user = world.user()
    role = world.role(world.user("other")[0])
    world.refused(lambda: world.session(user, role))
    assert of_key(world, user)["ServiceName"] == "sts"
    assert of_role(world) == {}


def test_session_of_a_role_that_is_gone_is_no_use_of_its_namesake(world: Any) -> None:
    arn, user = world.user()
    role = world.role(arn)
    session = world.session(user, role)
    world.client("iam").delete_role(RoleName=f"role-{world.tag}")
    world.role(arn)
    world.refused(world.client("s3", **session).list_buckets)
    assert of_role(world) == {}


def test_a_key_of_another_account_is_not_told_of(world: Any) -> None:
    _, user = world.user()
    world.client("sts", **user).get_caller_identity()
    refused = world.refused(lambda: world.other_account("iam").get_access_key_last_used(AccessKeyId=user["key"]))
    assert refused == ("NoSuchEntity", 404)


def test_last_use_is_told_with_the_permission_on_the_keys_user(world: Any) -> None:
    _, user = world.user()
    asker_arn, asker = world.user("asker")
    iam = world.client("iam", **asker)
    refused = world.refusal(lambda: iam.get_access_key_last_used(AccessKeyId=user["key"]))
    of_user = f"arn:aws:iam::{world.server.account_id}:user/user-{world.tag}"
    assert refused == (
        "AccessDenied",
        f"User: {asker_arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: {of_user} "
        "because no identity-based policy allows the iam:GetAccessKeyLastUsed action",
    )
    document = world.policy(world.allow("iam:GetAccessKeyLastUsed", of_user))
    world.client("iam").put_user_policy(UserName=f"asker-{world.tag}", PolicyName="ask", PolicyDocument=document)
    assert iam.get_access_key_last_used(AccessKeyId=user["key"])["UserName"] == f"user-{world.tag}"

"""Conditions on a trust, sessions that are revoked, boundaries and orphans, as an outside client sees them."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

LOOPBACK, ELSEWHERE = "127.0.0.0/8", "203.0.113.0/24"


@pytest.mark.parametrize(
    ("condition", "works"),
    [
        ({"IpAddress": {"aws:SourceIp": LOOPBACK}}, True),
        ({"IpAddress": {"aws:SourceIp": [ELSEWHERE, "127.0.0.1"]}}, True),
        ({"IpAddress": {"aws:SourceIp": [ELSEWHERE, "2001:db8::/32"]}}, False),
        ({"NotIpAddress": {"aws:SourceIp": [ELSEWHERE, LOOPBACK]}}, False),
        ({"NotIpAddress": {"aws:SourceIp": ELSEWHERE}}, True),
        ({"StringEquals": {"sts:ExternalId": ["old", "shared"]}}, True),
        ({"StringEquals": {"sts:ExternalId": "shared"}, "IpAddress": {"aws:SourceIp": LOOPBACK}}, True),
        ({"StringEquals": {"sts:ExternalId": "shared"}, "IpAddress": {"aws:SourceIp": ELSEWHERE}}, False),
        ({"StringEquals": {"sts:ExternalId": "other"}, "IpAddress": {"aws:SourceIp": LOOPBACK}}, False),
    ],
)
def test_addresses_and_external_id_of_a_trust_are_evaluated(world: Any, condition: Any, works: bool) -> None:
    arn, user = world.user()
    role = world.role(arn, condition=condition)
    shown = world.client("iam").get_role(RoleName=f"role-{world.tag}")["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Condition"] == condition
    if works:
        assert world.session(user, role, ExternalId="shared")["token"]
    else:
        refused = world.refusal(lambda: world.session(user, role, ExternalId="shared"))
        assert refused == (
            "AccessDenied",
            f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role} "
            "because no resource-based policy allows the sts:AssumeRole action",
        )


def test_deny_of_other_addresses_beats_the_trust(world: Any) -> None:
    arn, user = world.user()
    role = world.role(arn)
    trusted = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    far = {**trusted, "Effect": "Deny", "Condition": {"NotIpAddress": {"aws:SourceIp": ELSEWHERE}}}
    world.client("iam").update_assume_role_policy(
        RoleName=f"role-{world.tag}", PolicyDocument=world.policy(trusted, far)
    )
    _, message = world.refusal(lambda: world.session(user, role))
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_revoked_sessions_are_refused_and_later_ones_are_not(world: Any) -> None:
    bucket, (arn, user) = world.bucket(), world.user()
    role = world.role(arn)
    world.grant(role, world.allow("s3:*", "*"))
    before = world.client("s3", **world.session(user, role))
    before.list_objects_v2(Bucket=bucket)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    revoke = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}},
    }
    iam, name = world.client("iam"), f"role-{world.tag}"
    iam.put_role_policy(RoleName=name, PolicyName="AWSRevokeOlderSessions", PolicyDocument=world.policy(revoke))
    code, message = world.refusal(lambda: before.list_objects_v2(Bucket=bucket))
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in an identity-based policy")
    time.sleep(0.01)
    after = world.client("s3", **world.session(user, role))
    after.list_objects_v2(Bucket=bucket)
    iam.delete_role_policy(RoleName=name, PolicyName="AWSRevokeOlderSessions")
    before.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("bearer", ["user", "role"])
def test_boundary_limits_with_the_words_of_aws(world: Any, bearer: str) -> None:
    bucket, (arn, user), iam = world.bucket(), world.user(), world.client("iam")
    role = world.role(arn)
    everything = world.allow("s3:*", "*")
    world.grant(role, everything)
    iam.put_user_policy(UserName=f"user-{world.tag}", PolicyName="all", PolicyDocument=world.policy(everything))
    keys = user if bearer == "user" else world.session(user, role)
    s3, who = world.client("s3", **keys), world.client("sts", **keys).get_caller_identity()["Arn"]
    narrow = world.allow(["s3:GetObject", "s3:ListBucket"], "*")
    deny = {**world.allow("s3:ListBucket", "*"), "Effect": "Deny"}
    boundary = iam.create_policy(PolicyName=f"limit-{world.tag}", PolicyDocument=world.policy(narrow, deny))
    put = getattr(iam, f"put_{bearer}_permissions_boundary")
    target = {f"{bearer.title()}Name": f"{bearer}-{world.tag}", "PermissionsBoundary": boundary["Policy"]["Arn"]}
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    put(**target)
    s3.get_object(Bucket=bucket, Key="k")
    assert world.refusal(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"")) == (
        "AccessDenied",
        f"User: {who} is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::{bucket}/k "
        "because no permissions boundary allows the s3:PutObject action",
    )
    assert world.refusal(lambda: s3.list_objects_v2(Bucket=bucket)) == (
        "AccessDenied",
        f"User: {who} is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::{bucket} "
        "with an explicit deny in a permissions boundary",
    )


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "arn:aws:iam::{other}:root"},
        {"AWS": "arn:aws:iam::999999999999:root"},
        {"Service": "ec2.amazonaws.com"},
        {"AWS": ["arn:aws:iam::{account}:root", "arn:aws:iam::{other}:root"], "Service": "ec2.amazonaws.com"},
        {"AWS": "*"},
        "*",
    ],
    ids=json.dumps,
)
def test_principals_beside_the_one_user_are_saved_and_shown(world: Any, principal: Any) -> None:
    server = world.server
    filled = json.loads(
        json.dumps(principal).replace("{other}", server.other_account_id).replace("{account}", server.account_id)
    )
    arn, user = world.user()
    role, own = world.role(arn), {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    document = world.policy(own, {**own, "Principal": filled})
    iam, name = world.client("iam"), f"role-{world.tag}"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    shown = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert [statement["Principal"] for statement in shown["Statement"]] == [{"AWS": arn}, filled]
    assert world.session(user, role)["token"]


def test_who_else_is_trusted_may_assume_the_role(world: Any) -> None:
    server, iam = world.server, world.client("iam")
    role, (_, stranger) = world.role(server.other_account_id), world.user("stranger")
    far = {"key": server.other_account_access_key_id, "secret": server.other_account_secret_access_key}
    assert world.session(far, role)["token"]
    assert world.refused(lambda: world.session(stranger, role)) == ("AccessDenied", 403)
    anyone = world.policy({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=f"role-{world.tag}", PolicyDocument=anyone)
    assert world.session(stranger, role)["token"]


def test_user_of_another_account_is_bound_to_its_id_too(world: Any) -> None:
    far, iam, name = world.other_account("iam"), world.client("iam"), f"far-{world.tag}"
    made = far.create_user(UserName=name)["User"]
    world.role(made["Arn"])

    def trusted() -> str:
        shown = iam.get_role(RoleName=f"role-{world.tag}")["Role"]["AssumeRolePolicyDocument"]
        return str(shown["Statement"][0]["Principal"]["AWS"])

    assert trusted() == made["Arn"]
    far.delete_user(UserName=name)
    assert trusted() == made["UserId"]
    far.create_user(UserName=name)
    assert trusted() == made["UserId"]
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        world.role(f"arn:aws:iam::999999999999:user/{name}", "other")

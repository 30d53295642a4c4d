"""Who may do what in the sandbox's AWS, as an outside client sees it through boto3."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.server import AwsServer

READ_WRITE = ["s3:ListBucket", "s3:GetObject", "s3:PutObject"]


def connection(world: Any, actions: Any = READ_WRITE) -> tuple[str, dict[str, str], str]:
    """A bucket, a user without permissions, and a role, granted the actions on it, that only this user may assume."""
    bucket, (user_arn, user) = world.bucket(), world.user()
    role = world.role(user_arn)
    world.grant(role, world.allow(actions, [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]))
    return bucket, user, role


def unsigned(url: str, method: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    request = urllib.request.Request(url, data, headers or {}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_administrators_of_both_accounts_are_who_they_say(world: Any) -> None:
    accounts = [client.get_caller_identity()["Account"] for client in (world.client("sts"), world.other_account("sts"))]
    assert accounts == [world.server.account_id, world.server.other_account_id]


def test_user_without_permissions_is_refused_on_s3_and_iam(world: Any) -> None:
    bucket, (arn, user) = world.bucket(), world.user()
    s3 = world.client("s3", **user)
    assert world.refused(lambda: s3.list_objects_v2(Bucket=bucket)) == ("AccessDenied", 403)
    assert world.refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"")) == ("AccessDenied", 403)
    assert world.refused(lambda: s3.head_bucket(Bucket=bucket)) == ("403", 403)
    assert world.refused(lambda: s3.create_bucket(Bucket=f"new-{world.tag}")) == ("AccessDenied", 403)
    assert world.refused(s3.list_buckets) == ("AccessDenied", 403)
    assert world.refused(lambda: world.client("iam", **user).list_users()) == ("AccessDenied", 403)
    assert world.client("sts", **user).get_caller_identity()["Arn"] == arn


def test_wrong_secret_unknown_key_and_wrong_token_are_refused_with_aws_codes(world: Any) -> None:
    bucket, user, role = connection(world)
    session = world.session(user, role)
    cases = [
        ({**user, "secret": "x" * 40}, ("SignatureDoesNotMatch", 403), ("SignatureDoesNotMatch", 403)),
        ({**user, "key": "AKIAUNKNOWNUNKNOWNUN"}, ("InvalidAccessKeyId", 403), ("InvalidClientTokenId", 403)),
        ({**session, "token": "wrong"}, ("InvalidToken", 400), ("InvalidClientTokenId", 403)),
        ({**session, "token": None}, ("InvalidAccessKeyId", 403), ("InvalidClientTokenId", 403)),
        ({**user, "token": "unasked"}, ("InvalidToken", 400), ("InvalidClientTokenId", 403)),
    ]
    for keys, on_s3, on_sts in cases:
        s3, sts = world.client("s3", **keys), world.client("sts", **keys)
        assert world.refused(lambda s3=s3: s3.list_objects_v2(Bucket=bucket)) == on_s3
        assert world.refused(sts.get_caller_identity) == on_sts


def test_only_the_user_in_the_trust_policy_may_assume_the_role(world: Any) -> None:
    _, user, role = connection(world)
    _, stranger = world.user("stranger")
    identity = world.client("sts", **world.session(user, role)).get_caller_identity()
    name = role.rsplit("/", 1)[-1]
    assert identity["Arn"] == f"arn:aws:sts::{world.server.account_id}:assumed-role/{name}/test"
    assert identity["UserId"].startswith("AROA")
    assert world.refused(lambda: world.session(stranger, role)) == ("AccessDenied", 403)
    admin = {"key": world.server.access_key_id, "secret": world.server.secret_access_key}
    assert world.refused(lambda: world.session(admin, role)) == ("AccessDenied", 403)
    assert world.refused(lambda: world.session(user, f"{role}x")) == ("AccessDenied", 403)


def test_external_id_of_the_trust_is_required(world: Any) -> None:
    arn, user = world.user()
    role = world.role(arn, condition={"StringEquals": {"sts:ExternalId": "shared"}})
    assert world.refused(lambda: world.session(user, role)) == ("AccessDenied", 403)
    assert world.refused(lambda: world.session(user, role, ExternalId="other")) == ("AccessDenied", 403)
    assert world.session(user, role, ExternalId="shared")["token"]


def test_session_reaches_the_granted_bucket_only_and_granted_actions_only(world: Any) -> None:
    bucket, user, role = connection(world)
    other = world.bucket("other")
    s3 = world.client("s3", **world.session(user, role))
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    s3.head_bucket(Bucket=bucket)
    s3.head_object(Bucket=bucket, Key="k")
    assert world.refused(lambda: s3.delete_object(Bucket=bucket, Key="k")) == ("AccessDenied", 403)
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})["Errors"]
    assert [(error["Key"], error["Code"]) for error in errors] == [("k", "AccessDenied")]
    assert world.refused(lambda: s3.get_bucket_policy(Bucket=bucket)) == ("AccessDenied", 403)
    assert world.refused(lambda: s3.list_objects_v2(Bucket=other)) == ("AccessDenied", 403)
    assert world.refused(lambda: s3.put_object(Bucket=other, Key="k", Body=b"")) == ("AccessDenied", 403)
    source = {"Bucket": other, "Key": "k"}
    world.client("s3").put_object(Bucket=other, Key="k", Body=b"secret")
    assert world.refused(lambda: s3.copy_object(Bucket=bucket, Key="c", CopySource=source)) == ("AccessDenied", 403)


def test_multi_object_delete_is_decided_for_each_key(world: Any) -> None:
    bucket, user, role = connection(world)
    world.grant(role, world.allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/mine/*"))
    for key in ("mine/k", "theirs/k"):
        world.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")
    s3 = world.client("s3", **world.session(user, role))
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "mine/k"}, {"Key": "theirs/k"}]})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["mine/k"]
    assert [entry["Key"] for entry in answer["Errors"]] == ["theirs/k"]
    left = world.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in left] == ["theirs/k"]


def test_prefix_condition_limits_the_listing(world: Any) -> None:
    bucket, user, role = connection(world)
    condition = {"StringLike": {"s3:prefix": "raw/*"}}
    world.grant(role, world.allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition=condition))
    s3 = world.client("s3", **world.session(user, role))
    assert s3.list_objects_v2(Bucket=bucket, Prefix="raw/")["KeyCount"] == 0
    assert s3.list_objects(Bucket=bucket, Prefix="raw/deeper/")["Prefix"] == "raw/deeper/"
    for wanted in ({}, {"Prefix": "raw"}, {"Prefix": "other/"}, {"Prefix": ""}):
        assert world.refused(lambda w=wanted: s3.list_objects_v2(Bucket=bucket, **w)) == ("AccessDenied", 403)
    assert world.refused(lambda: s3.head_bucket(Bucket=bucket)) == ("403", 403)


def test_missing_key_is_hidden_from_who_may_not_list(world: Any) -> None:
    bucket, user, role = connection(world)
    s3 = world.client("s3", **world.session(user, role))
    assert world.refused(lambda: s3.get_object(Bucket=bucket, Key="none")) == ("NoSuchKey", 404)
    world.grant(role, world.allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    assert world.refused(lambda: s3.get_object(Bucket=bucket, Key="none")) == ("AccessDenied", 403)


def test_recreated_user_is_refused_by_the_old_trust_which_shows_the_orphaned_id(world: Any) -> None:
    _, user, role = connection(world)
    iam, name, role_name = world.client("iam"), f"user-{world.tag}", role.rsplit("/", 1)[-1]
    before = iam.get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
    assert before["Statement"][0]["Principal"]["AWS"].endswith(f":user/{name}")
    old_id = iam.get_user(UserName=name)["User"]["UserId"]
    iam.delete_access_key(UserName=name, AccessKeyId=user["key"])
    iam.delete_user(UserName=name)
    arn, again = world.user()
    assert arn == before["Statement"][0]["Principal"]["AWS"]
    assert world.refused(lambda: world.session(again, role)) == ("AccessDenied", 403)
    shown = iam.get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"]["AWS"] == old_id
    assert old_id.startswith("AIDA")
    listed = [entry for entry in iam.list_roles()["Roles"] if entry["RoleName"] == role_name]
    assert listed[0]["AssumeRolePolicyDocument"] == shown
    assert world.refused(
        lambda: iam.update_assume_role_policy(RoleName=role_name, PolicyDocument=json.dumps(shown))
    ) == ("MalformedPolicyDocument", 400)
    iam.update_assume_role_policy(RoleName=role_name, PolicyDocument=json.dumps(before))
    assert world.session(again, role)["token"]


def test_inactive_and_deleted_keys_are_refused(world: Any) -> None:
    bucket, user, role = connection(world)
    iam, name = world.client("iam"), f"user-{world.tag}"
    assert world.session(user, role)["token"]
    for status, works in (("Inactive", False), ("Active", True)):
        iam.update_access_key(UserName=name, AccessKeyId=user["key"], Status=status)
        if works:
            assert world.session(user, role)["token"]
        else:
            assert world.refused(lambda: world.session(user, role)) == ("InvalidClientTokenId", 403)
            s3 = world.client("s3", **user)
            assert world.refused(lambda s3=s3: s3.list_objects_v2(Bucket=bucket)) == ("InvalidAccessKeyId", 403)
    iam.delete_access_key(UserName=name, AccessKeyId=user["key"])
    assert world.refused(lambda: world.session(user, role)) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"])
def test_unsigned_request_is_a_403(world: Any, method: str) -> None:
    bucket, url = world.bucket(), world.server.endpoint_url
    world.client("s3").put_object(Bucket=bucket, Key="k", Body=b"")
    data = b"data" if method in ("PUT", "POST") else None
    targets = [
        "",
        bucket,
        f"{bucket}/k",
        f"{bucket}/new",
        f"no-{bucket}",
        f"no-{bucket}/k",
        f"{bucket}?policy",
        "moto-api/reset",
    ]
    assert {target: unsigned(f"{url}/{target}", method, data) for target in targets} == dict.fromkeys(targets, 403)


@pytest.mark.parametrize(("action", "version"), [("ListUsers", "2010-05-08"), ("AssumeRole", "2011-06-15")])
def test_unsigned_iam_or_sts_call_is_a_403(world: Any, action: str, version: str) -> None:
    body = f"Action={action}&Version={version}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert unsigned(world.server.endpoint_url, "POST", body, form) == 403
    assert unsigned(f"{world.server.endpoint_url}/?{body.decode()}", "GET") == 403


def test_anonymous_reads_only_what_the_bucket_policy_opens(world: Any) -> None:
    bucket, url = world.bucket(), world.server.endpoint_url
    admin = world.client("s3")
    for key in ("open/k", "closed/k"):
        admin.put_object(Bucket=bucket, Key=key, Body=b"")
    statement = world.allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open/*", Principal="*")
    admin.put_bucket_policy(Bucket=bucket, Policy=world.policy(statement))
    assert unsigned(f"{url}/{bucket}/open/k", "GET") == 200
    assert unsigned(f"{url}/{bucket}/closed/k", "GET") == 403
    assert unsigned(f"{url}/{bucket}/open/k", "DELETE") == 403


def test_bucket_policy_denies_even_the_administrator(world: Any) -> None:
    bucket, admin = world.bucket(), world.client("s3")
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {
        **world.allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], Principal="*"),
        "Effect": "Deny",
    }
    admin.put_bucket_policy(Bucket=bucket, Policy=world.policy({**deny, "Condition": insecure}))
    admin.put_object(Bucket=bucket, Key="k", Body=b"")  # the loopback interface counts as TLS
    admin.put_bucket_policy(Bucket=bucket, Policy=world.policy({**deny, "Action": "s3:GetObject"}))
    assert world.refused(lambda: admin.get_object(Bucket=bucket, Key="k")) == ("AccessDenied", 403)


def test_bucket_policy_that_aws_would_not_save_is_refused(world: Any) -> None:
    bucket, admin = world.bucket(), world.client("s3")
    here = world.allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*")
    gone = {"AWS": f"arn:aws:iam::{world.server.account_id}:user/nobody"}
    bad = [
        {**here, "Principal": gone},
        {**here, "Resource": "arn:aws:s3:::elsewhere/*"},
        {**here, "Condition": {"StringIs": {"s3:prefix": "x"}}},
        {key: value for key, value in here.items() if key != "Principal"},
    ]
    for statement in bad:
        document = world.policy(statement)
        code = world.refused(lambda d=document: admin.put_bucket_policy(Bucket=bucket, Policy=d))
        assert code == ("MalformedPolicy", 400)
    assert world.refused(lambda: admin.get_bucket_policy(Bucket=bucket)) == ("NoSuchBucketPolicy", 404)


def test_permissions_boundary_and_session_policy_limit_the_session(world: Any) -> None:
    bucket, user, role = connection(world)
    iam, resources = world.client("iam"), [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    session = world.session(user, role, Policy=world.policy(world.allow("s3:ListBucket", "*")))
    s3 = world.client("s3", **session)
    s3.list_objects_v2(Bucket=bucket)
    assert world.refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"")) == ("AccessDenied", 403)
    boundary = iam.create_policy(
        PolicyName=f"boundary-{world.tag}", PolicyDocument=world.policy(world.allow("s3:ListBucket", resources))
    )["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role.rsplit("/", 1)[-1], PermissionsBoundary=boundary)
    s3 = world.client("s3", **world.session(user, role))
    s3.list_objects_v2(Bucket=bucket)
    assert world.refused(lambda: s3.get_object(Bucket=bucket, Key="k")) == ("AccessDenied", 403)


def test_permissions_boundary_of_a_user_limits_it_and_is_shown(world: Any) -> None:
    iam, bucket = world.client("iam"), world.bucket()
    document = world.policy(world.allow("iam:*", "*"))
    boundary = iam.create_policy(PolicyName=f"limit-{world.tag}", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_user(UserName=f"limited-{world.tag}", PermissionsBoundary=boundary)
    shown = iam.get_user(UserName=f"limited-{world.tag}")["User"]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == boundary
    everything = world.policy(world.allow("*", "*"))
    iam.put_user_policy(UserName=f"limited-{world.tag}", PolicyName="all", PolicyDocument=everything)
    key = iam.create_access_key(UserName=f"limited-{world.tag}")["AccessKey"]
    user = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    assert world.client("iam", **user).list_users()["Users"]
    assert world.refused(lambda: world.client("s3", **user).list_objects_v2(Bucket=bucket)) == ("AccessDenied", 403)


def test_session_ends_with_the_role_it_was_made_for(world: Any) -> None:
    bucket, user, role = connection(world)
    s3, iam, name = world.client("s3", **world.session(user, role)), world.client("iam"), role.rsplit("/", 1)[-1]
    s3.list_objects_v2(Bucket=bucket)
    iam.delete_role_policy(RoleName=name, PolicyName="granted")
    iam.delete_role(RoleName=name)
    user_arn = f"arn:aws:iam::{world.server.account_id}:user/user-{world.tag}"
    world.grant(world.role(user_arn), world.allow("s3:*", "*"))
    assert world.refused(lambda: s3.list_objects_v2(Bucket=bucket)) == ("AccessDenied", 403)


def test_presigned_url_carries_the_signers_permissions_and_no_more(world: Any) -> None:
    bucket, user, role = connection(world)
    world.client("s3").put_object(Bucket=bucket, Key="a b", Body=b"")
    target = {"Bucket": bucket, "Key": "a b"}
    s3 = world.client("s3", **world.session(user, role), signature_version="s3v4")
    url = s3.generate_presigned_url("get_object", Params=target)
    assert unsigned(url, "GET") == 200
    assert unsigned(url.replace("a%20b", "other"), "GET") == 403
    assert unsigned(s3.generate_presigned_url("delete_object", Params=target), "DELETE") == 403
    assert unsigned(s3.generate_presigned_url("get_object", Params=target, ExpiresIn=1), "GET") == 200
    version_2 = world.client("s3", signature_version="s3").generate_presigned_url("get_object", Params=target)
    assert unsigned(version_2, "GET") == 400


def test_service_that_is_not_served_says_so(world: Any) -> None:
    assert world.refused(world.client("sns").list_topics) == ("NotImplemented", 501)
    assert world.refused(world.client("sts").get_session_token) == ("NotImplemented", 501)


def test_new_key_trust_and_policy_version_wait_for_the_simulated_delay(world: Any) -> None:
    url = f"{world.server.endpoint_url}/sandbox-control/consistency"

    def delay(seconds: float) -> None:
        assert (
            unsigned(url, "POST", json.dumps({"delay_s": seconds}).encode(), {"Content-Type": "application/json"})
            == 200
        )

    arn, old = world.user("settled")
    role, bucket, iam = world.role(arn), world.bucket(), world.client("iam")
    granted = world.policy(world.allow("s3:PutObject", "*"))
    managed = iam.create_policy(PolicyName=f"granted-{world.tag}", PolicyDocument=granted)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyArn=managed)
    s3 = world.client("s3", **world.session(old, role))
    delay(1.5)
    try:
        withdrawn = world.policy(world.allow("s3:GetObject", "*"))
        iam.create_policy_version(PolicyArn=managed, PolicyDocument=withdrawn, SetAsDefault=True)
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        fresh_arn, fresh = world.user("fresh")
        fresh_role = world.role(arn, "fresh-role")
        assert world.refused(lambda: world.session(fresh, role)) == ("InvalidClientTokenId", 403)
        assert world.session(old, role)["token"]
        assert world.refused(lambda: world.session(old, fresh_role)) == ("AccessDenied", 403)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                assert world.session(old, fresh_role)["token"]
                break
            except ClientError:
                time.sleep(0.1)
        else:
            pytest.fail("the new trust never came into force")
        assert world.client("sts", **fresh).get_caller_identity()["Arn"] == fresh_arn
        assert world.refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"")) == ("AccessDenied", 403)
    finally:
        delay(0)


def test_concurrent_requests_do_not_disturb_each_other(world: Any) -> None:
    bucket, s3 = world.bucket(), world.client("s3")

    def write(number: int) -> bytes:
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=str(number).encode())
        return bytes(s3.get_object(Bucket=bucket, Key=f"k{number}")["Body"].read())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(60))) == [str(number).encode() for number in range(60)]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 60


def test_second_server_in_a_process_is_refused(server: AwsServer) -> None:
    with pytest.raises(RuntimeError, match="stop it first"):
        AwsServer().start()
    assert server.endpoint_url

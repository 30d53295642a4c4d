"""A bucket's tags as the official plugin writes and asks for them: at creation, and by S3 Control."""

from typing import Any

import boto3
from botocore.config import Config

TAGS = [{"Key": "team", "Value": "data"}, {"Key": "empty", "Value": ""}]


def _made(s3: Any, name: str) -> Any:
    where = {"LocationConstraint": "eu-west-1", "Tags": TAGS}
    return s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)


def test_a_bucket_is_made_with_its_tags(world: Any) -> None:
    s3, name = world.client("s3", region="eu-west-1"), f"tagged-{world.tag}"
    _made(s3, name)
    assert sorted(s3.get_bucket_tagging(Bucket=name)["TagSet"], key=str) == sorted(TAGS, key=str)


def test_tags_at_creation_need_a_permission_of_their_own(world: Any) -> None:
    arn, keys = world.user()
    role = world.role(arn)
    name = f"tagged-{world.tag}"
    world.grant(role, world.allow("s3:CreateBucket", f"arn:aws:s3:::{name}"))
    s3 = world.client("s3", region="eu-west-1", **world.session(keys, role))
    code, message = world.refusal(lambda: _made(s3, name))
    assert code == "AccessDenied" and "s3:TagResource" in message


def test_calls_of_s3_control_arrive_through_the_proxy_and_send_the_caller_to_s3(server: Any, world: Any) -> None:
    bucket = world.bucket()
    control = boto3.client(
        "s3control",
        endpoint_url=server.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=Config(proxies={"http": server.endpoint_url}, retries={"total_max_attempts": 1}),
    )
    hosts: list[str] = []
    control.meta.events.register("before-send.s3-control", lambda request, **_: hosts.append(request.url))

    def list_tags() -> Any:
        return control.list_tags_for_resource(AccountId=server.account_id, ResourceArn=f"arn:aws:s3:::{bucket}")

    assert world.refused(list_tags) == ("MethodNotAllowed", 405)
    assert hosts[0].startswith(f"http://{server.account_id}.127.0.0.1:")

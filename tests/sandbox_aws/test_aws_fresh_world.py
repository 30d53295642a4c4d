"""Each start of the AWS sandbox begins with an empty world and new keys."""

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sandbox.aws.server import AwsServer


def test_restart_forgets_everything_and_closes_the_port() -> None:
    server = AwsServer()
    server.start()
    old = boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name=server.region,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
    )
    old.create_bucket(Bucket="remembered")
    old_key = server.access_key_id
    server.stop()
    with pytest.raises(EndpointConnectionError):
        old.list_buckets()
    server.start()
    try:
        keys = {"aws_access_key_id": server.access_key_id, "aws_secret_access_key": server.secret_access_key}
        new = boto3.client("s3", endpoint_url=server.endpoint_url, region_name=server.region, **keys)
        assert new.list_buckets()["Buckets"] == []
        with pytest.raises(ClientError, match="NoSuchBucket"):
            new.list_objects_v2(Bucket="remembered")
        assert server.access_key_id != old_key
    finally:
        server.stop()

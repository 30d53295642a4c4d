"""The TEST of a driver: reaches the storage as the platform does, for real, with the integration's credentials."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.dataloop.errors import StorageUnreachable
from sandbox.dataloop.records import Credentials, DriverSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

# Access key id, secret access key, session token.
_Access = tuple[str, str, str | None]

OBJECT_NAME = "test-file"
_CONTENT = b"Written by the TEST of a storage driver.\n"
_SHORTEST_REDACTED = 8
_DEFAULT_REGION = "us-east-1"
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    proxies={},
)


class StorageTest:
    """Tests drivers against one AWS endpoint; safe to use from several threads at once.

    Args:
        aws_endpoint_url: Where STS and S3 answer.
    """

    def __init__(self, aws_endpoint_url: str) -> None:
        self._endpoint_url = aws_endpoint_url
        # The developer's own AWS profile and files have no part in this.
        own_settings = {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
        self._session = boto3.Session(botocore_session=botocore.session.Session(session_vars=own_settings))
        self._making_client = threading.Lock()

    def run(self, settings: DriverSettings, credentials: Credentials) -> None:
        """Assume the role, then list, put and get `test-file` under the driver's path, and delete it if allowed.

        Raises:
            StorageUnreachable: the message names the step that failed and AWS's error code.
        """
        region = settings.region or _DEFAULT_REGION
        prefix = _prefix(settings.path)
        key = f"{prefix}{OBJECT_NAME}"
        bucket = settings.bucket
        secrets = [credentials.secret_access_key.get_secret_value()]
        access: _Access = (credentials.access_key_id, secrets[0], None)
        if credentials.role_arn is not None:
            with _step(f"AssumeRole {credentials.role_arn}", secrets):
                access = self._assume_role(region, access, credentials.role_arn)
            secrets += [part for part in access[1:] if part]
        s3 = self._s3(region, access)
        with _step(f"ListObjectsV2 s3://{bucket}/{prefix}", secrets):
            s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        with _step(f"PutObject s3://{bucket}/{key}", secrets):
            if settings.storage_class:
                s3.put_object(Bucket=bucket, Key=key, Body=_CONTENT, StorageClass=settings.storage_class)  # type: ignore[arg-type]
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=_CONTENT)
        with _step(f"GetObject s3://{bucket}/{key}", secrets):
            if s3.get_object(Bucket=bucket, Key=key)["Body"].read() != _CONTENT:
                raise StorageUnreachable(
                    f"GetObject s3://{bucket}/{key} failed: it returned other content than was put"
                )
        if settings.allow_delete:
            with _step(f"DeleteObject s3://{bucket}/{key}", secrets):
                s3.delete_object(Bucket=bucket, Key=key)

    def _assume_role(self, region: str, access: _Access, role_arn: str) -> _Access:
        with self._making_client:
            sts: STSClient = self._session.client(
                "sts",
                region_name=region,
                endpoint_url=self._endpoint_url,
                aws_access_key_id=access[0],
                aws_secret_access_key=access[1],
                config=_CONFIG,
            )
        assumed = sts.assume_role(RoleArn=role_arn, RoleSessionName="dataloop-driver-test", DurationSeconds=900)
        temporary = assumed["Credentials"]
        return temporary["AccessKeyId"], temporary["SecretAccessKey"], temporary["SessionToken"]

    def _s3(self, region: str, access: _Access) -> S3Client:
        with self._making_client:
            client: S3Client = self._session.client(
                "s3",
                region_name=region,
                endpoint_url=self._endpoint_url,
                aws_access_key_id=access[0],
                aws_secret_access_key=access[1],
                aws_session_token=access[2],
                config=_CONFIG,
            )
            return client


def _prefix(path: str | None) -> str:
    folder = (path or "").strip("/")
    return f"{folder}/" if folder else ""


@contextmanager
def _step(name: str, secrets: list[str]) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "Unknown")
        reason = f"{code}: {error.response.get('Error', {}).get('Message', '')}"
    except BotoCoreError as error:
        # Not AWS's answer but the lack of one; the exception's own text may quote the request.
        reason = type(error).__name__
    else:
        return
    for secret in secrets:
        # AWS does not echo a secret; should it ever, this keeps it back. Shorter ones would only garble the message.
        if len(secret) >= _SHORTEST_REDACTED:
            reason = reason.replace(secret, "***")
    raise StorageUnreachable(f"{name} failed: {reason}")

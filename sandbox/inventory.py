"""What stands in the sandbox's world, by kind: for the demo and the tests, which look whether anything is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import requests

from sandbox.ready import ReadyFile

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_TIMEOUT_S = 30


def inventory(ready: ReadyFile) -> dict[str, list[str]]:
    """What stands in the sandbox's AWS account and Dataloop organization, by kind."""
    session = boto3.Session(ready.aws.access_key_id, ready.aws.secret_access_key, region_name=ready.aws.region)
    s3 = session.client("s3", endpoint_url=ready.aws.endpoint_url)
    iam: IAMClient = session.client("iam", endpoint_url=ready.aws.endpoint_url)
    users = [user["UserName"] for user in iam.list_users()["Users"]]
    keys = [key["AccessKeyId"] for user in users for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
    return {
        "buckets": [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
        "IAM users": users,
        "access keys": keys,
        "IAM roles": [role["RoleName"] for role in iam.list_roles()["Roles"]],
        "IAM policies": [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]],
        "Dataloop integrations": _names(ready, f"/orgs/{ready.dataloop.org_id}/integrations"),
        "Dataloop drivers": _names(ready, f"/drivers?projectId={ready.dataloop.project_id}"),
    }


def _names(ready: ReadyFile, path: str) -> list[str]:
    answer = requests.get(
        ready.dataloop.api_url + path,
        headers={"Authorization": f"Bearer {ready.dataloop.token}"},
        timeout=_TIMEOUT_S,
        proxies={"http": ""},
    )
    answer.raise_for_status()
    return [str(each["name"]) for each in answer.json()]

"""A connection from its making to its end, on the real engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError


def _refused(call: Any, **arguments: Any) -> bool:
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return refusal.value.response["Error"]["Code"] == "AccessDenied"


def test_a_connection_is_made_proved_changed_and_destroyed_without_a_trace(project: Any) -> None:
    project.plain = True
    before = project.world.inventory()
    assert project.preview().ok().output.count("+") > 20
    assert project.world.inventory() == before, "a preview must not change anything"

    project.up().ok()
    outputs = project.outputs()
    assert outputs["bucket_names"] == [project.bucket]
    assert outputs["role_arn"].endswith(f":role/{project.iam_name}")
    assert outputs["access_key_generation"] == 1
    assert outputs["verification"]["ok"] is True
    assert project.access_key()[0] == outputs["access_key_id"]
    project.world.dataloop("GET", f"/drivers/{outputs['driver_ids'][project.customer + '-images']}/test")

    project.up("--expect-no-changes").ok()

    s3 = project.role_session()
    assert _refused(s3.delete_object, Bucket=project.bucket, Key="test-file")

    # allow_delete: exactly the policy, the verification and the driver
    project.spec["drivers"][0]["allow_delete"] = True
    assert project.changes() == {"policy": "update", "verification": "update", f"{project.customer}-images": "update"}
    project.up().ok()
    project.role_session().delete_object(Bucket=project.bucket, Key="test-file")
    driver = project.world.dataloop("GET", f"/drivers/{outputs['driver_ids'][project.customer + '-images']}")
    assert driver["allowExternalDelete"] is True

    project.spec["drivers"][0]["allow_delete"] = False
    project.up().ok()
    assert _refused(project.role_session().delete_object, Bucket=project.bucket, Key="test-file")

    # prefix: the same three, and what the guards know of the bucket; the folder is a limit
    project.spec["drivers"][0]["prefix"] = "raw"
    assert project.changes() == {
        "policy": "update",
        "verification": "update",
        f"{project.customer}-images": "update",
        "preflight": "update",
        "guard": "update",
        f"{project.bucket}-emptied": "update",
    }
    project.up().ok()
    s3 = project.role_session()
    s3.put_object(Bucket=project.bucket, Key="raw/a.txt", Body=b"a")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=project.bucket, Prefix="raw/")["Contents"]]
    assert _refused(s3.put_object, Bucket=project.bucket, Key="b.txt", Body=b"b")
    assert _refused(s3.list_objects_v2, Bucket=project.bucket)
    project.world.client("s3").delete_object(Bucket=project.bucket, Key="raw/a.txt")

    project.destroy().ok()
    assert project.owned() == {}
    assert project.world.inventory() == before


def test_the_bucket_is_private_encrypted_and_refuses_calls_without_tls(project: Any) -> None:
    project.up().ok()
    s3 = project.world.client("s3")
    block = s3.get_public_access_block(Bucket=project.bucket)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(block, True)
    assert len(block) == 4
    rules = s3.get_bucket_ownership_controls(Bucket=project.bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    encryption = s3.get_bucket_encryption(Bucket=project.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    policy = json.loads(s3.get_bucket_policy(Bucket=project.bucket)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    iam = project.world.client("iam")
    assert iam.list_attached_user_policies(UserName=project.iam_name)["AttachedPolicies"] == []
    assert iam.list_user_policies(UserName=project.iam_name)["PolicyNames"] == []
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=project.iam_name)["Tags"]}
    assert "DataLoop" in tags[project.outputs()["access_key_id"]]
    assert tags["dataloop-sts:customer"] == project.customer


def test_what_others_delete_or_edit_is_shown_by_refresh_and_mended_by_up(project: Any) -> None:
    project.up().ok()
    outputs = project.outputs()
    driver_id = outputs["driver_ids"][f"{project.customer}-images"]
    project.world.dataloop("DELETE", f"/drivers/{driver_id}")
    iam = project.world.client("iam")
    trust = iam.get_role(RoleName=project.iam_name)["Role"]["AssumeRolePolicyDocument"]
    console_leftover = {"Service": "ec2.amazonaws.com"}
    trust["Statement"].append({"Effect": "Allow", "Principal": console_leftover, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=project.iam_name, PolicyDocument=json.dumps(trust))

    shown = project.refresh().ok().output
    assert "StorageDriver" in shown
    assert "deleted" in shown
    assert "assumeRolePolicy" in shown

    changes = project.changes()
    assert changes[f"{project.customer}-images"] == "create"
    assert changes["role"] == "update"
    project.up().ok()
    assert len(iam.get_role(RoleName=project.iam_name)["Role"]["AssumeRolePolicyDocument"]["Statement"]) == 1
    new_id = project.outputs()["driver_ids"][f"{project.customer}-images"]
    assert new_id != driver_id
    project.world.dataloop("GET", f"/drivers/{new_id}/test")


def test_credentials_written_by_someone_else_are_shown_and_written_again(project: Any) -> None:
    project.up().ok()
    outputs = project.outputs()
    organization = project.world.ready.dataloop.org_id
    project.world.dataloop(
        "PATCH",
        f"/orgs/{organization}/integrations",
        {
            "integrationId": outputs["integration_id"],
            "credentials": {
                "type": "aws-sts",
                "options": {"key": "AKIAAAAAAAAAAAAAAAAA", "secret": "x" * 40, "roleArns": outputs["role_arn"]},
            },
        },
    )
    assert project.changes() == {"integration": "update"}
    assert "changed_outside_at" in project.refresh("--diff").ok().output
    project.up().ok()
    project.world.dataloop("GET", f"/drivers/{outputs['driver_ids'][project.customer + '-images']}/test")
    project.up("--expect-no-changes").ok()


def test_an_integration_deleted_elsewhere_is_made_anew_and_the_driver_keeps_its_id(project: Any) -> None:
    project.up().ok()
    outputs = project.outputs()
    organization = project.world.ready.dataloop.org_id
    name = f"{project.customer}-images"
    # the platform refuses to delete an integration in use, so its driver is moved away for the moment
    other = project.world.dataloop(
        "POST",
        f"/orgs/{organization}/integrations",
        {
            "name": f"{project.customer}-other",
            "type": "aws-sts",
            "options": {"key": "AKIAAAAAAAAAAAAAAAAA", "secret": "x" * 40, "roleArns": outputs["role_arn"]},
        },
    )
    move = {"payload": {"integrationId": other["id"], "integrationType": "aws-sts"}}
    project.world.dataloop("PATCH", f"/drivers/{outputs['driver_ids'][name]}", move)
    project.world.dataloop("DELETE", f"/orgs/{organization}/integrations/{outputs['integration_id']}")

    project.up("--refresh").ok()
    after = project.outputs()
    assert after["integration_id"] != outputs["integration_id"]
    assert after["driver_ids"] == outputs["driver_ids"]
    project.world.dataloop("GET", f"/drivers/{after['driver_ids'][name]}/test")
    project.world.dataloop("DELETE", f"/orgs/{organization}/integrations/{other['id']}")


def test_a_user_made_anew_under_the_same_name_is_locked_out_until_up_with_refresh(project: Any) -> None:
    project.up().ok()
    driver_id = project.outputs()["driver_ids"][f"{project.customer}-images"]
    iam = project.world.client("iam")
    for key in iam.list_access_keys(UserName=project.iam_name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=project.iam_name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=project.iam_name)
    iam.create_user(UserName=project.iam_name)
    with pytest.raises(requests.HTTPError):
        project.world.dataloop("GET", f"/drivers/{driver_id}/test")

    project.up("--refresh").ok()
    project.world.dataloop("GET", f"/drivers/{driver_id}/test")
    assert project.outputs()["driver_ids"][f"{project.customer}-images"] == driver_id
    assert len(iam.list_access_keys(UserName=project.iam_name)["AccessKeyMetadata"]) == 1
    project.up("--expect-no-changes").ok()


def test_renamed_iam_objects_are_refused_until_confirmed_and_then_change_without_a_failure(project: Any) -> None:
    project.up().ok()
    old, driver_id = project.iam_name, project.outputs()["driver_ids"][f"{project.customer}-images"]
    before, state = project.owned(), project.resources()
    new = f"{project.customer}-renamed"
    project.spec["aws"]["names"] = {"user": new, "role": new, "policy": new}
    project.preview().refused(
        f"aws.names: IAM would have to replace user {old} by {new}, role {old} by {new}, policy {old} by {new}.",
        f"DATALOOP_STS_CONFIRM_DELETE={project.customer}",
    )
    assert (project.owned(), project.resources()) == (before, state)

    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": project.customer}
    with _tested_all_the_while(project, driver_id) as tests:
        project.world.fault("PATCH", "/orgs/.*/integrations$", status=400, times=9)
        project.up().refused("integration")  # the old pair stays as long as Dataloop has its key
        project.world.clear_faults()
        project.up().ok()
    assert len(tests) > 10
    assert set(tests) == {200}
    project.extra = {}
    outputs = project.outputs()
    assert outputs["user_arn"].endswith(f":user/{new}")
    assert outputs["role_arn"].endswith(f":role/{new}")
    assert outputs["driver_ids"][f"{project.customer}-images"] == driver_id
    owned = project.owned()
    assert owned["IAM users"] == owned["IAM roles"] == owned["IAM policies"] == [new]
    keys = project.world.client("iam").list_access_keys(UserName=new)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [outputs["access_key_id"]]
    assert project.world.inventory()["access keys"].count(outputs["access_key_id"]) == 1
    project.up("--refresh", "--expect-no-changes").ok()


@contextmanager
def _tested_all_the_while(project: Any, driver_id: str) -> Iterator[list[int]]:
    """TESTs a driver again and again as long as the block runs; gives the answers' codes."""
    codes: list[int] = []
    over = threading.Event()

    def test() -> None:
        while not over.wait(0.1):
            try:
                project.world.dataloop("GET", f"/drivers/{driver_id}/test")
                codes.append(200)
            except requests.HTTPError as failure:
                codes.append(failure.response.status_code)

    thread = threading.Thread(target=test)
    thread.start()
    try:
        yield codes
    finally:
        over.set()
        thread.join()


def test_a_new_generation_of_the_key_replaces_the_old_one(project: Any) -> None:
    project.up().ok()
    first = project.outputs()["access_key_id"]
    project.spec["access_key"] = {"generation": 3}
    project.preview().refused("generation", "can be 1 or 2, not 3")
    project.spec["access_key"] = {"generation": 2}
    project.up().ok()
    outputs = project.outputs()
    assert outputs["access_key_id"] != first
    assert outputs["access_key_generation"] == 2
    keys = project.world.client("iam").list_access_keys(UserName=project.iam_name)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [outputs["access_key_id"]]
    tags = project.world.client("iam").list_user_tags(UserName=project.iam_name)["Tags"]
    assert [tag["Key"] for tag in tags if tag["Key"].startswith("AKIA")] == [outputs["access_key_id"]]


def test_several_drivers_share_one_integration(project: Any) -> None:
    second = {
        "name": f"{project.customer}-audio",
        "project_id": project.world.ready.dataloop.other_project_id,
        "bucket": {"name": f"dataloop-{project.customer}-audio"},
        "prefix": "clips/",
        "allow_delete": True,
    }
    project.spec["drivers"].append(second)
    project.up().ok()
    outputs = project.outputs()
    assert len(outputs["driver_ids"]) == 2
    for driver_id in outputs["driver_ids"].values():
        project.world.dataloop("GET", f"/drivers/{driver_id}/test")
    project.spec["drivers"].pop()
    first, renamed = project.spec["drivers"][0], f"{project.customer}-pictures"
    first |= {"former_name": first["name"], "name": renamed}
    dataset = {"name": "cats", "projects": [first["project_id"]], "driver": outputs["driver_ids"][first["former_name"]]}
    project.world.dataloop("POST", "/datasets", dataset)
    project.up().ok()
    assert second["bucket"]["name"] not in project.world.inventory()["buckets"]
    assert project.outputs()["driver_ids"] == {renamed: dataset["driver"]}, "a renamed driver keeps its datasets"
    assert project.world.dataloop("GET", f"/drivers/{dataset['driver']}")["name"] == renamed

"""A destroy takes what it may, and nothing that is worth keeping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance
from tests.e2e.harness import CHECKOUT, Project, World

DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}]}'


def seen(project: Project) -> dict[str, Any]:
    """What a refused run could have changed: what stands in the world, IAM in whole, and the bucket's objects."""
    listed = project.world.client("s3").list_objects_v2(Bucket=project.bucket).get("Contents", [])
    details = project.world.client("iam").get_account_authorization_details()
    own = {
        kind: [each for each in details[kind] if project.customer in json.dumps(each, default=str)]
        for kind in ("UserDetailList", "RoleDetailList", "Policies")
    }
    return {"owned": project.owned(), "objects": [(each["Key"], each["ETag"]) for each in listed], **own}


def forget_identity(project: Project) -> None:
    """Makes the state one that was written before the guard looked at IAM."""
    file = project.checkpoint_file
    checkpoint = json.loads(file.read_text())
    (guard,) = [each for each in checkpoint["checkpoint"]["latest"]["resources"] if each["urn"].endswith("::guard")]
    for part in ("inputs", "outputs"):
        request = json.loads(guard[part]["stdin"])
        assert request.pop("identity")
        guard[part]["stdin"] = json.dumps(request)
    file.write_text(json.dumps(checkpoint))


def test_a_destroy_is_refused_for_what_stands_in_the_way_and_for_what_would_be_lost(project: Project) -> None:
    project.up().ok()
    outputs, dataloop = project.outputs(), project.world.ready.dataloop
    driver_id = outputs["driver_ids"][f"{project.customer}-images"]
    s3, iam, user = project.world.client("s3"), project.world.client("iam"), project.iam_name
    s3.put_object(Bucket=project.bucket, Key="holiday/photo.jpg", Body=b"x")
    s3.put_object(Bucket=project.bucket, Key=".dataloop/index", Body=b"x")
    body = {"name": "cats", "projects": [dataloop.project_id], "driver": driver_id}
    dataset = project.world.dataloop("POST", "/datasets", body)
    foreign = project.world.dataloop("POST", "/drivers", _foreign_driver(project, outputs["integration_id"]))
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    iam.create_login_profile(UserName=user, Password="Ab1!Ab1!Ab1!Ab1!")
    iam.put_user_policy(UserName=user, PolicyName="extra", PolicyDocument=DOCUMENT)
    iam.put_role_policy(RoleName=user, PolicyName="AWSRevokeOlderSessions", PolicyDocument=DOCUMENT)
    before, state = seen(project), project.resources()

    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": project.customer}
    project.destroy().refused(
        f"The destroy of {project.customer} is refused, nothing was touched: ",
        f"is used by 1 other driver: {project.customer}-foreign (delete, or move to another integration); ",
        f"user {user} has a console login (aws iam delete-login-profile --user-name {user}); ",
        f"user {user} has access key {key} beside this stack's, made on ",
        f"user {user} has inline policy extra (aws iam delete-user-policy --user-name {user} --policy-name extra). ",
    )
    assert (seen(project), project.resources()) == (before, state)
    project.world.dataloop("DELETE", f"/drivers/{foreign['id']}")
    iam.delete_login_profile(UserName=user)
    iam.delete_access_key(UserName=user, AccessKeyId=key)
    iam.delete_user_policy(UserName=user, PolicyName="extra")

    before = seen(project)
    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": "someone-else"}
    project.destroy().refused(
        f"bucket {project.bucket} would be deleted and holds 1 object: holiday/photo.jpg; ",
        f"driver '{project.customer}-images' is used by 1 dataset: cats. Move what is to be kept. ",
        f"DATALOOP_STS_CONFIRM_DELETE={project.customer}",
    )
    assert (seen(project), project.resources()) == (before, state)

    project.world.dataloop("DELETE", f"/datasets/{dataset['id']}")
    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": project.customer}
    project.destroy().ok()
    assert project.owned() == {}
    assert project.resources() == set()


def _foreign_driver(project: Project, integration_id: str) -> dict[str, Any]:
    return {
        "name": f"{project.customer}-foreign",
        "integrationId": integration_id,
        "integrationType": "aws-sts",
        "metadata": {"system": {"projectId": project.world.ready.dataloop.project_id}},
        "type": "s3",
        "payload": {"bucketName": project.bucket, "storageClass": "", "region": "eu-west-1", "path": ""},
        "allowExternalDelete": False,
        "creator": project.world.dataloop("GET", "/users/me")["email"],
    }


def test_retain_keeps_the_bucket_and_its_settings_and_a_later_up_does_not_take_it_over(
    new_project: Callable[..., Project],
) -> None:
    project = new_project(on_destroy="retain")
    project.up().ok()
    project.destroy().ok()
    assert project.owned() == {"buckets": [project.bucket]}
    s3 = project.world.client("s3")
    block = s3.get_public_access_block(Bucket=project.bucket)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(block, True)
    assert s3.get_bucket_policy(Bucket=project.bucket)["Policy"]
    project.up().refused(f"The account has a bucket '{project.bucket}' already")
    for entry in s3.list_objects_v2(Bucket=project.bucket).get("Contents", []):
        s3.delete_object(Bucket=project.bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=project.bucket)


def test_refuse_stops_a_destroy_and_is_lifted_by_the_spec_and_no_bucket_moves(
    new_project: Callable[..., Project],
) -> None:
    project = new_project(on_destroy="refuse")
    project.up().ok()
    before, state = seen(project), project.resources()
    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": project.customer}
    project.destroy().refused("on_destroy: refuse")
    project.extra = {}
    project.spec["aws"]["region"] = "us-west-2"
    project.up().refused("aws.region", "cannot move to us-west-2")
    project.spec["aws"]["region"] = "eu-west-1"
    bucket = project.bucket
    project.spec["drivers"][0]["bucket"]["name"] = f"{bucket}-2"
    project.preview().refused(
        f"Driver '{project.customer}-images' cannot leave bucket {bucket}",
        f"add a second driver, of another name, for {bucket}-2",
        f"Bucket {bucket} leaves the spec, and its end is to be refused",
    )
    project.spec["drivers"][0]["bucket"]["name"] = bucket
    assert (seen(project), project.resources()) == (before, state)

    project.spec["on_destroy"] = "delete"
    assert set(project.changes()) == {"guard", f"{bucket}-emptied"}
    project.up().ok()
    forget_identity(project)
    project.destroy().ok()
    assert project.owned() == {}


def test_a_driver_that_leaves_the_spec_takes_neither_objects_nor_the_storage_of_datasets_along(
    project: Project,
) -> None:
    first = project.spec["drivers"][0]
    first["prefix"] = "images"
    audio = first | {"name": f"{project.customer}-audio", "bucket": {"name": f"{project.bucket}-audio"}}
    more = first | {"name": f"{project.customer}-more", "prefix": "more"}
    project.spec["drivers"] += [audio, more]
    project.up().ok()
    s3, driver_id = project.world.client("s3"), project.outputs()["driver_ids"][f"{project.customer}-more"]
    s3.put_object(Bucket=audio["bucket"]["name"], Key="song.wav", Body=b"x")
    body = {"name": "dogs", "projects": [project.world.ready.dataloop.project_id], "driver": driver_id}
    dataset = project.world.dataloop("POST", "/datasets", body)
    before = seen(project)

    project.spec["drivers"] = [first]
    losses = "would be deleted and holds 1 object: song.wav", "is used by 1 dataset: dogs"
    project.preview().refused(*losses)
    project.up().refused(*losses)
    assert seen(project) == before
    project.world.dataloop("GET", f"/drivers/{driver_id}/test")
    block = s3.get_public_access_block(Bucket=audio["bucket"]["name"])["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(block, True), "the bucket that stays is as private as before"

    s3.delete_object(Bucket=audio["bucket"]["name"], Key="song.wav")
    project.world.dataloop("DELETE", f"/datasets/{dataset['id']}")
    first["prefix"] = "pictures"
    project.up().ok()
    assert audio["bucket"]["name"] not in project.world.inventory()["buckets"]
    keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket=project.bucket)["Contents"]}
    assert keys == {"images/test-file", "more/test-file", "pictures/test-file"}
    project.destroy().ok()  # the probes of folders that its drivers once had are no customer's
    assert project.owned() == {}


def test_without_an_account_in_the_spec_the_stack_stays_in_the_account_of_its_first_run(
    new_project: Callable[..., Project],
) -> None:
    project = new_project(aws={"region": "eu-west-1"})
    project.preview().ok()
    project.up().ok()
    before, state = project.owned(), project.resources()
    aws = project.world.ready.aws
    project.extra = {
        "AWS_ACCESS_KEY_ID": aws.other_account_access_key_id,
        "AWS_SECRET_ACCESS_KEY": aws.other_account_secret_access_key,
    }
    for done in (project.up(), project.refresh(), project.destroy()):
        done.refused(aws.account_id)
        assert (project.owned(), project.resources()) == (before, state)
    project.extra = {}
    project.up("--expect-no-changes").ok()
    project.destroy().ok()
    assert project.owned() == {}


def test_a_stack_of_a_sandbox_that_was_restarted_says_so_and_can_be_destroyed(
    new_project: Callable[..., Project], tmp_path: Path
) -> None:
    instance = Instance(CHECKOUT, state_dir=tmp_path / "other-sandbox")
    instance.prepare()
    ensure_plugins(ensure(lambda _: None), instance.pulumi_home, lambda _: None)
    instance.up()
    try:
        project = new_project()
        project.world = World(instance.ready(), instance.process_environment())
        project.pulumi("stack", "init", project.stack).ok()
        project.up().ok()
        instance.down()
        instance.up()
        project.world = World(instance.ready(), instance.process_environment())
        project.preview().refused("The sandbox was started anew and is empty", "python -m sandbox reset")
        project.destroy().ok()
        assert project.owned() == {}
    finally:
        instance.down()

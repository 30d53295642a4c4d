"""A destroy takes what it may, and nothing that is worth keeping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance
from tests.e2e.harness import CHECKOUT, Project, World


def test_a_destroy_that_would_lose_objects_is_refused_until_it_is_confirmed(project: Project) -> None:
    project.up().ok()
    s3 = project.world.client("s3")
    s3.put_object(Bucket=project.bucket, Key="holiday/photo.jpg", Body=b"x")
    s3.put_object(Bucket=project.bucket, Key=".dataloop/index", Body=b"x")
    before, state = project.owned(), project.resources()

    refused = project.destroy().refused(
        f"bucket {project.bucket} would be deleted and holds 1 object: holiday/photo.jpg"
    )
    assert f"DATALOOP_STS_CONFIRM_DELETE={project.customer}" in refused.output
    assert (project.owned(), project.resources()) == (before, state)

    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": "someone-else"}
    project.destroy().refused("nothing was touched")
    assert (project.owned(), project.resources()) == (before, state)

    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": project.customer}
    project.destroy().ok()
    assert project.owned() == {}


def test_a_destroy_that_would_take_the_storage_of_datasets_or_of_other_drivers_is_refused(project: Project) -> None:
    project.up().ok()
    outputs, dataloop = project.outputs(), project.world.ready.dataloop
    driver_id = outputs["driver_ids"][f"{project.customer}-images"]
    dataset = project.world.dataloop(
        "POST", "/datasets", {"name": "cats", "projects": [dataloop.project_id], "driver": driver_id}
    )
    state = project.resources()
    project.destroy().refused("is used by 1 dataset: cats")
    assert project.resources() == state
    project.world.dataloop("DELETE", f"/datasets/{dataset['id']}")

    other = {
        "name": f"{project.customer}-foreign",
        "integrationId": outputs["integration_id"],
        "integrationType": "aws-sts",
        "metadata": {"system": {"projectId": dataloop.project_id}},
        "type": "s3",
        "payload": {"bucketName": project.bucket, "storageClass": "", "region": "eu-west-1", "path": ""},
        "allowExternalDelete": False,
        "creator": project.world.dataloop("GET", "/users/me")["email"],
    }
    foreign = project.world.dataloop("POST", "/drivers", other)
    project.destroy().refused(f"is used by 1 other driver: {project.customer}-foreign")
    assert project.resources() == state
    project.world.dataloop("DELETE", f"/drivers/{foreign['id']}")
    project.destroy().ok()
    assert project.owned() == {}


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


def test_refuse_stops_a_destroy_and_is_lifted_by_the_spec(new_project: Callable[..., Project]) -> None:
    project = new_project(on_destroy="refuse")
    project.up().ok()
    before, state = project.owned(), project.resources()
    project.extra = {"DATALOOP_STS_CONFIRM_DELETE": project.customer}
    project.destroy().refused("on_destroy: refuse")
    assert (project.owned(), project.resources()) == (before, state)
    project.spec["on_destroy"] = "delete"
    assert set(project.changes()) == {"guard", f"{project.bucket}-emptied"}
    project.up().ok()
    project.destroy().ok()
    assert project.owned() == {}


def test_a_driver_that_leaves_the_spec_does_not_take_a_customers_objects_along(project: Project) -> None:
    first = project.spec["drivers"][0]
    second = first | {"name": f"{project.customer}-audio", "bucket": {"name": f"{project.bucket}-audio"}}
    project.spec["drivers"].append(second)
    project.up().ok()
    s3 = project.world.client("s3")
    s3.put_object(Bucket=second["bucket"]["name"], Key="song.wav", Body=b"x")
    project.spec["drivers"].pop()
    project.preview().refused("would be deleted and holds 1 object: song.wav")
    project.up().refused("would be deleted and holds 1 object: song.wav")
    block = s3.get_public_access_block(Bucket=second["bucket"]["name"])["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(block, True), "the bucket that stays is as private as before"
    s3.delete_object(Bucket=second["bucket"]["name"], Key="song.wav")
    project.up().ok()
    assert second["bucket"]["name"] not in project.world.inventory()["buckets"]


def test_a_bucket_does_not_move_to_another_region(project: Project) -> None:
    project.up().ok()
    state = project.resources()
    project.spec["aws"]["region"] = "us-west-2"
    project.up().refused("aws.region", "cannot move to us-west-2")
    assert project.resources() == state


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


def test_a_driver_with_datasets_that_leaves_the_spec_keeps_its_storage(project: Project) -> None:
    first = project.spec["drivers"][0]
    project.spec["drivers"].append(first | {"name": f"{project.customer}-more", "prefix": "more"})
    project.up().ok()
    driver_id = project.outputs()["driver_ids"][f"{project.customer}-more"]
    project_id = project.world.ready.dataloop.project_id
    body = {"name": "dogs", "projects": [project_id], "driver": driver_id}
    dataset = project.world.dataloop("POST", "/datasets", body)
    project.spec["drivers"].pop()
    project.preview().refused("is used by 1 dataset: dogs")
    project.up().refused("is used by 1 dataset: dogs")
    project.world.dataloop("GET", f"/drivers/{driver_id}/test")
    project.world.dataloop("DELETE", f"/datasets/{dataset['id']}")
    project.up().ok()


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

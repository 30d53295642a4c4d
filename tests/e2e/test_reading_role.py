"""A preview of a pull request with nothing but the reading role of docs/pull-requests.md, and the state in a bucket."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import yaml

from tests.e2e.harness import CHECKOUT, Project, World

_PAGE = CHECKOUT / "docs" / "pull-requests.md"
_STATE = "acme-pulumi-state"  # as on the page


def _reader(world: World) -> dict[str, str]:
    """The credentials of a user who has the page's policy."""
    found = re.search(r"<!-- permission policy -->\s+```json\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    assert found
    iam = world.client("iam")
    iam.create_user(UserName="reader")
    policy = found[1].replace("ACCOUNT", world.ready.aws.account_id)
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def _git(project: Project, *arguments: str) -> None:
    identity = ["-c", "user.name=Ops", "-c", "user.email=ops@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=project.folder, check=True, capture_output=True)


def test_the_reading_role_previews_who_is_there_and_who_is_new_and_writes_nothing(
    world: World, new_project: Callable[..., Project]
) -> None:
    s3, project = world.client("s3"), new_project()
    s3.create_bucket(Bucket=_STATE, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    place = f"s3://{_STATE}/dataloop-sts?region=eu-west-1&s3ForcePathStyle=true"
    project.extra = {"PULUMI_BACKEND_URL": f"{place}&endpoint={world.ready.aws.endpoint_url}"}
    project.pulumi("stack", "init", project.stack).ok()
    project.up().ok()

    def state() -> dict[str, Any]:
        return {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket=_STATE)["Contents"]}

    _git(project, "init", "--quiet")
    _git(project, "add", "Pulumi.yaml", f"Pulumi.{project.stack}.yaml")
    _git(project, "commit", "--quiet", "--message", "base")
    driver = {**project.spec["drivers"][0], "name": f"new-{project.customer}"}
    new = {**project.spec, "drivers": [driver | {"bucket": {"name": f"dataloop-new-{project.customer}"}}]}
    records = project.folder / "customers" / project.stack
    records.mkdir(parents=True)
    (records / "_environment.yaml").write_text("sandbox: true\n")
    (records / "new.yaml").write_text(yaml.safe_dump(new | {"customer": "new"}))
    project.spec["drivers"][0]["prefix"] = "raw/"
    project.configure()

    before, project.extra = state(), project.extra | _reader(world)
    said, _ = project.begin("-e", project.stack, "pr", "preview", "--base", "HEAD", "--json").communicate(timeout=240)
    rows = {row["stack"]: row for row in json.loads(said)["customers"]}
    assert {stack: (row["error"], row["missing"]) for stack, row in rows.items()} == dict.fromkeys(
        [project.stack, f"{project.stack}.new"], (None, [])
    )
    assert rows[project.stack]["counts"]["update"] + rows[project.stack]["counts"]["replace"] > 0
    assert rows[f"{project.stack}.new"]["counts"]["create"] > 20
    assert state() == before

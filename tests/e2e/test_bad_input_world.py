"""Bad input ends with messages of docs/errors.md, by the plain CLI, and changes nothing: Dataloop, AWS, their names.

The messages stand here as they stand on that page, so that the page cannot drift from what is printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.errors_page import assert_refused, remembered
from tests.e2e.harness import Project, World

CLOSED = "http://127.0.0.1:9"  # the port of "discard", where nothing listens

_NO_TOKEN = (
    "There is no Dataloop token: DATALOOP_TOKEN is not set. Set DATALOOP_TOKEN to a valid token, or "
    "DATALOOP_USERNAME and DATALOOP_PASSWORD for a machine's login."
)
_NO_CREDENTIALS = (
    "AWS credentials: Cannot find out whose AWS credentials these are: no AWS credentials found. Set AWS_PROFILE, or "
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; in the sandbox run: eval "$(python -m sandbox env)".'
)
_EXPIRED = "Dataloop does not accept the API token: it expired on <date> at <time> UTC"
_WRONG_CREDENTIALS = (
    "AWS credentials: Cannot find out whose AWS credentials these are: <code>: <AWS's words>. Correct or renew the AWS "
    "credentials of this shell: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
_NOT_OWNER = (
    "organization_id: The token's user is a <role> of organization <id>, not an owner, and only an owner may create "
    "integrations: use an owner's token, or have the rights granted."
)
_OTHER_ACCOUNT = (
    "aws.account_id: The AWS credentials are of account <id>, the spec allows <id> only: use credentials of that "
    "account, or correct the spec."
)
_NO_PROFILE = (
    "AWS: The AWS settings of this shell cannot be used: <reason>. Correct AWS_PROFILE, AWS_CONFIG_FILE or "
    "AWS_ENDPOINT_URL, whichever names it."
)
_PYTHON = (
    "`python` on PATH is <path>, the program runs with <path>: activate the environment first "
    "(source .venv/bin/activate)."
)
_SETTLE = "DATALOOP_STS_SETTLE_SECONDS must be a number of seconds from 0 to 3600, not <text>."
_NO_ANSWER_OF_AWS = (
    "AWS: Cannot find out whose AWS credentials these are: <reason>. Check the network, the proxy settings, "
    "AWS_ENDPOINT_URL, and that AWS has the region of aws.region."
)
_WRONG_URL = "must begin with https://, or the token would cross the network in clear text"
ENVIRONMENTS: dict[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "no token, no AWS credentials": (
        {"DATALOOP_TOKEN": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        (_NO_TOKEN, _NO_CREDENTIALS),
    ),
    "an expired token, a wrong AWS secret": (
        {"DATALOOP_TOKEN": "{dataloop.expired_token}", "AWS_SECRET_ACCESS_KEY": "x" * 40},
        (_EXPIRED, _WRONG_CREDENTIALS),
    ),
    "a member's token, credentials of another account": (
        {
            "DATALOOP_TOKEN": "{dataloop.non_owner_token}",
            "AWS_ACCESS_KEY_ID": "{aws.other_account_access_key_id}",
            "AWS_SECRET_ACCESS_KEY": "{aws.other_account_secret_access_key}",
        },
        (_NOT_OWNER, _OTHER_ACCOUNT),
    ),
    "half a token, an unknown AWS key": (
        {"DATALOOP_TOKEN": "eyJhbGciOi", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
        ("Dataloop does not accept the API token: it is not a JSON Web Token", _WRONG_CREDENTIALS),
    ),
    "an address without TLS, an unknown AWS profile": (
        {"DATALOOP_API_URL": "http://gate.dataloop.ai/api/v1", "AWS_PROFILE": "nobody"},
        (_WRONG_URL, _NO_PROFILE),
    ),
    "another python, a wrong setting, no answer of AWS": (
        {"PATH": "{folder}:{PATH}", "DATALOOP_STS_SETTLE_SECONDS": "soon", "AWS_ENDPOINT_URL": CLOSED},
        (_PYTHON, _SETTLE, _NO_ANSWER_OF_AWS),
    ),
}


@pytest.mark.parametrize("mistakes", ENVIRONMENTS)
def test_mistakes_of_the_environment_are_told_at_once_each_in_one_message(
    mistakes: str, empty_project: Project, tmp_path: Path
) -> None:
    variables, messages = ENVIRONMENTS[mistakes]
    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    ready, path = empty_project.world.ready, empty_project.environment["PATH"]
    empty_project.extra = {
        name: value.format(aws=ready.aws, dataloop=ready.dataloop, folder=tmp_path, PATH=path)
        for name, value in variables.items()
    }
    assert_refused(empty_project, empty_project.preview, *messages, problems=len(messages))


_UNKNOWN_ORGANIZATION = (
    "organization_id: Dataloop knows no organization <id>",
    "Check the id (its id is part of the address <console>/iam/ORGANIZATION_ID/members), that DATALOOP_API_URL is the "
    "right environment, and that the user is a member.",
)
_UNKNOWN_PROJECT = (
    "drivers[].project_id: Dataloop knows no project <id>",
    "Check the id (its id is part of the address <console>/projects/PROJECT_ID), that DATALOOP_API_URL is the right "
    "environment, and that the user is a member.",
)


def test_an_unknown_organization_is_told(empty_project: Project) -> None:
    empty_project.spec["organization_id"] = "5f0c7a2e-0000-0000-0000-000000000000"
    assert_refused(empty_project, empty_project.preview, *_UNKNOWN_ORGANIZATION, problems=1)


@dataclass(frozen=True)
class Taken:
    """Names that somebody else has."""

    ours: str
    """Of a bucket, an IAM user and an integration of the account and the organization."""
    theirs: str
    """Of a bucket of another account."""


@pytest.fixture
def taken(world: World) -> Iterator[Taken]:
    """Names that are taken, for one test."""
    ours, theirs = f"taken-{os.getpid()}", f"taken-elsewhere-{os.getpid()}"
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    other, integrations = _of_the_other_account(world), f"/orgs/{world.ready.dataloop.org_id}/integrations"
    other.create_bucket(Bucket=theirs, **place)
    world.client("s3").create_bucket(Bucket=ours, **place)
    world.client("iam").create_user(UserName=ours)
    role = f"arn:aws:iam::{world.ready.aws.account_id}:role/{ours}"
    options = {"key": "AKIAAAAAAAAAAAAAAAAA", "secret": "x" * 40, "roleArns": role}
    made = world.dataloop("POST", integrations, {"name": ours, "type": "aws-sts", "options": options})
    yield Taken(ours, theirs)
    world.dataloop("DELETE", f"{integrations}/{made['id']}")
    world.client("iam").delete_user(UserName=ours)
    world.client("s3").delete_bucket(Bucket=ours)
    other.delete_bucket(Bucket=theirs)


def test_all_names_that_are_taken_and_a_project_that_is_unknown_are_told_at_once(
    empty_project: Project, taken: Taken
) -> None:
    (driver,) = empty_project.spec["drivers"]
    empty_project.spec["integration"] = {"name": taken.ours}
    empty_project.spec["aws"]["names"] = {"user": taken.ours}
    empty_project.spec["drivers"] = [
        {**driver, "bucket": {"name": taken.ours}},
        {**driver, "name": "another", "bucket": {"name": taken.theirs}, "project_id": "nowhere"},
    ]
    assert_refused(
        empty_project,
        empty_project.up,
        "integration.name: The organization has an integration named <name> already: choose another name, or take it "
        "over with `dataloop-sts adopt`.",
        "aws.names.<kind>: The account has an IAM <kind> named <name> already: give another name, or take it over "
        "with `dataloop-sts adopt`.",
        "drivers[].bucket.name: The account has a bucket <name> already, which this stack does not manage: choose "
        "another name, use it as `existing`, or take it over with `dataloop-sts adopt`.",
        "drivers[].bucket.name: The bucket name <name> is taken, by another AWS account or by a bucket that these "
        "credentials may not see: choose another name.",
        *_UNKNOWN_PROJECT,
        problems=5,
    )


def test_credentials_of_another_account_change_nothing_there_either(empty_project: Project) -> None:
    aws, other = empty_project.world.ready.aws, _of_the_other_account(empty_project.world)
    buckets = other.list_buckets()["Buckets"]
    empty_project.extra = {
        "AWS_ACCESS_KEY_ID": aws.other_account_access_key_id,
        "AWS_SECRET_ACCESS_KEY": aws.other_account_secret_access_key,
    }
    assert_refused(empty_project, empty_project.up, _OTHER_ACCOUNT, problems=1)
    assert other.list_buckets()["Buckets"] == buckets


_FAILURES: dict[str, tuple[Mapping[str, object], tuple[str, ...]]] = {
    "status 500": (
        {"status": 500},
        (
            "Dataloop failed while it worked on <what>",
            "Try again later; if it persists, give Dataloop's support the request id.",
        ),
    ),
    "status 429": (
        {"status": 429, "retry_after_s": 3600},
        ("Dataloop limits the rate of calls, <what> was not reached", "Try again in <number> s"),
    ),
    "no answer": (
        {"drop": "before"},
        (
            "The Dataloop API gave no answer about <what>",
            "the connection broke before the answer was complete",
            "Check the network, the proxy settings and DATALOOP_API_URL, then run again.",
        ),
    ),
}


@pytest.mark.parametrize("failure", _FAILURES)
def test_a_dataloop_that_fails_is_told(failure: str, empty_project: Project) -> None:
    fault, messages = _FAILURES[failure]
    empty_project.sandbox = False  # in the sandbox, no answer means that it has ended
    empty_project.world.fault("GET", "/users/me$", times=20, **fault)
    assert_refused(empty_project, empty_project.preview, *messages, problems=1)


def test_a_living_connection_keeps_all_it_has_whatever_is_wrong_later(project: Project) -> None:
    project.up().ok()
    assert len(remembered(project)) > 15
    world, good = project.world, project.spec["drivers"][0]

    project.extra = {"DATALOOP_TOKEN": world.ready.dataloop.expired_token, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    assert_refused(project, project.up, _EXPIRED, _WRONG_CREDENTIALS, problems=2)
    project.extra = {}

    outputs = project.outputs()
    made = world.dataloop("POST", "/drivers", _driver("theirs", good, outputs["integration_id"]))
    project.spec["drivers"] = [{**good, "name": "theirs"}]
    message = (
        "drivers[].name: Project <id> has a driver named <name> already: choose another name, or take it over with "
        "`dataloop-sts adopt`."
    )
    assert_refused(project, project.up, message, problems=1)
    world.dataloop("DELETE", f"/drivers/{made['id']}")

    project.spec["drivers"] = [good, good]
    assert_refused(project, project.up, "drivers[<index>].name: <name> is the name of drivers[<index>] already")
    project.spec["drivers"] = [good]
    project.up("--expect-no-changes").ok()


def _driver(name: str, like: Mapping[str, Any], integration_id: str) -> dict[str, object]:
    return {
        "name": name,
        "integrationId": integration_id,
        "integrationType": "aws-sts",
        "metadata": {"system": {"projectId": like["project_id"]}},
        "type": "s3",
        "payload": {"bucketName": like["bucket"]["name"], "region": "eu-west-1", "path": ""},
        "allowExternalDelete": False,
        "creator": "owner@sandbox.example",
    }


def _of_the_other_account(world: World) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=world.ready.aws.endpoint_url,
        aws_access_key_id=world.ready.aws.other_account_access_key_id,
        aws_secret_access_key=world.ready.aws.other_account_secret_access_key,
        region_name="eu-west-1",
    )

"""The deploying role in another account than the operator's: who is asked, and what it may never do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3
import pytest

from dataloop_sts.aws import Aws, account_of, failure
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.deployer import deployer_document, deployer_trust
from dataloop_sts.errors import AwsError
from dataloop_sts.preflight import PreflightRequest
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.spec_parts import DeployRoleSpec
from dataloop_sts.steps.empty_bucket import EmptyBucketRequest, empty_bucket
from dataloop_sts.steps.guard import GuardRequest, guard
from dataloop_sts.steps.key_description import DescriptionRequest, write
from tests.steps.aws_world import REGION, World
from tests.steps.looking import look, problems


@dataclass
class Theirs:
    """The customer's account: an administrator's clients, a connection's spec, and the deploying role for it."""

    account: str
    iam: Any
    s3: Any
    spec: ConnectionSpec
    role: DeployRoleSpec

    @property
    def aws(self) -> Aws:
        return Aws(REGION, deploy_role=self.role)

    @property
    def bucket(self) -> str:
        return self.spec.managed_buckets[0]


@pytest.fixture
def theirs(world: World) -> Iterator[Theirs]:
    """A deploying role as the customer makes it, within a boundary."""
    account = world.aws.other_account_id
    iam, s3 = (
        boto3.client(
            service,
            endpoint_url=world.aws.endpoint_url,
            region_name=REGION,
            aws_access_key_id=world.aws.other_account_access_key_id,
            aws_secret_access_key=world.aws.other_account_secret_access_key,
        )
        for service in ("iam", "s3")
    )
    whole = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    boundary = iam.create_policy(PolicyName=f"boundary-{world.tag}", PolicyDocument=json.dumps(whole))["Policy"]["Arn"]
    spec = ConnectionSpec.parse(
        {
            "customer": world.tag,
            "organization_id": world.dataloop.org_id,
            "aws": {"region": REGION, "account_id": account, "iam_path": "/dl/", "permissions_boundary": boundary},
            "on_destroy": "delete",
            "drivers": [
                {
                    "name": world.tag,
                    "project_id": world.dataloop.project_id,
                    "bucket": {"name": f"bucket-{world.tag}"},
                }
            ],
        },
        environment="dev",
    )
    name = f"deploy-{world.tag}"
    trust = deployer_trust(f"arn:aws:iam::{world.aws.account_id}:root", "their-id")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = json.dumps(deployer_document(spec, "dev"))
    iam.put_role_policy(RoleName=name, PolicyName="dataloop-sts", PolicyDocument=document)
    yield Theirs(account, iam, s3, spec, DeployRoleSpec(arn=arn, external_id="their-id"))
    iam.delete_role_policy(RoleName=name, PolicyName="dataloop-sts")
    iam.delete_role(RoleName=name)


@pytest.fixture
def request_of_theirs(request_of: Callable[..., PreflightRequest], theirs: Theirs) -> PreflightRequest:
    """What the preflight is asked of the customer's connection, in the operator's shell."""
    names = theirs.spec.names("dev")
    request = request_of(user=names.user, role=names.role, policy=names.policy, buckets=(theirs.bucket,))
    return replace(request, account_id=theirs.account, iam_path="/dl/", deploy_role=theirs.role)


def test_the_preflight_looks_as_the_deploying_role_into_the_customers_account(
    request_of_theirs: PreflightRequest, theirs: Theirs, world: World
) -> None:
    findings = look(request_of_theirs)
    assert (findings.problems, findings.account_id) == ((), theirs.account)
    assert theirs.account != world.aws.account_id


def test_the_operators_own_account_is_another_one_without_the_role(
    request_of_theirs: PreflightRequest, world: World
) -> None:
    found = problems(replace(request_of_theirs, deploy_role=None))
    assert list(found) == ["aws.account_id"]
    assert f"of account {world.aws.account_id}" in found["aws.account_id"]


@pytest.mark.parametrize(
    "change", [{"external_id": "guessed"}, {"external_id": None}, {"arn": "arn:aws:iam::210987654321:role/none"}]
)
def test_a_role_that_cannot_be_assumed_is_one_problem_that_names_it(
    change: dict[str, Any], request_of_theirs: PreflightRequest, theirs: Theirs
) -> None:
    role = theirs.role.model_copy(update=change)
    found = problems(replace(request_of_theirs, deploy_role=role))
    assert list(found) == ["AWS"]
    assert f"Cannot assume the deploying role {role.arn} (aws.deploy_role): AccessDenied" in found["AWS"]
    assert "Check its ARN and external_id, that its trust policy names these credentials" in found["AWS"]


def test_the_steps_work_on_the_customers_account_as_the_deploying_role(theirs: Theirs, world: World) -> None:
    s3, bucket = theirs.s3, theirs.bucket
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="test-file", Body=b"")
    user = theirs.spec.names("dev").user
    theirs.iam.create_user(UserName=user, Path="/dl/")
    write(
        DescriptionRequest(
            region=REGION, user=user, access_key_id="AKIAX", description="DataLoop", deploy_role=theirs.role
        )
    )
    assert theirs.iam.list_user_tags(UserName=user)["Tags"] == [{"Key": "AKIAX", "Value": "DataLoop"}]
    request = EmptyBucketRequest(
        customer=world.tag,
        on_destroy="delete",
        region=REGION,
        account_id=theirs.account,
        bucket=bucket,
        folders=("",),
        deploy_role=theirs.role,
    )
    with pytest.raises(AwsError, match=f"are of account {world.aws.account_id}, this connection is in"):
        empty_bucket(request.model_copy(update={"deploy_role": None}))
    empty_bucket(request)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_the_guard_asks_whose_account_it_is_as_the_deploying_role(theirs: Theirs, world: World) -> None:
    request = GuardRequest.model_validate(
        {
            "customer": world.tag,
            "on_destroy": "delete",
            "region": REGION,
            "account_id": theirs.account,
            "deploy_role": theirs.role.model_dump(),
            "buckets": {theirs.bucket: [""]},
            "integration_id": "gone",
            "drivers": [],
        }
    )
    guard(request, DataloopClient.shared())
    with pytest.raises(AwsError, match=f"are of account {world.aws.account_id}, this connection is in"):
        guard(request.model_copy(update={"deploy_role": None}), DataloopClient.shared())


def test_the_role_can_make_nothing_that_is_not_the_connections_or_not_within_the_boundary(theirs: Theirs) -> None:
    iam, s3, names = theirs.aws.iam(), theirs.aws.s3(), theirs.spec.names("dev")
    trust = json.dumps(deployer_trust(f"arn:aws:iam::{theirs.account}:root", "x1"))
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    boundary = theirs.spec.aws.permissions_boundary
    theirs.iam.create_role(RoleName=names.role, Path="/dl/", AssumeRolePolicyDocument=trust)
    s3.create_bucket(Bucket=theirs.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    theirs.s3.put_object(Bucket=theirs.bucket, Key="photo.jpg", Body=b"x")
    calls: dict[str, Callable[[], object]] = {
        "a user without the boundary": lambda: iam.create_user(UserName=names.user, Path="/dl/"),
        "a user within another boundary": lambda: iam.create_user(
            UserName=names.user, Path="/dl/", PermissionsBoundary=administrator
        ),
        "another user": lambda: iam.create_user(UserName="other", Path="/dl/", PermissionsBoundary=str(boundary)),
        "the user at another path": lambda: iam.create_user(UserName=names.user, PermissionsBoundary=str(boundary)),
        "a policy on a role without the boundary": lambda: iam.put_role_policy(
            RoleName=names.role, PolicyName="more", PolicyDocument=trust
        ),
        "another policy on the role": lambda: iam.attach_role_policy(RoleName=names.role, PolicyArn=administrator),
        "another boundary": lambda: iam.put_role_permissions_boundary(
            RoleName=names.role, PermissionsBoundary=administrator
        ),
        "no boundary": lambda: iam.delete_role_permissions_boundary(RoleName=names.role),
        "a policy on itself": lambda: iam.put_role_policy(
            RoleName=theirs.role.arn.rpartition("/")[2], PolicyName="more", PolicyDocument=trust
        ),
        "another bucket": lambda: s3.create_bucket(
            Bucket=f"{theirs.bucket}-2", CreateBucketConfiguration={"LocationConstraint": REGION}
        ),
        "an object's content": lambda: s3.get_object(Bucket=theirs.bucket, Key="photo.jpg"),
        "an object": lambda: s3.put_object(Bucket=theirs.bucket, Key="mine", Body=b""),
    }
    outcomes = {what: failure(call) for what, call in calls.items()}
    assert {what for what, failed in outcomes.items() if not (failed and failed.refused)} == set()
    within = partial(iam.put_role_permissions_boundary, RoleName=names.role, PermissionsBoundary=str(boundary))
    assert failure(within) is None


def test_a_session_that_is_about_to_end_is_begun_anew(theirs: Theirs, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = theirs.aws
    sts = aws.sts()
    first = sts._request_signer._credentials.get_frozen_credentials().access_key  # type: ignore[attr-defined]
    later = datetime.now(UTC) + timedelta(minutes=55)
    monkeypatch.setattr(sts._request_signer._credentials, "_time_fetcher", lambda: later)  # type: ignore[attr-defined]
    assert sts.get_caller_identity()["Account"] == theirs.account
    assert sts._request_signer._credentials.get_frozen_credentials().access_key != first  # type: ignore[attr-defined]
    assert account_of(aws) == theirs.account

"""The preflight as a Pulumi resource on which every other depends: it looks during ``check``, so in previews too."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, UpdateResult

from dataloop_sts.preflight import ConnectionNames, KeyPlan, Known, Needs, PreflightRequest, preflight
from dataloop_sts.providers.base import DataloopProvider, Props, one_line_errors
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.spec_parts import DeployRoleSpec
from dataloop_sts.steps import frame


class PreflightProvider(DataloopProvider):
    """Adapts Pulumi's calls to :func:`dataloop_sts.preflight.preflight`; there is nothing of it in the world."""

    @one_line_errors
    def check(self, olds: Props, news: Props) -> CheckResult:
        """Looks at the world; every problem is a message of its own, without a traceback."""
        request = _request(olds, news)
        findings = preflight(request, lambda: self.client)
        failures = [CheckFailure("", str(problem)) for problem in findings.problems]
        if problem := _python_problem():
            failures.append(CheckFailure("", problem))
        seen = {
            "seen_account_id": findings.account_id,
            "seen_world": findings.world,
            "seen_folders": request.names.folders(request.known.every_folder() if request.known else {}),
        }
        key = request.key.model_dump(exclude_none=True)
        return CheckResult({**news, **seen, "access_key": key}, failures)

    @one_line_errors
    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """A look is no change that a reader of a preview has to judge; only a new folder is, since others are told."""
        changes = olds.get("seen_folders") != news.get("seen_folders")
        return DiffResult(changes=changes, replaces=[], delete_before_replace=False)

    @one_line_errors
    def create(self, props: Props) -> CreateResult:
        """Keeps what was looked for, and when the stack was begun."""
        return CreateResult("preflight", {**props, "stack_since": int(time.time() * 1000)})

    @one_line_errors
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Keeps what was looked for, and when the stack was begun."""
        return UpdateResult({**news, "stack_since": olds["stack_since"]})

    def delete(self, id_: str, props: Props) -> None:
        """There is nothing to delete."""


def _request(olds: Props, news: Props) -> PreflightRequest:
    known = None
    if olds.get("names"):
        known = Known(
            names=ConnectionNames.model_validate(olds["names"]),
            region=olds["region"],
            account_id=olds["seen_account_id"],
            on_destroy=olds["on_destroy"],
            world=olds["seen_world"],
            key=KeyPlan.model_validate(olds["access_key"]) if olds.get("access_key") else None,
            iam_path=olds.get("iam_path", "/"),
            folders=olds.get("seen_folders") or {},
        )
    return PreflightRequest(
        customer=news["customer"],
        organization_id=news["organization_id"],
        region=news["region"],
        account_id=news.get("account_id"),
        names=ConnectionNames.model_validate(news["names"]),
        known=known,
        sandbox=news["sandbox"],
        key=_key_plan(news["access_key"], known),
        iam_path=news["iam_path"],
        needs=Needs.model_validate(news["needs"]),
        deploy_role=DeployRoleSpec.model_validate(news["deploy_role"]) if news.get("deploy_role") else None,
        adopting=frozenset(news.get("adopting") or ()),
    )


def _key_plan(wanted: Props, known: Known | None) -> KeyPlan:
    """The plan of the key, with the moment at which its generation was first asked for."""
    plan = KeyPlan.model_validate(wanted)
    then = known.key if known else None
    if known and (then is None or plan.generation < then.generation):  # given up: the key is one of before
        return plan
    since = then.since if then and plan.generation == then.generation else int(time.time() * 1000)
    return plan.model_copy(update={"since": since})


def _python_problem() -> str | None:
    """Whether the steps, which inherit the engine's PATH, will find this Python.

    This process has the virtual environment in front of it, put there on the way from the engine:
    https://github.com/pulumi/pulumi/blob/master/sdk/python/dist/pulumi-resource-pulumi-python
    """
    if not os.environ.get("PULUMI_RUNTIME_VIRTUALENV"):
        return None
    return frame.python_problem(os.environ.get("PATH", "").partition(os.pathsep)[2])


class Preflight(Resource, module="dataloop", name="Preflight"):
    """Read-only checks before anything is made.

    Args:
        name: the resource's name in the stack.
        spec: the connection.
        environment: the environment's name.
        sandbox: whether the stack lives in a sandbox.
        adopting: what may exist although the stack does not know it, as ``KIND NAME``.

    Attributes:
        seen_account_id: the AWS account in which the connection is made.
        seen_folders: by bucket, every folder that a driver of this stack has ever had.
        stack_since: when the stack was begun, in milliseconds since the epoch.
    """

    seen_account_id: pulumi.Output[str]
    seen_folders: pulumi.Output[dict[str, list[str]]]
    stack_since: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        spec: ConnectionSpec,
        environment: str,
        sandbox: bool,
        adopting: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        names = spec.names(environment)
        props: Props = {
            "customer": spec.customer,
            "on_destroy": spec.on_destroy,
            "organization_id": spec.organization_id,
            "region": spec.aws.region,
            "account_id": spec.aws.account_id,
            "sandbox": sandbox,
            "names": {
                "user": names.user,
                "role": names.role,
                "policy": names.policy,
                "integration": names.integration,
                "buckets": list(spec.managed_buckets),
                "drivers": [
                    {
                        "project_id": driver.project_id,
                        "name": driver.name,
                        "former_name": driver.former_name,
                        "bucket": driver.bucket_name,
                        "path": driver.prefix or "",
                    }
                    for driver in spec.drivers
                ],
            },
            "iam_path": spec.aws.iam_path,
            "access_key": {"generation": spec.access_key.generation, "retiring": spec.access_key.retiring},
            "needs": {
                "existing_buckets": list(spec.existing_buckets),
                "bucket_keys": {bucket: key for bucket in spec.existing_buckets if (key := spec.kms_key_arn(bucket))},
                "kms_key_arns": list(spec.kms_key_arns),
                "permissions_boundary": spec.aws.permissions_boundary,
            },
            "deploy_role": spec.aws.deploy_role.model_dump() if spec.aws.deploy_role else None,
            "adopting": list(adopting) or None,
            "seen_account_id": None,
            "seen_world": None,
            "seen_folders": None,
            "stack_since": None,
        }
        super().__init__(PreflightProvider(), name, props, opts)

"""What a run does to each resource, out of the engine's events."""

from __future__ import annotations

from typing import Any

from automation.events import Hearing
from automation.results import Step

_URN = "urn:pulumi:dev.acme::dataloop-sts::a:b:C$"


def _event(operation: str, type_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"resOutputsEvent": {"metadata": {"op": operation, "type": type_, "urn": f"{_URN}{type_}::{name}", **more}}}


def _steps(*events: dict[str, Any]) -> tuple[Step, ...]:
    hearing = Hearing()
    for event in events:
        hearing(event)
    return hearing.steps


def test_a_step_names_what_differs_and_shows_no_value() -> None:
    of_policy = _event("update", "aws:iam/policy:Policy", "policy", detailedDiff={"policy": {"diffKind": "update"}})
    inputs = {"name": "images", "allow_delete": False, "password": "hunter2hunter2", "__provider": "x"}
    later = {**inputs, "allow_delete": True, "password": "other-than-that", "__provider": "y", "path": "raw"}
    of_driver = _event("update", "pulumi-python:dynamic/dataloop:StorageDriver", "images", detailedDiff=None)
    of_driver["resOutputsEvent"]["metadata"] |= {"old": {"inputs": inputs}, "new": {"inputs": later}}
    steps = _steps(of_policy, of_driver)
    assert steps == (
        Step("policy", "aws:iam/policy:Policy", "update", ("policy",)),
        Step(
            "images",
            "pulumi-python:dynamic/dataloop:StorageDriver",
            "update",
            ("allow_delete", "password", "path"),
        ),
    )
    assert "hunter2" not in repr(steps)


def test_a_replacement_is_one_step_and_what_stays_or_is_the_engines_own_is_none() -> None:
    bucket = "aws:s3/bucket:Bucket"
    steps = _steps(
        _event("same", bucket, "other", detailedDiff=None),
        _event("update", "pulumi:providers:pulumi-python", "default", old={}, new={}),
        _event("create-replacement", bucket, "images", diffs=["bucket"]),
        _event("replace", bucket, "images", diffs=["bucket"]),
        _event("delete-replaced", bucket, "images", diffs=["bucket"]),
        _event("create", "pulumi:providers:aws", "aws", new={"inputs": {"region": "eu-west-1"}}),
        _event("create", "pulumi:providers:aws", "aws", new={"inputs": {"region": "eu-west-1"}}),
        _event("delete", "aws:iam/user:User", "user", old={"inputs": {"name": "dataloop-acme"}}),
    )
    assert steps == (
        Step("images", bucket, "replace", ("bucket",)),
        Step("aws", "pulumi:providers:aws", "create"),
        Step("user", "aws:iam/user:User", "delete"),
    )


def test_a_policy_document_is_told_where_it_differs_and_is_known() -> None:
    def of(type_: str, before: str, after: str, name: str) -> Step:
        (step,) = _steps(_event("update", type_, "x", old={"inputs": {name: before}}, new={"inputs": {name: after}}))
        return step

    assert of("aws:iam/policy:Policy", "{}", "{1}", "policy").documents == ("{}", "{1}")
    assert of("aws:iam/role:Role", "{}", "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "assumeRolePolicy").documents is None
    assert of("aws:iam/policy:Policy", "{}", "{}", "policy").documents is None
    assert of("command:local:Command", "{}", "{1}", "stdin").documents is None

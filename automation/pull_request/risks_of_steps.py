"""What the engine would do to what must not be lost or opened, whatever the reason is; pure.

A change of the program, or something that people did by hand, shows here alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from automation.pull_request.changes import Change
from automation.pull_request.permissions import permission_difference, trust_difference
from automation.pull_request.risk import Risk, note, risky
from automation.results import Step
from dataloop_sts.errors import SpecError
from dataloop_sts.rules import declared

_INTEGRATION = "pulumi-python:dynamic/dataloop:Integration"
_BUCKET_SETTINGS = {
    declared.ACCESS_BLOCK: "public access block",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "ownership setting",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "encryption setting",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
}
_LOSES = {
    declared.USER: "IAM user",
    declared.ROLE: "IAM role",
    declared.ACCESS_KEY: "Access key",
    declared.DRIVER: "Storage driver",
    _INTEGRATION: "Integration",
    **dict.fromkeys(declared.BUCKETS, "Bucket"),
}
_DONE = {"delete": "deleted", "replace": "replaced"}


def risks(change: Change, steps: Sequence[Step], environment: str) -> Iterator[Risk]:
    """What the steps of a preview would replace, delete or open."""
    gone = {step.resource for step in steps if step.type in declared.BUCKETS and step.operation == "delete"}
    for step in steps:
        name = _name(change, step, environment)
        if step.operation in _DONE and step.type in _LOSES:
            yield _lost(change, step, f"{_LOSES[step.type]} {name}")
        elif step.type in _BUCKET_SETTINGS and step.operation in (*_DONE, "update"):
            bucket = next((each for each in gone if step.resource.startswith(f"{each}-")), None)
            if bucket is None:
                done = _DONE.get(step.operation, "changed")
                yield risky(f"The {_BUCKET_SETTINGS[step.type]} {step.resource} of a bucket would be {done}.")
        elif step.operation == "update":
            yield from _rewritten(change, step, name, environment)


def _rewritten(change: Change, step: Step, name: str, environment: str) -> Iterator[Risk]:
    """A document that is another while the record says the same: then the program or somebody by hand changed it."""
    properties = {each.partition(".")[0].partition("[")[0] for each in step.properties}
    if step.type == declared.ROLE and "assumeRolePolicy" in properties and not _trusts_otherwise(change, environment):
        yield risky(f"The trust policy of IAM role {name} would be changed, though not by the record.")
    hidden = step.documents is None  # else they are compared
    if step.type == declared.POLICY and "policy" in properties and hidden and not _allows_otherwise(change):
        yield risky(f"What IAM policy {name} allows would be changed, though not by the record.")


def _lost(change: Change, step: Step, what: str) -> Risk:
    if step.type in declared.BUCKETS and step.operation == "delete" and _retains(change):
        return risky(f"{what} would leave the stack, and stays in AWS (on_destroy retain).")
    if step.type == declared.ACCESS_KEY and _rotates(change):
        return note(f"{what} would be {_DONE[step.operation]}, once the new one is proved.")
    return risky(f"{what} would be {_DONE[step.operation]}.")


def _name(change: Change, step: Step, environment: str) -> str:
    """The name in AWS or Dataloop, as the spec gives it."""
    spec = change.before or change.after
    kinds = {declared.USER: "user", declared.ROLE: "role", declared.POLICY: "policy", _INTEGRATION: "integration"}
    if spec is None or step.type not in kinds:
        return step.resource
    name: str = getattr(spec.names(environment), kinds[step.type])
    return name


def _retains(change: Change) -> bool:
    return change.before is not None and change.before.on_destroy == "retain"


def _rotates(change: Change) -> bool:
    before, after = change.before, change.after
    return bool(before and after and before.access_key != after.access_key)


def _trusts_otherwise(change: Change, environment: str) -> bool:
    if change.before is None or change.after is None:
        return False
    found = trust_difference(change.before, change.after, environment)
    return bool(found.users or found.added or found.removed)


def _allows_otherwise(change: Change) -> bool:
    if change.before is None or change.after is None:
        return False
    try:
        found = permission_difference(change.before, change.after)
    except SpecError:
        return False
    return bool(found.added or found.removed)

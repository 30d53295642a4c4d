"""What policies that would be deployed allow beyond those that are, whatever has caused it; pure.

Two specs say what a change of a record allows. What a change of the program does, or one that was merged and never
deployed, only the documents tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from automation.pull_request.risk import Risk, risky
from automation.results import Step
from dataloop_sts.audit.grants import Grant, grants, uncovered

_POLICY, _BUCKET_POLICY = "aws:iam/policy:Policy", "aws:s3/bucketPolicy:BucketPolicy"


def risks(steps: Iterable[Step], told: Sequence[Grant] = ()) -> tuple[Risk, ...]:
    """A risk for each action on a resource that is newly allowed, or no longer refused.

    Args:
        steps: of a preview.
        told: what the change of the spec allows the role, which is told with it.
    """
    found = (risky(f"{what} {grant}.") for step in steps for what, grant in _beyond(step, told))
    return tuple(dict.fromkeys(found))


def _beyond(step: Step, told: Sequence[Grant]) -> Iterator[tuple[str, Grant]]:
    if step.documents is None or step.type not in (_POLICY, _BUCKET_POLICY):
        return
    before, after = map(json.loads, step.documents)
    allowed = uncovered(grants(after), grants(before))
    if step.type == _POLICY:
        yield from (("The role may newly", grant) for grant in uncovered(allowed, told))
    else:
        yield from ((f"{step.resource} newly allows", grant) for grant in allowed)
    for grant in uncovered(grants(before, "Deny"), grants(after, "Deny")):
        yield f"{step.resource} no longer refuses", grant

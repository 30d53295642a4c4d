"""What policies that would be deployed allow beyond those that are, whatever has caused it; pure.

Two specs say what a change of a record allows. What a change of the program does, or one that was merged and never
deployed, only the documents tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from automation.pull_request.risk import Risk, risky
from automation.results import Step
from dataloop_sts.audit.grants import grants, uncovered

_POLICY, _BUCKET_POLICY = "aws:iam/policy:Policy", "aws:s3/bucketPolicy:BucketPolicy"


def newly_allowed(steps: Iterable[Step], known: Sequence[Risk]) -> tuple[Risk, ...]:
    """A risk for each action on a resource that is newly allowed, or no longer refused.

    Args:
        steps: of a preview.
        known: what is told already; an action on a resource that one of these names is not told again.
    """
    told = [{word.rstrip(",.:;") for word in risk.what.split()} for risk in known]
    found = [
        risky(f"{what} {action} on {resource}{rest}.")
        for step in steps
        for what, action, resource, rest in _beyond(step)
        if not any({action, resource} <= words for words in told)
    ]
    return tuple(dict.fromkeys(found))


def _beyond(step: Step) -> Iterator[tuple[str, str, str, str]]:
    if step.documents is None or step.type not in (_POLICY, _BUCKET_POLICY):
        return
    before, after = map(json.loads, step.documents)
    whom = "The role may newly" if step.type == _POLICY else f"{step.resource} newly allows"
    compared = [
        (whom, uncovered(grants(after), grants(before))),
        (f"{step.resource} no longer refuses", uncovered(grants(before, "Deny"), grants(after, "Deny"))),
    ]
    for what, those in compared:
        for grant in those:
            whole = str(grant)
            yield what, grant.action, grant.resource, whole.removeprefix(f"{grant.action} on {grant.resource}")

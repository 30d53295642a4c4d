"""What a reviewer has to look at in a change of one customer, in words; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from automation.environment import SETTINGS_FILE
from automation.pull_request import risks_of_permissions, risks_of_spec, risks_of_steps
from automation.pull_request.changes import Change
from automation.pull_request.risk import Risk, note, risky
from automation.results import Step
from dataloop_sts import naming

__all__ = ["Risk", "risks"]

_SETTINGS = {
    SETTINGS_FILE: "The settings so far had mistakes, so which of them differ is not known.",
    "backend_url": "The state is looked for elsewhere (backend_url): what is not there would be made anew.",
    "sandbox": "It is another AWS (sandbox): the sandbox instead of the real one, or the other way round.",
    "dataloop_api_url": "Dataloop's API is another address (dataloop_api_url), which is sent the token.",
    "policy_pack": "It is held to other policies, or to none (policy_pack).",
    "policy_config": "The policies have other settings (policy_config).",
}
_NOTED = {"secrets_provider": "What encrypts the secrets of new stacks is another (secrets_provider)."}
_ORGANIZATIONS = "organizations."


def risks(change: Change, steps: Sequence[Step], *, environment: str) -> tuple[Risk, ...]:
    """The risks of a change, the risky ones first.

    Args:
        change: the customer's.
        steps: of its preview; none where it could not be previewed.
        environment: the environment's name, from which names derive.
    """
    found = dict.fromkeys(
        [
            *_of_kind(change, environment),
            *_of_settings(change),
            *risks_of_spec.risks(change, environment),
            *risks_of_permissions.risks(change, environment),
            *risks_of_steps.risks(change, steps, environment),
        ]
    )
    return tuple(sorted(found, key=lambda risk: risk.level != "risky"))


def _of_kind(change: Change, environment: str) -> Iterator[Risk]:
    destroy = f"dataloop-sts -e {environment} destroy"
    if change.kind == "removed":
        stack = naming.stack_name(environment, None if change.own_stack else change.customer)
        command = destroy if change.own_stack else f"{destroy} {change.customer}"
        yield risky(
            f"Its record goes, its stack {stack} stays with all it made: a merge destroys nothing. To take the "
            f"connection away, run {command} before the merge, while there is a record."
        )
    elif change.kind == "renamed":
        was, now = (naming.stack_name(environment, name) for name in (change.former, change.customer))
        yield risky(
            f"{change.former} is renamed to {change.customer}, which is another stack: {was} stays with all it made, "
            f"and {now} would make things of the same names. Keep the name {change.former}; or take the old connection "
            f"away first, with {destroy} {change.former}, run before the merge."
        )
    if change.base_problems and change.after:
        yield risky("The record at the base has mistakes, so whether more is allowed than before is not known.")


def _of_settings(change: Change) -> Iterator[Risk]:
    for key in change.settings:
        if key.startswith(_ORGANIZATIONS):
            organization = key.removeprefix(_ORGANIZATIONS)
            yield risky(f"The Dataloop credentials of organization {organization} are taken from elsewhere.")
        elif key in _NOTED:
            yield note(_NOTED[key])
        else:
            yield risky(_SETTINGS.get(key, f"The environment's setting {key} differs."))

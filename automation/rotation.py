"""Rotates an access key: the record's generation says which key is wanted, the stack which one is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from automation.errors import NoSuchStack, RotationStopped, StackError
from automation.stack import Stack
from dataloop_sts.errors import DataloopStsError
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.spec_parts import AccessKeySpec

_KEY, _INTEGRATION = "aws:iam/accessKey:AccessKey", "pulumi-python:dynamic/dataloop:Integration"
_STACK = "pulumi:pulumi:Stack"

Save = Callable[[ConnectionSpec], None]
Outcome = Literal["rotated", "finished", "young", "kept", "nothing"]


@dataclass(frozen=True)
class KeyInUse:
    """The access key that Dataloop holds, as the stack knows it.

    Attributes:
        id: of the key.
        generation: the last one that was handed over.
        created_at: when it was made.
        settled: whether the last update of the stack got to its end, with no other key left than one that is kept.
        kept: the generation that is kept inactive, or None.
    """

    id: str
    generation: int
    created_at: datetime
    settled: bool
    kept: int | None

    @property
    def age_days(self) -> int:
        """Whole days since it was made."""
        return (datetime.now(UTC) - self.created_at).days


@dataclass(frozen=True)
class Rotation:
    """What :func:`rotate` came to.

    Attributes:
        outcome: ``rotated``; ``finished``: a kept key went; ``young``, ``kept``, ``nothing``: nothing was done.
        message: the same in words.
        key: the key that Dataloop holds now.
        spec: what the connection is to be from now on. A record's file has it; whoever keeps specs elsewhere keeps it.
    """

    outcome: Outcome
    message: str
    key: KeyInUse
    spec: ConnectionSpec


def key_in_use(deployed: Mapping[str, Any], stack: str) -> KeyInUse:
    """The key that Dataloop holds, out of a stack's deployment.

    Args:
        deployed: the deployment; no secret of it is read.
        stack: the stack's name, for the error.

    Raises:
        NoSuchStack: no key was ever handed over.
    """
    resources = list(deployed.get("resources") or [])
    integration = next((each for each in resources if each["type"] == _INTEGRATION), None)
    outputs = (integration or {}).get("outputs") or {}
    keys = {int(each["urn"].rpartition("-")[2]): each for each in resources if each["type"] == _KEY}
    held = next((each for each in keys.values() if each.get("id") == outputs.get("access_key_id")), None)
    if not held:
        raise NoSuchStack(f"Stack {stack} has no connection yet: make it with `dataloop-sts up` or `pulumi up`.")
    generation = int(outputs["generation"])
    inactive = {number for number, key in keys.items() if key["inputs"].get("status") == "Inactive"}
    told = next((each.get("outputs") or {} for each in resources if each["type"] == _STACK), {})
    settled = told.get("access_key_generation") == generation and set(keys) - inactive == {generation}
    return KeyInUse(
        id=held["id"],
        generation=generation,
        created_at=datetime.fromisoformat(held["outputs"]["createDate"]),
        settled=settled and not deployed.get("pending_operations"),
        kept=max(inactive, default=None),
    )


def rotate(stack: Stack, *, older_than: int | None = None, finish: bool = False, save: Save | None = None) -> Rotation:
    """Makes the next generation of the key, or goes on with a rotation that was interrupted.

    Args:
        stack: the connection's; where it has a record, its file is edited.
        older_than: days; nothing is done while the key in use is younger.
        finish: instead, let the key go that is kept inactive, once its days of grace are over.
        save: gets the spec that asks for the other key, before anything is done. Where it raises, nothing is.

    Raises:
        NoSuchStack: there is no connection yet.
        DataloopStsError: another key is still kept.
        RotationStopped: the update failed or was interrupted; the same call goes on with it.
        RecordError: the record cannot be edited, or there are no credentials for Dataloop; nothing was begun.
    """
    stack.variables()  # or the record would be edited for nothing
    spec = stack.spec
    wanted, key = spec.access_key, key_in_use(stack.state(), stack.stack)
    under_way = wanted.generation != key.generation or not key.settled
    if finish:
        if wanted.retiring and not under_way:
            until = key.created_at + timedelta(days=wanted.grace_days)
            if datetime.now(UTC) < until:
                return Rotation("kept", f"Generation {wanted.retiring} is kept until {until:%Y-%m-%d}.", key, spec)
            stack = _asking(stack, wanted.model_copy(update={"retiring": None}), save)
        elif wanted.retiring:
            raise DataloopStsError(
                f"The rotation to generation {wanted.generation} has not got to its end: run `rotate` without --finish "
                "first."
            )
        elif key.settled and key.kept is None:
            return Rotation("nothing", "No former key is kept.", key, spec)
        return _brought_up(stack, "finished")
    if under_way:
        return _brought_up(stack, "rotated")
    if older_than is not None and key.age_days < older_than:
        return Rotation("young", f"The key is younger than {older_than} days.", key, spec)
    if wanted.retiring:
        raise DataloopStsError(
            f"Generation {wanted.retiring} of the key is still kept, and IAM allows a user two keys: let it go first, "
            "with `rotate --finish`."
        )
    return _brought_up(_asking(stack, next_generation(wanted), save), "rotated")


def _asking(stack: Stack, key: AccessKeySpec, save: Save | None) -> Stack:
    stack = stack.with_access_key(generation=key.generation, retiring=key.retiring)
    if save:
        save(stack.spec)
    return stack


def next_generation(key: AccessKeySpec) -> AccessKeySpec:
    """The key of a spec one generation on; with days of grace the present one is kept for them."""
    retiring = key.generation if key.grace_days else None
    return key.model_copy(update={"generation": key.generation + 1, "retiring": retiring})


def _brought_up(stack: Stack, outcome: Outcome) -> Rotation:
    wanted = stack.spec.access_key
    try:
        stack.up()
    except (StackError, KeyboardInterrupt) as error:
        happened = str(error) or "Interrupted."
        where = stack.record.path.name if stack.record else "The spec"
        raise RotationStopped(
            f"{happened} {where} asks for generation {wanted.generation}: the same command or `up` goes on with it.",
            stack.spec,
            error,
        ) from None
    key = key_in_use(stack.state(), stack.stack)
    return Rotation(outcome, _done(outcome, key, wanted), key, stack.spec)


def _done(outcome: Outcome, key: KeyInUse, wanted: AccessKeySpec) -> str:
    if outcome == "finished":
        return "The former key is deleted."
    if not wanted.retiring:
        return "Dataloop holds the new key, the former one is deleted."
    until = key.created_at + timedelta(days=wanted.grace_days)
    return (
        f"Dataloop holds the new key. Generation {wanted.retiring} is switched off and kept until {until:%Y-%m-%d}; "
        "then: rotate --finish"
    )

"""Looking with rights that may not suffice: what may not be seen is told as such, and never taken for missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from dataloop_sts.aws import MISSING, REFUSED, aws_errors
from dataloop_sts.errors import AwsError, Forbidden, NotFound

T = TypeVar("T")


class LiveModel(BaseModel):
    """Base of all that is live: frozen."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Unseen(LiveModel):
    """What could not be looked at."""

    unseen: str
    """What it is, for example ``the policy of bucket x``."""
    needs: str
    """What the caller lacks: an IAM action, credentials of another account, or rights on Dataloop."""
    reason: str
    """The answer, on one line."""


def in_aws(call: Callable[[], T], what: str, needs: str, *, missing: str | None = None) -> T | Unseen | None:
    """What a call of AWS finds; None where there is no such thing.

    Args:
        call: the call, which only reads.
        what: what is looked at.
        needs: the IAM action that the call needs.
        missing: AWS's code for "there is none", where it is one of the thing's own.

    Raises:
        AwsError: the call failed for another reason than a missing permission.
    """
    try:
        with aws_errors(f"look at {what}"):
            return call()
    except AwsError as error:
        if error.code in MISSING or (missing and error.code == missing):
            return None
        if error.code in REFUSED:
            return Unseen(unseen=what, needs=needs, reason=str(error))
        raise


def there_in_aws(call: Callable[[], T], what: str, needs: str) -> T | Unseen:
    """Like :func:`in_aws`, for what a thing that exists always has; one that just went is not seen."""
    found = in_aws(call, what, needs)
    return Unseen(unseen=what, needs=needs, reason="It went while it was looked at.") if found is None else found


def on_dataloop(call: Callable[[], T], what: str, needs: str) -> T | Unseen:
    """What a call of Dataloop finds; what the token's user is told nothing about is not seen.

    Raises:
        DataloopError: the call failed for another reason.
    """
    try:
        return call()
    except (Forbidden, NotFound) as error:
        return Unseen(unseen=what, needs=needs, reason=str(error))

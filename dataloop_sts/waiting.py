"""Waiting for a world that settles: bounded exponential backoff with full jitter.

Source of the scheme: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

from dataloop_sts.errors import InvalidSetting

SETTLE_VARIABLE = "DATALOOP_STS_SETTLE_SECONDS"
SETTLE_DEFAULT_S = 120.0  # a change of a policy takes IAM longer than a new key
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0


def settle_seconds() -> float:
    """How long IAM's changes, and Dataloop's sight of them, may take: 120 s, or what the environment variable says.

    Raises:
        InvalidSetting: the variable is not a number of seconds.
    """
    text = os.environ.get(SETTLE_VARIABLE, "")
    try:
        seconds = float(text) if text else SETTLE_DEFAULT_S
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise InvalidSetting(f"{SETTLE_VARIABLE} must be a number of seconds from 0 to 3600, not {text!r}.")
    return seconds


def attempts(seconds: float) -> Iterator[int]:
    """Counts tries from 1, sleeping before each but the first, until ``seconds`` have passed; always one at least."""
    deadline = time.monotonic() + seconds
    longest = _FIRST_WAIT_S
    number = 1
    yield number
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, random.uniform(longest / 4, longest)))  # noqa: S311 - jitter, not cryptography
        longest = min(longest * 2, _LONGEST_WAIT_S)
        number += 1
        yield number

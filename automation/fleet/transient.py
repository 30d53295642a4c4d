"""Which errors go away by themselves, so that the same command may be run again."""

from __future__ import annotations

from automation.errors import AwsFailed, DataloopFailed
from dataloop_sts.errors import AwsError, RateLimited, ServerError, Unreachable

_DATALOOP = (RateLimited, ServerError, Unreachable)
_KINDS = tuple(kind.__name__ for kind in _DATALOOP)
# The preflight tells what it could not look at in words alone.
_WORDS = tuple(kind.what.partition("{")[0].strip() for kind in _DATALOOP)
_THROTTLED = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestThrottled"),
        *("RequestLimitExceeded", "RequestThrottledException", "SlowDown", "BandwidthLimitExceeded"),
    }
)
"""AWS's codes of too many calls: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""


def is_transient(error: BaseException) -> bool:
    """Whether it is a rate limit, or an outage of Dataloop. A lock is not: whoever holds it may take long."""
    if isinstance(error, (AwsFailed, AwsError)):
        return error.code in _THROTTLED
    if isinstance(error, DataloopFailed):
        return error.kind in _KINDS if error.kind else any(words in str(error) for words in _WORDS)
    return isinstance(error, _DATALOOP)

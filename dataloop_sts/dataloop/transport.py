"""One exchange with the API: connection pool, time limits, and repeats of what is safe to repeat."""

from __future__ import annotations

import enum
import itertools
import logging
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from pydantic import SecretStr
from requests.auth import AuthBase

from dataloop_sts.dataloop.session import new_session
from dataloop_sts.errors import Unreachable

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024 * 1024  # bytes; no answer of the API comes near, and memory is not a stranger's to fill
# A status that the next attempt may well not meet. 501 and 505 say that no attempt will succeed.
_PASSING = frozenset({408, 500, 502, 503, 504, *range(506, 600)})


@dataclass(frozen=True)
class Timeouts:
    """Limits in seconds: of a connection attempt, of the silence of a server, and of a whole call with its repeats."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 120.0


@dataclass(frozen=True)
class Retries:
    """How often and after which wait a call is repeated.

    The wait is drawn from zero to a bound that doubles ("full jitter",
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/); a Retry-After is waited
    out, plus jitter.

    Attributes:
        attempts: at most, the first one included.
        first_delay, longest_delay: the bound at first and at most, in seconds.
        longest_retry_after: seconds; a server that asks for a longer wait is not waited for.
        sleep: waits so many seconds.
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 20.0
    longest_retry_after: float = 60.0
    sleep: Callable[[float], object] = time.sleep

    def wait(self, failures: int, retry_after: float | None) -> float | None:
        """Seconds to wait after so many failed attempts; None to give up."""
        if failures >= self.attempts:
            return None
        if retry_after is None:
            bound = min(self.longest_delay, self.first_delay * 2 ** (failures - 1))
            return random.uniform(0, bound)  # noqa: S311 - spreads load, guards nothing
        if retry_after > self.longest_retry_after:
            return None
        return retry_after + random.uniform(0, self.first_delay)  # noqa: S311


class Effect(enum.Enum):
    """What a call changes, and so when it may be repeated."""

    NONE = "reads or tests"
    IDEMPOTENT = "leads to the same state however often it is made"
    ONCE = "makes another thing each time: repeated only where it surely did nothing"


@dataclass(frozen=True)
class Call:
    """A call of the API. ``resource`` names for a reader what it is about; ``secrets`` are those its body carries."""

    method: str
    path: str
    resource: str
    effect: Effect = Effect.NONE
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    secrets: tuple[SecretStr, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the server said, whichever status; ``after_doubt``: an earlier attempt may already have had its effect."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    after_doubt: bool = False

    @property
    def retry_after(self) -> float | None:
        """The wait that the server asks for, in seconds; None where it asks for none that can be understood."""
        return parse_retry_after(self.headers.get("Retry-After"))

    @property
    def did_nothing(self) -> bool:
        """The server refused before it did anything, and asks to be called again."""
        return self.status == 429 or (self.status == 503 and self.retry_after is not None)


@dataclass(frozen=True)
class _Failure:
    """No answer. ``sent``: the request may have reached the server; ``final``: another attempt would fare the same."""

    reason: str
    sent: bool
    final: bool = False


class Transport:
    """Makes calls over one session; may be used by several threads.

    Args:
        is_loopback: the server is this machine, so no proxy is asked.
        timeouts, retries: limits of each call.
        session: another session than one of its own.
        before_attempt: called before every attempt; what it raises ends the call, and nothing is sent.
        asked_wait: seconds after which a server that refused an attempt before it did anything asks to be called
            again, where it says so in a way of its own; None where it does not.
    """

    def __init__(
        self,
        *,
        is_loopback: bool,
        timeouts: Timeouts,
        retries: Retries,
        session: requests.Session | None = None,
        before_attempt: Callable[[], None] | None = None,
        asked_wait: Callable[[Answer], float | None] | None = None,
    ) -> None:
        self._session = session or new_session()
        self._asked_wait = asked_wait or (lambda _: None)
        self._before_attempt = before_attempt or (lambda: None)
        self._proxies: dict[str, Any] = {"http": None, "https": None, "all": None} if is_loopback else {}
        self._timeouts = timeouts
        self._retries = retries

    def deadline(self) -> float:
        """When a call that begins now must have ended, on the clock of :func:`time.monotonic`."""
        return time.monotonic() + self._timeouts.total

    def exchange(self, call: Call, base_url: str, auth: AuthBase, deadline: float) -> Answer:
        """Make ``call`` until there is an answer that no repeat would better, or no repeat is allowed.

        Raises:
            Unreachable: no answer; its ``maybe_applied`` tells whether the call may have had its effect.
        """
        after_doubt = False
        for attempt in itertools.count(1):
            self._before_attempt()
            outcome = self._attempt(call, base_url, auth, deadline, attempt)
            wait = self._wait(call, outcome, attempt)
            if wait is None or time.monotonic() + wait >= deadline:
                break
            after_doubt = after_doubt or _may_have_applied(call, outcome)
            self._retries.sleep(wait)
        if isinstance(outcome, Answer):
            return replace(outcome, after_doubt=after_doubt)
        raise Unreachable(
            f"{base_url}: {outcome.reason}" + (f" ({attempt} attempts)" if attempt > 1 else ""),
            method=call.method,
            path=call.path,
            resource=call.resource,
            maybe_applied=after_doubt or _may_have_applied(call, outcome),
        )

    def _wait(self, call: Call, outcome: Answer | _Failure, attempt: int) -> float | None:
        if isinstance(outcome, _Failure):
            repeat = not outcome.final and (call.effect is not Effect.ONCE or not outcome.sent)
            return self._retries.wait(attempt, None) if repeat else None
        asked = self._asked_wait(outcome)
        if asked is not None:
            return self._retries.wait(attempt, asked)
        repeat = outcome.did_nothing or (outcome.status in _PASSING and call.effect is not Effect.ONCE)
        return self._retries.wait(attempt, outcome.retry_after) if repeat else None

    def _attempt(self, call: Call, base_url: str, auth: AuthBase, deadline: float, attempt: int) -> Answer | _Failure:
        """One request. Failure is returned, not raised, so that no exception that holds the request lives on."""
        started = time.monotonic()
        if started >= deadline:
            return _Failure(f"the time limit of {self._timeouts.total:g} s passed", sent=False, final=True)
        try:
            with self._session.request(
                call.method,
                base_url + call.path,
                params=dict(call.query),
                json=call.body,
                auth=auth,
                timeout=(
                    min(self._timeouts.connect, deadline - started),
                    min(self._timeouts.read, deadline - started),
                ),
                allow_redirects=False,
                stream=True,
                proxies=self._proxies,
            ) as response:
                outcome: Answer | _Failure = _read(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            outcome = self._failure(error, urlsplit(base_url).hostname or "")
        shown = outcome.status if isinstance(outcome, Answer) else outcome.reason
        log.debug("%s %s: %s, %.3f s, attempt %d", call.method, call.path, shown, time.monotonic() - started, attempt)
        return outcome

    def _failure(self, error: BaseException, host: str) -> _Failure:
        """What ``error`` means, in our words: the libraries' texts may hold header values or a proxy's password."""
        causes = list(_causes(error))

        def among(*types: type[BaseException]) -> BaseException | None:
            return next((cause for cause in causes if isinstance(cause, types)), None)

        certificate = among(ssl.SSLCertVerificationError)
        if isinstance(certificate, ssl.SSLCertVerificationError):
            reason = (
                f"its TLS certificate is not trusted ({certificate.verify_message}; REQUESTS_CA_BUNDLE names more CAs)"
            )
            return _Failure(reason, sent=False, final=True)
        if among(urllib3.exceptions.ProxyError):
            return _Failure("the proxy of the environment did not let the connection through", sent=False)
        if among(socket.gaierror, urllib3.exceptions.NameResolutionError):
            return _Failure(f"the host name {host} is not known", sent=False)
        if among(ConnectionRefusedError):
            return _Failure("the connection was refused", sent=False)
        if among(requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
            return _Failure(f"no connection within {self._timeouts.connect:g} s", sent=False)
        if among(urllib3.exceptions.NewConnectionError):
            return _Failure("no connection could be made", sent=False)
        if among(requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
            return _Failure(f"no answer within {self._timeouts.read:g} s", sent=True)
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
            return _Failure("the address or the token cannot be sent", sent=False, final=True)
        return _Failure("the connection broke before the answer was complete", sent=True)


def _may_have_applied(call: Call, outcome: Answer | _Failure) -> bool:
    if call.effect is Effect.NONE:
        return False
    if isinstance(outcome, _Failure):
        return outcome.sent
    return outcome.status >= 500 and not outcome.did_nothing


def _read(response: requests.Response, deadline: float) -> Answer | _Failure:
    """The body piece by piece as it comes: a read time-out alone lets a server dribble for ever."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(65_536, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY:
            return _Failure("the answer is larger than any of the API's", sent=True, final=True)
        if time.monotonic() >= deadline:
            return _Failure("the time limit passed before the answer was complete", sent=True, final=True)
    return Answer(response.status_code, response.headers, b"".join(pieces))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and what it wraps: urllib3 and requests keep the inner one as ``reason``, as an argument, or as cause.

    Not its context: that may be an error the caller is just handling, which says nothing about this call.
    """
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        candidate = waiting.pop(0)
        if isinstance(candidate, BaseException) and not any(candidate is known for known in seen):
            seen.append(candidate)
            waiting += [getattr(candidate, "reason", None), candidate.__cause__, *candidate.args]
    yield from seen


def parse_retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)."""
    if value is None:
        return None
    number = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number):
        return float(number)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())

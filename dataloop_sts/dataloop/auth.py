"""Who the client is for the API: a given token, or a machine-to-machine login that renews its own."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from dataloop_sts.dataloop.answers import error_of, json_of
from dataloop_sts.dataloop.transport import Call, Transport
from dataloop_sts.errors import (
    BadRequest,
    Conflict,
    DataloopError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    UnexpectedAnswer,
    Unreachable,
)
from dataloop_sts.redaction import Redactor

log = logging.getLogger(__name__)

# A 404 of the login among them: it must never reach a caller who takes NotFound for "the resource is gone".
_REFUSALS = (NotAuthenticated, Forbidden, NotFound, Conflict, BadRequest)
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what can stand in a header
RENEWAL_MARGIN = 60.0  # seconds before its end that a token is renewed; at most a quarter of its life


@dataclass(frozen=True)
class TokenCredentials:
    """A token made elsewhere; it cannot be renewed here."""

    token: SecretStr


@dataclass(frozen=True)
class LoginCredentials:
    """User and password of a machine (a Dataloop bot)."""

    username: str
    password: SecretStr


Credentials = TokenCredentials | LoginCredentials


def credentials_from_environment(environ: Mapping[str, str]) -> Credentials:
    """DATALOOP_TOKEN, or else DATALOOP_USERNAME and DATALOOP_PASSWORD.

    Raises:
        NotAuthenticated: neither is set; names what is missing.
    """
    token = environ.get("DATALOOP_TOKEN", "").strip()
    if token:
        return TokenCredentials(SecretStr(token))
    username, password = environ.get("DATALOOP_USERNAME", "").strip(), environ.get("DATALOOP_PASSWORD", "")
    if username and password:
        return LoginCredentials(username, SecretStr(password))
    if username or password:
        missing = "DATALOOP_PASSWORD" if username else "DATALOOP_USERNAME"
        raise NotAuthenticated(
            what=f"There is no Dataloop login: {missing} is not set",
            next_step=f"Set {missing}, or DATALOOP_TOKEN instead of both.",
        )
    raise NotAuthenticated(what="There is no Dataloop token: DATALOOP_TOKEN is not set")


class BearerAuth(AuthBase):
    """Sets the Authorization header; being an auth object of its own, ``~/.netrc`` does not override it."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


class NoAuth(AuthBase):
    """Sends no Authorization header, not even that of ``~/.netrc``."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class TokenSource(Protocol):
    """Where the client's token comes from; fit for several threads."""

    def current(self, deadline: float) -> SecretStr:
        """A token to send."""

    def renewed(self, rejected: SecretStr, deadline: float) -> SecretStr | None:
        """Another token than the one the API has rejected; None where there can be none."""

    def explain(self) -> str | None:
        """Why the API may reject the token, as far as can be told from here."""

    def secrets(self) -> tuple[SecretStr, ...]:
        """What must not be shown."""


class StaticToken:
    """The token as given."""

    def __init__(self, credentials: TokenCredentials) -> None:
        self._token = SecretStr(re.sub(r"(?i)^bearer\s+", "", credentials.token.get_secret_value().strip()))
        if not _TOKEN.fullmatch(self._token.get_secret_value()):
            raise NotAuthenticated(what="The Dataloop token is empty, or holds characters that no token has")

    def current(self, deadline: float) -> SecretStr:
        """The token, whatever its age: this machine's clock may be wrong, so the API decides."""
        return self._token

    def renewed(self, rejected: SecretStr, deadline: float) -> SecretStr | None:
        """None: there is only one."""
        return None

    def explain(self) -> str | None:
        """That it has expired, and when; or that it is no JSON Web Token."""
        ends = expires_at(self._token)
        if ends is not None and ends <= datetime.now(UTC):
            return f"it expired on {ends:%Y-%m-%d at %H:%M} UTC"
        return None if _claims(self._token) else "it is not a JSON Web Token"

    def secrets(self) -> tuple[SecretStr, ...]:
        """The token."""
        return (self._token,)


@dataclass(frozen=True)
class _Grant:
    token: SecretStr
    refresh_token: SecretStr | None
    renew_at: float  # on the clock of time.monotonic


class MachineLogin:
    """Logs in with user and password, and renews the token before it ends; it lives in memory only.

    Source: the vendor's client, ``POST {gate}/token?default`` with types ``user_credentials`` and ``refresh_token``
    (https://github.com/dataloop-ai/dtlpy, services/logins.py and services/api_client.py).
    """

    def __init__(self, credentials: LoginCredentials, transport: Transport, gate_url: str) -> None:
        self._credentials = credentials
        self._transport = transport
        self._gate_url = gate_url
        self._lock = threading.Lock()
        self._grant: _Grant | None = None

    def current(self, deadline: float) -> SecretStr:
        """The token, new where there is none yet or its end is near."""
        with self._locked(deadline):
            if self._grant is None or time.monotonic() >= self._grant.renew_at:
                self._grant = self._renew(deadline)
            return self._grant.token

    def renewed(self, rejected: SecretStr, deadline: float) -> SecretStr | None:
        """A new token; the one that another thread has fetched meanwhile, where it has."""
        with self._locked(deadline):
            if self._grant is None or self._grant.token == rejected:
                self._grant = self._log_in(deadline)
            return self._grant.token

    def explain(self) -> str | None:
        """Nothing can be told: the token is new."""
        return "although it is fresh from the login"

    def secrets(self) -> tuple[SecretStr, ...]:
        """Password and tokens."""
        grant = self._grant
        tokens = () if grant is None else tuple(filter(None, (grant.token, grant.refresh_token)))
        return (self._credentials.password, *tokens)

    @contextlib.contextmanager
    def _locked(self, deadline: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unreachable(f"{self._gate_url}: the login took longer than a call's time limit", resource="the login")
        try:
            yield
        finally:
            self._lock.release()

    def _renew(self, deadline: float) -> _Grant:
        refresh_token = self._grant.refresh_token if self._grant else None
        if refresh_token:
            call = _login_call(
                {"type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}, refresh_token
            )
            try:
                return self._granted(call, deadline, refresh_token)
            except (*_REFUSALS, UnexpectedAnswer) as error:
                log.debug("the login could not be renewed (status %s), logging in anew", error.status)
        return self._log_in(deadline)

    def _log_in(self, deadline: float) -> _Grant:
        username, password = self._credentials.username, self._credentials.password
        call = _login_call(
            {"type": "user_credentials", "username": username, "password": password.get_secret_value()}, password
        )
        refused: DataloopError
        try:
            return self._granted(call, deadline, None)
        except _REFUSALS as error:
            refused = error
        raise refused.recast(
            NotAuthenticated,
            what=f"Dataloop refused the login of {username}",
            next_step="Check DATALOOP_USERNAME and DATALOOP_PASSWORD.",
        )

    def _granted(self, call: Call, deadline: float, refresh_token: SecretStr | None) -> _Grant:
        answer = self._transport.exchange(call, self._gate_url, NoAuth(), deadline)
        if error := error_of(answer, call, Redactor((*self.secrets(), *call.secrets))):
            raise error
        grant = _grant_of(json_of(answer, call), refresh_token)
        if grant is None:
            raise UnexpectedAnswer(
                "no id_token", status=answer.status, method=call.method, path=call.path, resource=call.resource
            )
        return grant


def _login_call(body: Mapping[str, object], secret: SecretStr) -> Call:
    return Call("POST", "/token?default", "the login", body=body, secrets=(secret,))


def _grant_of(document: Any, refresh_token: SecretStr | None) -> _Grant | None:
    """What the platform grants; it need not send the refresh token again, which stays good."""
    fields = document if isinstance(document, dict) else {}
    token, refresh = fields.get("id_token"), fields.get("refresh_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return None
    return _Grant(
        SecretStr(token),
        SecretStr(refresh) if isinstance(refresh, str) and refresh else refresh_token,
        time.monotonic() + _usable_for(SecretStr(token)),
    )


def expires_at(token: SecretStr) -> datetime | None:
    """When the token ends by its own ``exp`` claim; None where it has none that can be read."""
    ends = _claims(token).get("exp")
    if isinstance(ends, bool) or not isinstance(ends, int | float):
        return None
    try:
        return datetime.fromtimestamp(ends, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _usable_for(token: SecretStr) -> float:
    """Seconds from now until the token is to be renewed.

    Its life is counted from ``iat``, where it is given, so that a clock that goes wrong here does not matter. A token
    without a readable end is used until the API rejects it.
    """
    ends, issued = expires_at(token), _claims(token).get("iat")
    if ends is None:
        return float("inf")
    start = issued if isinstance(issued, int | float) else datetime.now(UTC).timestamp()
    life = ends.timestamp() - start
    return life - min(RENEWAL_MARGIN, life / 4) if life > 0 else float("inf")


def _claims(token: SecretStr) -> dict[str, Any]:
    """The claims of a JSON Web Token, unverified: to explain and to plan with, not to trust."""
    segments = token.get_secret_value().split(".")
    if len(segments) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(segments[1] + "=" * (-len(segments[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}

"""POST {gate}/token?default: the machine-to-machine login, and the refresh of its token.

See https://docs.dataloop.ai/docs/rest-api-connection.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field

from flask import Blueprint, request

from sandbox.dataloop.answers import Document
from sandbox.dataloop.errors import BadRequest, NotAuthenticated
from sandbox.dataloop.payloads import PasswordLogin, RefreshLogin, json_body, parse
from sandbox.dataloop.tokens import TokenIssuer

DEFAULT_LIFETIME_S = 24 * 3600.0


@dataclass
class MachineLogin:
    """The one machine-to-machine user's login.

    Attributes:
        username: Its email.
        password: Its password.
        lifetime_s: Lifetime of the tokens issued from now on, in seconds.
    """

    tokens: TokenIssuer
    username: str
    password: str
    lifetime_s: float = DEFAULT_LIFETIME_S
    _refresh_tokens: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def log_in(self, username: str, password: str) -> Document:
        """Exchange username and password for a token; raises NotAuthenticated without saying which is wrong."""
        known_user = hmac.compare_digest(username.encode(), self.username.encode())
        if not hmac.compare_digest(password.encode(), self.password.encode()) or not known_user:
            raise NotAuthenticated("wrong username or password")
        refresh_token = secrets.token_urlsafe(32)
        with self._lock:
            self._refresh_tokens.add(refresh_token)
        return self._answer(refresh_token)

    def refresh(self, refresh_token: str) -> Document:
        """Exchange the refresh token of a login for a new token; it stays valid. Raises NotAuthenticated."""
        with self._lock:
            known = refresh_token in self._refresh_tokens
        if not known:
            raise NotAuthenticated("the refresh token is not known: log in again")
        return self._answer(refresh_token)

    def _answer(self, refresh_token: str) -> Document:
        return {
            "id_token": self.tokens.issue(self.username, self.lifetime_s),
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": self.lifetime_s,
        }


def login_blueprint(login: MachineLogin) -> Blueprint:
    """The one call that needs no token."""
    blueprint = Blueprint("login", __name__)

    @blueprint.post("/token")
    def token() -> Document:
        if "default" not in request.args:
            raise BadRequest("the login is POST /token?default")
        body = json_body()
        if body.get("type") == "refresh_token":
            return login.refresh(parse(RefreshLogin, body).refresh_token.get_secret_value())
        credentials = parse(PasswordLogin, body)
        return login.log_in(credentials.username, credentials.password.get_secret_value())

    return blueprint

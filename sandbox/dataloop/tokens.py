"""Issues and checks the bearer tokens: JWTs signed with HMAC SHA-256 (RFC 7519, RFC 7515).

The vendor's client reads a token's `email` and numeric `exp`, and refuses one that expires within 60 seconds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import secrets
import time

from sandbox.dataloop.errors import NotAuthenticated

_HEADER = {"alg": "HS256", "typ": "JWT"}
_LONGEST_TOKEN = 8192


class TokenIssuer:
    """Issues tokens that only this instance accepts: its key is random and lives as long as it does."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self, email: str, lifetime_s: float) -> str:
        """A token for the user with this email; a negative lifetime makes one that has already expired."""
        now = time.time()
        claims = {
            "email": email,
            "sub": email,
            "iat": int(now),
            "exp": round(now + lifetime_s, 3),
            "jti": secrets.token_hex(8),
        }
        signed = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
        return f"{signed}.{_encode(self._signature(signed))}"

    def email_of(self, token: str) -> str:
        """The email of the user a token was issued to.

        Raises:
            NotAuthenticated: the token is malformed, was not issued by this instance, or has expired.
        """
        segments = token.split(".")
        if len(segments) != 3 or len(token) > _LONGEST_TOKEN:
            raise NotAuthenticated("the token is malformed: a JSON Web Token has three segments")
        signed = f"{segments[0]}.{segments[1]}"
        if not hmac.compare_digest(_decode(segments[2]), self._signature(signed)):
            raise NotAuthenticated("the token's signature is invalid: it was not issued by this server, or was altered")
        # Signed with the key of this instance, hence written by issue(): its content needs no further distrust.
        claims = json.loads(_decode(segments[1]))
        expires: float = claims["exp"]
        if expires <= time.time():
            ago = math.ceil(time.time() - expires)
            raise NotAuthenticated(f"the token expired {ago} s ago: get a new one")
        email: str = claims["email"]
        return email

    def _signature(self, signed: str) -> bytes:
        return hmac.new(self._key, signed.encode("utf-8", "replace"), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(segment: str) -> bytes:
    try:
        return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotAuthenticated("the token is malformed: a segment is not base64url") from None

"""Check of AWS Signature Version 4, in the Authorization header or in a presigned URL.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
Version 2 is refused, as AWS's newer regions do.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

from sandbox.aws.errors import RefusedError
from sandbox.aws.http_request import HttpRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
_MAX_SKEW = timedelta(minutes=15)
_MAX_EXPIRY_S = 7 * 24 * 3600
_HEADER = re.compile(rf"{_ALGORITHM}\s+(.*)")


@dataclass(frozen=True)
class Signature:
    """What a request says about its signing. scope: date/region/service/aws4_request; expires_s: of a presigned URL."""

    access_key_id: str
    region: str
    service: str
    scope: str
    signed_headers: tuple[str, ...]
    value: str
    timestamp: str
    token: str | None
    expires_s: int | None


def parse(request: HttpRequest) -> Signature | None:
    """Return the request's signature, None if it is unsigned. Raises RefusedError for one that cannot be read."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        found = _HEADER.fullmatch(authorization.strip())
        if found is None:
            raise _unsupported()
        fields = dict(part.strip().partition("=")[::2] for part in found[1].split(","))
        return _signature(
            fields.get("Credential", ""),
            fields.get("SignedHeaders", ""),
            fields.get("Signature", ""),
            request.headers.get("x-amz-date", ""),
            request.headers.get("x-amz-security-token"),
            None,
        )
    if "X-Amz-Signature" in request.query or "X-Amz-Algorithm" in request.query:
        query = request.query
        if query.get("X-Amz-Algorithm") != _ALGORITHM:
            raise _unsupported()
        expires = query.get("X-Amz-Expires", "")
        if not expires.isdigit() or not 0 < int(expires) <= _MAX_EXPIRY_S:
            raise RefusedError(
                400, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 and 604800 seconds"
            )
        return _signature(
            query.get("X-Amz-Credential", ""),
            query.get("X-Amz-SignedHeaders", ""),
            query.get("X-Amz-Signature", ""),
            query.get("X-Amz-Date", ""),
            query.get("X-Amz-Security-Token"),
            int(expires),
        )
    if "AWSAccessKeyId" in request.query:
        raise _unsupported()
    return None


def check(request: HttpRequest, signature: Signature, secret: str, now: datetime) -> None:
    """Raise RefusedError unless the request was signed with `secret` and is fresh at `now`."""
    _check_time(signature, now)
    payload = request.headers.get("x-amz-content-sha256") if signature.service == "s3" else None
    digest = hashlib.sha256(request.body).hexdigest()
    if signature.service == "s3" and signature.expires_s is not None:
        payload = payload or "UNSIGNED-PAYLOAD"
    if payload is not None and re.fullmatch(r"[0-9a-f]{64}", payload) and payload != digest:
        raise RefusedError(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    canonical = "\n".join(
        [
            request.method,
            _canonical_path(request.raw_path, signature.service),
            _canonical_query(request.raw_query),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signature.signed_headers),
            "",
            ";".join(signature.signed_headers),
            payload or digest,
        ]
    )
    to_sign = "\n".join(
        [_ALGORITHM, signature.timestamp, signature.scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{secret}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), signature.value):
        raise RefusedError(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )


def _signature(
    credential: str, signed_headers: str, value: str, timestamp: str, token: str | None, expires_s: int | None
) -> Signature:
    parts = credential.split("/")
    names = tuple(signed_headers.split(";"))
    if len(parts) != 5 or parts[4] != "aws4_request" or not value or "host" not in names:
        raise RefusedError(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
    access_key_id, _, region, service, _ = parts
    scope = "/".join(parts[1:])
    return Signature(access_key_id, region, service, scope, names, value, timestamp, token, expires_s)


def _check_time(signature: Signature, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as problem:
        raise RefusedError(
            403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        ) from problem
    if signature.expires_s is not None:
        if now > signed_at + timedelta(seconds=signature.expires_s):
            raise RefusedError(403, "AccessDenied", "Request has expired")
    elif abs(now - signed_at) > _MAX_SKEW:
        if signature.service == "s3":
            raise RefusedError(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )
        raise RefusedError(403, "SignatureDoesNotMatch", f"Signature expired: {signature.timestamp}")
    if not signature.scope.startswith(signature.timestamp[:8]):
        raise RefusedError(
            403, "SignatureDoesNotMatch", "Date in Credential scope does not match the date of the request."
        )


def _canonical_path(raw_path: str, service: str) -> str:
    # S3 signs the path as sent, encoded once; every other service encodes it again.
    once = quote(unquote(raw_path), safe="/~")
    return once if service == "s3" else quote(once, safe="/~")


def _canonical_query(raw_query: str) -> str:
    pairs = parse_qsl(raw_query.replace("+", "%2B"), keep_blank_values=True)
    encoded = sorted(
        (quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def _unsupported() -> RefusedError:
    return RefusedError(
        400,
        "InvalidRequest",
        f"The authorization mechanism you have provided is not supported. Please use {_ALGORITHM}.",
    )

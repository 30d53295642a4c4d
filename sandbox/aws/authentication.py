"""Who makes a request: the check of key, signature and session token, and the condition keys that follow from it."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.aws import signature
from sandbox.aws.conditions import Context
from sandbox.aws.directory import Credential, Directory
from sandbox.aws.errors import RefusedError
from sandbox.aws.http_request import HttpRequest
from sandbox.aws.principals import ANONYMOUS, Principal
from sandbox.aws.signature import Signature

_DEFAULT_REGION = "us-east-1"
_PRINCIPAL_TYPES = {"user": "User", "session": "AssumedRole", "anonymous": "Anonymous"}


@dataclass(frozen=True)
class Caller:
    """An authenticated caller, or an anonymous one: then access_key_id is empty and credential None."""

    principal: Principal
    access_key_id: str
    region: str
    context: Context
    credential: Credential | None = None


def authenticate(world: Directory, request: HttpRequest, signed: Signature | None, service: str) -> Caller:
    """Return the caller of a request to "s3", "iam" or "sts". Raises RefusedError with AWS's own error codes."""
    now = datetime.now(UTC)
    if signed is None:
        if service != "s3":
            raise RefusedError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        return Caller(ANONYMOUS, "", _DEFAULT_REGION, _context(request, None, None, now))
    credential = world.credential(signed.access_key_id)
    if credential is None or (credential.token is not None and signed.token is None):
        raise _unknown_key(service)
    signature.check(request, signed, credential.secret, now)
    if not hmac.compare_digest((signed.token or "").encode(), (credential.token or "").encode()):
        raise _wrong_token(service)
    if credential.expires_at is not None and credential.expires_at <= now:
        raise RefusedError(400 if service == "s3" else 403, "ExpiredToken", "The provided token has expired.")
    context = _context(request, credential, signed, now)
    return Caller(credential.principal, signed.access_key_id, signed.region, context, credential)


def _context(request: HttpRequest, credential: Credential | None, signed: Signature | None, now: datetime) -> Context:
    principal = credential.principal if credential else ANONYMOUS
    values = {
        "aws:currenttime": now.isoformat(),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:principalisawsservice": "false",
        "aws:principaltype": _PRINCIPAL_TYPES[principal.kind],
        "aws:requestedregion": signed.region if signed else _DEFAULT_REGION,
        "aws:securetransport": "true",  # the loopback interface counts as TLS
        "aws:sourceip": request.source_ip,
        "aws:useragent": request.headers.get("user-agent", ""),
        "aws:viaawsservice": "false",
    }
    if signed is not None:
        values |= {
            "aws:principalaccount": principal.account,
            "aws:principalarn": principal.identity_arn,
            "aws:userid": principal.user_id,
            "s3:authtype": "REST-HEADER" if signed.expires_s is None else "REST-QUERY-STRING",
            "s3:signatureversion": "AWS4-HMAC-SHA256",
        }
    if principal.kind == "user":
        values["aws:username"] = principal.name
    if credential is not None and credential.issued_at is not None:
        values |= {"aws:tokenissuetime": credential.issued_at.isoformat(), "aws:multifactorauthpresent": "false"}
    return {name: (value,) for name, value in values.items()}


def _unknown_key(service: str) -> RefusedError:
    if service == "s3":
        return RefusedError(
            403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
        )
    return RefusedError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")


def _wrong_token(service: str) -> RefusedError:
    if service == "s3":
        return RefusedError(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    return RefusedError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")

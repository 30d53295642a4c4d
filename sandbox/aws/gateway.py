"""The WSGI application in front of moto: it authenticates and authorises every request, then hands it on.

moto is not thread-safe: requests are read at the same time but decided and served one at a time.
"""

import hmac
import ipaddress
import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from io import BytesIO
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode
from wsgiref.types import StartResponse

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from sandbox.aws import directory, http_request, patch, query_actions, s3_actions, signature
from sandbox.aws.directory import PARTITION, Credential, Directory
from sandbox.aws.errors import AwsRefusal, Reply, render
from sandbox.aws.evaluator import Access, Decision, Policies, evaluate
from sandbox.aws.http_request import HttpRequest
from sandbox.aws.s3_actions import Need
from sandbox.aws.signature import Signature

CONTROL_PATH = "/sandbox-control/consistency"
_SERVICES = ("iam", "s3", "sts")
_log = logging.getLogger(__name__)


class Gateway:
    """Serves the world that moto holds, by the rules of `world`."""

    def __init__(self, world: Directory) -> None:
        self._world = world
        self._lock = Lock()
        self._closed = False
        self._apps = {service: create_backend_app(service) for service in _SERVICES}

    def close(self) -> None:
        """Refuse everything from now on: a connection that is kept alive must not reach the next world."""
        with self._lock:
            self._closed = True

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = http_request.read(environ)
        service = "s3"
        try:
            if request.path == CONTROL_PATH:
                reply = self._control(request)
            else:
                signed = signature.parse(request)
                service = _service(request, signed)
                with self._lock:
                    if self._closed:
                        raise AwsRefusal(503, "ServiceUnavailable", "The sandbox has been stopped.")
                    reply = self._serve(environ, request, signed, service)
        except AwsRefusal as refusal:
            reply = render(refusal, service, request.method)
        except Exception:
            _log.exception("%s %s failed", request.method, request.raw_path)
            reply = render(
                AwsRefusal(500, "InternalError", "The sandbox failed; its log has the reason."), service, request.method
            )
        headers = [*reply.headers]
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(reply.body))))
        start_response(f"{reply.status} {HTTP_STATUS_CODES.get(reply.status, 'Unknown')}", headers)
        return [reply.body]

    def _serve(self, environ: dict[str, Any], request: HttpRequest, signed: Signature | None, service: str) -> Reply:
        now = datetime.now(UTC)
        credential = self._authenticate(request, signed, service, now)
        context = _context(request, credential, signed, now)
        if service == "s3":
            return self._serve_s3(environ, request, credential, context)
        return self._serve_query(environ, request, credential, context, service)

    def _authenticate(self, request: HttpRequest, signed: Signature | None, service: str, now: datetime) -> Credential:
        if signed is None:
            if service == "s3":
                return directory.anonymous()
            raise AwsRefusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        credential = self._world.credential(signed.access_key_id)
        if credential is None or (credential.token is not None and signed.token is None):
            raise _unknown_key(service)
        signature.check(request, signed, credential.secret, now)
        if not hmac.compare_digest(signed.token or "", credential.token or ""):
            raise _wrong_token(service)
        if credential.expires_at is not None and credential.expires_at <= now:
            message = "The provided token has expired."
            raise AwsRefusal(400 if service == "s3" else 403, "ExpiredToken", message)
        return credential

    def _serve_query(
        self,
        environ: dict[str, Any],
        request: HttpRequest,
        credential: Credential,
        context: Mapping[str, tuple[str, ...]],
        service: str,
    ) -> Reply:
        caller = credential.principal
        form = query_actions.with_own_user(request.form, caller, self._own_name(credential))
        call = query_actions.map_call(
            service, form, caller, PARTITION, lambda kind, name: directory.arn_by_name(caller.account, kind, name)
        )
        policies = self._world.policies_of(caller, credential.session_policy)
        owner = caller.account
        if call.action == "sts:AssumeRole":
            role = directory.role_by_arn(call.resource)
            trust = self._world.trust_of(role) if role else {}
            policies = Policies(policies.identity, policies.boundary, policies.session, trust, is_trust=True)
            owner = role.account_id if role else caller.account
        if call.action != "sts:GetCallerIdentity":  # always allowed, even against an explicit deny
            access = Access(caller, call.action, call.resource, owner, {**context, **call.context})
            _require(evaluate(access, policies), access)
        if call.action == "sts:AssumeRole":
            query_actions.check_session(form, caller, role.max_session_duration if role else None)
        _set_body(environ, urlencode(form).encode())
        return self._forward(environ, service, caller.account, credential, context)

    def _own_name(self, credential: Credential) -> str | None:
        return credential.principal.identity_arn.rsplit("/", 1)[-1] if credential.principal.kind == "user" else None

    def _serve_s3(
        self,
        environ: dict[str, Any],
        request: HttpRequest,
        credential: Credential,
        context: Mapping[str, tuple[str, ...]],
    ) -> Reply:
        call = s3_actions.map_request(request)
        creates = any(need.action == "s3:CreateBucket" for need in call.needs)
        owner = directory.bucket_owner(call.bucket) if call.bucket and not creates else None
        if call.bucket and not creates and owner is None:
            raise AwsRefusal(404, "NoSuchBucket", "The specified bucket does not exist")
        context = {**context, **call.context}

        def decide(need: Need) -> tuple[Access, Decision]:
            holder = directory.bucket_owner(need.bucket)
            account = credential.principal.account if need.action == "s3:CreateBucket" else holder
            access = Access(
                credential.principal,
                need.action,
                need.resource(PARTITION),
                account or credential.principal.account,
                context,
            )
            mine = self._world.policies_of(credential.principal, credential.session_policy)
            theirs = self._world.bucket_policy(need.bucket) if holder and need.action != "s3:CreateBucket" else None
            return access, evaluate(access, Policies(mine.identity, mine.boundary, mine.session, theirs))

        for need in call.needs:
            access, decision = decide(need)
            _require(decision, access)

        def decide_key(action: str, resource: str) -> bool:
            return decide(Need(action, call.bucket, resource.split("/", 1)[1]))[1].allowed

        scope: AbstractContextManager[None] = patch.deciding_each_key(decide_key) if call.per_key else nullcontext()
        environ["RAW_URI"] = environ["REQUEST_URI"] = call.raw_path + _query_without_signature(request)
        environ["QUERY_STRING"] = _query_without_signature(request).removeprefix("?")
        environ["PATH_INFO"] = "/" + call.bucket + (f"/{call.key}" if call.key else "") if call.bucket else "/"
        environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")
        environ["HTTP_HOST"] = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        with scope:
            reply = self._forward(environ, "s3", owner or credential.principal.account, credential, context)
        reads = any(need.action.startswith("s3:GetObject") for need in call.needs) and call.key
        if reply.status == 404 and reads and not decide(Need("s3:ListBucket", call.bucket))[1].allowed:
            # Who may not list a bucket does not learn whether a key exists:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            _require(Decision(False, "because no identity-based policy allows the s3:ListBucket action"), access)
        return reply

    def _forward(
        self,
        environ: dict[str, Any],
        service: str,
        account: str,
        credential: Credential,
        context: Mapping[str, tuple[str, ...]],
    ) -> Reply:
        # moto reads the caller's key and region from this header alone; presigned and unsigned requests do not have it.
        key = context.get("sandbox:accesskeyid", ("",))[0]
        region = context["aws:requestedregion"][0]
        environ["HTTP_AUTHORIZATION"] = (
            f"AWS4-HMAC-SHA256 Credential={key}/20000101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=checked"
        )
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        environ.pop("HTTP_X_AMZ_TARGET", None)
        chunks, status, headers = run_wsgi_app(self._apps[service], environ, buffered=True)
        body = b"".join(chunks)
        return Reply(int(status.split(" ", 1)[0]), tuple(headers.items()), body)

    def _control(self, request: HttpRequest) -> Reply:
        if not ipaddress.ip_address(request.source_ip).is_loopback:
            raise AwsRefusal(403, "AccessDenied", "The control endpoint answers to this machine only.")
        if request.method == "POST":
            try:
                delay_s = float(json.loads(request.body)["delay_s"])
            except (ValueError, KeyError, TypeError) as problem:
                raise AwsRefusal(400, "InvalidRequest", 'The body must be {"delay_s": seconds}.') from problem
            if not 0 <= delay_s <= 3600:
                raise AwsRefusal(400, "InvalidRequest", "delay_s must be between 0 and 3600 seconds.")
            self._world.delay_s = delay_s
        body = json.dumps({"delay_s": self._world.delay_s}).encode()
        return Reply(200, (("Content-Type", "application/json"),), body)


def _service(request: HttpRequest, signed: Signature | None) -> str:
    if signed is None:
        version = request.form.get("Version", "") if request.form.get("Action") else ""
        return query_actions.VERSIONS.get(version, "s3")
    if signed.service not in _SERVICES:
        raise AwsRefusal(501, "NotImplemented", f"The sandbox serves {', '.join(_SERVICES)}, not {signed.service}.")
    return signed.service


def _context(
    request: HttpRequest, credential: Credential, signed: Signature | None, now: datetime
) -> dict[str, tuple[str, ...]]:
    principal = credential.principal
    kinds = {"user": "User", "session": "AssumedRole", "anonymous": "Anonymous"}
    values = {
        "aws:currenttime": now.isoformat(),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:principaltype": kinds[principal.kind],
        "aws:requestedregion": signed.region if signed else "us-east-1",
        "aws:securetransport": "true",  # the loopback interface counts as TLS
        "aws:sourceip": request.source_ip,
        "aws:useragent": request.headers.get("user-agent", ""),
        "aws:viaawsservice": "false",
        "aws:principalisawsservice": "false",
    }
    if signed is not None:
        values |= {
            "aws:principalaccount": principal.account,
            "aws:principalarn": principal.identity_arn,
            "aws:userid": principal.user_id,
            "s3:authtype": "REST-HEADER" if signed.expires_s is None else "REST-QUERY-STRING",
            "s3:signatureversion": "AWS4-HMAC-SHA256",
            "sandbox:accesskeyid": signed.access_key_id,
        }
    if principal.kind == "user":
        values["aws:username"] = principal.arn.rsplit("/", 1)[-1]
    if credential.issued_at is not None:
        values |= {"aws:tokenissuetime": credential.issued_at.isoformat(), "aws:multifactorauthpresent": "false"}
    return {name: (value,) for name, value in values.items()}


def _require(decision: Decision, access: Access) -> None:
    if decision.allowed:
        return
    if access.principal.kind == "anonymous":
        raise AwsRefusal(403, "AccessDenied", "Access Denied")
    raise AwsRefusal(
        403,
        "AccessDenied",
        f"User: {access.principal.arn} is not authorized to perform: {access.action} on resource: {access.resource} {decision.reason}",
    )


def _unknown_key(service: str) -> AwsRefusal:
    if service == "s3":
        return AwsRefusal(
            403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
        )
    return AwsRefusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.")


def _wrong_token(service: str) -> AwsRefusal:
    if service == "s3":
        return AwsRefusal(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    return AwsRefusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.")


def _query_without_signature(request: HttpRequest) -> str:
    pairs = parse_qsl(request.raw_query.replace("+", "%2B"), keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not name.startswith("X-Amz-")]
    return "?" + urlencode(kept) if kept else ""


def _set_body(environ: dict[str, Any], body: bytes) -> None:
    environ |= {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "REQUEST_URI": "/",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }

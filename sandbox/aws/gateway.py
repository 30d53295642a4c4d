"""The WSGI application in front of moto: it authenticates and authorises every request, then hands it on.

moto is not thread-safe: requests are read at the same time, but decided and served one at a time.
"""

import ipaddress
import json
import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from threading import Lock
from typing import Any, Literal
from urllib.parse import urlencode
from wsgiref.types import StartResponse

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from sandbox.aws import directory, http_request, patch, query_actions, s3_actions, signature
from sandbox.aws.authentication import Caller, authenticate
from sandbox.aws.conditions import Context
from sandbox.aws.directory import PARTITION, Directory
from sandbox.aws.errors import RefusedError, Reply, render
from sandbox.aws.evaluator import Access, Decision, Policies, evaluate
from sandbox.aws.http_request import HttpRequest
from sandbox.aws.s3_actions import Need, S3Call
from sandbox.aws.signature import Signature

CONTROL_PATH = "/sandbox-control/consistency"
_MAX_DELAY_S = 3600
_Service = Literal["iam", "s3", "sts"]
_SERVICES: tuple[_Service, ...] = ("iam", "s3", "sts")
_log = logging.getLogger(__name__)


class Gateway:
    """Serves the world that moto holds, to callers that `world` knows, within the policies that it has."""

    def __init__(self, world: Directory) -> None:
        self._world = world
        self._lock = Lock()
        self._closed = False
        self._apps = {service: create_backend_app(service) for service in _SERVICES}

    def close(self) -> None:
        """Refuse everything from now on: a request that is still under way must not reach the next world."""
        with self._lock:
            self._closed = True

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = http_request.read(environ)
        service: _Service = "s3"
        try:
            if request.path == CONTROL_PATH:
                reply = self._control(request)
            else:
                signed = signature.parse(request)
                if signed is not None and signed.service != "s3":
                    service = "sts"  # the query API's shape of errors, also for a service that is not served
                service = _service(request, signed)
                with self._lock:
                    reply = self._serve(environ, request, signed, service)
        except RefusedError as refusal:
            reply = render(refusal, service, request.method)
        except Exception:
            _log.exception("%s %s failed", request.method, request.raw_path)
            failure = RefusedError(500, "InternalError", "The sandbox failed; its log has the reason.")
            reply = render(failure, service, request.method)
        headers = list(reply.headers)
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(reply.body))))
        start_response(f"{reply.status} {HTTP_STATUS_CODES.get(reply.status, 'Unknown')}", headers)
        return [reply.body]

    def _serve(
        self, environ: dict[str, Any], request: HttpRequest, signed: Signature | None, service: _Service
    ) -> Reply:
        if self._closed:
            raise RefusedError(503, "ServiceUnavailable", "The sandbox has been stopped.")
        caller = authenticate(self._world, request, signed, service)
        if service == "s3":
            return self._serve_s3(environ, request, caller)
        return self._serve_query(environ, request, caller, service)

    def _serve_query(self, environ: dict[str, Any], request: HttpRequest, caller: Caller, service: _Service) -> Reply:
        principal = caller.principal
        form = query_actions.with_own_user(request.form, principal)
        call = query_actions.map_call(service, form, principal, PARTITION, directory.arn_by_name)
        policies, owner, role = self._policies_of(caller), principal.account, None
        if call.action == "sts:AssumeRole":
            role = directory.role_by_arn(call.resource)
            trust = self._world.trust_of(role) if role else {}
            policies = Policies(policies.identity, policies.boundary, policies.session, trust, is_trust=True)
            owner = role.account_id if role else principal.account
        if call.action != "sts:GetCallerIdentity":  # AWS allows it always, even against an explicit deny
            access = Access(principal, call.action, call.resource, owner, {**caller.context, **call.context})
            _require(access, evaluate(access, policies))
        if role is not None:
            query_actions.check_session(form, principal, role.max_session_duration)
        _set_form(environ, form)
        return self._forward(environ, service, principal.account, caller)

    def _serve_s3(self, environ: dict[str, Any], request: HttpRequest, caller: Caller) -> Reply:
        try:
            call = s3_actions.map_request(request)
        except RefusedError:
            if caller.principal.kind == "anonymous":
                raise _denied_anonymous() from None
            raise
        owner = directory.bucket_owner(call.bucket)
        if call.bucket and not call.creates and owner is None:
            if caller.principal.kind == "anonymous":
                raise _denied_anonymous()
            raise RefusedError(404, "NoSuchBucket", "The specified bucket does not exist")
        context = {**caller.context, **call.context}
        for need in call.needs:
            _require(*self._decide(caller, need, context))

        def decide_key(action: str, resource: str) -> bool:
            return self._decide(caller, Need(action, call.bucket, resource.partition("/")[2]), context)[1].allowed

        each_key: AbstractContextManager[None] = patch.deciding_each_key(decide_key) if call.per_key else nullcontext()
        _set_target(environ, call, s3_actions.query_without_signature(request))
        account = caller.principal.account if call.creates or not owner else owner
        with each_key:
            reply = self._forward(environ, "s3", account, caller)
        if reply.status == 404 and call.reads:
            # Who may not list a bucket does not learn whether a key exists:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            _require(*self._decide(caller, Need("s3:ListBucket", call.bucket), context))
        return reply

    def _decide(self, caller: Caller, need: Need, context: Context) -> tuple[Access, Decision]:
        own = self._policies_of(caller)
        owner = None if need.action == "s3:CreateBucket" else directory.bucket_owner(need.bucket)
        bucket_policy = self._world.bucket_policy(need.bucket) if owner else None
        access = Access(
            caller.principal, need.action, need.resource(PARTITION), owner or caller.principal.account, context
        )
        return access, evaluate(access, Policies(own.identity, own.boundary, own.session, bucket_policy))

    def _policies_of(self, caller: Caller) -> Policies:
        session_policy = caller.credential.session_policy if caller.credential else None
        return self._world.policies_of(caller.principal, session_policy)

    def _forward(self, environ: dict[str, Any], service: _Service, account: str, caller: Caller) -> Reply:
        # moto reads the caller's key and region from this header alone; presigned and unsigned requests lack it.
        scope = f"{caller.access_key_id}/20000101/{caller.region}/{service}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=checked"
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        environ.pop("HTTP_X_AMZ_TARGET", None)
        chunks, status, headers = run_wsgi_app(self._apps[service], environ, buffered=True)
        return Reply(int(status.split(" ", 1)[0]), tuple(headers.items()), b"".join(chunks))

    def _control(self, request: HttpRequest) -> Reply:
        if not ipaddress.ip_address(request.source_ip).is_loopback:
            raise RefusedError(403, "AccessDenied", "The control endpoint answers to this machine only.")
        if request.method == "POST":
            try:
                delay_s = float(json.loads(request.body)["delay_s"])
            except (ValueError, KeyError, TypeError) as problem:
                raise RefusedError(400, "InvalidRequest", 'The body must be {"delay_s": seconds}.') from problem
            if not 0 <= delay_s <= _MAX_DELAY_S:
                raise RefusedError(400, "InvalidRequest", f"delay_s must be between 0 and {_MAX_DELAY_S} seconds.")
            self._world.delay_s = delay_s
        body = json.dumps({"delay_s": self._world.delay_s}).encode()
        return Reply(200, (("Content-Type", "application/json"),), body)


def _service(request: HttpRequest, signed: Signature | None) -> _Service:
    if signed is None:
        version = request.form.get("Version", "") if request.form.get("Action") else ""
        return query_actions.VERSIONS.get(version, "s3")
    for service in _SERVICES:
        if service == signed.service:
            return service
    raise RefusedError(501, "NotImplemented", f"The sandbox serves {', '.join(_SERVICES)}, not {signed.service}.")


def _require(access: Access, decision: Decision) -> None:
    if decision.allowed:
        return
    if access.principal.kind == "anonymous":
        raise _denied_anonymous()
    raise RefusedError(
        403,
        "AccessDenied",
        f"User: {access.principal.arn} is not authorized to perform: {access.action} "
        f"on resource: {access.resource} {decision.reason}",
    )


def _denied_anonymous() -> RefusedError:
    # S3 answers 404 where the bucket does not exist; here an unsigned request that no policy allows is always a 403.
    return RefusedError(403, "AccessDenied", "Access Denied")


def _set_target(environ: dict[str, Any], call: S3Call, query: str) -> None:
    """Give moto the path-style form of a call, whatever form it came in: one parser decides what is addressed."""
    target = f"{call.raw_path}?{query}" if query else call.raw_path
    environ |= {
        "RAW_URI": target,
        "REQUEST_URI": target,
        "QUERY_STRING": query,
        "PATH_INFO": call.path.encode().decode("latin-1"),  # as WSGI has it
        "HTTP_HOST": f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}",
    }


def _set_form(environ: dict[str, Any], form: dict[str, str]) -> None:
    """Give moto exactly the parameters that were decided about, as a POST."""
    body = urlencode(form).encode()
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

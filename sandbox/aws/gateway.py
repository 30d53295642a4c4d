"""The WSGI application in front of moto: it authenticates and authorises every request, then hands it on.

moto is not thread-safe: requests are read at the same time, but decided and served one at a time.
"""

import ipaddress
import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from threading import Lock
from typing import Any, Literal
from urllib.parse import urlencode
from wsgiref.types import StartResponse

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from sandbox.aws import (
    aws_policies,
    bucket_tags,
    directory,
    http_request,
    kms_actions,
    last_use,
    query_actions,
    s3_actions,
    signature,
    sse_kms,
)
from sandbox.aws.authentication import Caller, authenticate
from sandbox.aws.authorization import Authorization, denied_anonymous
from sandbox.aws.directory import PARTITION, Directory
from sandbox.aws.errors import RefusedError, Reply, render
from sandbox.aws.http_request import HttpRequest
from sandbox.aws.patch_s3 import deciding_each_key
from sandbox.aws.s3_actions import Need, S3Call
from sandbox.aws.signature import Signature

CONTROL_PATH = "/sandbox-control/consistency"
_MAX_DELAY_S = 3600
_Service = Literal["iam", "kms", "s3", "sts"]
_SERVICES: tuple[_Service, ...] = ("iam", "kms", "s3", "sts")
_log = logging.getLogger(__name__)


class Gateway:
    """Serves the world that moto holds, to callers that `world` knows, within the policies that it has."""

    def __init__(self, world: Directory) -> None:
        self._world = world
        self._authorization = Authorization(world)
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
        last_use.record(caller, service)
        if service == "s3":
            return self._serve_s3(environ, request, caller)
        if service == "kms":
            return self._serve_kms(environ, request, caller)
        return self._serve_query(environ, request, caller, service)

    def _serve_query(self, environ: dict[str, Any], request: HttpRequest, caller: Caller, service: _Service) -> Reply:
        principal = caller.principal
        form = query_actions.with_own_user(request.form, principal)
        call = query_actions.map_call(service, form, principal)
        context = {**caller.context, **call.context}
        if call.action == "sts:AssumeRole":
            role = directory.role_by_arn(call.resource)
            self._authorization.require_role(caller, call.resource, role, context)
            if role is not None:
                query_actions.check_session(form, principal, role.max_session_duration)
        elif call.action != "sts:GetCallerIdentity":  # AWS allows it always, even against an explicit deny
            for action, resource in ((call.action, call.resource), *call.also):
                self._authorization.require(caller, action, resource, context)
        for name in ("PolicyArn", "PermissionsBoundary"):
            aws_policies.know(principal.account, form.get(name, ""))
        _set_form(environ, form)
        return self._forward(environ, service, principal.account, caller)

    def _serve_kms(self, environ: dict[str, Any], request: HttpRequest, caller: Caller) -> Reply:
        call = kms_actions.map_call(request, caller.region)
        context = {**caller.context, **call.context}
        account, key_id = caller.principal.account, None
        home = f"arn:{PARTITION}:kms:{caller.region}:{account}"
        if call.key is None:
            self._authorization.require(caller, call.action, "*", context)
        else:
            key = self._authorization.require_key(caller, call.action, call.key, caller.region, context)
            kms_actions.check_key(call, key, account)
            account, key_id = key.account_id, key.id
        for action, resource in call.also(home):
            self._authorization.require(caller, action, resource, context)
        if call.new_policy is not None:
            self._authorization.check_lockout(caller, call.new_policy, home, context)
        _set_body(environ, call.body(key_id), "application/x-amz-json-1.1")
        return self._forward(environ, "kms", account, caller)

    def _serve_s3(self, environ: dict[str, Any], request: HttpRequest, caller: Caller) -> Reply:
        try:
            call = s3_actions.map_request(request)
        except RefusedError:
            if caller.principal.kind == "anonymous":
                raise denied_anonymous() from None
            raise
        owner = directory.bucket_owner(call.bucket)
        if call.bucket and not call.creates and owner is None:
            if caller.principal.kind == "anonymous":
                raise denied_anonymous()
            raise RefusedError(404, "NoSuchBucket", "The specified bucket does not exist")
        context = {**caller.context, **call.context}
        try:
            for need in call.needs:
                self._authorization.require_in_s3(caller, need, context)
        except RefusedError as refusal:
            if (
                request.method == "HEAD" and not call.key
            ):  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
                refusal.headers += (("x-amz-bucket-region", directory.bucket_by_name(call.bucket).region_name),)
            raise
        stored_with = sse_kms.authorize(self._authorization, caller, request, call)

        def decide_key(action: str, resource: str) -> bool:
            need = Need(action, call.bucket, resource.partition("/")[2])
            return self._authorization.allows_in_s3(caller, need, context)

        each_key: AbstractContextManager[None] = deciding_each_key(decide_key) if call.per_key else nullcontext()
        _set_target(environ, call, s3_actions.query_without_signature(request))
        _set_headers(environ, stored_with)
        account = caller.principal.account if call.creates or not owner else owner
        with each_key:
            reply = self._forward(environ, "s3", account, caller)
        if call.creates and reply.status == 200:
            bucket_tags.store(account, call.bucket, call.tags)
        if reply.status == 404 and call.reads:
            # Who may not list a bucket does not learn whether a key exists:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            self._authorization.require_in_s3(caller, Need("s3:ListBucket", call.bucket), context)
        return reply

    def _forward(self, environ: dict[str, Any], service: _Service, account: str, caller: Caller) -> Reply:
        # moto reads the caller's key and region from this header alone; presigned and unsigned requests lack it.
        scope = f"{caller.access_key_id}/20000101/{caller.region}/{service}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=checked"
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        if service != "kms":
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


def _set_headers(environ: dict[str, Any], headers: Mapping[str, str]) -> None:
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def _set_form(environ: dict[str, Any], form: dict[str, str]) -> None:
    """Give moto exactly the parameters that were decided about."""
    _set_body(environ, urlencode(form).encode(), "application/x-www-form-urlencoded; charset=utf-8")


def _set_body(environ: dict[str, Any], body: bytes, content_type: str) -> None:
    environ |= {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "REQUEST_URI": "/",
        "QUERY_STRING": "",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }

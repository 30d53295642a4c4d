"""Puts the API together as one WSGI application: its calls, its errors, its control plane."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from sandbox.dataloop.access import authentication
from sandbox.dataloop.accounts import accounts_blueprint
from sandbox.dataloop.control import control_blueprint
from sandbox.dataloop.datasets import datasets_blueprint
from sandbox.dataloop.drivers import drivers_blueprint
from sandbox.dataloop.errors import ApiError, error_document
from sandbox.dataloop.faults import CallLog, FaultPlan
from sandbox.dataloop.integrations import integrations_blueprint
from sandbox.dataloop.interception import REQUEST_ID
from sandbox.dataloop.login import MachineLogin, login_blueprint
from sandbox.dataloop.storage_test import StorageTest
from sandbox.dataloop.store import Store
from sandbox.dataloop.tokens import TokenIssuer

API_ROOT = "/api/v1"
CONTROL_ROOT = "/control"
_LARGEST_BODY = 1_000_000


def make_application(
    *,
    gate_url: str,
    store: Store,
    tokens: TokenIssuer,
    login: MachineLogin,
    storage_test: StorageTest,
    faults: FaultPlan,
    calls: CallLog,
) -> Flask:
    """The API under API_ROOT, the login at the gate's root as well, and the control plane under CONTROL_ROOT."""
    application = Flask("sandbox.dataloop", static_folder=None)
    application.config.update(MAX_CONTENT_LENGTH=_LARGEST_BODY, PROVIDE_AUTOMATIC_OPTIONS=False)
    application.json.sort_keys = False  # type: ignore[attr-defined]
    application.url_map.merge_slashes = False

    areas = [
        accounts_blueprint(store),
        integrations_blueprint(store),
        drivers_blueprint(store, storage_test),
        datasets_blueprint(store, gate_url + API_ROOT),
    ]
    for area in areas:
        area.before_request(authentication(store, tokens))
        _register(application, area, API_ROOT)
    sign_in = login_blueprint(login)
    application.register_blueprint(sign_in)
    application.register_blueprint(sign_in, url_prefix=API_ROOT, name="login_under_api")
    application.register_blueprint(control_blueprint(faults, calls, login), url_prefix=CONTROL_ROOT)

    application.register_error_handler(ApiError, lambda error: _error_answer(error.status, error.message))
    application.register_error_handler(HTTPException, _http_error_answer)
    application.after_request(_with_request_id)
    return application


def _register(application: Flask, area: Blueprint, root: str) -> None:
    application.register_blueprint(area, url_prefix=root + (area.url_prefix or ""))


def _error_answer(status: int, message: str) -> Response:
    answer = jsonify(error_document(int(status), message, request.environ[REQUEST_ID]))
    answer.status_code = int(status)
    return answer


def _http_error_answer(error: HTTPException) -> Response:
    status = error.code or int(HTTPStatus.INTERNAL_SERVER_ERROR)
    messages: dict[int, Callable[[], str]] = {
        HTTPStatus.NOT_FOUND: lambda: f"there is no {request.path}",
        HTTPStatus.METHOD_NOT_ALLOWED: lambda: f"{request.method} is not allowed on {request.path}",
    }
    message = messages.get(status, lambda: error.description or error.name)()
    answer = _error_answer(status, message)
    # A 405 has to name the methods that are allowed: keep the headers that werkzeug gives it.
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _with_request_id(answer: Response) -> Response:
    answer.headers["x-request-id"] = request.environ[REQUEST_ID]
    return answer

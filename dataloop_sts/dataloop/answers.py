"""What an answer of the API means: its JSON, or the error of the tree that fits it."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from dataloop_sts.dataloop.transport import Answer, Call, Effect
from dataloop_sts.errors import (
    BadRequest,
    Conflict,
    DataloopError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedAnswer,
)
from dataloop_sts.redaction import Redactor

_REQUEST_ID_HEADERS = ("x-request-id", "x-correlation-id", "x-amzn-requestid")
_LONGEST_MESSAGE = 10_000  # characters that are looked at; far fewer are shown
_MESSAGE_KEYS = ("message", "error", "detail", "description", "errors")
# Which status the platform gives for a name that is taken is not documented: 409 or 400 with words like these.
_TAKEN = re.compile(
    r"already (exist|in use|taken|used)|duplicate|not unique|must be unique|\bis taken\b", re.IGNORECASE
)
_MISSING = "Dataloop does not know something that {resource} is to be made in, or with"
_CHECK_IDS = "Check the ids, and that the token's user is a member of the organization and the project."
_NOT_JSON: Any = object()

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


def json_of(answer: Answer, call: Call) -> Any:
    """The JSON of a successful answer.

    Raises:
        UnexpectedAnswer: it has none.
    """
    document = _parsed(answer)
    if document is _NOT_JSON:
        raise _unexpected(answer, call, _looks(answer))
    return document


def model_of(model: type[Model], document: Any, answer: Answer, call: Call) -> Model:
    """``document`` as a ``model``.

    Raises:
        UnexpectedAnswer: it has another shape; names the fields, never their values.
    """
    return _validated(TypeAdapter(model), document, answer, call)


def models_of(model: type[Model], document: Any, answer: Answer, call: Call, *, page: bool = False) -> list[Model]:
    """``document``, a list or a page with ``items``, as a list of ``model``; raises like :func:`model_of`.

    A page that is not the last is refused, unless the caller reads on by ``page``: a part must not pass for the whole.
    """
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        if document.get("hasNextPage") and not page:
            raise _unexpected(answer, call, "one page of several where all was asked for")
        document = document["items"]
    return _validated(TypeAdapter(list[model]), document, answer, call)  # type: ignore[valid-type]


def _validated(adapter: TypeAdapter[T], document: Any, answer: Answer, call: Call) -> T:
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        wrong = [".".join(str(step) for step in item["loc"]) or "the answer" for item in error.errors()[:5]]
    raise _unexpected(answer, call, f"JSON of another shape ({', '.join(wrong)})")


def error_of(answer: Answer, call: Call, redactor: Redactor) -> DataloopError | None:
    """The error that ``answer`` stands for; None for a success."""
    if 200 <= answer.status < 300:
        return None
    if answer.status < 400:
        target = _host(answer.headers.get("Location", ""))
        return _unexpected(answer, call, f"a redirect to {target}, which is not followed with the token")
    document = _parsed(answer)
    message = redactor.text(_message(document)[:_LONGEST_MESSAGE])
    if document is _NOT_JSON and answer.body.strip() and answer.status in (403, 404, 407):
        # A proxy's page must not pass for "gone" or "forbidden".
        return _unexpected(answer, call, _looks(answer))
    lacks_something = answer.status == 404 and call.effect is Effect.ONCE
    error = _class_of(answer.status, message)(
        message,
        status=answer.status,
        request_id=_request_id(answer, document),
        method=call.method,
        path=call.path,
        resource=call.resource,
        maybe_applied=call.effect is not Effect.NONE and answer.status >= 500 and not answer.did_nothing,
        what=_MISSING if lacks_something else None,
        next_step=_CHECK_IDS if lacks_something else None,
    )
    if isinstance(error, RateLimited) and answer.retry_after is not None:
        asks = RateLimited.next_step.replace("later", f"in {answer.retry_after:.0f} s")
        limited = error.recast(RateLimited, next_step=asks)
        limited.retry_after = answer.retry_after
        return limited
    return error


def _class_of(status: int, message: str) -> type[DataloopError]:
    if status >= 500:
        return ServerError
    if status == 400 and _TAKEN.search(message):
        return Conflict
    known: dict[int, type[DataloopError]] = {
        401: NotAuthenticated,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        429: RateLimited,
    }
    return known.get(status, BadRequest)


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _message(document: Any) -> str:
    """The platform's own words, wherever it put them."""
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return "; ".join(filter(None, (_message(item) for item in document[:5])))
    if isinstance(document, dict):
        return next(filter(None, (_message(document.get(key)) for key in _MESSAGE_KEYS)), "")
    return ""


def _request_id(answer: Answer, document: Any) -> str | None:
    named = next((answer.headers[name] for name in _REQUEST_ID_HEADERS if answer.headers.get(name)), None)
    if named is None and isinstance(document, dict):
        named = next((document[key] for key in ("requestId", "traceId") if isinstance(document.get(key), str)), None)
    return named


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "elsewhere"
    except ValueError:
        return "elsewhere"


def _looks(answer: Answer) -> str:
    if not answer.body.strip():
        return "an empty answer"
    return "an HTML page" if answer.body.lstrip()[:1] == b"<" else "text that is not JSON"


def _unexpected(answer: Answer, call: Call, found: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        found,
        status=answer.status,
        request_id=_request_id(answer, None),
        method=call.method,
        path=call.path,
        resource=call.resource,
        maybe_applied=call.effect is not Effect.NONE and answer.status < 300,
    )

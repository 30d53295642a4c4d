"""The errors that the emulated API answers with: an HTTP status and a message.

The platform's statuses for bad input are not documented. Those chosen here follow RFC 9110
(https://www.rfc-editor.org/rfc/rfc9110#section-15.5) and the statuses that the vendor's client dtlpy gives a name to.
"""

# ruff: noqa: N818 (the names say what is wrong)

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class ApiError(Exception):
    """An answer other than success; the message is for the caller and never holds a secret."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(ApiError):
    """The request itself is wrong: its JSON, a field, a parameter."""


class NotAuthenticated(ApiError):
    """There is no token, or it is malformed, forged or expired."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(ApiError):
    """The token is good, and its user may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(ApiError):
    """Nothing has this id."""

    status = HTTPStatus.NOT_FOUND


class Conflict(ApiError):
    """The request contradicts what exists: a name that is taken, a thing that is in use."""

    status = HTTPStatus.CONFLICT


class StorageUnreachable(ApiError):
    """A driver's TEST failed: the storage behind it, not the request, is at fault."""

    status = HTTPStatus.FAILED_DEPENDENCY


def error_document(status: int, message: str, request_id: str) -> Mapping[str, object]:
    """The JSON object that every error is answered with."""
    return {"status": status, "message": message, "requestId": request_id}

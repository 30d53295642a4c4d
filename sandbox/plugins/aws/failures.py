"""Failures of AWS calls as a user reads them: one line, in which no request, and so no secret, is quoted."""

from __future__ import annotations

from typing import Final

import grpc

from sandbox.plugins.errors import ProviderError

_CREDENTIAL_ERRORS: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def explained(error: Exception, doing: str, signer: str) -> ProviderError:
    """The error that a user reads in the place of one that botocore raised.

    Args:
        error: what was raised.
        doing: what was being done to which resource, with a colon and a space, or nothing.
        signer: what the requests were signed with, such as "access key id AKIA...".
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        code, message = answer.get("Code", ""), answer.get("Message", "")
        if code in _CREDENTIAL_ERRORS:
            return ProviderError(
                f"{doing}AWS refused the credentials ({signer}): {code}: {message}",
                grpc.StatusCode.UNAUTHENTICATED,
            )
        return ProviderError(f"{doing}{code}: {message}")
    if isinstance(error, BotoCoreError):
        return ProviderError(
            f"{doing}{error}; does the sandbox run? See `python -m sandbox status`", grpc.StatusCode.UNKNOWN
        )
    return ProviderError(f"{doing}{type(error).__name__}: {error}", grpc.StatusCode.UNKNOWN)

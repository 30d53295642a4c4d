"""AWS's errors, in the shape of the service that answers.

S3: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. IAM and STS:
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html. KMS:
https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html.
"""

import json
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

_NAMESPACES = {"iam": "https://iam.amazonaws.com/doc/2010-05-08/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
# What IAM and STS call it -> what KMS does.
_KMS_CODES = {
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "InternalError": "InternalFailure",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


class RefusedError(Exception):
    """A request that ends here: status, AWS's error code, its message, and headers beside the usual ones."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def render(refusal: RefusedError, service: str, method: str) -> Reply:
    """Render a refusal for "s3", "iam", "sts" or "kms"; an answer to HEAD has no body."""
    request_id = str(uuid.uuid4())
    if service == "kms":
        body = {"__type": _KMS_CODES.get(refusal.code, refusal.code), "message": refusal.message}
        headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", request_id))
        return Reply(refusal.status if refusal.status >= 500 else 400, headers, json.dumps(body).encode())
    code, message = escape(refusal.code), escape(refusal.message)
    if service in _NAMESPACES:
        kind = "Receiver" if refusal.status >= 500 else "Sender"
        text = (
            f'<ErrorResponse xmlns="{_NAMESPACES[service]}"><Error><Type>{kind}</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        headers = (("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id))
    else:
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        headers = (("Content-Type", "application/xml"), ("x-amz-request-id", request_id))
    return Reply(refusal.status, (*headers, *refusal.headers), b"" if method == "HEAD" else text.encode())

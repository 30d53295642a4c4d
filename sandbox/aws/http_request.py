"""An HTTP request as it came over the wire, before anything decodes it: what a signature is made over."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, unquote

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class HttpRequest:
    """raw_path and raw_query are percent-encoded as sent; header names are lower case."""

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the URL, decoded; of a repeated one the first."""
        pairs = parse_qsl(self.raw_query.replace("+", "%2B"), keep_blank_values=True)
        return dict(reversed(pairs))

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of a form-encoded POST, or of the URL where there is no form."""
        if self.method == "POST" and self.headers.get("content-type", "").startswith(_FORM) and self.body:
            return dict(reversed(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)))
        return dict(reversed(parse_qsl(self.raw_query, keep_blank_values=True)))

    @cached_property
    def path(self) -> str:
        """The path, percent-decoded once."""
        return unquote(self.raw_path)


def read(environ: dict[str, Any]) -> HttpRequest:
    """Read the request of a WSGI environ, and leave a body there that can be read again."""
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO") or "/")
    if "://" in target.split("?", 1)[0]:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    raw_path, _, raw_query = target.partition("?")
    stream = environ["wsgi.input"]
    body = stream.read() if "HTTP_TRANSFER_ENCODING" in environ else stream.read(_content_length(environ))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = BytesIO(body)
    environ["wsgi.input_terminated"] = False
    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name[:5] == "HTTP_"}
    headers |= {
        name.replace("_", "-").lower(): str(environ[name])
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        if environ.get(name)
    }
    return HttpRequest(
        method=str(environ["REQUEST_METHOD"]),
        raw_path=raw_path or "/",
        raw_query=raw_query,
        headers=headers,
        body=body,
        source_ip=str(environ.get("REMOTE_ADDR", "")),
    )


def _content_length(environ: Mapping[str, Any]) -> int:
    try:
        return max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0

"""Where the Dataloop API is: the URL checked, so that a token can only go where it may."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from dataloop_sts.errors import InvalidSetting
from dataloop_sts.redaction import one_line, redact

DEFAULT_API_URL = "https://gate.dataloop.ai/api/v1"
_API_PATH = re.compile(r"(?P<gate>.*)/api/v\d+")
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9:/.\-_~\[\]%]+")  # no user part, query, fragment, backslash or white space


@dataclass(frozen=True)
class Address:
    """A checked address of the API.

    Attributes:
        api_url: without a slash at its end.
        gate_url: the same without ``/api/v1``; the login stands there.
        is_loopback: this machine itself; only there may the scheme be http, and no proxy is asked.
    """

    api_url: str
    gate_url: str
    is_loopback: bool

    @classmethod
    def parse(cls, api_url: str) -> Address:
        """Check ``api_url``.

        Raises:
            InvalidSetting: naming DATALOOP_API_URL and what is wrong with it.
        """
        url = api_url.strip().rstrip("/")
        try:
            parts, is_loopback = checked(url)
        except ValueError as error:
            raise _invalid(api_url, str(error)) from None
        api_path = _API_PATH.fullmatch(parts.path)
        if api_path is None:
            raise _invalid(api_url, "must end in /api/v1")
        return cls(url, f"{parts.scheme}://{parts.netloc}{api_path['gate']}", is_loopback)


def checked(url: str) -> tuple[SplitResult, bool]:
    """The parts of an address to which a token may go, and whether that is this machine itself.

    Raises:
        ValueError: saying what is wrong with it.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http(s) URL without user, query and fragment")
    is_loopback = _is_loopback(parts.hostname)
    if parts.scheme == "http" and not is_loopback:
        raise ValueError("must begin with https://, or the token would cross the network in clear text")
    return parts, is_loopback


def _split(url: str) -> SplitResult | None:
    if not _URL_CHARACTERS.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:  # a port that is no number, an unbalanced bracket
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _invalid(api_url: str, what: str) -> InvalidSetting:
    shown = re.sub(r"//[^/]*@", "//***@", one_line(redact(api_url.partition("?")[0]), limit=200))
    return InvalidSetting(f'DATALOOP_API_URL "{shown}" {what}; Dataloop\'s own is {DEFAULT_API_URL}.')

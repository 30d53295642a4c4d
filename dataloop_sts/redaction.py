"""Takes secrets out of text before it leaves the process: known values in every usual spelling, and telling patterns.

An AWS access key id (``AKIA...``) is an identifier, not a secret, and stays readable: it is what one looks a key up by.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

MARK = "***"
MIN_SECRET_LENGTH = 4  # characters; a shorter value would also be found in innocent text, and protects nothing
MESSAGE_LIMIT = 500  # characters that are shown of a text from outside

_KEY40 = r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
_TELLING_NAMES = (
    r"(?:[A-Za-z0-9_-]{0,40}(?:password|passwd|passphrase|client_?secret|refresh_?token|id_?token|access_?token"
    r"|session_?token|secret_?access_?key|dataloop_?token)|secret|token)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A JSON Web Token: base64url of '{"', RFC 7519.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), MARK),
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s\"',;]+"), rf"\1{MARK}"),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)(?=[A-Za-z._~+/-]*[0-9=])[A-Za-z0-9._~+/=-]{6,}"), rf"\1\2{MARK}"),
    # user:password@host in a URL, RFC 3986 section 3.2.1.
    (re.compile(r"(://[^\s/:@?#]*:)[^\s/@?#]+(?=@)"), rf"\1{MARK}"),
    # An AWS secret access key has 40 characters; bare ones are not told from a hash, so a telling neighbour is needed.
    (re.compile(rf"(?i)(secret[A-Za-z_ ]{{0,30}}[\"'\\]*\s*(?:[:=]|\bis\b|\s)\s*[\"'\\]*){_KEY40}"), rf"\1{MARK}"),
    (re.compile(rf"(\b(?:AKIA|ASIA)[A-Z0-9]{{16}}[\"'\\]*[\s:,;/|]+[\"'\\]*){_KEY40}"), rf"\1{MARK}"),
    # "password": "..." in JSON (escaped JSON too), password=... in a query or an environment.
    (
        re.compile(rf"(?i)(\\{{0,8}}[\"']{_TELLING_NAMES}\\{{0,8}}[\"']\s*[:=]\s*\\{{0,8}}[\"'])(?:\\.|[^\"'\\])+"),
        rf"\1{MARK}",
    ),
    (re.compile(rf"(?i)(\b{_TELLING_NAMES}=)[^\s\"'&;,]+"), rf"\1{MARK}"),
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")


def one_line(text: str, limit: int | None = MESSAGE_LIMIT) -> str:
    """``text`` on one line: runs of white space and control characters (a terminal would obey them) become one blank.

    Args:
        text: any text; redact it first, since half a secret is not found any more.
        limit: characters kept at most, the cut shown by an ellipsis; None for no limit.
    """
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


class Redactor:
    """Replaces known secret values, and what looks like a secret, by a constant mark.

    Args:
        values: the secrets; values under :data:`MIN_SECRET_LENGTH` characters are ignored.

    Example:
        >>> Redactor([SecretStr("hunter2hunter2")]).text("login with hunter2hunter2 failed")
        'login with *** failed'
    """

    def __init__(self, values: Iterable[SecretStr | str] = ()) -> None:
        spellings: set[str] = set()
        for value in values:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            if len(plain) >= MIN_SECRET_LENGTH:
                spellings.update(_spellings(plain))
        self._spellings = tuple(spellings)

    def __repr__(self) -> str:
        return f"Redactor({len(self._spellings)} spellings)"

    def adding(self, values: Iterable[SecretStr | str]) -> Redactor:
        """A redactor that knows ``values`` too."""
        wider = Redactor(values)
        wider._spellings = tuple({*self._spellings, *wider._spellings})
        return wider

    def text(self, text: str) -> str:
        """``text`` without the secrets: values (raw, URL-encoded, JSON-escaped, base64) and telling patterns."""
        text = _without_spans(text, sorted(self._spans(text)))
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for spelling in self._spellings:
            start = text.find(spelling)
            while start >= 0:
                yield start, start + len(spelling)
                start = text.find(spelling, start + 1)


def redact(text: str, secrets: Iterable[SecretStr | str] = ()) -> str:
    """``text`` without ``secrets`` and without what looks like a secret; see :class:`Redactor`."""
    return Redactor(secrets).text(text)


def _spellings(value: str) -> Iterator[str]:
    yield value
    for encoded in (quote(value, safe=""), quote(value), quote_plus(value), quote_plus(value, safe="/")):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), encoded)
    for ensure_ascii in (True, False):
        escaped = json.dumps(value, ensure_ascii=ensure_ascii)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ensure_ascii)[1:-1]  # JSON that stands as a string in JSON
    yield repr(value)[1:-1]
    yield html.escape(value)
    yield from _base64_spellings(value.encode("utf-8", "surrogatepass"))


def _base64_spellings(data: bytes) -> Iterator[str]:
    """Base64 of ``data`` alone, and the part that stays the same wherever it stands inside something longer."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode().rstrip("=")
        for offset in range(3):  # three bytes make four characters, so there are three alignments
            stable = encode(bytes(offset) + data).decode()[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]
            if len(stable) >= 8:
                yield stable


def _without_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """``text`` with each run of overlapping spans (sorted by start) replaced by one mark."""
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done:
            pieces += [text[done:start], MARK]
        done = max(done, end)
    return "".join([*pieces, text[done:]])

"""Secrets are taken out of text in every spelling, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from dataloop_sts.redaction import MARK, MIN_SECRET_LENGTH, Redactor, one_line, redact

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # the example of AWS's documentation
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6Im1lQGV4YW1wbGUuY29tIn0.c2lnbmF0dXJl"

# The mark's own character would make a secret out of the mark and what stands beside it.
SECRETS = st.text(st.characters(exclude_characters="*", exclude_categories=("Cs",)), min_size=MIN_SECRET_LENGTH)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
SPELLINGS = {
    "raw": lambda value: value,
    "url": lambda value: quote(value, safe=""),
    "url path": quote,
    "form": quote_plus,
    "url in lower case": lambda value: re.sub(r"%..", lambda code: code.group().lower(), quote(value, safe="")),
    "json": json.dumps,
    "json, not ascii": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "repr": repr,
    "html": html.escape,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(secret=SECRETS, before=TEXTS, after=TEXTS)
@example(secret=AWS_SECRET, before="", after="")
def test_a_value_is_found_in_each_spelling(spelling: str, secret: str, before: str, after: str) -> None:
    shown = Redactor([SecretStr(secret)]).text(before + SPELLINGS[spelling](secret) + after)
    assert secret not in shown
    assert MARK in shown
    spelt = SPELLINGS[spelling](secret).strip("\"'\\=")  # without the quotes and the filling around the value
    assert len(spelt) < MIN_SECRET_LENGTH or spelt in before + after or spelt not in shown


@given(secret=st.text(st.characters(codec="ascii", exclude_characters="*"), min_size=12), user=st.text(max_size=9))
def test_a_value_is_found_inside_a_longer_base64_text(secret: str, user: str) -> None:
    header = base64.b64encode(f"{user}:{secret}".encode()).decode()
    shown = Redactor([secret]).text(header)
    assert MARK in shown
    assert len(shown.replace(MARK, "")) <= len(base64.b64encode(f"{user}:".encode())) + 8, "only the user is left"


@given(first=SECRETS, second=SECRETS)
def test_values_that_overlap_are_both_taken_out(first: str, second: str) -> None:
    text = first + second[1:] if first[-1] == second[0] else first + second
    shown = Redactor([first, second]).text(text)
    assert first not in shown and second not in shown


def test_overlapping_values_leave_no_rest_of_either() -> None:
    assert Redactor(["abcdef", "defghi"]).text("<abcdefghi>") == f"<{MARK}>"
    assert Redactor(["abab"]).text("ababab") == MARK


@given(TEXTS.filter(lambda text: not any(word in text.lower() for word in ("ey", "://", "=", ":", "bearer", "basic"))))
def test_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "innocent",
    [
        f"access key {KEY_ID} of user acme-dataloop",
        "arn:aws:iam::123456789012:role/acme-dataloop",
        "https://gate.dataloop.ai/api/v1/orgs/5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000001/integrations",
        "commit 974f8f2a1b3c4d5e6f708192a3b4c5d6e7f80910",
        "a Bearer token is needed",
        "Basic understanding of STS",
        "the token expired on 2026-11-20 at 10:00 UTC: get a new one",
        "DATALOOP_TOKEN is not set",
        "password: must not be empty",
        "secret access key is missing",
        "key eyJ is not a token",
        "user me@example.com at http://127.0.0.1:4566/x@y",
    ],
)
def test_what_is_no_secret_stays_readable(innocent: str) -> None:
    assert redact(innocent) == innocent


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token {JWT} is bad", JWT),
        (f"Authorization: Bearer {JWT}", JWT),
        ("authorization=Bearer opaque", "opaque"),
        ('{"Authorization": "Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz"),
        ("sent Bearer abc123def456", "abc123def456"),
        ("postgres://me:pass:word@host/db", "pass:word"),
        ("https://me:hunter2@gate.dataloop.ai/api/v1", "hunter2"),
        (f"aws_secret_access_key = {AWS_SECRET}", AWS_SECRET),
        (f"AWS_SECRET_ACCESS_KEY={AWS_SECRET}", AWS_SECRET),
        (f'"secretAccessKey": "{AWS_SECRET}"', AWS_SECRET),
        (f"Secret access key: {AWS_SECRET}", AWS_SECRET),
        (json.dumps(json.dumps({"secret": AWS_SECRET})), AWS_SECRET),
        (f"{KEY_ID}:{AWS_SECRET}", AWS_SECRET),
        (f"{KEY_ID}, {AWS_SECRET}", AWS_SECRET),
        ('{"password": "hunter2"}', "hunter2"),
        ('{"refresh_token":"r-e-f-r-e-s-h"}', "r-e-f-r-e-s-h"),
        (json.dumps(json.dumps({"password": "hunter2"})), "hunter2"),
        ("{'DATALOOP_TOKEN': 'opaque-one'}", "opaque-one"),
        ("PULUMI_CONFIG_PASSPHRASE=correct-horse", "correct-horse"),
        ("GET /x?password=hunter2&y=1", "hunter2"),
    ],
)
def test_telling_patterns_are_redacted_without_knowing_the_value(text: str, secret: str) -> None:
    shown = redact(text)
    assert secret not in shown
    assert MARK in shown


def test_the_key_id_beside_a_secret_stays() -> None:
    assert redact(f"{KEY_ID}:{AWS_SECRET}") == f"{KEY_ID}:{MARK}"


def test_a_redactor_that_learns_keeps_what_it_knew() -> None:
    first = Redactor(["first-secret"])
    both = first.adding(["second-secret"])
    assert both.text("first-secret second-secret") == f"{MARK} {MARK}"
    assert first.text("second-secret") == "second-secret"
    assert "secret" not in repr(both)


@given(st.text())
def test_one_line_is_one_line_without_control_characters(text: str) -> None:
    line = one_line(text, limit=50)
    assert len(line) <= 50
    assert len(line.splitlines()) <= 1
    assert line.isprintable() or not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)

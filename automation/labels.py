"""Labels of customer records, by which records are selected; they never reach AWS or Dataloop."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dataloop_sts.errors import Problem

LABELS_KEY = "labels"
LABELS_MAX = 50
LABEL_KEY = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9._:/@+-]{1,63}")


def label_problems(data: object) -> Iterator[Problem]:
    """What is wrong with a record's labels; nothing where it has none."""
    if data is None:
        return
    if not isinstance(data, Mapping):
        yield Problem(LABELS_KEY, "must hold keys of its own, each with a value, such as tier: gold")
        return
    if len(data) > LABELS_MAX:
        yield Problem(LABELS_KEY, f"{len(data)} labels, at most {LABELS_MAX} are allowed")
    for key, value in data.items():
        path = f"{LABELS_KEY}.{key}"
        if not isinstance(key, str) or not LABEL_KEY.fullmatch(key):
            yield Problem(path, "a label's key has 1 to 63 lower-case letters, digits, inner hyphens and underscores")
        if not isinstance(value, str):
            yield Problem(path, "a label's value is text: write it in quotes")
        elif not LABEL_VALUE.fullmatch(value):
            yield Problem(path, "a label's value has 1 to 63 letters, digits and the characters ._:/@+-")


def valid_labels(data: object) -> dict[str, str]:
    """The labels, as far as they are text."""
    pairs = data.items() if isinstance(data, Mapping) else ()
    return {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, str)}

"""One sentence for the reviewer of a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Risk:
    """What a reviewer has to look at, or is told.

    Attributes:
        level: ``risky`` decides the verdict; a ``note`` is only told.
        what: the sentence, with the customer's own names.
    """

    level: Literal["risky", "note"]
    what: str


def risky(what: str) -> Risk:
    """What decides the verdict."""
    return Risk("risky", what)


def note(what: str) -> Risk:
    """What is only told."""
    return Risk("note", what)

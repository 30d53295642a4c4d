"""Which records may name what some others name: found in their text, so that few of many have to be parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from automation.conflicts import claims_of
from automation.records import Record
from dataloop_sts import naming

_MANY = 30
"""From so many on, it is no slower to parse all."""
_WRITTEN_OTHERWISE = re.compile(r"\\|''|!!")
"""Escapes and tags of YAML: with them a name need not stand in the text as it is."""


def neighbours(records: Iterable[Record], texts: Mapping[str, bytes], inherited: bytes) -> Iterator[str]:
    """The customers whose records may name what one of ``records`` names; those that do are surely among them.

    A name stands in a text as it is, or on several lines, unless it is derived or inherited, or escaped.

    Args:
        records: those in question, all of one environment.
        texts: what the others' files hold, by customer.
        inherited: the defaults of all.
    """
    wanted = list(records)
    if len(wanted) > _MANY:
        yield from texts
        return
    names = {_plain(claim.name) for record in wanted for _, claim in claims_of(record)}
    derived = {_customer_of(name, record.environment.name) for record in wanted for name in names}
    if _may_name(names, inherited):
        yield from texts
        return
    for customer, text in texts.items():
        if customer in derived or _may_name(names, text):
            yield customer


def _may_name(names: Iterable[str], content: bytes) -> bool:
    text = _plain(content.decode("utf-8", errors="replace"))
    return any(name in text for name in names) or _WRITTEN_OTHERWISE.search(text) is not None


def _plain(text: str) -> str:
    """A text as it is compared: YAML makes a blank of a line's end within a value, and IAM knows no case."""
    return " ".join(text.split()).lower()


def _customer_of(name: str, environment: str) -> str:
    """Of which customer a name would be derived; or a text that is nobody's name."""
    user, integration = (
        getattr(naming.derived_names("*", environment), kind).partition("*")[::2] for kind in ("user", "integration")
    )
    for before, after in (user, integration):
        if name.startswith(before) and name.endswith(after):
            return name.removeprefix(before).removesuffix(after)
    return ""

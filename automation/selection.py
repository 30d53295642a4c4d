"""Which customers a command is about: by names, globs, labels, and files of names."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from automation.errors import RecordError
from automation.records import Record
from dataloop_sts.errors import Problem

_SHOWN = 10
_HEADING = "The selection does not fit the records:"


@dataclass(frozen=True)
class Selection:
    """Customers, by their names and their records' labels. Without both, all.

    Attributes:
        names: names or globs such as ``acme-*``; a customer needs to match one of them.
        labels: a customer's record needs all of them.
    """

    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, words: Iterable[str] = (), names_file: str | None = None) -> Selection:
        """A selection as it is written on the command line.

        Args:
            words: each a name, a glob, or a label as ``KEY=VALUE``.
            names_file: a file with one name or glob a line, beside which blank lines and # comments may stand;
                ``-`` is standard input.

        Raises:
            RecordError: a word is none of these, or the file cannot be read or names nobody.
        """
        names, labels = [], []
        for word in words:
            key, is_label, value = word.partition("=")
            if not key or (is_label and not value):
                raise RecordError(_HEADING, [Problem(repr(word), "give a name, a glob such as 'acme-*', or KEY=VALUE")])
            if is_label:
                labels.append((key, value))
            else:
                names.append(word)
        return cls(tuple(names + (_names_in(names_file) if names_file else [])), tuple(labels))

    def among(self, records: Mapping[str, Record | RecordError]) -> dict[str, Record | RecordError]:
        """The records that are selected, in their order.

        A record so broken that its labels cannot be read is taken for one that has them: a mistake shall be told, not
        passed over.

        Raises:
            RecordError: the selection, or a name or glob of it, selects nobody; it says what there is.
        """
        if not records:
            raise RecordError(_HEADING, [Problem("", "no customer has a record in this environment's folder")])
        unknown = [
            Problem(name, f"selects nobody; {_listed(list(records))}") for name in self.names if not _any(name, records)
        ]
        if unknown:
            raise RecordError(_HEADING, unknown)
        names = set(self.names)
        globs = [name for name in names if _is_glob(name)]
        selected = {
            customer: record
            for customer, record in records.items()
            if (not names or customer in names or any(fnmatchcase(customer, glob) for glob in globs))
            and (record.labels is None or all(record.labels.get(key) == value for key, value in self.labels))
        }
        if not selected:
            wanted = " and ".join(f"{key}={value}" for key, value in self.labels)
            raise RecordError(_HEADING, [Problem(wanted, f"selects nobody; {_known_labels(records)}")])
        return selected


def _any(name: str, records: Mapping[str, object]) -> bool:
    return name in records or (_is_glob(name) and any(fnmatchcase(customer, name) for customer in records))


def _is_glob(name: str) -> bool:
    return any(character in name for character in "*?[")


def _known_labels(records: Mapping[str, Record | RecordError]) -> str:
    labels = {f"{key}={value}" for record in records.values() for key, value in (record.labels or {}).items()}
    return _listed(sorted(labels)) if labels else "no record has labels"


def _listed(what: list[str]) -> str:
    left = len(what) - _SHOWN
    return f"there are: {', '.join(what[:_SHOWN])}" + (f" and {left:,} more" if left > 0 else "")


def _names_in(names_file: str) -> list[str]:
    try:
        text = sys.stdin.read() if names_file == "-" else Path(names_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise RecordError(f"{names_file} cannot be read:", [Problem("", why)]) from None
    names = [name for line in text.splitlines() if (name := line.partition("#")[0].strip())]
    if not names:
        raise RecordError(_HEADING, [Problem(names_file, "names nobody; write one customer a line")])
    return names

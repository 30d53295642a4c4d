"""What the service keeps of its customers, in one SQLite file: the spec of each, and how far it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataloop_sts import ConnectionSpec

Status = Literal["connecting", "connected", "refused", "removing", "removed"]

_TABLE = (
    "CREATE TABLE IF NOT EXISTS customers "
    "(name TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL, note TEXT NOT NULL DEFAULT '')"
)


@dataclass(frozen=True)
class Customer:
    """One customer.

    Attributes:
        spec: what its connection is to be; it holds no secret.
        status: ``connecting``, ``removing``: the service goes on with it; ``refused``: the customer has to act.
        note: what the customer is told.
    """

    spec: ConnectionSpec
    status: Status
    note: str = ""

    @property
    def name(self) -> str:
        """Whose it is."""
        return self.spec.customer


class Store:
    """The customers, in a file. May be used from any thread; what a call has written is on the disk when it returns."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._database() as database:
            database.execute(_TABLE)

    def keep(self, spec: ConnectionSpec, status: Status) -> None:
        """Keeps a customer's spec, in the place of a former one."""
        with self._database() as database:
            database.execute(
                "INSERT OR REPLACE INTO customers (name, spec, status) VALUES (?, ?, ?)",
                (spec.customer, spec.model_dump_json(exclude_defaults=True), status),
            )

    def mark(self, name: str, status: Status, note: str = "") -> None:
        """Notes how far a customer is."""
        with self._database() as database:
            database.execute("UPDATE customers SET status = ?, note = ? WHERE name = ?", (status, note, name))

    def find(self, name: str) -> Customer | None:
        """A customer, or None."""
        return next(iter(self._read("WHERE name = ?", name)), None)

    def with_status(self, *statuses: Status) -> list[Customer]:
        """The customers that are so far."""
        return self._read(f"WHERE status IN ({', '.join('?' * len(statuses))}) ORDER BY name", *statuses)

    def _read(self, which: str, *values: str) -> list[Customer]:
        with self._database() as database:
            rows = database.execute(f"SELECT spec, status, note FROM customers {which}", values).fetchall()  # noqa: S608
        return [Customer(ConnectionSpec.model_validate_json(spec), status, note) for spec, status, note in rows]

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file, timeout=30)
        try:
            with database:
                yield database
        finally:
            database.close()

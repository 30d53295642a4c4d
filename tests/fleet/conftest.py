"""Records of an environment on disk, and a job that stands in the place of the engine's work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from automation.environment import Environment
from automation.errors import RecordError
from automation.fleet import Operation, Row
from automation.records import Record, all_of

_RECORD = (
    "organization_id: {organization}\naws: {{region: eu-west-1, account_id: '{account}'}}\n"
    "drivers: [{{name: {name}, project_id: p, bucket: {{name: dl-{name}}}}}]\n"
)


@dataclass
class Customers:
    """The customers of an environment."""

    environment: Environment

    def add(self, name: str, *, account: str = "123456789012", organization: str = "org-1", more: str = "") -> None:
        text = _RECORD.format(name=name, account=account, organization=organization) + more
        (self.environment.customers_dir / f"{name}.yaml").write_text(text)

    def records(self) -> dict[str, Record | RecordError]:
        return all_of(self.environment)


@dataclass
class Work:
    """A job that does nothing, remembers who it was for and how many ran at once, and fails for some."""

    failing: set[str] = field(default_factory=set)
    takes_s: float = 0.0
    during: Callable[[str], None] = lambda customer: None
    began: list[str] = field(default_factory=list)
    together: list[frozenset[str]] = field(default_factory=list)
    _now: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environment: Environment, customer: str, operation: Operation) -> Row:
        with self._lock:
            self.began.append(customer)
            self._now.add(customer)
            self.together.append(frozenset(self._now))
        self.during(customer)
        time.sleep(self.takes_s)
        with self._lock:
            self._now.discard(customer)
        if customer in self.failing:
            return Row(customer, "failed", error=("DataloopFailed", "no"), attempts=1)
        return Row(customer, "succeeded", {"create": 2}, attempts=1)


@pytest.fixture
def customers(tmp_path: Path) -> Customers:
    environment = Environment.of("prod", tmp_path)
    environment.customers_dir.mkdir(parents=True)
    return Customers(environment)

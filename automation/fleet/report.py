"""The report of a run of the fleet: JSON in a file that is whole at any moment, JUnit for CI, and what is left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, ValidationError

from automation.errors import RecordError
from automation.files import write_whole
from automation.fleet.rows import ENDINGS, Row
from dataloop_sts.errors import Problem

SCHEMA = 1
_GOOD = ("succeeded", "unchanged")


@dataclass(frozen=True)
class Report:
    """What came of all customers of a run.

    While the run is under way, whoever is not begun stands as ``skipped``, whoever is running as ``interrupted``: just
    what is true should the run be killed.

    Attributes:
        environment, operation: names.
        started_at: when the run began.
        duration_s: wall-clock seconds until now.
        rows: one a customer, in the records' order.
        left_over: who was not done by an earlier run of the operation, and was not selected in this one.
    """

    environment: str
    operation: str
    started_at: datetime
    duration_s: float
    rows: tuple[Row, ...]
    left_over: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many customers came to what."""
        counted = Counter(row.outcome for row in self.rows)
        return {ending: counted[ending] for ending in ENDINGS}

    @property
    def ok(self) -> bool:
        """Whether every customer is done."""
        return all(row.outcome in _GOOD for row in self.rows)

    @property
    def bad(self) -> tuple[Row, ...]:
        """The rows of customers that are not done."""
        return tuple(row for row in self.rows if row.outcome not in _GOOD)

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        summary = {
            "environment": self.environment,
            "operation": self.operation,
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "duration_s": round(self.duration_s, 3),
            "total": len(self.rows),
            **self.counts,
        }
        rows = [row.document() for row in self.rows]
        return {"schema": SCHEMA, "summary": summary, "customers": rows, "left_over": list(self.left_over)}

    def write(self, file: Path) -> None:
        """Writes it, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        write_whole(file, json.dumps(self.document(), indent=1) + "\n")

    def junit(self) -> str:
        """The report as JUnit XML, a test case for each customer: https://github.com/testmoapp/junitxml"""
        suite = ElementTree.Element(
            "testsuite",
            name=f"fleet {self.operation} in {self.environment}",
            tests=str(len(self.rows)),
            failures=str(self.counts["failed"] + self.counts["interrupted"]),
            errors="0",
            skipped=str(self.counts["skipped"]),
            time=f"{self.duration_s:.3f}",
            timestamp=self.started_at.isoformat(timespec="seconds"),
        )
        suite.extend(_case(self.environment, self.operation, self.rows))
        suites = ElementTree.Element("testsuites")
        suites.append(suite)
        ElementTree.indent(suites)
        return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def _case(environment: str, operation: str, rows: Sequence[Row]) -> Iterable[ElementTree.Element]:
    for row in rows:
        name = f"dataloop-sts.fleet.{environment}.{operation}"
        case = ElementTree.Element("testcase", classname=name, name=row.customer, time=f"{row.duration_s:.3f}")
        kind, message = row.error or (row.outcome, row.outcome)
        if row.outcome in ("failed", "interrupted"):
            ElementTree.SubElement(case, "failure", type=kind, message=message)
        elif row.outcome == "skipped":
            ElementTree.SubElement(case, "skipped", message=message)
        yield case


class _Customer(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    customer: str
    outcome: str


class _Summary(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    environment: str


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    summary: _Summary
    customers: list[_Customer]
    left_over: list[str] = []


def not_done(file: Path, environment: str) -> frozenset[str]:
    """The customers that failed, were interrupted or were not begun, as the last report has it; those left over too.

    Args:
        file: the report.
        environment: whose it has to be.

    Raises:
        RecordError: there is none, it is another environment's, or it is none of ours.
    """
    try:
        read = _Read.model_validate_json(file.read_bytes())
    except OSError as error:
        what = f"{error.strerror}: run once without --only-failed, or name the report with --report"
        raise RecordError(f"The last report {file} cannot be read:", [Problem("", what)]) from None
    except ValidationError:
        what = "run once without --only-failed"
        raise RecordError(f"{file} is not a report of the fleet:", [Problem("", what)]) from None
    if read.summary.environment != environment:
        what = f"name that of {environment} with --report"
        raise RecordError(f"{file} is the report of {read.summary.environment}:", [Problem("", what)])
    return frozenset((*(each.customer for each in read.customers if each.outcome not in _GOOD), *read.left_over))

"""A fleet whose jobs do nothing but take time, shown as the command shows it: PROGRAM FOLDER COUNT PARALLEL SECONDS."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from automation.cli.fleet import _stopped_by_signals
from automation.cli.fleet_progress import shown, summary
from automation.cli.frame import forgive_output
from automation.environment import Environment
from automation.fleet import Fleet, Limits, Operation, Row
from automation.records import Record
from dataloop_sts.spec import ConnectionSpec

folder, count, parallel, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
stopping = False


def job(environment: Environment, customer: str, operation: Operation) -> Row:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fleet._stop.is_set():
            return Row(customer, "interrupted", error=("Interrupted", "ended cleanly"))
        time.sleep(0.02)
    failed = int(customer[-2:]) % 10 == 7
    error = ("AwsFailed", "the bucket's name is taken … " + "all the same " * 12) if failed else None
    return Row(customer, "failed" if failed else "succeeded", {} if failed else {"create": 22}, error, seconds, 1)


environment = Environment("prod", folder)
records: dict[str, Record] = {}
for number in range(count):
    name = f"customer-number-{number:02}"
    spec = ConnectionSpec.parse(
        {
            "customer": name,
            "organization_id": "org-1",
            "aws": {"region": "eu-west-1"},
            "drivers": [{"name": "images", "project_id": "p-1", "bucket": {"name": f"dataloop-{name}"}}],
        },
        environment="prod",
    )
    records[name] = Record(environment, name, folder / f"{name}.yaml", spec, sandbox=False)
operation = Operation("refresh")
forgive_output()
with shown(operation.name, count, quiet=False) as on_progress:
    fleet = Fleet(environment, Limits(parallel=parallel), on_progress=on_progress, job=job)
    with _stopped_by_signals(fleet):
        report = fleet.run(operation, records)
summary(report, fleet.report_file(operation))

"""How long it takes to read and check all records of an environment: ``python -m benchmarks.records [NUMBER]``."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from automation import records
from automation.environment import Environment
from automation.records import Record

DEFAULTS = """\
organization_id: 5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000001
labels: {team: data}
aws:
  region: eu-west-1
  account_id: "123456789012"
  tags: {team: data-platform}
"""
RECORD = """\
# The connection of {name}.
labels: {{tier: gold}}
access_key: {{generation: 2}}
drivers:
  - name: {name}-images
    project_id: 5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000002
    bucket: {{name: dataloop-{name}-images}}
  - name: {name}-audio
    project_id: 5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000002
    bucket: {{name: dataloop-{name}-audio}}
    prefix: clips/
    allow_delete: true
"""


def main(number: int) -> None:
    """Writes the records into a temporary folder, reads them, and prints what that took."""
    with tempfile.TemporaryDirectory() as project:
        folder = Path(project) / "customers" / "prod"
        folder.mkdir(parents=True)
        (folder / "_defaults.yaml").write_text(DEFAULTS)
        for index in range(number):
            (folder / f"customer-{index}.yaml").write_text(RECORD.format(name=f"customer-{index}"))
        environment = Environment.of("prod", Path(project))
        memory, cpu, wall = _memory(), time.process_time(), time.perf_counter()
        found = records.all_of(environment)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        valid = sum(isinstance(each, Record) for each in found.values())
        more = f"{_memory() - memory:,.0f} MiB more memory"
        sys.stdout.write(f"{valid:,} of {number:,} valid: {cpu:.1f} s of CPU, {wall:.1f} s, {more}\n")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

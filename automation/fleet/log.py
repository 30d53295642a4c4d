"""The log of what the fleet's runs did: lines are only ever added to it. It holds no secret."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from automation.fleet.report import Report
from automation.fleet.rows import Row


def append(file: Path, report: Report, rows: Iterable[Row]) -> None:
    """Adds a line for each customer to which something was done, or was to be.

    Args:
        file: the log; made for its owner alone where it is not there.
        report: the run that they are of.
        rows: who has come to an end just now.

    Raises:
        OSError: it cannot be written.
    """
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": f"{_user()}@{socket.gethostname()}",
        "environment": report.environment,
        "operation": report.operation,
    }
    lines = [json.dumps(about | row.document()) + "\n" for row in rows if row.outcome not in ("unchanged", "skipped")]
    if lines:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            log.write("".join(lines))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())

"""What a killed run has left of a stack is mended before the stack is run again."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from automation.backend import Backend
from automation.connection import Connection
from automation.engine import RUN_BY_VARIABLE
from automation.errors import NoSuchStack
from automation.repair.locks import Lock, LockFiles
from automation.stores import locks_folder
from automation.workspace import PROJECT

ORPHAN_S = 60.0
"""How long an engine may take to notice that the run which started it was killed: it lets its calls come back."""
_LOOK_S = 0.2


def mend(connection: Connection, on_done: Callable[[str], None]) -> None:
    """Mends a stack; where its files say that nothing is to be mended, starts no process.

    Args:
        connection: whose stack it is.
        on_done: gets each thing when it is done, so also what was done before an error.

    Raises:
        StackLocked: a run lives, or may live on another machine; nothing was touched.
        StackError, AwsError: as for ``Connection.repair``.
    """
    backend = Backend.of(connection.environment)
    files = backend.read(connection.stack)
    locks = LockFiles(backend.store, locks_folder(PROJECT, connection.stack)) if backend.store else None
    locked = locks is not None and _is_locked_for_good(locks)
    if locked or (files and files.pending_operations) or backend.cut_short(connection.stack):
        with suppress(NoSuchStack):  # killed before it was made
            connection.repair(lambda finding: on_done(finding.text))


def _is_locked_for_good(locks: LockFiles) -> bool:
    """Whether a lock is there that does not go away by itself in a moment, as that of an orphan does."""
    deadline = time.monotonic() + ORPHAN_S
    while contents := [content for _, content in locks.read()]:
        if not any(map(_is_an_orphans, contents)) or time.monotonic() > deadline:
            return True
        time.sleep(_LOOK_S)
    return False


def _is_an_orphans(content: str) -> bool:
    """Whether a lock is held by an engine of this machine that lives, and whose run was killed.

    Whoever takes an orphan in need not be process 1: a service manager or a container's shim may.
    """
    try:
        lock = Lock.model_validate_json(content)
        if lock.hostname != socket.gethostname():
            return False
        process = psutil.Process(lock.pid)
        run_by = process.environ().get(RUN_BY_VARIABLE, str(process.ppid()))
        return run_by != str(process.ppid()) and process.status() != psutil.STATUS_ZOMBIE
    except (ValueError, psutil.Error):
        return False

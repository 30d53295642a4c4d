"""The locks that Pulumi's own backends keep as files: who made them, and whether that process lives.

Their place and form: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import psutil
from pydantic import BaseModel, ConfigDict

from automation.errors import StackError, StackLocked
from automation.stores import Store, locks_folder, store_of

_SAME_MOMENT_S = 5.0
"""How far the clock that dates a process may be from the one that dates a file."""


class Lock(BaseModel):
    """A lock's content."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    username: str
    hostname: str
    timestamp: datetime

    def __str__(self) -> str:
        """Who, where, since when."""
        return f"{self.username}@{self.hostname}, process {self.pid}, since {self.timestamp:%Y-%m-%d %H:%M:%S %Z}"

    def holder(self) -> str | None:
        """Why the lock is not to be touched, or None: its process ran on this machine and is dead."""
        if self.hostname != socket.gethostname():
            return f"it was made on {self.hostname}: run this there, or make sure that no run lives and `pulumi cancel`"
        try:
            process = psutil.Process(self.pid)
            dead = process.status() == psutil.STATUS_ZOMBIE
            another = process.create_time() > self.timestamp.timestamp() + _SAME_MOMENT_S  # the number was used again
        except psutil.NoSuchProcess:
            return None
        except psutil.AccessDenied:
            return "its process belongs to another user, and may live"
        return None if dead or another else "its process lives: wait for it, or end it"


@dataclass(frozen=True)
class LockFiles:
    """Where the locks of one stack are kept."""

    store: Store
    folder: str

    def read(self) -> Iterator[tuple[str, str]]:
        """The path and the content of each of them."""
        for name in self.store.names(self.folder):
            path = f"{self.folder}/{name}"
            content = self.store.read(path) if name.endswith(".json") else None
            if content is not None:
                yield path, content.decode(errors="replace")

    def remove(self, path: str) -> None:
        """Removes one of them."""
        self.store.remove(path)


def lock_files(backend_url: str, project: str, stack: str) -> LockFiles | None:
    """The lock files of a stack; None for a backend that keeps its locks where this cannot look.

    Args:
        backend_url: as ``pulumi whoami`` gives it.
        project, stack: their names.

    Raises:
        AwsError: the settings for the bucket cannot be used.
    """
    store = store_of(backend_url)
    return LockFiles(store, locks_folder(project, stack)) if store else None


def release(files: LockFiles) -> Iterator[Lock]:
    """Removes the locks whose process is dead; yields each.

    Raises:
        StackLocked: a lock is not to be touched; the message says who holds it, where and since when.
        StackError: a lock cannot be read.
    """
    for name, content in files.read():
        try:
            lock = Lock.model_validate_json(content)
        except ValueError:
            raise StackError(f"The lock {name} is not of the form that Pulumi writes: look at it by hand.") from None
        if reason := lock.holder():
            stack = files.folder.rpartition("/")[2]
            raise StackLocked(
                f"Stack {stack} is locked by {lock}, and {reason}.",
                who=f"{lock.username}@{lock.hostname}",
                since=lock.timestamp,
                pid=lock.pid,
            )
        files.remove(name)
        yield lock

"""The locks that Pulumi's own backends keep as files: who made them, and whether that process lives.

Their place and form: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import psutil
from pydantic import BaseModel, ConfigDict

from automation.errors import StackError, StackLocked
from dataloop_sts.aws import aws_errors

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


class LockFiles(Protocol):
    """Where locks are kept."""

    def read(self) -> Iterator[tuple[str, str]]:
        """The name and the content of each lock file of the stack."""

    def remove(self, name: str) -> None:
        """Removes one of them."""


@dataclass(frozen=True)
class LocalLockFiles:
    """Of a backend in a folder, ``file://``."""

    folder: Path

    def read(self) -> Iterator[tuple[str, str]]:
        """See :class:`LockFiles`."""
        for path in sorted(self.folder.glob("*.json")):
            yield path.name, path.read_text(encoding="utf-8")

    def remove(self, name: str) -> None:
        """See :class:`LockFiles`."""
        (self.folder / name).unlink(missing_ok=True)
        (self.folder / f"{name}.attrs").unlink(missing_ok=True)


@dataclass(frozen=True)
class S3LockFiles:
    """Of a backend in a bucket, ``s3://``."""

    s3: Any
    bucket: str
    prefix: str

    def read(self) -> Iterator[tuple[str, str]]:
        """See :class:`LockFiles`."""
        with aws_errors(f"read the locks in bucket {self.bucket}"):
            listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix).get("Contents", [])
            for key in (entry["Key"] for entry in listed if entry["Key"].endswith(".json")):
                yield key, self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()

    def remove(self, name: str) -> None:
        """See :class:`LockFiles`."""
        with aws_errors(f"remove the lock {name} from bucket {self.bucket}"):
            self.s3.delete_object(Bucket=self.bucket, Key=name)


def lock_files(backend_url: str, project: str, stack: str) -> LockFiles | None:
    """The lock files of a stack; None for a backend that keeps its locks where this cannot look.

    Args:
        backend_url: as ``pulumi whoami`` gives it.
        project, stack: their names.

    Raises:
        AwsError: the settings for the bucket cannot be used.
    """
    url = urlsplit(backend_url)
    place = f".pulumi/locks/organization/{project}/{stack}/"
    if url.scheme == "file":
        return LocalLockFiles(Path(url.netloc + url.path).expanduser() / place)
    if url.scheme == "s3":
        folder = url.path.strip("/")
        return S3LockFiles(_s3(parse_qs(url.query)), url.netloc, f"{folder}/{place}" if folder else place)
    return None


def _s3(settings: dict[str, list[str]]) -> Any:
    """A client with the settings of the URL: https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3"""
    import boto3
    from botocore.config import Config

    one = {name: values[0] for name, values in settings.items()}
    with aws_errors("use the settings of the backend's bucket"):
        session = boto3.Session(profile_name=one.get("profile"), region_name=one.get("region"))
        return session.client("s3", endpoint_url=one.get("endpoint"), config=Config(connect_timeout=5, read_timeout=15))


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
            raise StackLocked(f"The stack is locked by {lock}, and {reason}.")
        files.remove(name)
        yield lock

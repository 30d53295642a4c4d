"""The files of Pulumi's own backends, in a folder or in a bucket, read without the CLI."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from automation.errors import StackError
from dataloop_sts.aws import aws_errors

ROOM = 64 << 20
"""Bytes that a disk needs before a run: some hundred times a state, since other programs write to it meanwhile."""
RESERVE = 16 << 20
"""Bytes below which a run is ended while its state can still be kept."""
HELD = 4 << 20
"""Bytes that each run holds for its end, some tens of states: a disk may fill up between two looks."""
_ATTRIBUTES = ".attrs"
_BEGUN = re.compile(r".+\.(?P<ns>[0-9a-f]{16})\.tmp")
_WRITTEN_S = 5.0
"""How long the write of a file of some hundred bytes may take."""


class Store(Protocol):
    """Where a backend keeps its files; folders and paths are relative to its root."""

    def names(self, folder: str) -> list[str]:
        """The names of the files that are directly in a folder, sorted; none where there is no such folder."""

    def read(self, path: str) -> bytes | None:
        """A file's content, or None where there is no such file."""

    def remove(self, path: str) -> None:
        """Removes a file, if it is there."""

    def broken_attributes(self, path: str) -> str | None:
        """What is kept beside a file and was cut short by a kill, so that the engine cannot read the file: its path."""

    def unfinished(self, folder: str) -> list[str]:
        """The paths of what somebody began to write in a folder and never will end."""

    def require_room(self) -> None:
        """Raises StackError where it cannot hold what a run will write, as far as that can be told."""

    def nearly_full(self) -> str:
        """Why a run under way should end while its state can still be kept, and the mend; empty where it need not."""

    def held_room(self) -> AbstractContextManager[object]:
        """Keeps some room from others while it lasts, for a run to end with."""


@dataclass(frozen=True)
class LocalStore:
    """Of a backend in a folder, ``file://``."""

    root: Path

    def names(self, folder: str) -> list[str]:
        """See :class:`Store`."""
        try:
            return sorted(path.name for path in (self.root / folder).iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unreadable(error) from None

    def read(self, path: str) -> bytes | None:
        """See :class:`Store`."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error) from None

    def remove(self, path: str) -> None:
        """See :class:`Store`."""
        (self.root / path).unlink(missing_ok=True)
        (self.root / f"{path}{_ATTRIBUTES}").unlink(missing_ok=True)

    def broken_attributes(self, path: str) -> str | None:
        """See :class:`Store`.

        gocloud.dev writes them in place, before the file itself, which is renamed; where there are none it does well
        without: https://github.com/google/go-cloud/blob/master/blob/fileblob/attrs.go
        """
        beside = path + _ATTRIBUTES
        content = self.read(beside)
        if content is not None and not _is_json(content):
            return beside
        return None

    def unfinished(self, folder: str) -> list[str]:
        """See :class:`Store`; waits for what is being written now.

        gocloud.dev names it by the moment: https://github.com/google/go-cloud/blob/master/blob/fileblob/fileblob.go
        """
        begun = {name: int(found["ns"], 16) / 1e9 for name in self.names(folder) if (found := _BEGUN.fullmatch(name))}
        if not begun:
            return []
        time.sleep(min(_WRITTEN_S, max(0.0, max(begun.values()) + _WRITTEN_S - time.time())))
        return [f"{folder}/{name}" for name in self.names(folder) if name in begun]

    def require_room(self) -> None:
        """See :class:`Store`.

        On a full disk the engine puts a state that was cut short in the place of the whole one, and of its backup: a
        write of gocloud.dev that fails is closed, and so renamed, all the same (engine 3.274).
        https://github.com/google/go-cloud/blob/master/blob/blob.go
        """
        free = self._free()
        if free < ROOM:
            raise StackError(
                f"The disk of the backend {self.root} has {free >> 20} MiB left, and a run needs {ROOM >> 20}, or the "
                "state could be lost: make room. Nothing was begun."
            )

    def nearly_full(self) -> str:
        """See :class:`Store`."""
        free = self._free()
        if free >= RESERVE:
            return ""
        return (
            f"the disk of the backend {self.root} has {free >> 20} MiB left, and the state could have been lost: make "
            "room there"
        )

    def held_room(self) -> AbstractContextManager[object]:
        """See :class:`Store`; in a file that has no name, so that it goes with this process however that ends."""
        with ExitStack() as made:
            with suppress(OSError):  # a file system that cannot
                file = made.enter_context(tempfile.TemporaryFile(dir=self.root))
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, HELD)
            return made.pop_all()

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self.root).free
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> StackError:
        return StackError(
            f"The backend {self.root} cannot be read: {error.strerror}. Mount it, correct "
            "its permissions, or correct backend_url or PULUMI_BACKEND_URL."
        )


@dataclass(frozen=True)
class S3Store:
    """Of a backend in a bucket, ``s3://``; ``prefix`` is empty or ends with a slash."""

    s3: Any
    bucket: str
    prefix: str

    def names(self, folder: str) -> list[str]:
        """See :class:`Store`."""
        whole = f"{self.prefix}{folder}/"
        with aws_errors(f"list the backend's bucket {self.bucket}"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=whole, Delimiter="/")
            return sorted(entry["Key"].removeprefix(whole) for page in pages for entry in page.get("Contents", []))

    def read(self, path: str) -> bytes | None:
        """See :class:`Store`."""
        with aws_errors(f"read the backend's bucket {self.bucket}"):
            try:
                body: bytes = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"].read()
            except self.s3.exceptions.NoSuchKey:
                return None
            return body

    def remove(self, path: str) -> None:
        """See :class:`Store`."""
        with aws_errors(f"remove the lock {path} from bucket {self.bucket}"):
            self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + path)

    def broken_attributes(self, path: str) -> str | None:
        """See :class:`Store`; a bucket keeps them with the object."""

    def unfinished(self, folder: str) -> list[str]:
        """See :class:`Store`; in a bucket there is nothing until all of it is."""
        return []

    def require_room(self) -> None:
        """See :class:`Store`; a bucket has always room."""

    def nearly_full(self) -> str:
        """See :class:`Store`; a bucket never is."""
        return ""

    def held_room(self) -> AbstractContextManager[object]:
        """See :class:`Store`; a bucket needs none."""
        return nullcontext()


def store_of(backend_url: str) -> Store | None:
    """The files of a backend; None where it keeps them in a way that is not read here.

    Args:
        backend_url: as ``pulumi whoami`` gives it.

    Raises:
        AwsError: the settings for the bucket cannot be used.
    """
    url = urlsplit(backend_url)
    if url.scheme == "file":
        root = Path(url.netloc + url.path).expanduser()
        return LocalStore(root) if root.is_absolute() else None
    if url.scheme == "s3":
        folder = url.path.strip("/")
        return S3Store(_s3(parse_qs(url.query)), url.netloc, f"{folder}/" if folder else "")
    return None


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def locks_folder(project: str, stack: str) -> str:
    """Where a backend keeps the locks of a stack: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go"""
    return f".pulumi/locks/organization/{project}/{stack}"


def _s3(settings: dict[str, list[str]]) -> Any:
    """A client with the settings of the URL: https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3"""
    import boto3
    from botocore.config import Config

    one = {name: values[0] for name, values in settings.items()}
    endpoint = one.get("endpoint")
    if endpoint and "://" not in endpoint:
        endpoint = f"{'http' if one.get('disableSSL') == 'true' else 'https'}://{endpoint}"
    path_style = "true" in (one.get("s3ForcePathStyle"), one.get("use_path_style"))
    config = Config(connect_timeout=5, read_timeout=15, s3={"addressing_style": "path"} if path_style else None)
    with aws_errors("use the settings of the backend's bucket"):
        session = boto3.Session(profile_name=one.get("profile"), region_name=one.get("region"))
        return session.client("s3", endpoint_url=endpoint, config=config)

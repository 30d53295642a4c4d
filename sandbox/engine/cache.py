"""The user's cache folder: each entry is made aside under a lock and renamed, so that it is whole or not there."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def folder() -> Path:
    """$XDG_CACHE_HOME/dataloop-sts, shared by every checkout; a relative XDG_CACHE_HOME counts as unset.

    https://specifications.freedesktop.org/basedir/latest/
    """
    configured = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache"
    return root / "dataloop-sts"


def entry(name: str, make: Callable[[Path], None], report: Callable[[str], None]) -> Path:
    """Return the entry, made first by `make(empty folder)` where it is not there.

    Whatever `make` raises goes through, and nothing of it stays. Two processes make an entry once: the second waits,
    and says so. What a killed process left behind is removed.
    """
    path = folder() / name
    if path.exists():
        return path
    folder().mkdir(parents=True, exist_ok=True)
    with _locked(folder() / f"{name}.lock", lambda: report(f"Waiting for another process that makes {path} ...")):
        for abandoned in folder().glob(f".{name}.*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        if path.exists():
            return path
        aside = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder()))
        try:
            make(aside)
            aside.chmod(0o755)
            aside.rename(path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return path


@contextlib.contextmanager
def _locked(path: Path, before_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock that the system takes back when this process dies, however it dies."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            before_waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""What a run must not leave: a process, a file in the temporary folder, a secret in anything written or shown."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil

_MARK = "DATALOOP_STS_DRILL"
_SHORTEST_SECRET = 8


class Arguments:
    """Every command line that appears on this machine while it watches; Linux only."""

    def __init__(self, look_s: float = 0.02) -> None:
        self.seen: set[str] = set()
        self._look_s = look_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Arguments:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._look_s):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    self.seen.add(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))


class Watch:
    """Marks all that is started in its environment, and gives it a temporary folder of its own.

    Args:
        folder: for the temporary folder; exists.
    """

    def __init__(self, folder: Path) -> None:
        self._mark = uuid.uuid4().hex
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.arguments = Arguments(look_s=0.05)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a process is to be started with."""
        return {_MARK: self._mark, "TMPDIR": str(self.temporary)}

    def processes(self) -> list[psutil.Process]:
        """The processes that were started in it, and live."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def kill(self) -> list[str]:
        """Kills them all, also what they start meanwhile; returns their command lines."""
        killed: list[str] = []
        while ours := self.processes():
            for process in ours:
                with suppress(psutil.Error):
                    killed.append(_command(process))
                    process.kill()
            psutil.wait_procs(ours, timeout=1)
        return killed

    def assert_no_process(self, within_s: float = 15.0) -> None:
        """Whatever was started has ended by itself, at the latest after a while: an engine's plugins go after it."""
        deadline = time.monotonic() + within_s
        while ours := self.processes():
            assert time.monotonic() < deadline, f"left running: {[_command(process) for process in ours]}"
            time.sleep(0.2)

    def assert_no_file(self) -> None:
        """The temporary folder is as empty as it was."""
        left = sorted(str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*"))
        assert left == [], f"left in the temporary folder: {left}"

    def assert_no_secret(self, secrets: Mapping[str, str], *places: Path) -> None:
        """No secret stands in a file below some places, nor on a command line that was seen.

        Args:
            secrets: what each is, by its value.
            places: files and folders.
        """
        where = {"the command lines": "\n".join(self.arguments.seen).encode()}
        assert_no_secret(secrets, {**where, **contents(places)})

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.environ().get(_MARK) == self._mark
        except psutil.Error:
            return False


@contextmanager
def watching(folder: Path) -> Iterator[Watch]:
    """A watch that sees command lines while it lasts; at its end whatever is still running is killed."""
    watch = Watch(folder)
    try:
        with watch.arguments:
            yield watch
    finally:
        watch.kill()


def contents(places: Iterable[Path]) -> dict[str, bytes]:
    """The content of every file below some places, by its path; what programs are made of is left out."""
    found: dict[str, bytes] = {}
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and not {".venv", "plugins"} & set(path.parts):
                with suppress(FileNotFoundError):
                    found[str(path)] = path.read_bytes()
    return found


def assert_no_secret(secrets: Mapping[str, str], texts: Mapping[str, bytes]) -> None:
    """No secret stands in a text, in any form that it takes on its way.

    Args:
        secrets: what each is, by its value.
        texts: by a name that tells where each is from.
    """
    assert texts, "there is nothing to search"
    for value, what in secrets.items():
        forms = forms_of(value)
        found = {place: form for place, text in texts.items() for form, text_of in forms.items() if text_of in text}
        assert not found, f"{what} stands in {found}"


def forms_of(secret: str) -> dict[str, bytes]:
    """A secret as it is, quoted for JSON and for a URL, and in base64 wherever in a text it began."""
    assert len(secret) >= _SHORTEST_SECRET, "it would be found by chance"
    in_json = json.dumps(secret)[1:-1]
    forms = {
        "raw": secret,
        "JSON": in_json,
        "JSON with slashes": in_json.replace("/", "\\/"),
        "JSON for HTML": in_json.replace("+", "\\u002b").replace("/", "\\u002f"),
        "URL": quote(secret, safe=""),
        "path of a URL": quote(secret),
    }
    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret.encode()).decode()
        whole = len(secret.encode()) + before
        inner = text[-(-before * 8 // 6) : whole * 8 // 6]  # what other bytes beside it do not change
        forms |= {f"base64 at {before}": inner, f"URL-safe base64 at {before}": inner.translate(_URL_SAFE)}
    return {form: text.encode() for form, text in forms.items()}


_URL_SAFE = str.maketrans("+/", "-_")


def _command(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.Error:
        return str(process.pid)

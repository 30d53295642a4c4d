"""Where a secret must not be: searched for by its value."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any


class _Arguments:
    """Every command line that appears on this machine while it watches."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Arguments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue


def test_no_secret_reaches_state_logs_events_outputs_or_process_arguments(project: Any, tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    project.plain = True
    project.extra = {"PULUMI_DEBUG_COMMANDS": "true"}  # offers --event-log
    with _Arguments() as arguments:
        said = [
            project.preview("--diff").ok().output,
            project.up("--event-log", str(events), "--diff", "-v=5", "--logtostderr").ok().output,
        ]
        project.spec["drivers"][0]["allow_delete"] = True
        said += [
            project.preview("--diff", "--json").ok().output,
            project.up("--event-log", str(events)).ok().output,
            project.refresh("--diff").ok().output,
            project.pulumi("stack", "--show-urns", "--stack", project.stack).ok().output,
            project.pulumi("stack", "output", "--json", "--stack", project.stack).ok().output,
            project.pulumi("stack", "export", "--stack", project.stack).ok().output,
        ]
        # a failing update is where secrets like to slip out
        project.world.fault("PATCH", "/drivers/", status=500, times=20)
        project.spec["drivers"][0]["allow_delete"] = False
        said.append(project.up().refused("500").output)
        project.world.clear_faults()
    _, secret = project.access_key()
    token = project.world.ready.dataloop.token
    assert len(secret) >= 40
    assert any("dataloop_sts.verify" in line for line in arguments.seen), "the watch has to see the steps"

    backend = Path(project.world.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    home = Path(project.world.environment["PULUMI_HOME"])
    files = [events, home.parent / "serve.log"]
    files += [path for folder in (backend, home, project.folder) for path in _files(folder)]
    assert any(path.name == f"{project.stack}.json" for path in files)
    texts = {str(path): path.read_text(errors="replace") for path in files if path.is_file()}
    texts |= {f"output {number}": text for number, text in enumerate(said)}
    texts["process arguments"] = "\n".join(arguments.seen)
    for what, value in {
        "secret access key": secret,
        "token": token,
        "secret access key in base64": _base64(secret),
    }.items():
        found = [place for place, text in texts.items() if value in text]
        assert not found, f"the {what} stands in {found}"


def _base64(value: str) -> str:
    return base64.b64encode(value.encode()).decode().rstrip("=")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and ".venv" not in path.parts]

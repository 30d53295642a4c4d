"""What the engine's tests share: the real engine, and a machine that has neither Pulumi nor a network."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import engine
from sandbox.engine import Engine

CHECKOUT = Path(__file__).resolve().parents[2]

# A Go that takes no minutes: it counts its calls, and builds when and as the test says.
GO = """#!/bin/sh
echo "$1" >> "{calls}"
case "$1" in
version) echo "go version {version} linux/amd64" ;;
list) printf 'one\\ntwo\\n' ;;
build)
    while [ "$1" != -o ]; do shift; done
    echo one >&2
    echo half > "$2"
    touch "{building}"
    while [ -e "{hold}" ]; do sleep 0.05; done
    {then}
    printf '#!/bin/sh\\necho v3.274.1\\n' > "$2"
    chmod +x "$2"
    ;;
esac
"""


@pytest.fixture(scope="session")
def real_engine() -> Engine:
    return engine.ensure(print)


@dataclass(frozen=True)
class Machine:
    """An environment with an empty cache folder, a PATH of the system's tools only, and no way out."""

    root: Path
    environment: dict[str, str]

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def cache(self) -> Path:
        return self.root / "cache" / "dataloop-sts"

    @property
    def calls(self) -> list[str]:
        log = self.root / "calls"
        return log.read_text().split() if log.exists() else []

    def install(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    def install_go(self, version: str = "go1.99.0", then: str = "") -> None:
        names = {"calls": self.root / "calls", "building": self.root / "building", "hold": self.root / "hold"}
        self.install("go", GO.format(version=version, then=then, **names))

    def start(self, code: str) -> subprocess.Popen[str]:
        """Run Python on this machine."""
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a shell's background jobs ignore interrupts, and pass that on
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "touch", "sleep", "chmod", "cat", "mkdir"):
        found = shutil.which(tool)
        assert found
        (tools / tool).symlink_to(found)
    closed = "http://127.0.0.1:9"  # the discard port: nothing listens
    changes = {
        "PATH": str(tools),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HTTPS_PROXY": closed,
        "https_proxy": closed,
        "HTTP_PROXY": "",
        "http_proxy": "",
        "DATALOOP_STS_SANDBOX_PLUGINS": "",
    }
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    return Machine(tmp_path, os.environ | changes)


@pytest.fixture
def said() -> list[str]:
    """The lines that were reported; pass `said.append` as `report`."""
    return []

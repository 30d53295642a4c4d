"""A mended state goes to the backend by way of the stack's private work folder, and does not stay there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automation.connection import Connection
from automation.environment import Environment
from automation.errors import Interrupted
from automation.repair.mending import _write
from dataloop_sts.spec import ConnectionSpec

_SPEC = {
    "customer": "acme",
    "organization_id": "o",
    "aws": {"region": "eu-west-1"},
    "drivers": [{"name": "d", "project_id": "p", "bucket": {"name": "dl-acme"}}],
}


@dataclass(frozen=True)
class _InterruptedWhileItImports(Connection):
    seen: list[tuple[Path, int, Any]] = field(default_factory=list)

    def command(self, arguments: list[str], **options: Any) -> str:
        assert arguments[:3] == ["stack", "import", "--file"]
        file = Path(arguments[3])
        self.seen.append((file, file.stat().st_mode & 0o777, json.loads(file.read_text())))
        raise Interrupted("Stack prod.acme: the run was interrupted.")


def test_it_is_private_while_it_is_imported_and_gone_afterwards_whatever_happens(tmp_path: Path) -> None:
    environment = Environment.of("prod", tmp_path)
    connection = _InterruptedWhileItImports(environment, ConnectionSpec.parse(_SPEC, environment="prod"))
    folder = environment.work_dir("prod.acme")
    folder.mkdir(parents=True)
    (folder / "repaired-state.json").write_text("of a repair that was killed")
    deployed = {"pending_operations": ["one"], "resources": []}
    with pytest.raises(Interrupted):
        _write(connection, {"version": 3, "deployment": deployed}, deployed, [])
    mended = {"version": 3, "deployment": {"pending_operations": [], "resources": []}}
    assert connection.seen == [(folder / "repaired-state.json", 0o600, mended)]
    assert list(folder.iterdir()) == []

"""What `python -m sandbox doctor` says of a machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.engine import doctor, versions

if TYPE_CHECKING:
    from tests.sandbox_engine.conftest import Machine


def test_a_missing_engine_and_missing_plugins_are_told_with_the_mend(machine: Machine, tmp_path: Path) -> None:
    report = doctor.report(tmp_path / "home")
    checks = {check.name: check for check in report.checks}
    assert not report.ok
    for name in ("engine", "plugin aws", "plugin command"):
        assert not checks[name].ok
        assert checks[name].mend == "python -m sandbox setup"
    assert versions.GO_FROM_PYPI in checks["Go"].found
    assert str(machine.cache) in checks["cache folder"].found


def test_the_engine_in_use_is_told_with_version_source_and_path(machine: Machine, tmp_path: Path) -> None:
    machine.install("pulumi-language-python", "#!/bin/sh\n")
    pulumi = machine.install("pulumi", "#!/bin/sh\necho v3.999.0\n")
    checks = {check.name: check for check in doctor.report(tmp_path / "home").checks}
    assert checks["engine"].ok
    assert checks["engine"].found == f"Pulumi v3.999.0, path: {pulumi}"
    assert checks["language host"].found.startswith("official")
    assert "Go" not in checks


def test_the_report_is_json_for_programs_and_lines_for_people(machine: Machine, tmp_path: Path) -> None:
    report = doctor.report(tmp_path / "home")
    printed = json.loads(json.dumps(report.as_dict()))
    assert printed["ok"] is False
    assert {"name", "ok", "found", "mend"} == set(printed["checks"][0])
    assert any(line.startswith("MISSING") and "engine" in line for line in report.lines())

"""An environment's policy pack: where its settings lead, and what the engine says of policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automation.environment import Environment
from automation.errors import RecordError
from automation.events import Hearing, Progress


def environment(folder: Path, settings: str) -> Environment:
    file = folder / "customers" / "prod" / "_environment.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"sandbox: true\n{settings}")
    return Environment.of("prod", folder)


def test_the_paths_are_relative_to_the_project(tmp_path: Path) -> None:
    pack, config = tmp_path / "policy", tmp_path / "policies.json"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").touch()
    config.touch()
    prod = environment(tmp_path, "policy_pack: policy\npolicy_config: policies.json\n")
    assert prod.policy_arguments() == ["--policy-pack", str(pack), "--policy-pack-config", str(config)]


def test_without_a_pack_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert environment(tmp_path, "").policy_arguments() == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("policy_pack: policy\n", ":2: policy_pack: there is no file {folder}/policy/PulumiPolicy.yaml"),
        ("policy_config: p.json\n", ":2: policy_config: it sets the policies of a policy_pack, and there is none"),
    ],
)
def test_a_setting_that_leads_nowhere_is_told_with_its_line(settings: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as told:
        environment(tmp_path, settings).policy_arguments()
    assert says.format(folder=tmp_path) in str(told.value)


def judged(level: str, **more: Any) -> dict[str, Any]:
    message = "<{%fg 13%}>Named.\nit is not<{%reset%}>\n"
    event = {"resourceUrn": "urn::x::aws:iam/user:User::user", "message": message, "policyName": "named"}
    return {"policyEvent": {**event, "enforcementLevel": level, **more}}


def test_a_mandatory_violation_is_an_error_and_any_other_a_warning() -> None:
    hearing = Hearing()
    for event in (judged("mandatory"), judged("advisory"), judged("mandatory", exceptions=[{"id": "EXC-1"}])):
        hearing(event)
    assert [(each.policy, each.message) for each in hearing.errors] == [("named", "Named.\nit is not")]
    assert hearing.warnings == ("policy named: Named.\nit is not",)


def step(planning: bool) -> list[dict[str, Any]]:
    metadata = {"urn": "urn::x::aws:iam/user:User::user", "op": "create", "type": "aws:iam/user:User"}
    return [{kind: {"metadata": metadata, "planning": planning}} for kind in ("resourcePreEvent", "resOutputsEvent")]


@pytest.mark.parametrize(("of_preview", "heard"), [(False, ["started", "done"]), (True, ["started", "done"] * 2)])
def test_an_update_tells_nothing_of_the_preview_before_it(of_preview: bool, heard: list[str]) -> None:
    told: list[Progress] = []
    hearing = Hearing(told.append, of_preview=of_preview)
    for event in (*step(True), {"summaryEvent": {"resourceChanges": {"create": 3}}}, *step(False)):
        hearing(event)
    hearing({"summaryEvent": {"resourceChanges": {"create": 2}}})
    assert [each.outcome for each in told] == heard
    assert hearing.changes == {"create": 2}

"""Which plugins stand in a PULUMI_HOME: all official, or all stand-ins, announced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.engine import Engine, EngineError, ensure_plugins, network, versions
from sandbox.engine.plugins import CHOICE_VARIABLE, find_plugins

if TYPE_CHECKING:
    from tests.sandbox_engine.conftest import Machine

# A CLI whose downloads arrive, or do not: what the folder of a downloaded plugin looks like is the engine's affair.
CLI = """#!/bin/sh
echo "$*" >> "{calls}"
[ "$4" != "{missing}" ] || {{ echo "error: 404" >&2; exit 1; }}
mkdir -p "$PULUMI_HOME/plugins/resource-$4-$5"
printf 'ELF' > "$PULUMI_HOME/plugins/resource-$4-$5/pulumi-resource-$4"
"""


def _engine(machine: Machine, missing: str = "") -> Engine:
    pulumi = machine.install("pulumi", CLI.format(calls=machine.root / "calls", missing=missing))
    return Engine(pulumi, "v3.274.1", "path", "official", machine.bin)


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "official_answers", lambda: True)


def test_without_a_network_the_stand_ins_are_put_where_the_engine_looks_and_announced(
    machine: Machine, tmp_path: Path, said: list[str]
) -> None:
    home = tmp_path / "home"
    plugins = ensure_plugins(_engine(machine), home, said.append)
    assert [(plugin.name, plugin.version, plugin.source) for plugin in plugins] == [
        (name, versions.plugin(name), "stand-in") for name in ("aws", "command")
    ]
    aws = versions.plugin("aws")
    assert plugins[0].path == home / "plugins" / f"resource-aws-v{aws}" / "pulumi-resource-aws"
    assert len(said) == 1
    assert "stand-ins" in said[0]


def test_a_second_call_says_nothing(machine: Machine, tmp_path: Path, said: list[str]) -> None:
    first = ensure_plugins(_engine(machine), tmp_path / "home", said.append)
    said.clear()
    assert ensure_plugins(_engine(machine), tmp_path / "home", said.append) == first
    assert said == []


@pytest.mark.usefixtures("reachable")
def test_official_plugins_are_downloaded_once_for_all_checkouts(
    machine: Machine, tmp_path: Path, said: list[str]
) -> None:
    for home in ("one", "two"):
        plugins = ensure_plugins(_engine(machine), tmp_path / home, said.append)
        assert {plugin.source for plugin in plugins} == {"official"}
        assert all(plugin.path.read_text() == "ELF" for plugin in plugins)
    assert machine.calls.count("install") == len(versions.PLUGINS)


@pytest.mark.usefixtures("reachable")
def test_where_one_official_plugin_is_missing_all_are_stand_ins(
    machine: Machine, tmp_path: Path, said: list[str]
) -> None:
    plugins = ensure_plugins(_engine(machine, missing="command"), tmp_path / "home", said.append)
    assert {plugin.source for plugin in plugins} == {"stand-in"}
    assert any("command" in line and "404" in line for line in said)


@pytest.mark.usefixtures("reachable")
def test_the_choice_can_be_forced_and_changed(
    machine: Machine, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for choice in ("stand-in", "official", "stand-in"):
        monkeypatch.setenv(CHOICE_VARIABLE, choice)
        ensure_plugins(_engine(machine), home, said.append)
        assert {plugin.source for plugin in find_plugins(home)} == {choice}


def test_official_ones_asked_for_but_out_of_reach_are_an_error(
    machine: Machine, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHOICE_VARIABLE, "official")
    with pytest.raises(EngineError, match="does not answer"):
        ensure_plugins(_engine(machine), tmp_path / "home", said.append)


def test_a_choice_that_does_not_exist_is_refused(
    machine: Machine, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHOICE_VARIABLE, "standin")
    with pytest.raises(EngineError, match="standin"):
        ensure_plugins(_engine(machine), tmp_path / "home", said.append)

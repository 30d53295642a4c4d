"""Which engine is taken, and what is said where there is none."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import engine
from sandbox.engine import EngineError, network, versions

if TYPE_CHECKING:
    from tests.sandbox_engine.conftest import Machine


def _official(machine: Machine, version: str, *, language_host: bool = True) -> Path:
    if language_host:
        machine.install("pulumi-language-python", "#!/bin/sh\n")
    return machine.install("pulumi", f"#!/bin/sh\necho {version}\n")


def test_an_official_cli_on_path_is_taken(machine: Machine) -> None:
    pulumi = _official(machine, "v3.999.0")
    found = engine.locate()
    assert found == engine.Engine(pulumi, "v3.999.0", "path", "official", machine.bin)


def test_a_cli_of_the_sdk_s_own_minor_version_is_new_enough(machine: Machine) -> None:
    major, minor = versions.oldest_cli()
    _official(machine, f"v{major}.{minor}.0")
    assert engine.locate() is not None


@pytest.mark.parametrize("version", ["v3.1.0", "v4.0.0", "v2.999.0", "dev"])
def test_a_cli_that_does_not_fit_the_sdk_is_passed_over(machine: Machine, version: str) -> None:
    _official(machine, version)
    assert engine.locate() is None


def test_a_cli_without_a_language_host_is_passed_over(machine: Machine) -> None:
    _official(machine, "v3.999.0", language_host=False)
    assert engine.locate() is None


def test_a_language_host_beside_what_a_symbolic_link_points_to_counts(machine: Machine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _official(machine, "v3.999.0")
    for name in ("pulumi", "pulumi-language-python"):
        (machine.bin / name).rename(elsewhere / name)
    (machine.bin / "pulumi").symlink_to(elsewhere / "pulumi")
    assert engine.locate() is not None


def test_the_built_engine_is_found_again_and_is_not_taken_for_the_user_s_own(
    machine: Machine, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install_go()
    built = engine.ensure(said.append)
    monkeypatch.setenv("PATH", f"{built.bin_dir}:{machine.bin}")  # as the sandbox's environment has it
    assert engine.locate() == built
    assert built.source == "built"
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.root / "another"))
    assert engine.locate() is None


def test_an_official_cli_that_appears_later_is_preferred_to_the_built_one(machine: Machine, said: list[str]) -> None:
    machine.install_go()
    engine.ensure(said.append)
    _official(machine, "v3.999.0")
    found = engine.ensure(said.append)
    assert found.source == "path"


def test_where_nothing_can_be_had_the_message_says_what_to_install(machine: Machine, said: list[str]) -> None:
    machine.install("uv", "#!/bin/sh\necho 'no route to any registry' >&2\nexit 2\n")
    with pytest.raises(EngineError) as caught:
        engine.ensure(said.append)
    message = str(caught.value)
    assert "no route to any registry" in message
    assert "https://www.pulumi.com/docs/iac/download-install/" in message
    assert "\n" not in message
    assert [path.name for path in machine.cache.iterdir() if not path.name.endswith(".lock")] == []


def test_a_network_that_never_answers_is_noticed_in_seconds(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert not network.official_answers()
        assert time.monotonic() - started < 5

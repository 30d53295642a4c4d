"""The verification as the step that pulumi-command runs: what it prints, on which stream, and its exit code."""

from __future__ import annotations

import json

import pytest

from tests.steps.aws_world import Connected, World
from tests.steps.starting import Starting
from tests.steps.verifying import request_of


def stdin_of(connected: Connected) -> str:
    """The request as the component writes it, secret included."""
    document = request_of(connected).model_dump(mode="json") | {"secret_access_key": connected.secret}
    return json.dumps(document)


def test_the_step_prints_a_report_without_secrets_and_exits_with_0(world: World, starting: Starting) -> None:
    connected = world.connect(prefix="raw")
    done = starting.run("verify", stdin_of(connected), world)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert set(report) == {"ok", "checks"}
    assert all(set(check) == {"name", "expected", "actual", "ok"} for check in report["checks"])
    assert connected.secret not in done.stdout


def test_the_step_exits_with_1_and_names_the_check_that_failed_last_and_in_one_line(
    world: World, starting: Starting
) -> None:
    connected = world.connect()
    world.also_grant(connected.role, "s3:DeleteObject", "*")
    done = starting.run("verify", stdin_of(connected), world)
    assert done.returncode == 1
    assert done.stdout == ""
    report, reason = done.stderr.splitlines()
    assert f"'driver-{world.tag}: delete': expected refused, got allowed" in reason
    assert json.loads(report)["ok"] is False
    assert connected.secret not in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "{}", '{"region": 7, "secret_access_key": "hush-hush"}'])
def test_a_bad_request_is_one_line_and_exit_code_1(text: str, world: World, starting: Starting) -> None:
    done = starting.run("verify", text, world)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The step's request on standard input is not valid at: ")
    assert done.stderr.count("\n") == 1
    assert "hush-hush" not in done.stderr


def test_a_setting_that_makes_no_sense_is_one_line_and_exit_code_1(world: World, starting: Starting) -> None:
    done = starting.run("verify", stdin_of(world.connect()), world, DATALOOP_STS_SETTLE_SECONDS="soon")
    assert done.returncode == 1
    assert "DATALOOP_STS_SETTLE_SECONDS" in done.stderr
    assert done.stderr.count("\n") == 1

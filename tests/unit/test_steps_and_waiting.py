"""The frame of the steps that run as programs, and the waiting for a world that settles."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from dataloop_sts import waiting
from dataloop_sts.errors import AwsError, InvalidSetting
from dataloop_sts.steps import frame

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Asked(frame.Request):
    """A request as a step may have one."""

    region: str
    secret_access_key: SecretStr
    count: int = 1


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What stands on standard input."""
    text = io.StringIO(f'{{"region": "eu-west-1", "secret_access_key": "{SECRET}"}}')
    monkeypatch.setattr("sys.stdin", text)
    return text


def test_a_step_gets_its_request_and_its_exit_code_is_passed_on(stdin: io.StringIO) -> None:
    seen: list[Asked] = []
    assert frame.run(Asked, lambda request: seen.append(request)) == 0
    assert seen[0].region == "eu-west-1"
    stdin.seek(0)
    assert frame.run(Asked, lambda request: 3) == 3


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "the request"),
        ("{", "the request"),
        ("[]", "the request"),
        (f'{{"secret_access_key": "{SECRET}"}}', "region"),
        (f'{{"region": 1, "secret_access_key": ["{SECRET}"]}}', "region, secret_access_key"),
        (f'{{"region": "r", "secret_access_key": "{SECRET}", "typo": 1}}', "typo"),
    ],
)
def test_a_bad_request_is_one_line_that_names_the_place_and_quotes_nothing(
    text: str, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert frame.run(Asked, lambda request: 0) == 1
    written = capsys.readouterr()
    assert written.err == f"The step's request on standard input is not valid at: {place}.\n"
    assert written.out == ""


@pytest.mark.usefixtures("stdin")
def test_an_error_of_a_step_is_one_line_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(request: Asked) -> None:
        raise AwsError(f"Cannot sign:\nsecret_access_key={request.secret_access_key.get_secret_value()} is wrong")

    assert frame.run(Asked, fail) == 1
    written = capsys.readouterr()
    assert written.err == "Cannot sign: secret_access_key=*** is wrong\n"


@pytest.mark.usefixtures("stdin")
def test_an_interrupted_step_says_so_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(request: Asked) -> None:
        raise KeyboardInterrupt

    assert frame.run(Asked, interrupt) == 1
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_step_is_run_by_a_constant_command_line() -> None:
    assert frame.command("key_description", "write") == "python -m dataloop_sts.key_description write"


def test_the_python_on_path_has_to_be_the_one_that_runs_the_program(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\n", encoding="utf-8")
    other.chmod(0o755)
    assert frame.python_problem(str(Path(sys.executable).parent)) is None
    assert str(other) in (frame.python_problem(str(tmp_path)) or "")
    assert "missing" in (frame.python_problem("") or "")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sleeps that were asked for; time passes by them alone."""
    sleeps: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: sum(sleeps))
    monkeypatch.setattr(time, "sleep", sleeps.append)
    return sleeps


def test_without_any_time_there_is_still_one_try(clock: list[float]) -> None:
    assert list(waiting.attempts(0)) == [1]
    assert clock == []


@pytest.mark.parametrize("seconds", [0.1, 1, 30, 120])
def test_tries_end_when_the_time_is_up_and_never_sleep_past_it(seconds: float, clock: list[float]) -> None:
    numbers = list(waiting.attempts(seconds))
    assert numbers == list(range(1, len(clock) + 2))
    assert sum(clock) == pytest.approx(seconds)
    assert max(clock) <= 5
    assert len(numbers) < 12 + seconds  # the waits grow, so the tries stay few


def test_waits_grow_and_differ(clock: list[float]) -> None:
    list(waiting.attempts(300))
    assert sum(clock[:3]) < 2
    assert len({round(wait, 6) for wait in clock}) > len(clock) / 2
    assert max(clock[-8:]) > 1


@pytest.mark.parametrize(("text", "seconds"), [("", 120.0), ("0", 0.0), ("2.5", 2.5), ("3600", 3600.0)])
def test_the_time_to_settle_is_two_minutes_or_what_the_environment_says(
    text: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", text)
    assert waiting.settle_seconds() == seconds


@pytest.mark.parametrize("text", ["-1", "soon", "3601", "inf", "nan", "1e9"])
def test_a_time_to_settle_that_makes_no_sense_is_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", text)
    with pytest.raises(InvalidSetting, match="DATALOOP_STS_SETTLE_SECONDS"):
        waiting.settle_seconds()

"""What a fleet shows on a terminal: one line that lives, whatever the terminal, and what failed above it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Shown, on_terminal

PROGRAM = Path(__file__).parent / "fleet_on_terminal.py"


def fleet(tmp_path: Path, count: int, parallel: int, seconds: float, **options: Any) -> Shown:
    return on_terminal(PROGRAM, str(tmp_path), str(count), str(parallel), str(seconds), **options)


def lines(shown: Shown) -> list[str]:
    """The states of the living line."""
    return [frame.rstrip() for frame in shown.frames if frame.startswith("refresh ") and "/100" in frame]


@pytest.mark.parametrize("columns", [40, 100])
def test_a_hundred_customers_are_one_line_that_counts_however_narrow_the_terminal(tmp_path: Path, columns: int) -> None:
    shown = fleet(tmp_path, 100, 25, 0.3, columns=columns)
    assert shown.code == 0, shown.raw
    states = lines(shown)
    assert max(map(len, states)) <= columns
    assert shown.most_lines_up <= 1  # the one that clears the line at the end
    counted = [int(state.split("/100")[0].split()[-1]) for state in states]
    assert counted == sorted(counted)
    assert counted[0] == 0 < counted[-1]
    assert any("failed  cust" in state for state in states)
    assert "customer-number-07: failed: AwsFailed: the bucket's name is taken" in shown.raw
    assert "refresh: 90 succeeded, 10 failed" in shown.raw


def test_an_encoding_without_the_characters_takes_nothing_but_looks(tmp_path: Path) -> None:
    shown = fleet(tmp_path, 20, 10, 0.1, columns=80, environment={"PYTHONIOENCODING": "latin-1:strict"})
    assert shown.code == 0, shown.raw
    assert "customer-number-07: failed: AwsFailed: the bucket's name is taken \\u2026" in shown.raw
    assert max(len(frame.rstrip()) for frame in shown.frames if frame.startswith("refresh -")) <= 80


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(tmp_path: Path) -> None:
    shown = fleet(tmp_path, 4, 2, 0.1, environment={"TERM": "dumb"})
    assert shown.code == 0, shown.raw
    assert "\x1b" not in shown.raw
    assert "customer-number-03: succeeded 22 create (0.1 s)" in shown.raw


def test_without_colours_the_line_lives_all_the_same(tmp_path: Path) -> None:
    shown = fleet(tmp_path, 4, 2, 0.3, environment={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[(\d+;)*3\d", shown.raw)  # no colour
    assert any("0 failed  customer-number-00, customer-number-01" in frame for frame in shown.frames)


def test_an_interrupt_says_what_happens_now_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    shown = fleet(tmp_path, 10, 2, 30, interrupt_at="0 failed")
    assert shown.code == 0, shown.raw
    assert "Interrupted: nobody further is begun, and who is running is ended cleanly." in shown.raw
    assert "refresh: 8 skipped, 2 interrupted" in shown.raw or "refresh: 2 interrupted, 8 skipped" in shown.raw
    assert shown.raw.rfind("\x1b[?25h") > shown.raw.rfind("\x1b[?25l")  # the cursor is there again

"""docs/policies.md tells of every policy, in the words of the policy itself."""

from __future__ import annotations

from pathlib import Path

from dataloop_sts import naming
from dataloop_sts.rules import resources, stack

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
_RULES = (*resources.RULES, *stack.RULES)


def test_the_page_lists_every_policy_and_no_other() -> None:
    first_table = _PAGE.partition("\n\nThe sandbox")[0]
    rows = [line for line in first_table.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(f"| `{rule.name}` | {rule.description} |" for rule in _RULES)


def test_the_page_names_every_setting_and_the_tags_that_are_wanted_without_one() -> None:
    for rule in resources.RULES:
        assert all(f'"{rule.name}": {{"{setting}":' in _PAGE for setting in rule.settings)
    assert all(f"`{key}`" in _PAGE for key in naming.OWN_TAG_KEYS)

"""docs/audit.md has every check of the code, and shows the policy that an auditor needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dataloop_sts.audit import CHECKS, SEVERITIES, Check, auditor_document
from dataloop_sts.spec import ConnectionSpec

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def shown(text: str) -> str:
    """A mend as the page has it: ``{up}`` is ``<up>``, as code."""
    pieces = text.split("`")
    pieces[1::2] = [_PLACEHOLDER.sub(r"<\1>", piece) for piece in pieces[1::2]]
    pieces[::2] = [_PLACEHOLDER.sub(r"`<\1>`", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def row(check: Check) -> str:
    """A check's row in the page's table."""
    return f"| `{check.id}` | {check.severity} | {check.finds} | {shown(check.mend)} |"


def test_the_page_lists_every_check_and_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| `[a-z-]+` \| \w+ \|", line)]
    assert sorted(rows) == sorted(map(row, CHECKS))


def test_the_checks_have_ids_of_their_own_and_severities_that_the_page_explains() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS) > 50
    assert {check.severity for check in CHECKS} == set(SEVERITIES)
    assert [severity for severity in SEVERITIES if f"| {severity} |" not in PAGE] == []


def test_the_page_shows_the_auditors_policy() -> None:
    spec = ConnectionSpec.parse(
        {
            "customer": "acme",
            "organization_id": "o",
            "aws": {"region": "eu-west-1", "account_id": "123456789012"},
            "drivers": [{"name": "acme-images", "project_id": "p", "bucket": {"name": "dataloop-acme-images"}}],
        },
        environment="prod",
    )
    (block,) = re.findall(r"```json\n(\{\n *\"Version\".*?)```", PAGE, re.DOTALL)
    assert json.loads(block) == auditor_document(spec, "prod", "123456789012")

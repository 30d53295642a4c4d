"""The documents that the program makes for every combination, each once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dataloop_sts import policies
from tests.least_privilege.combinations import Combination, valid_combinations


@dataclass
class Made:
    """A permission document, and the combinations for which it is made."""

    document: policies.Document
    combinations: list[Combination] = field(default_factory=list)


@pytest.fixture(scope="package")
def documents() -> list[Made]:
    """Every permission document that differs from the others."""
    by_text: dict[str, Made] = {}
    for combination, spec in valid_combinations():
        document = policies.permission_document(spec)
        by_text.setdefault(policies.canonical(document), Made(document)).combinations.append(combination)
    return list(by_text.values())

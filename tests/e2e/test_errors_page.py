"""docs/errors.md has every message that the program can print, word for word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.errors_page import page

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = sorted(
    path
    for package in ("dataloop_sts", "automation")
    for path in (_ROOT / package).rglob("*.py")
    if path.name not in ("policies.py", "redaction.py", "models.py")  # documents, patterns and shapes: see below
)
_SENTENCE_WORDS = 4
# Sentences that no mistake prints: what a log, a report or a listing says.
_NOT_ERRORS = {
    "%s %s: %s, %.3f s, attempt %d",
    "the login could not be renewed (status %s), logging in anew",
    "leads to the same state however often it is made",
    "makes another thing each time: repeated only where it surely did nothing",
    "DataLoop reads S3 over STS",
    "<> of <> checks hold.",
    "Permission policy of role <>",
    "Trust policy of role <>",
    "Policy of bucket <>",
    "datasets of driver <>",
    "Connection of stack <>",
}
_PATTERNS = re.compile(r"\(\w+( \w+)*\|")
_DESCRIBED_BY = ("description", "help", "epilog", "title")


def _is_on_the_page(sentence: str) -> bool:
    """Whether the page has it, with whatever stands there in the places of its values."""
    literal = [" ".join(part.split()) for part in re.split(r"<>|\{resource\}", sentence.replace("`", ""))]
    return re.search(".{0,80}?".join(map(re.escape, literal)), " ".join(page().split())) is not None


def _sentences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    passed_over: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
            passed_over.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg in _DESCRIBED_BY:
            passed_over |= {id(each) for each in ast.walk(node.value)}
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(value) for value in node.values}
        if id(node) in passed_over:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(v.value) if isinstance(v, ast.Constant) else "<>" for v in node.values)


@pytest.mark.parametrize("source", _SOURCES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_every_sentence_that_the_source_can_print_is_on_the_page(source: Path) -> None:
    missing = [
        f"{source.name}:{line}: {sentence}"
        for line, sentence in _sentences(ast.parse(source.read_text(encoding="utf-8")))
        if len(sentence.split()) >= _SENTENCE_WORDS
        and sentence not in _NOT_ERRORS
        and not _PATTERNS.search(sentence)
        and not _is_on_the_page(sentence)
    ]
    assert missing == []


def test_sentences_are_found_in_the_source() -> None:
    found = [sentence for source in _SOURCES for _, sentence in _sentences(ast.parse(source.read_text()))]
    assert sum("The sandbox does not answer" in sentence for sentence in found) == 1

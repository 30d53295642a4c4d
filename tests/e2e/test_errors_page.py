"""docs/errors.md has every message that the program can print, word for word."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.errors_page import assert_refused, assert_told, page
from tests.e2e.harness import Project

_ROOT = Path(__file__).resolve().parents[2]
_TELL_REVIEWERS = (
    "risks_of_documents.py",
    "differences.py",
    "markdown.py",
    "risks.py",
    "risks_of_permissions.py",
    "risks_of_spec.py",
    "risks_of_steps.py",
)
# What the audit finds is on docs/audit.md, and what the policies want on docs/policies.md: each has a test of its own.
# Of what the summary of a pull request says, docs/examples has some.
_SOURCES = sorted(
    path
    for package in ("dataloop_sts", "automation")
    for path in (_ROOT / package).rglob("*.py")
    if path.parent not in (_ROOT / "dataloop_sts" / "audit", _ROOT / "dataloop_sts" / "rules")
    and not (path.parent.name == "pull_request" and path.name in _TELL_REVIEWERS)
    and path not in [_ROOT / "dataloop_sts" / "adoption" / name for name in ("dangers.py", "rows.py")]
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
    "Audit of <> in <>, AWS account <>",
    "Connection of <> in <>, AWS account <>",
    "as the spec says",
    "# Dataloop credentials: <>",
    "those of the shell",
    "It cannot be adopted like this.",
    "It can be adopted: --apply does it.",
    "Everything is the stack's already.",
    "what becomes of it",
    "The connection of <> is adopted.<>",
    " What stays is yours to mend: <>.",
    "<> of <> checks are clean; <>.",
    "<> is written. Go on with: pulumi preview --stack <>",
    "Destroy the connection of <> in <>?",
    "# Run once in the customer's account, then again whenever the record changes what it names:",
    "# aws cloudformation deploy --stack-name <> --region <> --capabilities CAPABILITY_NAMED_IAM --template-file FILE",
    "The external id was made now, and is kept nowhere: write it into the record.",
    "The record needs:\n<>",
    "Role with which dataloop-sts connects buckets of <> to Dataloop (<>)",
    "# The connection of <> in <>. What is left out comes from _defaults.yaml beside it.",
    "    allow_delete: <>   # whether Dataloop may delete objects",
    "    bucket: {existing: <>}   # it is there, and stays as it is",
    "    bucket: {name: <>}   # made and managed by the connection",
    "    prefix: <>   # the connection reaches this folder alone",
    "    # prefix: raw/   # would limit the connection to a folder",
    "  account_id: <>   # no other account is ever touched",
    "# <>: stack <><>",
    "<>, <> to <>: <> unchanged",
    "by the program or settings",
    "<> is written. Go on with: dataloop-sts -e <> preview <>",
    "Resource monitor has terminated, shutting down",
    "created by (?P<who>\\S+) \\(pid (?P<pid>\\d+)\\) at (?P<since>\\S+)",
    "on_event raised and is not called again",
    "module <> has no attribute <>",
    "View (?:Live|in Browser)[^:]*: (https://\\S+)",
    'running "python -m dataloop_sts\\.(?P<step>\\w+)":\\n(?P<said>.*)',
    "resource '[^']*' has a problem: (?P<what>.*)",
    "The verification failed at '(?P<check>.+?)': ",
    "Another update is (currently )?in progress|\\[409\\] Conflict",
    "Dataloop: |(The )?Dataloop |DATALOOP_|The sandbox ",
    "api error (?P<provider>\\w+)|Cannot [^:]+: (?P<ours>[A-Z]\\w+): ",
    "AWS( credentials)?: Cannot ",
    "incorrect passphrase|passphrase must be set",
    "failed to load checkpoint: .*unexpected end of JSON input",
    "failed to load checkpoint: .*EOF",
    "dataloop-sts pr preview --json",
    "not fully looked at",
    "no space left on device|disk quota exceeded|file too large",
    'unable to open state directory|read "\\.pulumi/meta\\.yaml"|unable to check if bucket',
}
_STEP = 'exit status 1: running "python -m dataloop_sts.<step>":'
_SANDBOX_ERRORS = ("SandboxError", "EngineError")
_PATTERNS = re.compile(r"\(\w+( \w+)*\|")
_DESCRIBED_BY = ("description", "example", "help", "epilog", "title")


def _is_on_the_page(sentence: str) -> bool:
    """Whether the page has it, with whatever stands there in the places of its values."""
    literal = [" ".join(part.split()) for part in re.split(r"<>|\{resource\}", sentence.replace("`", ""))]
    between = ".{0,80}?".join(re.escape(part) for part in literal if part)
    return re.search(between, _page_on_one_line()) is not None


@functools.cache
def _page_on_one_line() -> str:
    return " ".join(page().split())


def _sentences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    passed_over: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
            passed_over.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg in _DESCRIBED_BY:
            passed_over |= {id(each) for each in ast.walk(node.value)}
        if isinstance(node, ast.FormattedValue) and node.format_spec:
            passed_over |= {id(each) for each in ast.walk(node.format_spec)}
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


def _sandbox_errors() -> Iterator[str]:
    for source in sorted((_ROOT / "sandbox").rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SANDBOX_ERRORS:
                yield from (f"{source.name}: {sentence}" for _, sentence in _sentences(node))


def test_every_error_of_the_sandboxs_commands_is_on_the_page() -> None:
    errors = list(_sandbox_errors())
    assert len(errors) > 20
    assert [error for error in errors if not _is_on_the_page(error.partition(": ")[2])] == []


def test_sentences_are_found_in_the_source() -> None:
    found = [sentence for source in _SOURCES for _, sentence in _sentences(ast.parse(source.read_text()))]
    assert sum("The sandbox does not answer" in sentence for sentence in found) == 1


def test_what_fails_in_the_middle_and_a_destroy_that_is_refused_are_on_the_page(
    project: Project, tmp_path: Path
) -> None:
    project.up().ok()
    world, s3, role_arn = project.world, project.world.client("s3"), project.outputs()["role_arn"]
    project.extra = {"DATALOOP_STS_SETTLE_SECONDS": "0"}

    world.fault("GET", "/drivers/.*/test$", status=400, times=9)
    project.spec["drivers"][0]["prefix"] = "raw/"
    failed = project.up().refused()
    assert_told(
        failed.output, "error: dataloop_sts.errors.<class>: <message>", "Dataloop's TEST of <driver> <when> failed"
    )
    assert_told(failed.output, "after its update", "The driver was changed back.")
    world.clear_faults()

    policy = json.loads(s3.get_bucket_policy(Bucket=project.bucket)["Policy"])
    place = f"arn:aws:s3:::{project.bucket}/*"
    deny = {"Effect": "Deny", "Principal": {"AWS": role_arn}, "Action": "s3:PutObject", "Resource": place}
    policy["Statement"].append(deny)
    s3.put_bucket_policy(Bucket=project.bucket, Policy=json.dumps(policy))
    project.spec["drivers"][0]["prefix"] = "cooked/"
    message = (
        "The verification failed at '<check>': expected <outcome>, got <outcome>. <number> of <number> checks hold. If "
        "IAM is slow to settle, run again."
    )
    assert_told(project.up().refused().output, _STEP, message)

    s3.put_object(Bucket=project.bucket, Key="precious", Body=b"")
    losses = "bucket <name> would be deleted and holds <number> object"
    message = (
        "The destroy of <customer> is refused, nothing was touched: <losses>. Move what is to be kept. To go on and "
        "lose it, set DATALOOP_STS_CONFIRM_DELETE=<customer> for this one run."
    )
    assert_refused(project, project.destroy, _STEP, losses, message)

    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    project.extra = {"PATH": f"{tmp_path}:{project.environment['PATH']}"}
    assert_refused(project, project.destroy, _STEP, "No module named 'dataloop_sts'")

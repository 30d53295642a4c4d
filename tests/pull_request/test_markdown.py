"""The summary says first what matters, tells the same once, stays within a comment, and lets nothing in it work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from automation.pull_request.changes import Change
from automation.pull_request.markdown import markdown
from automation.results import Step
from dataloop_sts.errors import Problem
from tests.pull_request.synthetic import POLICY, report, row, spec

_OURS = {"<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>"}
_NOTHING = {"counts": {"same": 22}, "steps": ()}


def _tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def _shown(text: str) -> str:
    """What a reader sees."""
    return "".join(each.content if each.type in ("text", "code_inline") else " " for each in _tokens(text))


def test_the_first_line_is_the_verdict() -> None:
    risky = row("acme", "bucket dataloop-acme would be replaced")
    failed = row("globex", error=("AwsFailed", "no"), counts={}, steps=())
    said = {
        "🟢 No changes in `prod`: nothing would change": report(row("acme", **_NOTHING)),
        "🟡 Changes in `prod`: 2 customers would change, nothing risky": report(row("acme"), row("globex")),
        "🔴 Risky changes in `prod`: 1 of 2 customers risky": report(risky, row("globex")),
        "❌ Failed previews in `prod`: 1 of 2 customers failed; 1 of 2 customers risky": report(risky, failed),
        "🟡 Unknown changes in `prod`: 1 of 1 customer not fully looked at": report(
            row("acme", counts={}, steps=(), missing=("no AWS credentials",))
        ),
    }
    assert [markdown(each, "x.json").splitlines()[0] for each in said.values()] == [f"## {line}" for line in said]


def test_previews_that_are_not_by_the_new_code_say_so_in_the_first_line() -> None:
    of_records = markdown(report(row("acme"), program=("dataloop_sts/policies.py",)), "x.json")
    assert of_records.splitlines()[0].endswith("not by the changed program")
    assert "`dataloop_sts/policies.py`" in of_records
    by_new_code = markdown(report(row("acme"), program=("dataloop_sts/policies.py",), head=None), "x.json")
    assert "not by the changed program" not in by_new_code


def test_only_what_is_risky_is_told_in_words_and_the_rest_is_folded() -> None:
    text = markdown(report(row("acme", "may now s3:DeleteObject on arn:aws:s3:::dataloop-acme/*"), row("calm")), "x")
    table, _, rest = text.partition("### Risky")
    open_part, _, folded = rest.partition("<details>")
    assert "| **`acme`** | changed |  | 1 |  |  | **1 risky** |" in table
    assert "- may now `s3:DeleteObject` on `arn:aws:s3:::dataloop-acme/*`" in open_part
    assert "calm" not in open_part
    assert "update `policy` (Policy): `policy`" in folded and "calm" in folded
    assert "7 customers unchanged" in text


def test_customers_to_whom_the_same_happens_are_told_once_and_who_differs_stands_alone() -> None:
    names = [f"c{number:02}" for number in range(40)]
    rows = [
        row(
            name,
            f"may now s3:DeleteObject on arn:aws:s3:::dataloop-{name}/*",
            steps=(replace(POLICY, documents=("{}", f'{{"Id": "{name}"}}')),),
        )
        for name in names
    ]
    other = row("other", "may now s3:DeleteObject on arn:aws:s3:::dataloop-c00/*")
    text = markdown(report(*rows, other), "x.json")
    assert text.count("`s3:DeleteObject`") == 2
    assert "**40 customers**: `c00`, `c01`, `c02` and 37 more" in text
    assert "`arn:aws:s3:::BUCKET/*`" in text and "`arn:aws:s3:::dataloop-c00/*`" in text
    assert all(f"`{name}`" in text for name in names)


def test_a_bucket_that_is_new_to_a_customer_is_never_put_in_general_words() -> None:
    def moved(name: str, bucket: str) -> Change:
        return Change("changed", name, before=spec(name), after=spec(name, bucket=bucket))

    rows = [
        row(name, f"bucket {bucket} instead", change=moved(name, bucket))
        for name, bucket in (("a1", "dataloop-a1-new"), ("a2", "dataloop-a2-new"), ("a3", "somebody-elses"))
    ]
    new = [row(name, f"reads {bucket}", kind="added") for name, bucket in (("n1", "theirs"), ("n2", "others"))]
    text = _shown(markdown(report(*rows, *new), "x.json"))
    assert "bucket dataloop-CUSTOMER-new instead" in text
    assert "bucket somebody-elses instead" in text
    assert "reads theirs" in text and "reads others" in text


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("wide", ["x", "漢字", "🪣|`<"])
def test_500_customers_are_one_comment_that_says_what_was_cut(alike: bool, wide: str) -> None:
    def of(number: int) -> str:
        return "" if alike else f"{number}"

    rows = [
        row(
            f"customer-{number:03}",
            *(f"{wide}{of(number)} is widened to s3:Thing{each} on arn:aws:s3:::bucket" for each in range(12)),
            steps=tuple(Step(f"{wide}-{each}{of(number)}", "aws:s3/bucket:Bucket", "update") for each in range(9)),
        )
        for number in range(500)
    ]
    files = tuple("|" * 600 + str(number) for number in range(9))
    text = markdown(report(*rows, program=files, settings=files), "preview.json")
    assert len(text.encode()) < 65_536
    assert text.startswith("## 🔴 Risky changes in `prod`: 500 of 500 customers risky")
    assert text.count("<details>") == text.count("</details>") == 1
    if alike:
        assert text.count("`s3:Thing7`") == 1 and "customer-499" not in text.partition("<details>")[0]
    else:
        assert re.search(r"… and 4\d\d more, told in `preview\.json`: `customer-\d{3}`, ", text)
    assert text == markdown(report(*reversed(rows), program=files, settings=files), "preview.json")


_HOSTILE = [
    "</details></code><img src=x onerror=alert(1)>",
    "`` ` ``` | cell | [click](https://evil.example) ![i](https://evil.example/i.png)",
    "@octocat @org/team octo/repo#1 #17 GH-5 https://evil.example www.evil.example a@evil.example",
    "<!-- hidden --> <https://evil.example> &lt;script&gt; $`x`$ ~~gone~~ **bold** _it_ \\| |",
    "line\n\n# heading\n- item\n\r\n| a |\n<details>",
    "gnp.exe\u202egpj \x1b[31m\x07",
    "- ---",
    "1. # one",
]


@pytest.mark.parametrize("hostile", _HOSTILE)
def test_what_a_record_says_is_shown_and_does_nothing(hostile: str) -> None:
    step = Step(hostile, "a:b:C", "update", (hostile,))
    problem = Problem("customers/prod/x.yaml:1: drivers", hostile)
    rows = [
        row("acme", hostile, steps=(step,), missing=(hostile,)),
        row("globex", error=("RecordError", str(problem)), counts={}, steps=()),
        row("name", change=Change("added", hostile)),
    ]
    text = markdown(report(*rows, program=(hostile,)), hostile)
    tokens = list(_tokens(text))
    found = {tag for token in tokens if token.type.startswith("html") for tag in re.findall(r"<[^>]*>?", token.content)}
    assert found <= _OURS
    kinds = {token.type for token in tokens}
    assert not kinds & {"ordered_list_open", "link_open", "image", "fence", "code_block", "hr", "em_open", "s_open"}
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2", "h3", "h3", "h3"]
    columns = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(columns) == {8}
    assert not re.search(r"@\w|#\d|://|www\.|(?i:gh)-\d|[\x00-\x09\x0b-\x1f\u202e]", _outside_code(tokens))


def _outside_code(tokens: list[Token]) -> str:
    """The text in which GitHub looks for mentions, references and addresses."""
    said, depth = [], 0
    for token in tokens:
        if token.type == "html_inline":
            depth += {"<code>": 1, "</code>": -1}.get(token.content, 0)
        elif token.type in ("text", "softbreak") and not depth:
            said.append(token.content or "\n")
    return "".join(said)


def test_what_is_shown_of_a_harmless_text_is_the_text() -> None:
    text = "2 < 3 & the role's policy (AllowListBucket) may [not] cost 5$ *or* s3:* on arn:aws:s3:::b/raw/*, a|b."
    assert text in _shown(markdown(report(row("acme", text)), "x.json"))


def test_a_secret_is_never_shown() -> None:
    said = "the login failed: password=hunter2hunter2 token=eyJhbGciOiJIUzI1NiJ9.e30.abc"
    text = markdown(report(row("acme", said, error=("AwsFailed", said), missing=(said,))), "x.json")
    assert "hunter2" not in text and "eyJ" not in text


def test_a_removed_and_a_renamed_customer_have_no_counts() -> None:
    renamed = Change("renamed", "globex", former="acme", before=spec("acme"), after=spec("globex"))
    rows = [
        row("gone", "its stack stays", kind="removed", counts={}, steps=()),
        row("globex", "acme's stack stays", change=renamed, counts={"create": 22}, steps=(POLICY,)),
    ]
    text = markdown(report(*rows), "x.json")
    assert "| **`gone`** | removed |  |  |  |  | **1 risky** |" in text
    assert "| **`globex`** (was `acme`) | renamed | 22 |  |  |  | **1 risky** |" in text

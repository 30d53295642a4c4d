"""The summary for a pull request, as GitHub's Markdown within the size of one comment.

First the verdict, then who changes, then what is risky in words; details are folded. What has no room is counted, and
named as far as there is room for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from automation.pull_request.differences import Difference
from automation.pull_request.document import KINDS, Report
from automation.pull_request.escaping import code, prose
from automation.pull_request.groups import Group, Same, groups
from automation.pull_request.preview import Previewed
from automation.results import SAME, Step

LIMIT = 64_000
"""Bytes of UTF-8 at most, with room for the comment's marker: whatever GitHub counts, 65,536 of it are not reached.

Its message speaks of 65,536 characters; measured were 65,536 code points of a pull request's text, and 262,144 bytes
of a comment: https://github.com/dead-claudia/github-limits/pull/13
"""
_ITEM = 6_000  # bytes of what is said of one group
_NAMES = 2_000  # bytes of a list of names
_SHOWN = 3  # names that stand for a group
_FILES, _FILE = 5, 100  # names of files, and characters of one
_WORDS = {"added": "new", "program": "by the program"}
_SYMBOLS = {"clean": "🟢", "changes": "🟡", "risky": "🔴", "failed": "❌"}


def markdown(report: Report, rest: str) -> str:
    """The summary.

    Args:
        report: what came of the previews.
        rest: where everything is: the name of the JSON file, which CI keeps as an artifact.
    """
    found = groups(report.rows)
    head = _head(report, rest)
    # in the order of importance, with the share that each may take of what the ones before it have left
    sections = {
        "risky": (_Section("### Risky", _told(found, lambda same: same.risky)), 0.55),
        "failed": (_Section("### Failed", _told(found, _error)), 0.6),
        "table": (_Section(_TABLE, [(group, _table_row(group)) for group in found], between="\n"), 0.6),
        "missing": (_Section("### Not looked at", _told(found, lambda same: same.missing)), 0.6),
        "details": (_Section(_OPEN, _details(found), end=_CLOSE), 1.0),
    }
    texts, left = {}, LIMIT - _size(head)
    for name, (section, share) in sections.items():
        texts[name] = section.within(int(left * share), rest)
        left -= _size(texts[name])
    return "".join([head, *(texts[name] for name in ("table", "risky", "failed", "missing", "details"))])


_TABLE = (
    f"| customer | change | {' | '.join(kind for kind in KINDS if kind != SAME)} | attention |\n"
    f"|---|---|{'---:|' * (len(KINDS) - 1)}---|"
)
_OPEN = "<details><summary>Every value that differs, and every step</summary>"
_CLOSE = "\n</details>\n"


@dataclass(frozen=True)
class _Section:
    """A part of the page: each item is of a group; those without room are counted and named."""

    title: str
    items: Sequence[tuple[Group, str]]
    between: str = "\n\n"
    end: str = ""

    def within(self, budget: int, rest: str) -> str:
        """The part, in no more bytes than that."""
        if not self.items:
            return ""
        left = budget - _size(self.title) - _size(self.end) - _NAMES - 200
        shown: list[str] = []
        for _, text in self.items:
            left -= _size(text) + len(self.between)
            if left < 0:
                break
            shown.append(text)
        cut = [row for group, _ in self.items[len(shown) :] for row in group.rows]
        first = "\n" if self.between == "\n" else "\n\n"
        body = "".join([self.title, first, self.between.join(shown)]) if shown else self.title
        more = f"\n\n… and {len(cut):,} more, told in {code(rest)}: {_names(cut, _NAMES)}" if cut else ""
        return f"\n{body}{more}\n{self.end}"


def _head(report: Report, rest: str) -> str:
    changes = report.changes
    base, head = changes.base[:10], changes.head[:10] if changes.head else "the working tree"
    lines = [
        f"## {_SYMBOLS[report.verdict]} {_verdict(report)}",
        f"{prose(base)} → {prose(head)}; {_customers(changes.unchanged)} unchanged. Everything is in {code(rest)}.",
    ]
    if changes.program:
        lines.append(f"**The program changed**, so it touches everybody: {_files(changes.program)}.")
    if changes.settings:
        lines.append(f"**Settings changed**: {_files(changes.settings)}.")
    if report.not_by_new_code:
        lines.append("**These previews are by the base's program and settings, not by the changed ones.**")
    if changes.elsewhere:
        lines.append(
            f"Files of other environments changed too, which are not looked at here: {_files(changes.elsewhere)}."
        )
    return "\n\n".join(lines) + "\n"


def _verdict(report: Report) -> str:
    where, total = code(report.changes.environment), len(report.rows)
    parts = []
    if report.failed:
        parts.append(f"{len(report.failed):,} of {_customers(total)} failed")
    if report.risky:
        parts.append(f"{len(report.risky):,} of {_customers(total)} risky")
    if report.verdict == "changes" and report.changed:
        parts.append(f"{_customers(len(report.changed))} would change, nothing risky")
    if report.verdict == "clean":
        parts.append("nothing would change")
    if report.incomplete:
        parts.append(f"{len(report.incomplete):,} of {_customers(total)} not fully looked at")
    if report.not_by_new_code:
        parts.append("not by the changed program")
    title = _TITLES[report.verdict] if report.changed or report.verdict != "changes" else "Unknown changes"
    return f"{title} in {where}: {'; '.join(parts)}"


_TITLES = {"clean": "No changes", "changes": "Changes", "risky": "Risky changes", "failed": "Failed previews"}


def _table_row(group: Group) -> str:
    same = group.what
    numbers = [f"{count:,}" if count else "" for kind, count in same.counts if kind != SAME]
    looked = [
        *(["**failed**"] if same.error else []),
        *([f"**{len(same.risky)} risky**"] if same.risky else []),
        *(["not fully looked at"] if same.missing else []),
    ]
    change = _WORDS.get(same.kind, same.kind)
    each = " (each)" if len(group.rows) > 1 and any(numbers) else ""
    return f"| {_label(group)}{each} | {change} | {' | '.join(numbers)} | {', '.join(looked)} |"


def _told(found: Iterable[Group], which: Callable[[Same], Iterable[str]]) -> list[tuple[Group, str]]:
    told = [(group, list(which(group.what))) for group in found]
    return [(group, _item(group, [prose(text) for text in texts])) for group, texts in told if texts]


def _error(same: Same) -> list[str]:
    return [f"{same.error[0]}: {same.error[1]}"] if same.error else []


def _details(found: Iterable[Group]) -> list[tuple[Group, str]]:
    said = ((group, list(_lines(group.what))) for group in found)
    return [(group, _item(group, lines, all_names=True)) for group, lines in said if lines or len(group.rows) > _SHOWN]


def _lines(same: Same) -> Iterator[str]:
    yield from map(prose, same.notes)
    yield from map(_difference, same.differing)
    yield from map(_step, same.steps)


def _difference(each: Difference) -> str:
    before, after = (code(value) if value else "nothing" for value in (each.before, each.after))
    return f"{code(each.path)}: {f'{before} → ' if each.before is not None else ''}{after}"


def _step(step: Step) -> str:
    differing = f": {', '.join(map(code, step.properties))}" if step.properties else ""
    return f"{step.operation} {code(step.resource)} ({prose(step.type.rpartition(':')[2])}){differing}"


def _item(group: Group, lines: Sequence[str], *, all_names: bool = False) -> str:
    """What is said of one group, as a list."""
    shown, left = [f"{_label(group)}:"], _ITEM
    for line in lines:
        left -= _size(line) + 3
        if left < 0:
            shown.append(f"- … and {len(lines) - len(shown) + 1:,} more")
            break
        shown.append(f"- {line}")
    if all_names and len(group.rows) > _SHOWN:
        shown.append(f"- these are {_names(group.rows, _NAMES)}")
    return f"{shown[0]}\n\n" + "\n".join(shown[1:])


def _label(group: Group) -> str:
    if len(group.rows) > 1:
        names = ", ".join(map(_name, group.rows[:_SHOWN]))
        left = len(group.rows) - _SHOWN
        return f"**{len(group.rows):,} customers**: {names}{f' and {left:,} more' if left > 0 else ''}"
    row = group.rows[0]
    former = f" (was {code(row.change.former)})" if row.change.former else ""
    return f"**{_name(row)}**{former}"


def _name(row: Previewed) -> str:
    return code(f"stack {row.stack}" if row.change.own_stack else row.change.customer)


def _names(rows: Sequence[Previewed], budget: int) -> str:
    shown: list[str] = []
    for row in rows:
        budget -= _size(_name(row)) + 2
        if budget < 0:
            return f"{', '.join(shown)} and {len(rows) - len(shown):,} more"
        shown.append(_name(row))
    return ", ".join(shown)


def _files(names: Sequence[str]) -> str:
    left = len(names) - _FILES
    shown = (name if len(name) <= _FILE else f"…{name[-_FILE:]}" for name in sorted(names)[:_FILES])
    return ", ".join(map(code, shown)) + (f" and {left:,} more" if left > 0 else "")


def _customers(count: int) -> str:
    return f"{count:,} customer{'' if count == 1 else 's'}"


def _size(text: str) -> int:
    return len(text.encode())

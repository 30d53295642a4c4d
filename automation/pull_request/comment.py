"""Keeps one comment on a pull request: made once, found again by a mark that nobody sees, and edited from then on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from automation.errors import RecordError
from automation.pull_request.github import Comment, CommentFailed, PullRequest
from dataloop_sts.errors import Problem
from dataloop_sts.redaction import redact

LIMIT = 65_536
"""Characters that GitHub takes in a comment: https://github.com/dead-claudia/github-limits"""


@dataclass(frozen=True)
class Kept:
    """What became of the comment; ``removed`` counts other ones of ours that were there too.

    ``none``: there is none, and none was to be made; then it has no ``url``.
    """

    url: str
    action: Literal["created", "edited", "unchanged", "none"]
    removed: int = 0


def body_of(environment: str, markdown: Path) -> str:
    """The comment's text: the mark of the environment, then what is in the file, without secrets.

    Raises:
        RecordError: the file cannot be read, is empty, or has more than GitHub takes.
    """
    try:
        text = markdown.read_text("utf-8")
    except OSError as error:
        raise _mistake(markdown, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _mistake(markdown, "is not UTF-8: give the file that `pr preview --markdown` has written") from None
    if not text.strip():
        raise _mistake(markdown, "is empty: the preview has not come to its end, so look at what it says")
    body = f"{_mark(environment)}\n{redact(text).strip()}\n"
    if len(body) > LIMIT:
        what = f"has {len(body):,} characters with the mark, GitHub takes {LIMIT:,} in a comment: shorten it"
        raise _mistake(markdown, what)
    return body


def keep(pull_request: PullRequest, body: str, *, edit_only: bool = False) -> Kept:
    """Makes the comment, or edits the one that is there; of several the oldest stays, the others are removed.

    A comment is ours where its author is the token's user and it *begins* with our mark: somebody else may paste the
    mark, and another workflow of the same user may quote it. Others' are never touched, though the token could.
    Two runs at once may both make one; each looks again after that, and both come to keep the same.

    Args:
        pull_request: the conversation.
        body: as :func:`body_of` gives it.
        edit_only: make none where there is none, such as for a change that is about nobody.

    Raises:
        CommentFailed: GitHub refused or did not answer.
    """
    mark, login = body.partition("\n")[0], pull_request.login()

    def ours() -> list[Comment]:
        found = (each for each in pull_request.comments() if each.author == login and _first_line(each.body) == mark)
        return sorted(found, key=lambda comment: comment.id)

    there, made = ours(), None
    if not there and edit_only:
        return Kept("", "none")
    if not there:
        made = _made(pull_request, body)
        there = ours() or ([made] if made else [])  # what was just made may not be listed yet
    if not there:
        raise CommentFailed("GitHub did not say whether it made the comment, and it is not there: run again.")
    first, *others = there
    action: Literal["created", "edited", "unchanged"] = "created" if made else "unchanged"
    if not _same(first.body, body):
        first, action = pull_request.edit(first, body), "edited"
    for other in others:
        pull_request.remove(other)
    return Kept(first.url, action, len(others))


def _made(pull_request: PullRequest, body: str) -> Comment | None:
    """The new comment; None where GitHub may or may not have made it."""
    try:
        return pull_request.make(body)
    except CommentFailed as error:
        if error.in_doubt:
            return None
        raise


def _mark(environment: str) -> str:
    return f"<!-- dataloop-sts: preview of {environment} -->"


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()


def _same(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.strip()


def _mistake(file: Path, what: str) -> RecordError:
    return RecordError("There is nothing to comment:", [Problem(str(file), what)])

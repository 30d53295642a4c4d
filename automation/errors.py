"""What can go wrong with a stack, beside what the connection itself tells."""

from __future__ import annotations

from dataloop_sts.errors import DataloopStsError, Problem


class StackError(DataloopStsError):
    """The engine could not read or change the stack."""


class NoSuchStack(StackError):  # noqa: N818
    """The backend has no stack of this name: no connection was made yet."""


class StackLocked(StackError):  # noqa: N818
    """Another run holds the stack's lock, or one that was killed left it."""


class RecordError(DataloopStsError):
    """A customer's record, or a file beside it, has mistakes; all of them are in ``problems``.

    Args:
        heading: which files, in words.
        problems: each with its place: file, line and path.
    """

    def __init__(self, heading: str, problems: list[Problem]) -> None:
        self.heading = heading
        self.problems = problems
        super().__init__(f"{heading} {'; '.join(map(str, problems))}")

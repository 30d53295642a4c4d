"""What can go wrong with a stack or a record: one tree, so that a caller can tell who has to do something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dataloop_sts.errors import DataloopStsError, Problem
from dataloop_sts.spec import ConnectionSpec


class StackError(DataloopStsError):
    """A command on a stack failed; the subclass says whose matter it is."""


class NoSuchStack(StackError):  # noqa: N818
    """The backend has no stack of this name: no connection was made yet."""


class StackLocked(StackError):  # noqa: N818
    """Another run holds the stack, or one that was killed left its lock.

    Attributes:
        who: ``user@host`` of that run; None where the backend does not say.
        since: when it took the stack; None likewise.
        pid: its process; None likewise.
    """

    def __init__(
        self, message: str, *, who: str | None = None, since: datetime | None = None, pid: int | None = None
    ) -> None:
        super().__init__(message)
        self.who, self.since, self.pid = who, since, pid


class SpecRefused(StackError):  # noqa: N818
    """The spec in the stack's settings is not valid: mend it."""


class Refused(StackError):  # noqa: N818
    """The preflight or the guard refused, before anything was touched.

    Attributes:
        problems: each mistake or loss, in words.
    """

    def __init__(self, message: str, problems: Sequence[str]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class PolicyViolated(StackError):  # noqa: N818
    """A mandatory policy refused: in a preview, or in an update before the resource in question was made.

    Attributes:
        policies: the names of the policies, each once.
        problems: what each found, in words.
    """

    def __init__(self, message: str, policies: Sequence[str], problems: Sequence[str]) -> None:
        super().__init__(message)
        self.policies = tuple(policies)
        self.problems = tuple(problems)


class AwsFailed(StackError):  # noqa: N818
    """A call of AWS failed; ``code`` is AWS's own, such as ``AccessDenied``, where the message has it."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class DataloopFailed(StackError):  # noqa: N818
    """A call of Dataloop failed; ``kind`` is the class in ``dataloop_sts.errors``, such as ``Forbidden``, if known."""

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind


class VerificationFailed(StackError):  # noqa: N818
    """A real call did not do what it must, or was not refused; ``check`` says which, such as ``acme-images: put``."""

    def __init__(self, message: str, check: str) -> None:
        super().__init__(message)
        self.check = check


class EngineFailed(StackError):  # noqa: N818
    """Pulumi's engine, its backend or its plugins failed, such as for a wrong passphrase."""


class Interrupted(StackError):  # noqa: N818
    """The run was ended by :meth:`Connection.cancel`, or by an interrupt; the same command goes on with it."""


class TimedOut(StackError):  # noqa: N818
    """The run did not end in time and was ended; ``seconds`` is the limit that it had."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class RotationStopped(StackError):  # noqa: N818
    """A rotation failed or was interrupted; it is gone on with by the same command.

    Attributes:
        spec: what the connection is to be from now on, as in :class:`Rotation`.
        reason: the error that stopped it.
    """

    def __init__(self, message: str, spec: ConnectionSpec, reason: BaseException) -> None:
        super().__init__(message)
        self.spec, self.reason = spec, reason


class RecordError(DataloopStsError):
    """A customer's record, or a file beside it, has mistakes; all of them are in ``problems``.

    Args:
        heading: which files, in words.
        problems: each with its place: file, line and path.
        labels: the record's labels, by which a selection finds a broken record too; None where nothing could be read.
    """

    def __init__(self, heading: str, problems: list[Problem], labels: Mapping[str, str] | None = None) -> None:
        self.heading = heading
        self.problems = problems
        self.labels = None if labels is None else dict(labels)
        super().__init__(f"{heading} {'; '.join(map(str, problems))}")


class NoCredentials(RecordError):  # noqa: N818
    """The Dataloop credentials of an organization are not where the environment's settings say; nothing was begun."""

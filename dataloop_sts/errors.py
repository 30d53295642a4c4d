"""The one small tree of errors; each says what happened, to which resource, and what to do next.

``str(error)`` is always a single line, free of secrets and control characters, fit to be shown to a user without a
traceback. Everything that this project raises on purpose is a :class:`DataloopStsError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from dataloop_sts.redaction import one_line, redact

CONSOLE_URL = "https://console.dataloop.ai"


_Kind = TypeVar("_Kind", bound="DataloopError")


class DataloopStsError(Exception):
    """Base of every error of this project.

    Args:
        message: what happened, to which resource, and what to do next; made one line and redacted.

    Attributes:
        bad_input: whether it is a mistake in what was asked for, for which nothing was begun.
    """

    bad_input = False

    def __init__(self, message: str) -> None:
        super().__init__(one_line(redact(message), limit=None))

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Callable[..., DataloopStsError], tuple[object, ...]]:
        """As it is, not built again from its text: errors cross from worker processes, and are copied."""
        return _restored, (type(self), self.args, vars(self))


def _restored(
    kind: type[DataloopStsError], args: tuple[object, ...], attributes: Mapping[str, object]
) -> DataloopStsError:
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(attributes)
    return error


class InvalidSetting(DataloopStsError):  # noqa: N818 - the names say what is wrong
    """A setting from outside (an environment variable, an id) cannot be used. Nothing was sent."""


@dataclass(frozen=True)
class Problem:
    """One mistake: ``path`` as in the config (``drivers[0].bucket.name``), ``message`` with what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecError(DataloopStsError):
    """The connection spec has mistakes; all of them are in ``problems``."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: list[Problem] = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"The connection spec is not valid: {count}: {listed}")


class AwsError(DataloopStsError):
    """A call of AWS failed; ``code`` is AWS's own error code where there is one, for example ``AccessDenied``."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class GuardRefused(DataloopStsError):  # noqa: N818
    """A destroy was refused before anything was touched."""


class DataloopError(DataloopStsError):
    """A call of the Dataloop API failed.

    Attributes:
        status: HTTP status, or None where there was no answer.
        message: the platform's own message, redacted, one line, truncated; empty where it gave none.
        request_id: the platform's id of the request, where it gave one.
        method, path: of the call; the path is below the API's URL and has no query.
        resource: what the call was about, for example ``integration 64f0...``.
        maybe_applied: the call was to change something, and may have done so although it failed: look before repeating.
    """

    what: ClassVar[str] = "Dataloop refused the call about {resource}"
    next_step: ClassVar[str] = ""
    quotes_platform: ClassVar[bool] = True  # the message is the platform's, not ours

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        request_id: str | None = None,
        method: str = "",
        path: str = "",
        resource: str = "",
        maybe_applied: bool = False,
        what: str | None = None,
        next_step: str | None = None,
    ) -> None:
        self.status = status
        self.message = one_line(redact(message))
        self.request_id = one_line(request_id, limit=100) if request_id else None
        self.method = method
        self.path = path.partition("?")[0]
        self.resource = resource or self.path or "the Dataloop API"
        self.maybe_applied = maybe_applied
        happened = (what or self.what).replace("{resource}", self.resource)
        said = (f': "{self.message}"' if self.quotes_platform else f": {self.message}") if self.message else ""
        advice = self._advice() if next_step is None else next_step
        if maybe_applied:
            advice = f"The change may have been made all the same: look before repeating. {advice}".strip()
        details = [f"{method} {self.path}".strip()]
        details += [f"status {status}"] if status is not None else []
        details += [f"request id {self.request_id}"] if self.request_id else []
        trailer = ", ".join(detail for detail in details if detail)
        super().__init__(f"{happened}{said}." + (f" {advice}" if advice else "") + (f" ({trailer})" if trailer else ""))

    def recast(self, kind: type[_Kind], *, what: str | None = None, next_step: str | None = None) -> _Kind:
        """The same answer as an error of another class or in other words."""
        return kind(
            self.message,
            status=self.status,
            request_id=self.request_id,
            method=self.method,
            path=self.path,
            resource=self.resource,
            maybe_applied=self.maybe_applied,
            what=what,
            next_step=next_step,
        )

    def _advice(self) -> str:
        return self.next_step


class NotAuthenticated(DataloopError):  # noqa: N818
    """401, or no usable token: it is missing, malformed, expired or not valid."""

    what = "Dataloop does not accept the API token"
    next_step = "Set DATALOOP_TOKEN to a valid token, or DATALOOP_USERNAME and DATALOOP_PASSWORD for a machine's login."


class Forbidden(DataloopError):  # noqa: N818
    """403: the token is valid, its user lacks the right. Never a sign that something is gone."""

    what = "Dataloop does not allow the token's user this call about {resource}"
    next_step = "Use the token of a member of it, or have the token's user added."
    _rights: ClassVar[dict[str, str]] = {
        "integration": "Creating and changing integrations needs the rights of the organization's owner",
        "driver": "Creating and changing drivers needs the rights of an owner or developer of the project",
    }

    def _advice(self) -> str:
        rights = self._rights.get(self.resource.partition(" ")[0])
        return f"{rights}: use such a user's token, or have the rights granted." if rights else self.next_step


class NotFound(DataloopError):  # noqa: N818
    """404: no such thing, as far as the token's user can see."""

    what = "Dataloop knows no {resource}"
    _where: ClassVar[dict[str, str]] = {
        "organization": f"its id is part of the address {CONSOLE_URL}/iam/ORGANIZATION_ID/members",
        "project": f"its id is part of the address {CONSOLE_URL}/projects/PROJECT_ID",
        "integration": "the console lists integrations under Integrations in the left panel",
        "driver": "the console lists drivers under Data Management, Cloud Storage",
    }

    def _advice(self) -> str:
        where = self._where.get(self.resource.partition(" ")[0])
        hint = f" ({where})" if where else ""
        return f"Check the id{hint}, that DATALOOP_API_URL is the right environment, and that the user is a member."


class Conflict(DataloopError):  # noqa: N818
    """409, or a 400 that says so: the name is taken, or the thing is in use."""

    what = "Dataloop refuses {resource}: the name is taken, or it is in use"
    next_step = "Choose another name, or remove what holds it."


class RateLimited(DataloopError):  # noqa: N818
    """429 to the last attempt too; ``retry_after``: seconds that the platform asks to wait, where it says."""

    what = "Dataloop limits the rate of calls, {resource} was not reached"
    next_step = "Try again later, with fewer connections at a time."
    retry_after: float | None = None


class BadRequest(DataloopError):  # noqa: N818
    """Any other 4xx: the platform does not accept the values."""

    what = "Dataloop does not accept the values for {resource}"
    next_step = "Correct what the message names."


class ServerError(DataloopError):
    """5xx to the last attempt too."""

    what = "Dataloop failed while it worked on {resource}"
    next_step = "Try again later; if it persists, give Dataloop's support the request id."


class Unreachable(DataloopError):  # noqa: N818
    """No answer: connection refused or broken, no such host, TLS failure, or the time limit passed."""

    quotes_platform = False
    what = "The Dataloop API gave no answer about {resource}"
    next_step = "Check the network, the proxy settings and DATALOOP_API_URL, then run again."


class UnexpectedAnswer(DataloopError):  # noqa: N818
    """An answer, but not one that the Dataloop API would give: a proxy's page, a redirect, JSON of another shape."""

    quotes_platform = False
    what = "What answered about {resource} did not answer as the Dataloop API does"
    next_step = "Check DATALOOP_API_URL and the proxy settings."


class DriverTestFailed(DataloopError):  # noqa: N818
    """The platform's TEST could not use the storage; ``message`` is the platform's reason."""

    what = "Dataloop's TEST of {resource} failed"
    next_step = (
        "Check the bucket's name and region, the role's trust (with aws.trust_source_ips) and permissions, and that "
        "the integration holds the user's current access key."
    )

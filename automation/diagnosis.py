"""Which error a failed command is, out of what the engine said of which resource."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from automation.errors import (
    AwsFailed,
    DataloopFailed,
    EngineFailed,
    Interrupted,
    NoSuchStack,
    PolicyViolated,
    Refused,
    SpecRefused,
    StackError,
    StackLocked,
    VerificationFailed,
)
from dataloop_sts import errors, self_check

NO_STACK = "no stack named"
_LOCKED = re.compile(r"created by (?P<who>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
_BUSY = re.compile(r"Another update is (currently )?in progress|\[409\] Conflict")
_CANCELED = re.compile(r"\b(update|preview|refresh|destroy) canceled\b")
_PROBLEM = re.compile(r"resource '[^']*' has a problem: (?P<what>.*)", re.DOTALL)
_PROVIDER = re.compile(r"^dataloop_sts\.errors\.(?P<kind>\w+): ")
_STEP = re.compile(r'running "python -m dataloop_sts\.(?P<step>\w+)":\n(?P<said>.*)', re.DOTALL)
_CHECK = re.compile(r"The verification failed at '(?P<check>.+?)': ")
_CODE = re.compile(r"api error (?P<provider>\w+)|Cannot [^:]+: (?P<ours>[A-Z]\w+): ")
_REFUSING = ("is refused, nothing was touched", "Nothing was removed")
_OF_DATALOOP = re.compile(r"Dataloop: |(The )?Dataloop |DATALOOP_|The sandbox ")
_MENDS = (
    (
        re.compile(r"incorrect passphrase|passphrase must be set"),
        "Set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE, to the passphrase with which the stack was "
        "made.",
    ),
    (
        re.compile(r"no space left on device|disk quota exceeded|file too large"),
        "Make room there, then run `dataloop-sts repair` and the same command. Where the state was cut short: see "
        "docs/backends.md, A full disk.",
    ),
    (
        re.compile(r"failed to load checkpoint: .*unexpected end of JSON input"),
        "The state was cut short: see docs/backends.md, A full disk.",
    ),
    (
        re.compile(r"failed to load checkpoint: .*EOF"),
        "A kill came while the state was written: `dataloop-sts repair`, then the same command.",
    ),
    (
        re.compile(r"error: unexpected end of JSON input"),
        "A lock was cut short by a kill or a full disk: `dataloop-sts repair`, then the same command.",
    ),
    (
        re.compile(r'unable to open state directory|read "\.pulumi/meta\.yaml"|unable to check if bucket'),
        "The backend is out of reach: mount it, check the network and its credentials, or correct backend_url or "
        "PULUMI_BACKEND_URL.",
    ),
)
"""What the engine's own words leave out, by the words."""
_OF_AWS = re.compile(r"AWS( credentials)?: Cannot ")


@dataclass(frozen=True)
class Diagnostic:
    """One thing that the engine reported as an error.

    Attributes:
        urn: the resource; empty where it is of none.
        message: what was said, of several lines where it is a step's or a policy's.
        policy: the policy that the resource violates; empty where it is another error.
    """

    urn: str
    message: str
    policy: str = ""

    @property
    def type(self) -> str:
        """The resource's own type, without those of its parents."""
        return self.urn.split("::")[2].rpartition("$")[2] if self.urn.count("::") > 2 else ""


def error_of(stack: str, reason: str, output: str, diagnostics: Sequence[Diagnostic] = ()) -> StackError:
    """The error that a failed command is.

    Args:
        stack: the stack's name.
        reason: why, in one line.
        output: all that the command said.
        diagnostics: the errors among the engine's events, in their order; the first of a resource decides.
    """
    if holder := _LOCKED.search(output):
        who, pid, since = holder["who"], int(holder["pid"]), holder["since"]
        return StackLocked(
            f"Stack {stack} is locked by {who}, process {pid}, since {since}: wait for that run. If it was killed: "
            "`dataloop-sts repair`.",
            who=who,
            since=_moment(since),
            pid=pid,
        )
    if _BUSY.search(output):
        return StackLocked(f"Stack {stack} is locked by another update: wait for that run.")
    if NO_STACK in reason:
        return NoSuchStack(f"Stack {stack} has no connection yet: make it with `dataloop-sts up` or `pulumi up`.")
    message = f"Stack {stack}: {reason}{_mend(output)}"
    of_resources = [each for each in diagnostics if each.urn]
    if problems := [found["what"].strip() for each in of_resources if (found := _PROBLEM.search(each.message))]:
        return _of_preflight(message, problems)
    if violations := [each for each in diagnostics if each.policy]:
        return _of_policies(stack, violations)
    if self_check.BROKEN in reason:
        return PolicyViolated(message, [], [reason])
    for each in of_resources:
        if error := _of_resource(message, each):
            return error
    if _CANCELED.search(reason):
        return Interrupted(message)
    if "The connection spec in " in reason:
        return SpecRefused(message)
    return EngineFailed(message)


def _mend(output: str) -> str:
    return "".join(f". {mend}" for words, mend in _MENDS if words.search(output))


def _of_preflight(message: str, problems: list[str]) -> StackError:
    """What could not be looked at is the platform's matter; everything else is a refusal."""
    if all(_OF_AWS.match(problem) for problem in problems):
        return AwsFailed(message, code=_code(message))
    if all(_OF_DATALOOP.match(problem) for problem in problems):
        return DataloopFailed(message, kind=_kind(message))
    return Refused(message, problems)


def _of_policies(stack: str, violations: Sequence[Diagnostic]) -> PolicyViolated:
    problems = []
    for each in violations:
        resource = each.urn.rpartition("::")[2]
        has_to_hold, _, found = each.message.partition("\n")
        problems.append(f"{each.policy}: {resource}: {found or has_to_hold}")
    said = [*dict.fromkeys(problems)]
    names = [*dict.fromkeys(each.policy for each in violations)]
    return PolicyViolated(f"Stack {stack}: refused by mandatory policies: {'; '.join(said)}.", names, said)


def _of_resource(message: str, diagnostic: Diagnostic) -> StackError | None:
    if found := _PROVIDER.match(diagnostic.message):
        kind = getattr(errors, found["kind"], None)
        if isinstance(kind, type) and issubclass(kind, errors.DataloopError):
            return DataloopFailed(message, kind=found["kind"])
        if kind is errors.AwsError:
            return AwsFailed(message, code=_code(diagnostic.message))
    if found := _STEP.search(diagnostic.message):
        return _of_step(message, found["said"].strip())
    if diagnostic.type.startswith(("aws:", "pulumi:providers:aws")):
        return AwsFailed(message, code=_code(diagnostic.message))
    return None


def _of_step(message: str, said: str) -> StackError:
    if check := _CHECK.search(said):
        return VerificationFailed(message, check["check"])
    if any(words in said for words in _REFUSING):
        return Refused(message, [said.splitlines()[-1]])
    if _OF_DATALOOP.match(said.splitlines()[-1] if said else ""):
        return DataloopFailed(message, kind=_kind(said))
    return AwsFailed(message, code=_code(said)) if said.startswith("Cannot ") else EngineFailed(message)


def _code(said: str) -> str | None:
    found = _CODE.search(said)
    return (found["provider"] or found["ours"]) if found else None


def _kind(said: str) -> str | None:
    """The class whose words these are: the preflight and the steps give the text alone."""
    for kind in errors.DataloopError.__subclasses__():
        if re.search(".{1,200}?".join(map(re.escape, kind.what.split("{resource}"))), said):
            return kind.__name__
    return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None

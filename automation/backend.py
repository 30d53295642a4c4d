"""What a stack's files in its backend tell of it, read without the engine.

The layout and the forms that are read are those of Pulumi's own backends, versions as checked here. Whatever is not as
expected counts as not known, and then the CLI has to be asked:
https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/state.go
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from automation import deployment, room
from automation.engine import Stop
from automation.environment import Environment
from automation.errors import StackError
from automation.stores import Store, locks_folder, store_of
from automation.workspace import PROJECT
from dataloop_sts.digest import OUTPUT
from dataloop_sts.errors import AwsError

_T = TypeVar("_T")
_STACK = "pulumi:pulumi:Stack"
_INTEGRATION = "pulumi-python:dynamic/dataloop:Integration"
_HISTORY = re.compile(r"-(?P<moment>\d+)\.history\.json(?P<compression>\.gz)?")
_ZSTD = ".zst"
_COMPRESSIONS = ("", ".gz", _ZSTD)
# Each flag can be given by a variable too: https://www.pulumi.com/docs/iac/cli/environment-variables/
_FLAG = re.compile(r"pulumi\.(?:flag\.|env\.PULUMI_OPTION_)(.+)")
# With any other flag, such as --target or --exclude, an update may have left out a part.
_WHOLE_UPDATE_FLAGS = frozenset(
    (
        *("client", "event-log", "exec-kind", "cwd", "stack", "non-interactive", "yes", "skip-preview", "refresh"),
        *("message", "parallel", "run-program", "json", "color", "diff", "show-sames", "verbose", "debug"),
        *("logflow", "logtostderr", "suppress-outputs", "suppress-permalink", "suppress-progress"),
    )
)


class _Unknown(Exception):  # noqa: N818
    """A file is not of the form that is known here."""


class _Form(BaseModel):
    """A part of a file; what is not named is skipped."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Resource(_Form):
    type: str
    outputs: dict[str, Any] = {}


class _Deployment(_Form):
    resources: tuple[_Resource, ...] = ()
    pending_operations: tuple[Any, ...] = ()

    def outputs(self, type_: str) -> dict[str, Any]:
        """The outputs of the first resource of a type; empty where there is none."""
        return next((resource.outputs for resource in self.resources if resource.type == type_), {})


class _Checkpoint(_Form):
    latest: _Deployment


class _Versioned(_Form):
    """A checkpoint as it is written: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go"""

    version: Literal[3]
    features: tuple[()] = ()
    checkpoint: _Checkpoint


class _Update(_Form):
    """An entry of a stack's history."""

    kind: str
    result: str
    endTime: int  # noqa: N815 - Pulumi's name
    environment: dict[str, str] = {}

    @property
    def whole(self) -> bool:
        """Whether it brought the whole stack to what the program declared."""
        flags = {match[1].lower().replace("_", "-") for name in self.environment if (match := _FLAG.match(name))}
        return (self.kind, self.result) == ("update", "succeeded") and flags <= _WHOLE_UPDATE_FLAGS


@dataclass(frozen=True)
class StackFiles:
    """What the files of a stack say.

    Attributes:
        digest: of what was applied; None where no run has exported one.
        pending_operations: how many operations an interrupted run left without knowing how they ended.
        updated_at: when the last command that changes a stack ended.
        settled: whether that was an update of the whole stack, succeeded, and left just this state.
        locked: whether a run holds the stack, or was killed while it did.
        changed_outside_at: when somebody else wrote to the integration, as a refresh has seen it; else empty.
    """

    digest: str | None
    pending_operations: int
    updated_at: datetime
    settled: bool
    locked: bool
    changed_outside_at: str

    def is_at(self, wanted: str) -> bool:
        """Whether a run of this digest would find nothing to do, as far as the stack knows the world."""
        undisturbed = self.settled and not self.locked and not self.pending_operations and not self.changed_outside_at
        return undisturbed and self.digest == wanted


@dataclass(frozen=True)
class Backend:
    """A backend whose files can be read; safe to use from many threads.

    Attributes:
        store: its files; None where they are not read here.
    """

    store: Store | None

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """The backend that the environment's settings or the shell name; what `pulumi login` chose is not looked up.

        Raises:
            AwsError: the settings for the backend's bucket cannot be used.
        """
        return cls(store_of({**os.environ, **environment.variables()}.get("PULUMI_BACKEND_URL", "")))

    def read(self, stack: str) -> StackFiles | None:
        """What the files of a stack say; None where that is not known: a new stack, another backend, another form."""
        return self._known(_read, stack)

    def has(self, stack: str) -> bool | None:
        """Whether there is a stack of this name; None where that is not known: another backend, or out of reach."""
        return self._known(_is_there, stack)

    def outputs(self, stack: str) -> dict[str, Any] | None:
        """The outputs of a stack, secrets masked as by the CLI; None where they are not known, as in :meth:`read`."""
        return self._known(_outputs, stack)

    def cut_short(self, stack: str) -> tuple[str, ...]:
        """What a run was writing when it was killed or the disk was full: files that the engine does better without."""
        return self._known(_cut_short, stack) or ()

    def require_room(self) -> None:
        """Makes sure that a run's state can be kept, as far as that can be told beforehand.

        Raises:
            StackError: the backend's folder is not there, or its disk is nearly full; nothing was begun.
        """
        if self.store:
            self.store.require_room()

    def watching_room(self, stop: Stop) -> AbstractContextManager[None]:
        """Asks a run to end where the disk gets nearly full in the middle of it, while its state can still be kept."""
        return room.watched(self.store, stop) if self.store else nullcontext()

    def require(self) -> None:
        """Makes sure that the backend can be reached and has room; to be called where many customers are run in it.

        Raises:
            StackError, AwsError: it cannot, or has none.
        """
        self.require_room()
        if self.store:
            self.store.names(".pulumi")

    def _known(self, read: Callable[[Store, str], _T], stack: str) -> _T | None:
        if self.store is None:
            return None
        try:
            return read(self.store, stack)
        except (_Unknown, ValueError, OSError, EOFError):  # not of the form, cut short, or no gzip
            return None
        except (StackError, AwsError):  # the run that follows says it, with the mend
            return None


def _is_there(store: Store, stack: str) -> bool:
    return any(store.read(f"{_path(stack)}{suffix}") is not None for suffix in _COMPRESSIONS)


def _cut_short(store: Store, stack: str) -> tuple[str, ...]:
    states = [f"{_path(stack)}{suffix}" for suffix in _COMPRESSIONS]
    return (*filter(None, map(store.broken_attributes, states)), *store.unfinished(locks_folder(PROJECT, stack)))


def _read(store: Store, stack: str) -> StackFiles:
    locked = any(name.endswith(".json") for name in store.names(locks_folder(PROJECT, stack)))
    folder = f".pulumi/history/{PROJECT}/{stack}"
    name, compression = _last_update(store.names(folder), stack)
    update = _Update.model_validate_json(_plain(store.read(f"{folder}/{name}"), compression))
    written, state = _state(store, stack)
    if written != compression:
        raise _Unknown
    deployed = store.read(f"{folder}/{name.replace('.history.', '.checkpoint.')}")
    latest = _deployment(state, compression)
    applied = latest.outputs(_STACK).get(OUTPUT)
    return StackFiles(
        digest=applied if isinstance(applied, str) else None,
        pending_operations=len(latest.pending_operations),
        updated_at=datetime.fromtimestamp(update.endTime, UTC),
        # the copy that is kept with the update tells an import, an edit and a run that was killed afterwards
        settled=update.whole and state == deployed,
        locked=locked,
        changed_outside_at=str(latest.outputs(_INTEGRATION).get("changed_outside_at") or ""),
    )


def _last_update(names: list[str], stack: str) -> tuple[str, str]:
    """The name of the newest entry of the history, and how it is compressed."""
    newest, found = 0, None
    for name in names:
        match = _HISTORY.fullmatch(name, len(stack)) if name.startswith(stack) else None
        if match and int(match["moment"]) > newest:
            newest, found = int(match["moment"]), (name, match["compression"] or "")
    if found is None:
        raise _Unknown
    return found


def _outputs(store: Store, stack: str) -> dict[str, Any]:
    compression, state = _state(store, stack)
    outputs = _deployment(state, compression).outputs(_STACK)
    return {name: _masked(value) for name, value in outputs.items()}


def _masked(value: Any) -> Any:
    match value:
        case {deployment.SIGNATURE: deployment.SECRET}:
            return "[secret]"
        case {deployment.SIGNATURE: _}:  # an asset, or what else is not a plain value
            raise _Unknown
        case dict():
            return {name: _masked(each) for name, each in value.items()}
        case list():
            return [_masked(each) for each in value]
    return value


def _state(store: Store, stack: str) -> tuple[str, bytes]:
    """How the stack's state is compressed, and the state; it may be there in one form only."""
    found = [
        (suffix, content) for suffix in _COMPRESSIONS if (content := store.read(_path(stack) + suffix)) is not None
    ]
    if len(found) != 1:
        raise _Unknown
    return found[0]


def _path(stack: str) -> str:
    """Where a stack's state is, but for how it is compressed."""
    return f".pulumi/stacks/{PROJECT}/{stack}.json"


def _deployment(state: bytes, compression: str) -> _Deployment:
    return _Versioned.model_validate_json(_plain(state, compression)).checkpoint.latest


def _plain(content: bytes | None, compression: str) -> bytes:
    if content is None or compression == _ZSTD:
        raise _Unknown
    return gzip.decompress(content) if compression else content

"""What every AWS resource type has in common: reading after writing, tags, and the shape of its outputs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.schema import Property, ResourceType
from sandbox.plugins.values import Properties

_T = TypeVar("_T")
_CONSISTENCY_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0

TAGS: Final = Property("map")


class Handler(ABC):
    """Creates, reads, updates and deletes the resources of one type.

    Attributes:
        type: the declaration.
        label: what an error message calls a resource of it.
        write_only: inputs that no call tells, carried from the inputs to the outputs.
        settled: inputs that `create` leaves to `settle`.
        imported: write-only inputs that an import sets. The official provider leaves the others unset, so that their
            defaults are a change after an import.
    """

    type: ClassVar[ResourceType]
    label: ClassVar[str]
    write_only: ClassVar[tuple[str, ...]] = ()
    settled: ClassVar[tuple[str, ...]] = ()
    imported: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        """Creates the resource; answers its id, and the outputs that only this call tells."""

    def settle(self, clients: Clients, resource_id: str, inputs: Properties) -> None:  # noqa: B027 - most have nothing
        """Does what is left to do once the resource is there; if it fails, the next update does it."""

    @abstractmethod
    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        """The resource as it is, or None if it is not there.

        Args:
            clients: the services.
            resource_id: its id; at an import it is all that is known.
            recorded: its recorded properties: where the service's answer is equivalent, their spelling is kept.
        """

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        """Changes the resource from its recorded outputs to new inputs, and to the tags in their `tagsAll`."""
        raise NotImplementedError(f"{self.label} has no property that can be changed in place")

    def updated_id(self, resource_id: str, olds: Properties, news: Properties) -> str:
        """The id by which the resource is found right after an update.

        It serves that one read: the engine keeps recording the id that the resource was created with
        (https://github.com/pulumi/pulumi/issues/3729).
        """
        return resource_id

    @abstractmethod
    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        """Deletes the resource; one that is not there is deleted."""

    @property
    def tagged(self) -> bool:
        """Whether resources of the type carry tags."""
        return "tags" in self.type.properties


def error_code(error: Exception) -> str:
    """The error code of a service's answer, or "" for other errors."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def unless_missing(call: Callable[[], _T], *codes: str) -> _T | None:
    """The call's answer, or None if the service says one of the codes that mean "not there"."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        if error_code(error) in codes:
            return None
        raise


def retrying(call: Callable[[], _T], transient: Callable[[Exception], bool]) -> _T:
    """Repeats a call while its error is a transient one, for as long as AWS takes to become consistent.

    The waits are bounded: the error of the last try is raised
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency).
    """
    from botocore.exceptions import ClientError

    deadline = time.monotonic() + _CONSISTENCY_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except ClientError as error:
            if not transient(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def wait_for(read: Callable[[], Properties | None]) -> Properties | None:
    """Reads until there is an answer, or None once the bounded wait is over."""
    deadline = time.monotonic() + _CONSISTENCY_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while (answer := read()) is None and time.monotonic() + pause < deadline:
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    return answer

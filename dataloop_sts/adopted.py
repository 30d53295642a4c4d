"""What of a connection exists already and is taken over in one run; an ordinary run takes over nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FORMER_KEY = "access-key-0"
"""Name of the resource that stands for a key made by hand: generation 0, of unknown secret."""


@dataclass(frozen=True)
class FormerKey:
    """The one access key that the user has.

    Attributes:
        id: its id.
        active: whether it is switched on; it stays as it is until it goes.
    """

    id: str
    active: bool


@dataclass(frozen=True)
class RoleLeftovers:
    """What the role may do beside the connection's policy; taken off once that one is attached.

    Attributes:
        attached: ARNs of managed policies.
        inline: names of policies written into the role itself.
    """

    attached: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Adopted:
    """What a run takes over.

    Attributes:
        imports: ids of AWS resources that become the stack's, by their type and name in the stack.
        names: what may exist although the stack does not know it, such as ``role x`` or ``driver y``.
        former_key: declared in this run only, so that the next one deletes it.
        leftovers: of the role.
        integration_id: the integration's.
        driver_ids: the storage drivers', by name.
    """

    imports: Mapping[tuple[str, str], str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    former_key: FormerKey | None = None
    leftovers: RoleLeftovers | None = None
    integration_id: str | None = None
    driver_ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_another_run(self) -> bool:
        """Whether an ordinary run has to follow, which takes away what only this one declares."""
        return bool(self.former_key or self.leftovers)


NOTHING = Adopted()

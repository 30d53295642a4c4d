"""What a run of the fleet does to each customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = Literal["preview", "up", "refresh", "destroy", "rotate", "audit", "verify"]
NAMES: tuple[Name, ...] = ("preview", "up", "refresh", "destroy", "rotate", "audit", "verify")


@dataclass(frozen=True)
class Operation:
    """One operation with its options; it can be pickled, for executors of other processes.

    Attributes:
        name: which one.
        everyone: run unchanged customers too, where ``preview`` and ``up`` would leave them out.
        older_than: days; ``rotate`` leaves younger keys alone.
        timeout_s: seconds that one command of the engine may take.
    """

    name: Name
    everyone: bool = False
    older_than: int | None = None
    timeout_s: float | None = None

    @property
    def leaves_out_unchanged(self) -> bool:
        """Whether customers whose digest says that there is nothing to do are left out."""
        return self.name in ("preview", "up") and not self.everyone

    @property
    def changes_things(self) -> bool:
        """Whether it changes the world or a stack's state, so that it needs a stack in order."""
        return self.name in ("up", "refresh", "destroy", "rotate")

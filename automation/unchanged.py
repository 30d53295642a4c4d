"""Whether a connection is what its spec says, so that there is nothing to do."""

from __future__ import annotations

from automation.backend import Backend
from automation.connection import Connection
from dataloop_sts import naming
from dataloop_sts.digest import digest


def is_unchanged(connection: Connection, backend: Backend | None = None) -> bool:
    """Whether the connection is what its spec says, so that ``up`` may be left out. Starts no process.

    True only where the last thing that happened to the stack is an update of all of it, which succeeded, of the same
    spec, program and settings. False wherever that is not known. What others changed since is not looked for.

    Args:
        connection: the connection as it is wanted.
        backend: its environment's; to be given where many connections are looked at.
    """
    found = (backend or Backend.of(connection.environment)).read(connection.stack)
    return found is not None and found.is_at(wanted_digest(connection))


def wanted_digest(connection: Connection) -> str:
    """The digest that an update of the connection would leave."""
    environment = naming.environment_of(connection.stack)
    return digest(connection.spec, environment=environment, sandbox=connection.sandbox)

"""What a preflight is to look at: the connection as it is wanted, and as the stack knew it the last time."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from dataloop_sts.spec import OnDestroy


class DriverPlace(BaseModel):
    """A driver, and the part of a bucket that it reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    project_id: str
    name: str
    bucket: str
    path: str


class ConnectionNames(BaseModel):
    """What the connection is called, in AWS and on Dataloop."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    user: str
    role: str
    policy: str
    integration: str
    buckets: tuple[str, ...]
    drivers: tuple[DriverPlace, ...]


@dataclass(frozen=True)
class Known:
    """What the stack's last preflight saw: names that are its own, and where they are.

    Attributes:
        names: what the connection was called.
        region, account_id: where it was.
        on_destroy: what the spec said of its buckets' end; that still holds for those that leave now.
        world: ``createdAt`` of the organization.
    """

    names: ConnectionNames
    region: str
    account_id: str
    on_destroy: OnDestroy
    world: str


@dataclass(frozen=True)
class PreflightRequest:
    """What to look at.

    Attributes:
        customer: who has to be named to confirm a loss.
        organization_id: on Dataloop.
        region: of the buckets.
        account_id: the account that the spec allows, or None.
        names: what the connection will be called.
        known: the last time's, or None for a new stack.
        sandbox: whether the stack lives in a sandbox, which is empty after a restart.
    """

    customer: str
    organization_id: str
    region: str
    account_id: str | None
    names: ConnectionNames
    known: Known | None
    sandbox: bool

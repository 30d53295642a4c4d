"""What a preflight is to look at: the connection as it is wanted, and as the stack knew it the last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from dataloop_sts.spec_parts import DeployRoleSpec, OnDestroy


class DriverPlace(BaseModel):
    """A driver, and the part of a bucket that it reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    project_id: str
    name: str
    bucket: str
    path: str
    former_name: str | None = None

    def moves_from(self, old: DriverPlace) -> bool:
        """Whether it reads elsewhere than it did."""
        return (self.bucket, self.path) != (old.bucket, old.path)


class ConnectionNames(BaseModel):
    """What the connection is called, in AWS and on Dataloop."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    user: str
    role: str
    policy: str
    integration: str
    buckets: tuple[str, ...]
    drivers: tuple[DriverPlace, ...]

    def driver_after(self, old: DriverPlace) -> DriverPlace | None:
        """What became of a driver, which may have been renamed; None where it leaves."""
        of_project = [driver for driver in self.drivers if driver.project_id == old.project_id]
        named = (driver for driver in of_project if driver.name == old.name)
        return next(named, next((driver for driver in of_project if driver.former_name == old.name), None))

    def folders(self, former: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """By bucket, the drivers' folders, and those that they had formerly: there may be probes of ours in them."""
        places = {(driver.bucket, driver.path) for driver in self.drivers}
        places |= {(bucket, folder) for bucket, folders in former.items() for folder in folders}
        return {bucket: sorted(folder for at, folder in places if at == bucket) for bucket, _ in sorted(places)}


class Needs(BaseModel):
    """What of the account the connection uses without making it; ``bucket_keys``: KMS keys by existing bucket."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    existing_buckets: tuple[str, ...] = ()
    bucket_keys: dict[str, str] = {}
    kms_key_arns: tuple[str, ...] = ()
    permissions_boundary: str | None = None


class KeyPlan(BaseModel):
    """Which generations of the access key the user is to have."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    generation: int
    retiring: int | None = None
    since: int = Field(0, description="When a stack first asked for this generation, in ms; 0 where that is not known")


@dataclass(frozen=True)
class Known:
    """What the stack's last preflight saw: names that are its own, and where they are.

    Attributes:
        names: what the connection was called.
        region, account_id: where it was.
        on_destroy: what the spec said of its buckets' end; that still holds for those that leave now.
        world: ``createdAt`` of the organization.
        key: the generations it was to have; None where the stack is from before this was kept.
        iam_path: of user, role and policy.
        folders: by bucket, every folder that a driver of this stack has ever had.
    """

    names: ConnectionNames
    region: str
    account_id: str
    on_destroy: OnDestroy
    world: str
    key: KeyPlan | None = None
    iam_path: str = "/"
    folders: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def every_folder(self) -> dict[str, list[str]]:
        """By bucket, the folders of a stack that did not keep them yet, too."""
        return self.names.folders(self.folders)


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
        key: the generations of the access key.
        iam_path: of user, role and policy.
        needs: what has to be there already.
        deploy_role: assumed to look.
        adopting: what may exist although the stack does not know it, as ``KIND NAME``, such as ``role x``.
    """

    customer: str
    organization_id: str
    region: str
    account_id: str | None
    names: ConnectionNames
    known: Known | None
    sandbox: bool
    key: KeyPlan = field(default_factory=lambda: KeyPlan(generation=1))
    iam_path: str = "/"
    needs: Needs = field(default_factory=Needs)
    deploy_role: DeployRoleSpec | None = None
    adopting: frozenset[str] = frozenset()

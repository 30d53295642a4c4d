"""The preflight's look at Dataloop: rights, ids, names, and datasets that a change would cut off."""

from __future__ import annotations

from collections.abc import Iterator

from dataloop_sts.dataloop import DataloopClient, Driver, Organization
from dataloop_sts.errors import Forbidden, NotFound, Problem
from dataloop_sts.losses import confirmed, datasets_lost, how_to_confirm
from dataloop_sts.preflight.request import DriverPlace, PreflightRequest

# Roles of an organization that may not manage integrations; an owner may, of others the platform decides.
_NOT_OWNERS = frozenset({"member", "worker"})


def find_organization(client: DataloopClient, organization_id: str) -> tuple[Organization | None, list[Problem]]:
    """The organization where it can be seen, and what is wrong with it or with the token's user's role in it."""
    try:
        organization = client.organization(organization_id)
    except (NotFound, Forbidden) as error:
        return None, [Problem("organization_id", str(error))]
    if (organization.role or "").lower() in _NOT_OWNERS:
        return organization, [
            Problem(
                "organization_id",
                f"The token's user is a {organization.role} of organization {organization_id}, not an owner, and only "
                "an owner may create integrations: use an owner's token, or have the rights granted.",
            )
        ]
    return organization, []


def dataloop_problems(client: DataloopClient, request: PreflightRequest) -> Iterator[Problem]:
    """Ids that lead nowhere, names that are taken, datasets that would lose their storage."""
    yield from _names_and_ids(client, request)
    yield from _drivers_lost(client, request)


def _names_and_ids(client: DataloopClient, request: PreflightRequest) -> Iterator[Problem]:
    known = request.known.names if request.known else None
    known_drivers = {(driver.project_id, driver.name) for driver in known.drivers} if known else set()
    wanted = [(driver.project_id, driver.name) for driver in request.names.drivers]
    new_drivers = [driver for driver in wanted if driver not in known_drivers]
    for project_id in dict.fromkeys(project for project, _ in wanted):
        taken: set[str] = set()
        try:
            project = client.project(project_id)
            if any(project_id == project for project, _ in new_drivers):
                taken = {driver.name for driver in client.drivers(project_id=project_id)}
        except (NotFound, Forbidden) as error:
            yield Problem("drivers[].project_id", str(error))
            continue
        if project.org and project.org != request.organization_id:
            message = (
                f"Project {project_id} belongs to organization {project.org}, not to {request.organization_id}: "
                "correct one of the two ids."
            )
            yield Problem("drivers[].project_id", message)
        for new_project, name in new_drivers:
            if new_project == project_id and name in taken and f"driver {name}" not in request.adopting:
                message = (
                    f"Project {project_id} has a driver named {name!r} already: choose another name, or take it over "
                    "with `dataloop-sts adopt`."
                )
                yield Problem("drivers[].name", message)
    name = request.names.integration
    if (known and name == known.integration) or f"integration {name}" in request.adopting:
        return
    if any(integration.name == name for integration in client.integrations(request.organization_id)):
        message = (
            f"The organization has an integration named {name!r} already: choose another name, or take it over with "
            "`dataloop-sts adopt`."
        )
        yield Problem("integration.name", message)


def _drivers_lost(client: DataloopClient, request: PreflightRequest) -> Iterator[Problem]:
    """Datasets whose driver goes or moves: told before the role's policy changes, since that is what cuts them off."""
    if not request.known or confirmed(request.customer):
        return
    for old in request.known.names.drivers:
        new = request.names.driver_after(old)
        if new and not new.moves_from(old):
            continue
        try:
            live = client.drivers(project_id=old.project_id)
        except NotFound:  # the project is gone, and its drivers and datasets with it
            continue
        named = [driver for driver in live if driver.name == old.name]
        for driver in named or _at_its_place(client, request, old, live):
            if lost := datasets_lost(client, old.project_id, driver.id, driver.name):
                what = "moves to another bucket or folder" if new else "leaves the spec"
                message = f"{lost}, which would lose access to the storage, since the driver {what}."
                yield Problem("drivers[]", f"{message} {how_to_confirm(request.customer)}")


def _at_its_place(
    client: DataloopClient, request: PreflightRequest, old: DriverPlace, live: list[Driver]
) -> Iterator[Driver]:
    """A driver that got another name in the console is known by its integration, bucket and folder."""
    known = request.known.names if request.known else request.names
    integrations = client.integrations(request.organization_id)
    ours = {integration.id for integration in integrations if integration.name == known.integration}
    stay = {driver.name for driver in request.names.drivers}
    for driver in live:
        same_place = (driver.bucket, driver.path.strip("/")) == (old.bucket, old.path.strip("/"))
        if same_place and driver.integration_id in ours and driver.name not in stay:
            yield driver

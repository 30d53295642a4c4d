"""The integration and the drivers as Dataloop shows them to the token's user."""

from __future__ import annotations

from collections.abc import Sequence

from dataloop_sts.dataloop import INTEGRATION_TYPE, DataloopClient, Driver
from dataloop_sts.live.models import LiveDriver, LiveIntegration
from dataloop_sts.live.seeing import Unseen, on_dataloop
from dataloop_sts.spec_parts import DriverSpec


def look_at_integration(client: DataloopClient, organization_id: str, name: str) -> LiveIntegration | Unseen | None:
    """The integration of that name, one of our type first."""
    member = f"membership of organization {organization_id}"
    listed = on_dataloop(
        lambda: client.integrations(organization_id), f"the integrations of organization {organization_id}", member
    )
    if isinstance(listed, Unseen):
        return listed
    named = sorted((each for each in listed if each.name == name), key=lambda each: each.type != INTEGRATION_TYPE)
    if not named:
        return None
    found = named[0]
    return LiveIntegration(
        integration=found,
        driver_count=on_dataloop(
            lambda: client.driver_count(found.id), f"the number of drivers of integration {name}", member
        ),
        drivers=on_dataloop(
            lambda: tuple(client.drivers(integration_id=found.id)), f"the drivers of integration {name}", member
        ),
    )


def look_at_drivers(client: DataloopClient, drivers: Sequence[DriverSpec]) -> dict[str, LiveDriver | Unseen | None]:
    """The drivers of these names, each in its project."""
    of_project: dict[str, list[Driver] | Unseen] = {}
    found: dict[str, LiveDriver | Unseen | None] = {}
    for driver in drivers:
        project = driver.project_id
        if project not in of_project:
            of_project[project] = on_dataloop(
                lambda project=project: client.drivers(project_id=project),  # type: ignore[misc]
                f"the drivers of project {project}",
                f"membership of project {project}",
            )
        listed = of_project[project]
        found[driver.name] = listed if isinstance(listed, Unseen) else _named(client, listed, driver)
    return found


def _named(client: DataloopClient, listed: Sequence[Driver], wanted: DriverSpec) -> LiveDriver | None:
    driver = next((each for each in listed if each.name == wanted.name), None)
    if driver is None:
        return None
    return LiveDriver(
        driver=driver,
        datasets=on_dataloop(
            lambda: tuple(client.datasets_of_driver(wanted.project_id, driver.id)),
            f"the datasets of driver {wanted.name}",
            f"membership of project {wanted.project_id}",
        ),
    )

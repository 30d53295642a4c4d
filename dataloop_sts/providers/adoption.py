"""Takes over an integration that was made by hand: the new key is tried on the platform before the old one is replaced.

Dataloop never gives a secret back, so the former credentials could not be written again once they are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict

from dataloop_sts.dataloop import INTEGRATION_TYPE, DataloopClient, NewDriver, StsCredentials
from dataloop_sts.errors import Conflict, DataloopStsError, DriverTestFailed, NotFound
from dataloop_sts.providers.testing import require_working, settled_test, working_drivers


class DriverToTry(BaseModel):
    """A driver as the spec wants it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    name: str
    project_id: str
    bucket: str
    region: str
    path: str
    allow_delete: bool


class IntegrationToAdopt(BaseModel):
    """An integration that exists, and the drivers with which its new credentials are tried."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: str
    drivers: tuple[DriverToTry, ...]


def adopt_integration(
    client: DataloopClient, organization_id: str, adopted: IntegrationToAdopt, name: str, credentials: StsCredentials
) -> None:
    """Gives an integration new credentials, once they have passed TEST in another one that lives for as long.

    Args:
        client: of an owner of the organization.
        organization_id: whose integration it is.
        adopted: the integration.
        name: what it is to be called, as before.
        credentials: the new ones.

    Raises:
        DriverTestFailed: they do not pass TEST; the integration was not touched.
        DataloopStsError: a driver that worked before no longer does.
    """
    found = client.integration(organization_id, adopted.id)
    if found.type != INTEGRATION_TYPE or found.name != name:
        raise Conflict(
            what=f"Integration {adopted.id} is no longer the one of type {INTEGRATION_TYPE} and name {name!r}",
            next_step="Run `dataloop-sts adopt` again.",
        )
    with _temporary_integration(client, organization_id, temporary_name(adopted.id), credentials) as temporary_id:
        creator = client.me().email
        for driver in adopted.drivers:
            wanted = NewDriver(integration_id=temporary_id, creator=creator, **driver.model_dump())
            settled_test(lambda wanted=wanted: client.test_new_driver(wanted), "with the new access key")  # type: ignore[misc]
    working = working_drivers(client, adopted.id)
    client.update_integration(organization_id, adopted.id, credentials=credentials)
    try:
        require_working(client, working)
    except DriverTestFailed as error:
        raise DataloopStsError(
            f"{error} The former credentials are not known and could not be put back; their key stays: see what the "
            "message names, then run again."
        ) from None


def temporary_name(integration_id: str) -> str:
    """The name of the integration in which another one's new credentials are tried."""
    return f"dataloop-sts-adopting-{integration_id}"


@contextmanager
def _temporary_integration(
    client: DataloopClient, organization_id: str, name: str, credentials: StsCredentials
) -> Iterator[str]:
    _remove_named(client, organization_id, name)  # of a run that was killed
    try:
        yield client.create_integration(organization_id, name, credentials).id
    finally:
        _remove_named(client, organization_id, name)


def _remove_named(client: DataloopClient, organization_id: str, name: str) -> None:
    for integration in client.integrations(organization_id):
        if integration.name == name:
            try:
                client.delete_integration(organization_id, integration.id)
            except NotFound:
                continue

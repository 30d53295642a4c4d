"""The emulator's state and the rules that hold within it: unique names, references that exist, times that only grow."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from sandbox.dataloop.errors import BadRequest, Conflict, NotFound
from sandbox.dataloop.records import (
    Credentials,
    Dataset,
    Driver,
    DriverSettings,
    Integration,
    Organization,
    Project,
    User,
)

Record = TypeVar("Record")


class Store:
    """All records of one emulator, in memory; every method is atomic, and what it returns never changes afterwards."""

    def __init__(
        self, users: Iterable[User], organizations: Iterable[Organization], projects: Iterable[Project]
    ) -> None:
        self._lock = threading.RLock()
        self._users = {user.email: user for user in users}
        self._organizations = {organization.id: organization for organization in organizations}
        self._projects = {project.id: project for project in projects}
        self._integrations: dict[str, Integration] = {}
        self._drivers: dict[str, Driver] = {}
        self._datasets: dict[str, Dataset] = {}
        self._last_time = 0

    # Users, organizations and projects: fixed from the start, hence read without the lock.

    def user(self, email: str) -> User:
        """The user with this email; raises NotFound."""
        return _found(self._users.get(email), "user", email)

    def organizations(self) -> list[Organization]:
        """Every organization, whoever belongs to it."""
        return list(self._organizations.values())

    def organization(self, org_id: str) -> Organization:
        """The organization with this id; raises NotFound."""
        return _found(self._organizations.get(org_id), "organization", org_id)

    def projects(self) -> list[Project]:
        """Every project, whoever contributes to it."""
        return list(self._projects.values())

    def project(self, project_id: str) -> Project:
        """The project with this id; raises NotFound."""
        return _found(self._projects.get(project_id), "project", project_id)

    # Integrations

    def integrations(self, org_id: str) -> list[Integration]:
        """The integrations of an organization, oldest first."""
        with self._lock:
            return [integration for integration in self._integrations.values() if integration.org_id == org_id]

    def integration(self, org_id: str, integration_id: str) -> Integration:
        """One integration of an organization; raises NotFound, for another organization's too."""
        with self._lock:
            integration = self._integrations.get(integration_id)
            if integration is not None and integration.org_id != org_id:
                integration = None
            return _found(integration, "integration", integration_id)

    def create_integration(
        self, org_id: str, *, integration_type: str, name: str, creator: str, credentials: Credentials
    ) -> Integration:
        """Add an integration; raises Conflict when its name is taken in the organization."""
        with self._lock:
            self._require_free_integration_name(org_id, name)
            now = self._now()
            integration = Integration(
                id=str(uuid.uuid4()),
                org_id=org_id,
                type=integration_type,
                name=name,
                creator=creator,
                credentials=credentials,
                created_at=now,
                updated_at=now,
            )
            self._integrations[integration.id] = integration
            return integration

    def update_integration(
        self, org_id: str, integration_id: str, *, name: str | None, credentials: Credentials | None
    ) -> Integration:
        """Rename an integration or exchange its credentials; raises NotFound and Conflict."""
        with self._lock:
            integration = self.integration(org_id, integration_id)
            if name is not None and name != integration.name:
                self._require_free_integration_name(org_id, name)
            changed = replace(
                integration,
                name=integration.name if name is None else name,
                credentials=credentials or integration.credentials,
                updated_at=self._now(),
            )
            self._integrations[integration_id] = changed
            return changed

    def delete_integration(self, org_id: str, integration_id: str) -> list[Integration]:
        """Remove an integration and return those that remain; raises NotFound, and Conflict while drivers use it."""
        with self._lock:
            integration = self.integration(org_id, integration_id)
            used_by = len(self.drivers_of_integration(integration_id))
            if used_by:
                drivers = "1 driver uses it" if used_by == 1 else f"{used_by} drivers use it"
                raise Conflict(f"integration '{integration.name}' cannot be deleted: {drivers}")
            del self._integrations[integration_id]
            return self.integrations(org_id)

    # Drivers

    def drivers(self) -> list[Driver]:
        """Every driver, oldest first."""
        with self._lock:
            return list(self._drivers.values())

    def drivers_of_integration(self, integration_id: str) -> list[Driver]:
        """The drivers that use an integration."""
        return [driver for driver in self.drivers() if driver.settings.integration_id == integration_id]

    def driver(self, driver_id: str) -> Driver:
        """The driver with this id; raises NotFound."""
        with self._lock:
            return _found(self._drivers.get(driver_id), "driver", driver_id)

    def integration_for(self, settings: DriverSettings) -> Integration:
        """The integration that a driver with these settings uses.

        Raises:
            NotFound: the project's organization has no such integration.
            BadRequest: the integration is of another type than the settings say.
        """
        with self._lock:
            integration = self.integration(self.project(settings.project_id).org_id, settings.integration_id)
            if integration.type != settings.integration_type:
                raise BadRequest(
                    f"integrationType is '{settings.integration_type}', but integration '{integration.name}' "
                    f"is of type '{integration.type}'"
                )
            return integration

    def create_driver(self, settings: DriverSettings, creator: str) -> Driver:
        """Add a driver; raises NotFound, BadRequest, and Conflict when its name is taken in the project."""
        with self._lock:
            integration = self.integration_for(settings)
            self._require_free_driver_name(settings.project_id, settings.name)
            now = self._now()
            driver = Driver(
                id=secrets.token_hex(12),
                org_id=integration.org_id,
                creator=creator,
                settings=settings,
                created_at=now,
                updated_at=now,
            )
            self._drivers[driver.id] = driver
            return driver

    def update_driver(self, driver_id: str, settings: DriverSettings) -> Driver:
        """Give a driver new settings within its project; raises NotFound, BadRequest and Conflict."""
        with self._lock:
            driver = self.driver(driver_id)
            self.integration_for(settings)
            if settings.name != driver.settings.name:
                self._require_free_driver_name(settings.project_id, settings.name)
            changed = replace(driver, settings=settings, updated_at=self._now())
            self._drivers[driver_id] = changed
            return changed

    def delete_driver(self, driver_id: str) -> None:
        """Remove a driver, even one that datasets use, as the platform does; raises NotFound."""
        with self._lock:
            self.driver(driver_id)
            del self._drivers[driver_id]

    # Datasets

    def datasets(self) -> list[Dataset]:
        """Every dataset, oldest first."""
        with self._lock:
            return list(self._datasets.values())

    def dataset(self, dataset_id: str) -> Dataset:
        """The dataset with this id; raises NotFound."""
        with self._lock:
            return _found(self._datasets.get(dataset_id), "dataset", dataset_id)

    def create_dataset(self, *, name: str, project_id: str, driver_id: str, creator: str) -> Dataset:
        """Add a dataset; raises NotFound, BadRequest for another project's driver, and Conflict for a taken name."""
        with self._lock:
            project = self.project(project_id)
            if self.driver(driver_id).settings.project_id != project_id:
                raise BadRequest(f"driver '{driver_id}' does not belong to project '{project.name}'")
            if any(dataset.project_id == project_id and dataset.name == name for dataset in self._datasets.values()):
                raise Conflict(f"project '{project.name}' already has a dataset named '{name}'")
            now = self._now()
            dataset = Dataset(
                id=secrets.token_hex(12),
                name=name,
                project_id=project_id,
                driver_id=driver_id,
                creator=creator,
                created_at=now,
                updated_at=now,
            )
            self._datasets[dataset.id] = dataset
            return dataset

    def delete_dataset(self, dataset_id: str) -> None:
        """Remove a dataset; raises NotFound."""
        with self._lock:
            self.dataset(dataset_id)
            del self._datasets[dataset_id]

    def _require_free_integration_name(self, org_id: str, name: str) -> None:
        if any(integration.name == name for integration in self.integrations(org_id)):
            organization = self.organization(org_id)
            raise Conflict(f"organization '{organization.name}' already has an integration named '{name}'")

    def _require_free_driver_name(self, project_id: str, name: str) -> None:
        if any(d.settings.project_id == project_id and d.settings.name == name for d in self._drivers.values()):
            raise Conflict(f"project '{self.project(project_id).name}' already has a driver named '{name}'")

    def _now(self) -> int:
        # A caller compares updatedAt to notice writes, so two writes within a millisecond must differ.
        self._last_time = max(self._last_time + 1, time.time_ns() // 1_000_000)
        return self._last_time


def _found(record: Record | None, kind: str, identifier: str) -> Record:
    if record is None:
        raise NotFound(f"{kind} '{identifier}' was not found")
    return record

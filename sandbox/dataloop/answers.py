"""The JSON documents that the API answers with, made from records; no answer holds an integration's secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.dataloop.access import role_in_organization, role_in_project
from sandbox.dataloop.records import Dataset, Driver, Integration, Organization, Project, User

Document = dict[str, Any]


def user_document(user: User, projects: list[Project], organizations: list[Organization]) -> Document:
    """A user, with the projects and organizations it belongs to."""
    created = min(organization.created_at for organization in organizations)
    return {
        "id": user.email,
        "username": user.email,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "type": "user",
        "org": organizations[0].id,
        "orgs": [organization.id for organization in organizations],
        "projects": [project.id for project in projects],
        "groups": [],
        "createdAt": created,
        "updatedAt": created,
    }


def organization_document(organization: Organization, user: User, integrations: list[Integration]) -> Document:
    """An organization as one of its members sees it; `role` is that member's."""
    return {
        "id": organization.id,
        "name": organization.name,
        "role": role_in_organization(organization, user),
        "members": list(organization.members),
        "groups": [],
        "owner": organization.owners[0],
        "creator": organization.owners[0],
        "account": f"{organization.id}-account",
        "plan": "premium",
        "integrations": [integration.id for integration in integrations],
        "createdAt": organization.created_at,
        "updatedAt": organization.created_at,
    }


def project_document(
    project: Project, organization: Organization, user: User, integrations: list[Integration]
) -> Document:
    """A project as one of its contributors sees it; `org` is an object here, unlike in an integration.

    Args:
        project: The project.
        organization: The one it belongs to.
        user: Who sees it.
        integrations: The organization's.
    """
    return {
        "id": project.id,
        "name": project.name,
        "role": role_in_project(organization, user),
        "org": organization_document(organization, user, integrations),
        "account": f"{organization.id}-account",
        "creator": organization.owners[0],
        "contributors": list(project.contributors),
        "groups": [],
        "guests": [],
        "featureConstraints": [],
        "archived": False,
        "createdAt": project.created_at,
        "updatedAt": project.created_at,
    }


def integration_document(integration: Integration) -> Document:
    """An integration without its credentials; times are milliseconds since the epoch."""
    return {
        "id": integration.id,
        "name": integration.name,
        "type": integration.type,
        "org": integration.org_id,
        "creator": integration.creator,
        "createdAt": integration.created_at,
        "updatedAt": integration.updated_at,
        "metadata": [],
    }


def driver_document(driver: Driver) -> Document:
    """A driver, flat: what was sent under `payload` stands beside the rest; times are ISO 8601 strings."""
    settings = driver.settings
    return {
        "id": driver.id,
        "type": "s3",
        "name": settings.name,
        "creator": driver.creator,
        "createdAt": _iso(driver.created_at),
        "updatedAt": _iso(driver.updated_at),
        "isSyncable": True,
        "projectId": settings.project_id,
        "orgId": driver.org_id,
        "metadata": {"system": {"projectId": settings.project_id, "orgId": driver.org_id}},
        "integrationId": settings.integration_id,
        "integrationType": settings.integration_type,
        "bucketName": settings.bucket,
        "region": settings.region,
        "path": settings.path,
        "storageClass": settings.storage_class,
        "allowExternalDelete": settings.allow_delete,
        "allowExternalModification": settings.allow_modification,
    }


def dataset_document(dataset: Dataset, api_url: str) -> Document:
    """A dataset; it has no items, since items are not emulated."""
    url = f"{api_url}/datasets/{dataset.id}"
    return {
        "id": dataset.id,
        "url": url,
        "name": dataset.name,
        "creator": dataset.creator,
        "projects": [dataset.project_id],
        "driver": dataset.driver_id,
        "createdAt": _iso(dataset.created_at),
        "updatedAt": _iso(dataset.updated_at),
        "updatedBy": dataset.creator,
        "annotated": 0,
        "annotationsCount": 0,
        "itemsCount": 0,
        "items": f"{url}/items",
        "directoryTree": f"{url}/directoryTree",
        "readableType": "public",
        "accessLevel": "project",
        "readonly": False,
        "indexDriver": "v1",
        "isSyncing": False,
        "metadata": {"system": {}},
    }


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

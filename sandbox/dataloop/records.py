"""What the emulator knows: users, organizations, projects, integrations, drivers and datasets, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True)
class User:
    """A person, or a machine with a login; the email is the id too (https://dataloop.ai/docs/swagger-ui-example)."""

    email: str
    first_name: str
    last_name: str


@dataclass(frozen=True)
class Organization:
    """Its owners may manage integrations, its members may use them. Times are milliseconds since the epoch."""

    id: str
    name: str
    created_at: int
    owners: tuple[str, ...]
    members: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """A project of one organization; its contributors may manage its drivers and datasets."""

    id: str
    name: str
    org_id: str
    created_at: int
    contributors: tuple[str, ...]


@dataclass(frozen=True)
class Credentials:
    """An AWS access key, and for type aws-sts the role that is assumed with it."""

    access_key_id: str
    secret_access_key: SecretStr
    role_arn: str | None


@dataclass(frozen=True)
class Integration:
    """Credentials that an organization has deposited under a name."""

    id: str
    org_id: str
    type: str
    name: str
    creator: str
    credentials: Credentials
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class DriverSettings:
    """What a driver's creator chooses; two drivers may have the same settings, but not the same name in a project."""

    name: str
    project_id: str
    integration_id: str
    integration_type: str
    bucket: str
    region: str | None
    path: str | None
    storage_class: str | None
    allow_delete: bool
    allow_modification: bool


@dataclass(frozen=True)
class Driver:
    """A folder of a bucket, reached with an integration's credentials on behalf of one project."""

    id: str
    org_id: str
    creator: str
    settings: DriverSettings
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Dataset:
    """A dataset whose items lie behind a driver. The driver may be gone: the platform allows its deletion."""

    id: str
    name: str
    project_id: str
    driver_id: str
    creator: str
    created_at: int
    updated_at: int

"""Who calls, and what he may do: tokens to users, owners of organizations, contributors of projects."""

from __future__ import annotations

from collections.abc import Callable

from flask import g, request

from sandbox.dataloop.errors import Forbidden, NotAuthenticated, NotFound
from sandbox.dataloop.records import Organization, Project, User
from sandbox.dataloop.store import Store
from sandbox.dataloop.tokens import TokenIssuer


def authentication(store: Store, tokens: TokenIssuer) -> Callable[[], None]:
    """A function that Flask runs before each call of the API: it raises NotAuthenticated or sets the caller."""

    def authenticate() -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            raise NotAuthenticated("there is no token: send the header Authorization: Bearer <token>")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("the header Authorization must read: Bearer <token>")
        try:
            g.caller = store.user(tokens.email_of(token.strip()))
        except NotFound:
            raise NotAuthenticated("the token's user does not exist") from None

    return authenticate


def caller() -> User:
    """The user whose token came with the current request."""
    user: User = g.caller
    return user


def organization_of_caller(store: Store, org_id: str) -> Organization:
    """The organization with this id; raises NotFound, and Forbidden for one that the caller is no member of."""
    organization = store.organization(org_id)
    if caller().email not in organization.members:
        raise Forbidden(f"{caller().email} is not a member of organization '{org_id}'")
    return organization


def organization_owned_by_caller(store: Store, org_id: str) -> Organization:
    """The organization with this id; raises NotFound, and Forbidden unless the caller is one of its owners.

    The platform's rule for integrations: https://dataloop.ai/docs/organization-integrations
    """
    organization = organization_of_caller(store, org_id)
    if caller().email not in organization.owners:
        raise Forbidden(
            f"managing integrations of organization '{organization.name}' needs its owner's rights, "
            f"and {caller().email} is not an owner"
        )
    return organization


def project_of_caller(store: Store, project_id: str) -> Project:
    """The project with this id; raises NotFound, and Forbidden for one that the caller does not contribute to."""
    project = store.project(project_id)
    if caller().email not in project.contributors:
        raise Forbidden(f"{caller().email} is not a contributor of project '{project_id}'")
    return project


def role_in_organization(organization: Organization, user: User) -> str:
    """The user's role: owner or member."""
    return "owner" if user.email in organization.owners else "member"


def role_in_project(organization: Organization, user: User) -> str:
    """The user's role: owner for an owner of the organization, engineer for any other contributor."""
    return "owner" if user.email in organization.owners else "engineer"

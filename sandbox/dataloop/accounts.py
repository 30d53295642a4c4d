"""The calls about who the caller is, and about organizations and projects, which are fixed in the emulator."""

from __future__ import annotations

from flask import Blueprint

from sandbox.dataloop.access import caller, organization_of_caller, project_of_caller
from sandbox.dataloop.answers import Document, organization_document, project_document, user_document
from sandbox.dataloop.errors import NotFound
from sandbox.dataloop.records import Organization, Project
from sandbox.dataloop.store import Store


def accounts_blueprint(store: Store) -> Blueprint:
    """GET /users/me, /orgs and /projects, with what the vendor's client asks below them."""
    blueprint = Blueprint("accounts", __name__)

    def my_organizations() -> list[Organization]:
        return [organization for organization in store.organizations() if caller().email in organization.members]

    def my_projects() -> list[Project]:
        return [project for project in store.projects() if caller().email in project.contributors]

    def organization_answer(organization: Organization) -> Document:
        return organization_document(organization, caller(), store.integrations(organization.id))

    def project_answer(project: Project) -> Document:
        organization = store.organization(project.org_id)
        return project_document(project, organization, caller(), store.integrations(organization.id))

    @blueprint.get("/users/me")
    def me() -> Document:
        return user_document(caller(), my_projects(), my_organizations())

    @blueprint.get("/orgs")
    def organizations() -> list[Document]:
        return [organization_answer(organization) for organization in my_organizations()]

    @blueprint.get("/orgs/<org_id>")
    def organization(org_id: str) -> Document:
        return organization_answer(organization_of_caller(store, org_id))

    @blueprint.get("/orgs/<org_id>/projects")
    def projects_of_organization(org_id: str) -> list[Document]:
        organization = organization_of_caller(store, org_id)
        return [project_answer(project) for project in my_projects() if project.org_id == organization.id]

    @blueprint.get("/projects")
    def projects() -> list[Document]:
        return [project_answer(project) for project in my_projects()]

    @blueprint.get("/projects/<project_id>")
    def project(project_id: str) -> Document:
        return project_answer(project_of_caller(store, project_id))

    @blueprint.get("/projects/<name>/name")
    def projects_by_name(name: str) -> list[Document]:
        named = [project_answer(project) for project in my_projects() if project.name == name]
        if not named:
            raise NotFound(f"project named '{name}' was not found")
        return named

    return blueprint

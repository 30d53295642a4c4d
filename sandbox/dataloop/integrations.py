"""The calls about an organization's integrations: its members may read them, its owners may change them."""

from __future__ import annotations

from flask import Blueprint, request

from sandbox.dataloop.access import caller, organization_of_caller, organization_owned_by_caller
from sandbox.dataloop.answers import Document, integration_document
from sandbox.dataloop.errors import BadRequest
from sandbox.dataloop.payloads import IntegrationBody, IntegrationChange, json_body, parse, parse_credentials
from sandbox.dataloop.store import Store


def integrations_blueprint(store: Store) -> Blueprint:
    """/orgs/{orgId}/integrations."""
    blueprint = Blueprint("integrations", __name__, url_prefix="/orgs/<org_id>/integrations")

    @blueprint.get("")
    def integrations(org_id: str) -> list[Document]:
        organization = organization_of_caller(store, org_id)
        return [integration_document(integration) for integration in store.integrations(organization.id)]

    @blueprint.post("")
    def create(org_id: str) -> Document:
        organization = organization_owned_by_caller(store, org_id)
        body = parse(IntegrationBody, json_body())
        integration = store.create_integration(
            organization.id,
            integration_type=body.type,
            name=body.name,
            creator=caller().email,
            credentials=parse_credentials(body.type, body.options, at="options"),
        )
        return integration_document(integration)

    @blueprint.patch("")
    def update(org_id: str) -> Document:
        organization = organization_owned_by_caller(store, org_id)
        if request.args.get("reloadServices", "false") not in ("true", "false"):
            raise BadRequest("reloadServices must be true or false")
        change = parse(IntegrationChange, json_body())
        integration = store.integration(organization.id, change.integration_id)
        if change.name is None and change.credentials is None:
            raise BadRequest("nothing to change: send name, credentials or both")
        credentials = None
        if change.credentials is not None:
            if change.credentials.type != integration.type:
                raise BadRequest(f"credentials.type: the integration is of type '{integration.type}', which stays")
            credentials = parse_credentials(change.credentials.type, change.credentials.options, "credentials.options")
        changed = store.update_integration(organization.id, integration.id, name=change.name, credentials=credentials)
        return integration_document(changed)

    @blueprint.get("/<integration_id>")
    def integration(org_id: str, integration_id: str) -> Document:
        organization = organization_of_caller(store, org_id)
        return integration_document(store.integration(organization.id, integration_id))

    @blueprint.delete("/<integration_id>")
    def delete(org_id: str, integration_id: str) -> list[Document]:
        organization = organization_owned_by_caller(store, org_id)
        remaining = store.delete_integration(organization.id, integration_id)
        return [integration_document(integration) for integration in remaining]

    return blueprint

"""The calls about storage drivers, their TEST among them."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request

from sandbox.dataloop.access import caller, project_of_caller
from sandbox.dataloop.answers import Document, driver_document
from sandbox.dataloop.errors import BadRequest, NotFound
from sandbox.dataloop.payloads import DriverBody, DriverChange, S3Changes, json_body, parse
from sandbox.dataloop.records import Driver, DriverSettings
from sandbox.dataloop.storage_test import StorageTest
from sandbox.dataloop.store import Store

_NO_CONTENT = ("", HTTPStatus.NO_CONTENT)


def drivers_blueprint(store: Store, storage_test: StorageTest) -> Blueprint:
    """/drivers."""
    blueprint = Blueprint("drivers", __name__, url_prefix="/drivers")

    def driver_of_caller(driver_id: str) -> Driver:
        driver = store.driver(driver_id)
        project_of_caller(store, driver.settings.project_id)
        return driver

    def require_integration_of_caller(integration_id: str) -> None:
        mine = [organization for organization in store.organizations() if caller().email in organization.members]
        if not any(integration.id == integration_id for org in mine for integration in store.integrations(org.id)):
            raise NotFound(f"integration '{integration_id}' was not found")

    def wanted_settings() -> DriverSettings:
        body = parse(DriverBody, json_body())
        project = project_of_caller(store, body.metadata.system.project_id)
        if body.metadata.system.org_id not in (None, project.org_id):
            raise BadRequest("metadata.system.orgId: the project belongs to another organization")
        if body.creator != caller().email:
            raise BadRequest(f"creator: must be the user who calls, {caller().email}")
        return DriverSettings(
            name=body.name,
            project_id=project.id,
            integration_id=body.integration_id,
            integration_type=body.integration_type,
            bucket=body.payload.bucket_name,
            region=body.payload.region,
            path=body.payload.path,
            storage_class=body.payload.storage_class,
            allow_delete=_flag("allowExternalDelete", body.allow_external_delete, body.payload.allow_external_delete),
            allow_modification=bool(body.allow_external_modification or body.payload.allow_external_modification),
        )

    @blueprint.get("")
    def drivers() -> list[Document]:
        found = store.drivers()
        if (project_id := request.args.get("projectId")) is not None:
            project = project_of_caller(store, project_id)
            found = [driver for driver in found if driver.settings.project_id == project.id]
        if (integration_id := request.args.get("integrationId")) is not None:
            require_integration_of_caller(integration_id)
            found = [driver for driver in found if driver.settings.integration_id == integration_id]
        mine = {project.id for project in store.projects() if caller().email in project.contributors}
        return [driver_document(driver) for driver in found if driver.settings.project_id in mine]

    @blueprint.post("")
    def create() -> Document:
        return driver_document(store.create_driver(wanted_settings(), caller().email))

    @blueprint.post("/test")
    def test_settings() -> tuple[str, HTTPStatus]:
        settings = wanted_settings()
        storage_test.run(settings, store.integration_for(settings).credentials)
        return _NO_CONTENT

    @blueprint.get("/<driver_id>")
    def driver(driver_id: str) -> Document:
        return driver_document(driver_of_caller(driver_id))

    @blueprint.get("/<driver_id>/test")
    def test_driver(driver_id: str) -> tuple[str, HTTPStatus]:
        settings = driver_of_caller(driver_id).settings
        storage_test.run(settings, store.integration_for(settings).credentials)
        return _NO_CONTENT

    @blueprint.patch("/<driver_id>")
    def update(driver_id: str) -> Document:
        current = driver_of_caller(driver_id).settings
        change = parse(DriverChange, json_body())
        if change.name is None and not change.payload.model_fields_set:
            raise BadRequest("nothing to change: send name, settings in payload, or both")
        settings = _changed(current, change.payload)
        if change.name is not None:
            settings = replace(settings, name=change.name)
        return driver_document(store.update_driver(driver_id, settings))

    @blueprint.delete("/<driver_id>")
    def delete(driver_id: str) -> tuple[str, HTTPStatus]:
        store.delete_driver(driver_of_caller(driver_id).id)
        return _NO_CONTENT

    @blueprint.get("/byIntegration/<integration_id>")
    def count(integration_id: str) -> Response:
        require_integration_of_caller(integration_id)
        return jsonify(len(store.drivers_of_integration(integration_id)))

    return blueprint


def _flag(name: str, beside: bool | None, inside: bool | None) -> bool:
    """The one value of a flag that may stand beside `payload` or in it; leaving it to a default is refused."""
    given = {value for value in (beside, inside) if value is not None}
    if len(given) != 1:
        raise BadRequest(f"{name}: {'contradicts payload.' + name if given else 'must be given'}")
    return given.pop()


def _changed(settings: DriverSettings, changes: S3Changes) -> DriverSettings:
    given = changes.model_dump(exclude_unset=True)
    renamed = {
        "bucket_name": "bucket",
        "allow_external_delete": "allow_delete",
        "allow_external_modification": "allow_modification",
    }
    return replace(settings, **{renamed.get(field, field): value for field, value in given.items()})

"""The calls about datasets: enough of them to tell which datasets a driver serves."""

from __future__ import annotations

import math

from flask import Blueprint, Response, jsonify

from sandbox.dataloop.access import caller, project_of_caller
from sandbox.dataloop.answers import Document, dataset_document
from sandbox.dataloop.payloads import DatasetBody, DatasetQuery, json_body, parse
from sandbox.dataloop.query import check, matches
from sandbox.dataloop.records import Dataset
from sandbox.dataloop.store import Store


def datasets_blueprint(store: Store, api_url: str) -> Blueprint:
    """/datasets; `api_url` is the root of the URLs in the answers."""
    blueprint = Blueprint("datasets", __name__, url_prefix="/datasets")

    def dataset_of_caller(dataset_id: str) -> Dataset:
        dataset = store.dataset(dataset_id)
        project_of_caller(store, dataset.project_id)
        return dataset

    @blueprint.post("")
    def create() -> Document:
        body = parse(DatasetBody, json_body())
        project = project_of_caller(store, body.projects[0])
        dataset = store.create_dataset(
            name=body.name, project_id=project.id, driver_id=body.driver, creator=caller().email
        )
        return dataset_document(dataset, api_url)

    @blueprint.post("/query")
    def query() -> Document:
        wanted = parse(DatasetQuery, json_body())
        check(wanted.filter)
        if wanted.context.projects is None:
            projects = {project.id for project in store.projects() if caller().email in project.contributors}
        else:
            projects = {project_of_caller(store, project_id).id for project_id in wanted.context.projects}
        candidates = [
            dataset_document(dataset, api_url)
            for dataset in store.datasets()
            if dataset.project_id in projects
            and (wanted.context.datasets is None or dataset.id in wanted.context.datasets)
        ]
        found = [document for document in candidates if matches(wanted.filter, document)]
        start = wanted.page * wanted.page_size
        return {
            "items": found[start : start + wanted.page_size],
            "totalItemsCount": len(found),
            "totalPagesCount": math.ceil(len(found) / wanted.page_size),
            "hasNextPage": start + wanted.page_size < len(found),
        }

    @blueprint.get("/<dataset_id>")
    def dataset(dataset_id: str) -> Document:
        return dataset_document(dataset_of_caller(dataset_id), api_url)

    @blueprint.delete("/<dataset_id>")
    def delete(dataset_id: str) -> Response:
        store.delete_dataset(dataset_of_caller(dataset_id).id)
        return jsonify(None)

    return blueprint

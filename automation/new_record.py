"""Writes a customer's first record: with comments that teach, checked first, and over nothing that is there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from automation.conflicts import conflicts
from automation.environment import Environment
from automation.errors import RecordError
from automation.files import YamlFile, parse_yaml
from automation.records import INVALID, Record, all_of, files_of, own_stack_if_valid, parse
from dataloop_sts.errors import Problem

SCHEMA_FILE = Path("docs") / "connection.schema.json"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/_.-]*")


@dataclass(frozen=True)
class NewRecord:
    """What is said of a new connection; what is None comes from the folder's defaults.

    Attributes:
        driver: the driver's name.
        project_id: the Dataloop project's id.
        bucket: the bucket's name.
        existing: whether the bucket is there already, and stays somebody else's.
        prefix: the folder to which the connection is limited; None is the whole bucket.
        allow_delete: whether Dataloop may delete objects.
        organization_id: the Dataloop organization's id.
        region: of the bucket.
        account_id: the AWS account's.
        labels: by which the record is selected.
    """

    driver: str
    project_id: str
    bucket: str
    existing: bool = False
    prefix: str | None = None
    allow_delete: bool = False
    organization_id: str | None = None
    region: str | None = None
    account_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def write(environment: Environment, customer: str, new: NewRecord) -> Record:
    """Writes the record of a new customer.

    Raises:
        RecordError: there is one already, it would have mistakes or name what another record names, or the file
            cannot be written; nothing was written.
    """
    folder = environment.customers_dir
    path = folder / f"{customer}.yaml"
    if there := files_of(environment, customer):
        raise RecordError(f"Customer {customer!r} has a record already:", [Problem(str(there[0]), "edit it there")])
    heading = "The record would not be valid, nothing was written:"
    try:
        file = parse_yaml(path, "".join(f"{line}\n" for line in _lines(environment, customer, new)))
        record = parse(environment, customer, file)
    except RecordError as error:
        if error.heading == INVALID:
            raise RecordError(heading, error.problems) from None
        raise
    others = [each for each in all_of(environment).values() if isinstance(each, Record)]
    for each, mistakes in conflicts([*others, *own_stack_if_valid(environment), record]):
        if each is record:
            raise RecordError(heading, mistakes)
    _write_new(file)
    return record


def _write_new(file: YamlFile) -> None:
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with file.path.open("x", encoding="utf-8") as opened:
            try:
                opened.write(file.text)
                opened.flush()
            except OSError:
                file.path.unlink()  # a half of it, on a full disk
                raise
    except OSError as error:
        raise RecordError(f"{file.path} cannot be written:", [Problem("", str(error.strerror))]) from None


def _lines(environment: Environment, customer: str, new: NewRecord) -> Iterator[str]:
    if (environment.project_dir / SCHEMA_FILE).is_file():
        schema = os.path.relpath(environment.project_dir / SCHEMA_FILE, environment.customers_dir)
        yield f"# yaml-language-server: $schema={schema}"
    yield f"# The connection of {customer} in {environment.name}. What is left out comes from _defaults.yaml beside it."
    if new.labels:
        yield "labels: {" + ", ".join(f"{_scalar(key)}: {_scalar(value)}" for key, value in new.labels.items()) + "}"
    if new.organization_id:
        yield f"organization_id: {_scalar(new.organization_id)}"
    if new.region or new.account_id:
        yield "aws:"
        if new.region:
            yield f"  region: {_scalar(new.region)}"
        if new.account_id:
            yield f"  account_id: {_scalar(new.account_id)}   # no other account is ever touched"
    yield "drivers:"
    yield f"  - name: {_scalar(new.driver)}"
    yield f"    project_id: {_scalar(new.project_id)}"
    if new.existing:
        yield f"    bucket: {{existing: {_scalar(new.bucket)}}}   # it is there, and stays as it is"
    else:
        yield f"    bucket: {{name: {_scalar(new.bucket)}}}   # made and managed by the connection"
    if new.prefix:
        yield f"    prefix: {_scalar(new.prefix)}   # the connection reaches this folder alone"
    else:
        yield "    # prefix: raw/   # would limit the connection to a folder"
    yield f"    allow_delete: {str(new.allow_delete).lower()}   # whether Dataloop may delete objects"


def _scalar(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and yaml.safe_load(value) == value
    return value if plain else json.dumps(value, ensure_ascii=False)

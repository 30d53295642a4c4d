"""The pages under docs/ say what the code says."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from automation.environment import Environment, EnvironmentSettings
from automation.organizations import Credentials
from automation.records import find
from dataloop_sts.spec import ConnectionSpec

ROOT = Path(__file__).resolve().parents[2]


def _model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model(part))), None)


def _fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        several = "[]" if typing.get_origin(field.annotation) is tuple else ""
        yield f"{path}{name}{several}", field
        if inner := _model(field.annotation):
            yield from _fields(inner, f"{path}{name}{several}.")


def test_the_spec_page_lists_every_key_with_its_description() -> None:
    page = (ROOT / "docs" / "spec.md").read_text()
    rows = [f"| `{path}` | {field.description} |" for path, field in _fields(ConnectionSpec)]
    assert len(rows) > 20
    assert [row for row in rows if row not in page] == []


@pytest.mark.parametrize("page", ["README.md", "docs/real-accounts.md", "docs/spec.md"])
def test_every_spec_that_a_page_shows_is_valid(page: str) -> None:
    shown = [
        config["dataloop-sts:connection"]
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
        if (config := yaml.safe_load(block).get("config"))
    ]
    assert shown
    for spec in shown:
        ConnectionSpec.parse(spec, environment="prod")


def test_the_records_page_lists_every_setting_of_an_environment() -> None:
    page = (ROOT / "docs" / "records.md").read_text()
    fields = EnvironmentSettings.model_fields | Credentials.model_fields
    rows = [f"| `{name}` | {field.description} |" for name, field in fields.items()]
    assert [row for row in rows if row not in page] == []


def test_the_example_records_are_valid() -> None:
    environment = Environment.of("dev", ROOT)
    assert environment.settings.sandbox
    assert find(environment, "globex").spec.aws.region == "eu-west-1"


def test_every_relative_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"

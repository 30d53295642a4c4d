"""JSON Schema of customer records, for editors: ``python -m automation.schema > docs/connection.schema.json``.

The same schema serves a record and the ``_defaults.yaml`` beside it. Each may give what the other leaves out, so no key
is required but those of a list's entries, which are taken as a whole.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from automation.labels import LABEL_KEY, LABEL_VALUE, LABELS_MAX
from dataloop_sts.spec import ConnectionSpec

_LABELS_SHAPE = {
    "type": ["object", "null"],
    "maxProperties": LABELS_MAX,
    "propertyNames": {"pattern": f"^{LABEL_KEY.pattern}$"},
    "additionalProperties": {"type": "string", "pattern": f"^{LABEL_VALUE.pattern}$"},
}


class _RecordFile(ConnectionSpec):
    labels: Annotated[dict[str, str], WithJsonSchema(_LABELS_SHAPE)] = Field(
        default_factory=dict, description="By which records are selected, such as tier: gold; they reach nobody else"
    )


def schema() -> dict[str, Any]:
    """The schema, in JSON Schema's draft 2020-12."""
    found = _RecordFile.model_json_schema()
    models = found.pop("$defs")
    in_lists = _reached(models, [each for each in found["properties"].values() if each.get("type") == "array"])
    for name, model in models.items():
        if name not in in_lists:
            model.pop("required", None)
    found.pop("required")
    found["properties"]["drivers"]["minItems"] = 1
    whole: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    whole |= _without_titles(found | {"$defs": models})
    whole.update(
        title="Customer record of dataloop-sts",
        description="One customer's connection, or _defaults.yaml, from which all records of the folder inherit",
    )
    return whole


def _reached(models: dict[str, Any], parts: Any) -> set[str]:
    """The models to which parts of a schema refer, and those to which these refer."""
    found: set[str] = set()
    if isinstance(parts, dict) and "$ref" in parts:
        name = parts["$ref"].rpartition("/")[2]
        found |= {name} | _reached(models, models[name])
    for each in parts.values() if isinstance(parts, dict) else parts if isinstance(parts, list) else ():
        found |= _reached(models, each)
    return found


def _without_titles(part: Any) -> Any:
    """Without the titles that pydantic makes of the keys' names: they say nothing."""
    if isinstance(part, list):
        return [_without_titles(each) for each in part]
    if isinstance(part, dict):
        return {key: _without_titles(each) for key, each in part.items() if key != "title" or not isinstance(each, str)}
    return part


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")

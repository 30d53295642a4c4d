"""Policy documents compared by meaning, as the official provider does (https://github.com/hashicorp/awspolicyequivalence)."""

from __future__ import annotations

import json
import re
from typing import Any

_ACCOUNT = re.compile(r"\d{12}")
_SETS = ("Action", "NotAction", "Resource", "NotResource")


def equivalent(first: Any, second: Any) -> bool:
    """Whether two documents, as JSON text, say the same."""
    if first == second:
        return True
    try:
        return bool(_document(json.loads(first)) == _document(json.loads(second)))
    except (TypeError, ValueError):
        return False


def problem(document: Any) -> str | None:
    """What is wrong with a document's text, or None."""
    try:
        parsed = json.loads(document) if isinstance(document, str) else document
    except ValueError as error:
        return f"is not valid JSON: {error}"
    return None if isinstance(parsed, dict) else "must be a JSON object"


def kept_or_live(recorded: Any, live: str) -> str:
    """The recorded spelling of a document as long as the live one says the same, else the live one."""
    if isinstance(recorded, str) and equivalent(recorded, live):
        return recorded
    return json.dumps(json.loads(live), separators=(",", ":"))


def _document(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    statements = _as_list(value.get("Statement", []))
    normalized = sorted(_canonical(_statement(statement)) for statement in statements)
    return {**value, "Statement": normalized}


def _statement(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    normalized: dict[str, Any] = {}
    for key, value in statement.items():
        if key in _SETS:
            normalized[key] = sorted({str(item) for item in _as_list(value)})
        elif key in ("Principal", "NotPrincipal"):
            normalized[key] = _principal(value)
        elif key == "Condition" and isinstance(value, dict):
            normalized[key] = {operator: _condition(operands) for operator, operands in value.items()}
        elif not (key == "Sid" and value == ""):
            normalized[key] = value
    return normalized


def _principal(value: Any) -> Any:
    if value == "*":
        value = {"AWS": "*"}
    if not isinstance(value, dict):
        return value
    return {kind: sorted(_principal_id(item) for item in _as_list(ids)) for kind, ids in value.items()}


def _principal_id(value: Any) -> str:
    text = str(value)
    root = re.fullmatch(r"arn:[a-z-]+:iam::(\d{12}):root", text)
    return root.group(1) if root else text


def _condition(operands: Any) -> Any:
    if not isinstance(operands, dict):
        return operands
    return {key.lower(): sorted(_scalar(item) for item in _as_list(values)) for key, values in operands.items()}


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)

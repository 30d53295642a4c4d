"""Rows of previews as the engine would give them, made without it."""

from __future__ import annotations

from typing import Any

from automation.pull_request.changes import Change, Changes, Kind
from automation.pull_request.document import Report
from automation.pull_request.preview import Previewed
from automation.pull_request.risk import risky as risk
from automation.results import Step
from dataloop_sts.spec import ConnectionSpec

POLICY = Step("policy", "aws:iam/policy:Policy", "update", ("policy",))


def spec(customer: str, *, bucket: str | None = None, **more: Any) -> ConnectionSpec:
    driver = {"name": f"{customer}-images", "project_id": "p-1", "bucket": {"name": bucket or f"dataloop-{customer}"}}
    aws = {"region": "eu-west-1", "account_id": "123456789012"}
    data = {"customer": customer, "organization_id": "o-1", "aws": aws, "drivers": [driver], **more}
    return ConnectionSpec.parse(data, environment="prod")


def row(customer: str, *risky: str, kind: Kind = "changed", **more: Any) -> Previewed:
    before = spec(customer) if kind not in ("added", "renamed") else None
    after = spec(customer) if kind != "removed" else None
    change = more.pop("change", None) or Change(kind, customer, before=before, after=after)
    given: dict[str, Any] = {"counts": {"update": 1, "same": 21}, "steps": (POLICY,), **more}
    return Previewed(change, f"prod.{customer}", risks=tuple(map(risk, risky)), **given)


def report(*rows: Previewed, **more: Any) -> Report:
    given: dict[str, Any] = {"base": "a" * 40, "head": "b" * 40, "program": (), "unchanged": 7, **more}
    customers = tuple(each.change for each in rows)
    return Report(Changes(environment="prod", customers=customers, **given), rows)

"""The control plane: how a test orders faults, reads the log of calls, and shortens the life of login tokens.

It needs no token, is not in the log and has no faults.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Self

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.dataloop.answers import Document
from sandbox.dataloop.errors import BadRequest
from sandbox.dataloop.faults import CallLog, Drop, Fault, FaultPlan
from sandbox.dataloop.login import DEFAULT_LIFETIME_S, MachineLogin
from sandbox.dataloop.payloads import json_body, parse

_NO_CONTENT = ("", HTTPStatus.NO_CONTENT)


class FaultBody(BaseModel):
    """POST /faults; at least one of the fields after `times`. A dropped call has no answer, hence no status."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    method: Annotated[str, Field(pattern=r"^[A-Za-z]+$")]
    path: Annotated[str, Field(min_length=1)]
    times: Annotated[int, Field(ge=1)] = 1
    status: Annotated[int | None, Field(ge=400, le=599)] = None
    delay_s: Annotated[float | None, Field(ge=0, le=600)] = None
    retry_after_s: Annotated[float | None, Field(ge=0, le=86400)] = None
    drop: Drop | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        answers = self.status is not None or self.retry_after_s is not None
        if not answers and self.delay_s is None and self.drop is None:
            raise ValueError("one or more of status, delay_s, retry_after_s and drop must be given")
        if answers and self.drop is not None:
            raise ValueError("a dropped call has no answer: give drop, or status and retry_after_s")
        return self


class LifetimeBody(BaseModel):
    """PUT /login-lifetime."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    seconds: Annotated[float, Field(ge=-3600, le=DEFAULT_LIFETIME_S)]


def control_blueprint(faults: FaultPlan, calls: CallLog, login: MachineLogin) -> Blueprint:
    """/faults, /calls and /login-lifetime."""
    blueprint = Blueprint("control", __name__)

    @blueprint.get("/faults")
    def pending_faults() -> list[Document]:
        return [_fault_document(fault, left) for fault, left in faults.pending()]

    @blueprint.post("/faults")
    def add_fault() -> tuple[Document, HTTPStatus]:
        body = parse(FaultBody, json_body())
        try:
            path = re.compile(body.path)
        except re.error as error:
            raise BadRequest(f"path: not a regular expression: {error}") from None
        fault = Fault(
            method=body.method.upper(),
            path=path,
            times=body.times,
            status=body.status,
            delay_s=body.delay_s or 0.0,
            retry_after_s=body.retry_after_s,
            drop=body.drop,
        )
        faults.add(fault)
        return _fault_document(fault, fault.times), HTTPStatus.CREATED

    @blueprint.delete("/faults")
    def clear_faults() -> tuple[str, HTTPStatus]:
        faults.clear()
        return _NO_CONTENT

    @blueprint.get("/calls")
    def received_calls() -> list[Document]:
        return calls.calls()

    @blueprint.delete("/calls")
    def clear_calls() -> tuple[str, HTTPStatus]:
        calls.clear()
        return _NO_CONTENT

    @blueprint.put("/login-lifetime")
    def set_login_lifetime() -> tuple[str, HTTPStatus]:
        login.lifetime_s = parse(LifetimeBody, json_body()).seconds
        return _NO_CONTENT

    @blueprint.delete("/login-lifetime")
    def reset_login_lifetime() -> tuple[str, HTTPStatus]:
        login.lifetime_s = DEFAULT_LIFETIME_S
        return _NO_CONTENT

    return blueprint


def _fault_document(fault: Fault, left: int) -> Document:
    return {
        "method": fault.method,
        "path": fault.path.pattern,
        "times": left,
        "status": fault.status,
        "delay_s": fault.delay_s,
        "retry_after_s": fault.retry_after_s,
        "drop": fault.drop,
    }

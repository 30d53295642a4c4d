"""The frame of the small programs that ``pulumi_command`` runs: a request on standard input, one line when it fails.

Credentials reach such a step on its standard input or by its environment, never as an argument.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dataloop_sts.errors import DataloopStsError
from dataloop_sts.redaction import redact
from dataloop_sts.spec_parts import DeployRoleSpec


class Request(BaseModel):
    """Base of the steps' requests, which the components write as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


R = TypeVar("R", bound=Request)


def deploying(role: DeployRoleSpec | None) -> dict[str, Any]:
    """The part of a request that names the deploying role; empty where there is none."""
    return {"deploy_role": role.model_dump(exclude_none=True)} if role else {}


def command(module: str, *arguments: str) -> str:
    """The command line that runs a step: constant, so that it is no change from one machine to another."""
    return " ".join(["python", "-m", f"dataloop_sts.{module}", *arguments])


def python_problem(path: str) -> str | None:
    """What is wrong with the ``python`` that :func:`command` would find on a PATH, or None: it has to be this one."""
    found = shutil.which("python", path=path)
    if found and Path(found).parent.resolve() == Path(sys.executable).parent.resolve():
        return None
    return (
        f"`python` on PATH is {found or 'missing'}, the program runs with {sys.executable}: activate the "
        "environment first (source .venv/bin/activate)."
    )


def run(request_type: type[R], step: Callable[[R], int | None]) -> int:
    """Reads the request and runs the step.

    Returns:
        The exit code: what the step returns, or 1 with one line on standard error where it raised.
    """
    try:
        return step(request_type.model_validate_json(sys.stdin.read())) or 0
    except ValidationError as error:
        where = ", ".join(".".join(map(str, problem["loc"])) or "the request" for problem in error.errors())
        return _fail(f"The step's request on standard input is not valid at: {where}.")
    except DataloopStsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Interrupted.")


def _fail(message: str) -> int:
    sys.stderr.write(redact(message) + "\n")
    return 1

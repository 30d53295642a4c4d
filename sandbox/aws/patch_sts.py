"""Sessions in moto, bound to the role that existed when they began."""

from datetime import UTC, datetime
from typing import Any

from moto.sts import models as sts_models

from sandbox.aws import directory


class _Session(sts_models.AssumedRole):
    """A session of the role that existed when it began, not of a later one of the same name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.role_id = directory.unique_id_of(self.role_arn) or ""
        self.issued_at = datetime.now(UTC)

    @property
    def user_id(self) -> str:
        return f"{self.role_id}:{self.session_name}"


def install() -> None:
    """Make moto's STS begin such sessions."""
    patched: Any = sts_models
    patched.AssumedRole = _Session

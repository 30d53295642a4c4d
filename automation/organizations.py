"""The Dataloop credentials of an organization: the settings say where they are, never what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
STANDARD = ("DATALOOP_TOKEN", "DATALOOP_USERNAME", "DATALOOP_PASSWORD")
"""The variables that hold the credentials of whoever has none of its own."""
ONE_OF = "give token_variable or token_file, or a username and a password, each by its _variable or _file"


class Unset(Exception):  # noqa: N818
    """A credential is not where it should be; ``key`` names the setting that says where, ``what`` is the matter."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key, self.what = key, what


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError("is no name of an environment variable: name the variable that holds it, not what it holds")
    return text


def _file(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("is no absolute path: name the file that holds it, such as /run/secrets/dataloop-token")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
File = Annotated[str, AfterValidator(_file)]


class Credentials(BaseModel):
    """Where an organization's credentials are: a token, or user and password of a machine's login."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token_variable: Variable | None = Field(None, description="The environment variable that holds the token")
    token_file: File | None = Field(None, description="Or the file that holds it, such as a mounted secret")
    username_variable: Variable | None = Field(
        None, description="The variable that holds the user of a machine's login"
    )
    username_file: File | None = Field(None, description="Or the file that holds it")
    password_variable: Variable | None = Field(None, description="The variable that holds that login's password")
    password_file: File | None = Field(None, description="Or the file that holds it")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        given = [key.partition("_")[0] for key, place in self if place]
        if sorted(given) not in (["token"], ["password", "username"]):
            raise ValueError(ONE_OF)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The environment variables that hold them."""
        places = (self.token_variable, self.username_variable, self.password_variable)
        return tuple(name for name in places if name)

    @property
    def places(self) -> str:
        """Where they are, in words."""
        return " and ".join(f"{key.partition('_')[2]} {place}" for key, place in self if place)

    def read(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables of :data:`STANDARD` with them; what they do not need is empty.

        Args:
            environ: where the named variables are.

        Raises:
            Unset: a variable is not set, or a file cannot be read.
        """
        return dict.fromkeys(STANDARD, "") | dict(self._read(environ))

    def _read(self, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for key, place in self:
            if place:
                secret, _, kind = key.partition("_")
                value = _content(key, place) if kind == "file" else environ.get(place, "")
                if not value.strip():
                    raise Unset(key, f"{place} is {'empty' if kind == 'file' else 'not set'}")
                yield f"DATALOOP_{secret.upper()}", value


def _content(key: str, place: str) -> str:
    try:
        text = Path(place).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise Unset(key, f"{place} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise Unset(key, f"{place} is not UTF-8 text") from None
    if "\0" in text:  # which no environment variable can hold
        raise Unset(key, f"{place} is not UTF-8 text")
    return text

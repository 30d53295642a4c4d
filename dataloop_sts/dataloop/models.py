"""The things of the Dataloop API that a connection needs, typed; lenient, since the platform's answers vary.

Unknown fields are ignored, ``org`` and ``creator`` may be an object or a string, a timestamp a number or an ISO string.
Source of the fields: the OpenAPI document of https://gate.dataloop.ai/api/v1, and the vendor's client dtlpy
(https://github.com/dataloop-ai/dtlpy).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

INTEGRATION_TYPE = "aws-sts"
DRIVER_TYPE = "s3"


def _identifier(value: object) -> object:
    """The id of an object that the platform sometimes gives whole and sometimes by its id alone."""
    return value.get("id", value.get("_id")) if isinstance(value, dict) else value


def _person(value: object) -> object:
    """The name under which a user appears as a creator: e-mail address first, as the vendor's client sends it."""
    if isinstance(value, dict):
        return next((value[key] for key in ("email", "username", "id") if value.get(key)), None)
    return value


def _timestamp(value: object) -> object:
    """A timestamp as text, the same text for the same moment: numbers (milliseconds) without a fraction of zero."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _text(value: object) -> object:
    return "" if value is None else value


_Id = Annotated[str | None, BeforeValidator(_identifier)]
_Person = Annotated[str | None, BeforeValidator(_person)]
_Timestamp = Annotated[str | None, BeforeValidator(_timestamp)]
_Text = Annotated[str, BeforeValidator(_text)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )


class _Thing(_Model):
    id: str = Field(min_length=1, validation_alias=AliasChoices("id", "_id"), description="The platform's id.")
    name: _Text = Field(default="", description="The name the console shows.")
    creator: _Person = Field(default=None, description="Who made it: an e-mail address where the platform gives one.")
    created_at: _Timestamp = Field(default=None, description="As the platform gives it: ISO text, or milliseconds.")
    updated_at: _Timestamp = Field(default=None, description="As `created_at`; moves with each write.")


class User(_Model):
    """Who the token belongs to."""

    id: _Text = Field(default="", validation_alias=AliasChoices("id", "_id"), description="The platform's id.")
    email: str = Field(
        min_length=1,
        validation_alias=AliasChoices("email", "username"),
        description="E-mail address; what the API wants as a driver's creator.",
    )
    username: str | None = Field(default=None, description="Where it differs from the e-mail address.")

    def made(self, thing: _Thing) -> bool:
        """True where this user is the creator of ``thing``, whichever way the platform names a creator."""
        return bool(thing.creator) and thing.creator in {self.id, self.email, self.username}


class Organization(_Thing):
    """An organization; integrations belong to it."""

    owner: _Person = Field(default=None, description="Who may create integrations, where the platform tells.")
    role: str | None = Field(default=None, description="The token's user's role in it, where the platform tells.")


class Project(_Thing):
    """A project of an organization; drivers belong to it."""

    org: _Id = Field(default=None, description="The organization's id.")
    role: str | None = Field(default=None, description="The token's user's role in it, where the platform tells.")


class Integration(_Thing):
    """Credentials held by the platform; the secret part is never given back."""

    type: _Text = Field(default="", description="`aws-sts` for ours.")
    org: _Id = Field(default=None, description="The organization's id.")


class Driver(_Thing):
    """A bucket, or a folder of it, as storage of a project. Attributes named as in :class:`NewDriver`."""

    type: _Text = Field(default="", description="`s3` for ours.")
    project_id: _Id = Field(default=None, description="The project's id.")
    integration_id: _Id = Field(default=None, description="The integration whose credentials it uses.")
    integration_type: str | None = Field(default=None, description="`aws-sts` for ours.")
    bucket: str | None = Field(default=None, validation_alias=AliasChoices("bucketName", "bucket"))
    region: str | None = Field(default=None, description="The bucket's region.")
    path: _Text = Field(default="", description="Folder of the bucket; empty for the whole bucket.")
    storage_class: _Text = Field(default="", description="Empty for the bucket's default.")
    allow_delete: bool | None = Field(
        default=None,
        validation_alias=AliasChoices("allowExternalDelete", "allow_delete"),
        description="Whether the platform may delete objects; None where it does not tell.",
    )

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        """Some answers repeat the request's nesting (payload, metadata.system): what stands at the top level wins."""
        if not isinstance(value, dict):
            return value
        payload, metadata = value.get("payload"), value.get("metadata")
        system = metadata.get("system") if isinstance(metadata, dict) else None
        nested = payload if isinstance(payload, dict) else {}
        if isinstance(system, dict) and "projectId" in system:
            nested = {"projectId": system["projectId"], **nested}
        return {**nested, **{key: item for key, item in value.items() if item is not None}}


class Dataset(_Thing):
    """A dataset, as far as one needs to know who uses a driver."""

    driver: _Id = Field(default=None, description="Id of the driver that holds its items.")


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StsCredentials(_Request):
    """What an integration of type `aws-sts` holds."""

    access_key_id: str = Field(description="Of the IAM user that may do nothing but assume the role.")
    secret_access_key: SecretStr = Field(description="The key's secret.")
    role_arn: str = Field(description="The role to assume.")

    def options(self) -> dict[str, str]:
        """The body's `options`, the secret in plain text; `roleArns` is one string, as in the console's one field."""
        return {
            "key": self.access_key_id,
            "secret": self.secret_access_key.get_secret_value(),
            "roleArns": self.role_arn,
        }


class NewDriver(_Request):
    """A driver that is to be tested or created."""

    name: str = Field(description="Name that the console shows; unique in the project.")
    project_id: str = Field(description="The project it is made in.")
    integration_id: str = Field(description="The integration whose credentials it uses.")
    bucket: str = Field(description="Name of the bucket.")
    region: str = Field(description="The bucket's region.")
    path: str | None = Field(default=None, description="Folder of the bucket, for example `raw/`; None for all of it.")
    allow_delete: bool = Field(description="Whether the platform may delete objects; the vendor's default is yes.")
    creator: str = Field(description="E-mail address of the token's user.")
    storage_class: str = Field(default="", description="Empty for the bucket's default.")

    def body(self) -> dict[str, object]:
        """The request's body, as the vendor's client builds it."""
        return {
            "integrationId": self.integration_id,
            "integrationType": INTEGRATION_TYPE,
            "name": self.name,
            "metadata": {"system": {"projectId": self.project_id}},
            "type": DRIVER_TYPE,
            "payload": {
                "bucketName": self.bucket,
                "storageClass": self.storage_class,
                "region": self.region,
                "path": self.path or "",
            },
            "allowExternalDelete": self.allow_delete,
            "creator": self.creator,
        }

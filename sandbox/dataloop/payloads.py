"""The request bodies that are accepted, and nothing else: unknown keys, wrong types and malformed values are refused.

The shapes are those of the public API's description, version 1.11.2 (https://dataloop.ai/docs/swagger-ui-example), as
the vendor's client dtlpy 1.126.5 sends them.
Where the platform's rules are not known the emulator takes the stricter reading, so that a client that works here
asks for nothing unusual there.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from sandbox.dataloop.errors import BadRequest
from sandbox.dataloop.records import Credentials

# AWS's rules: bucket names https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, keys of at
# most 1,024 bytes https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, access key ids
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html.
Name = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\p{C}]*[^\p{C}\s][^\p{C}]*$")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
AccessKeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,128}$")]
RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$")]
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")]
Path = Annotated[str, StringConstraints(max_length=900, pattern=r"^[^\p{C}]*$")]
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html; empty means the bucket's default.
StorageClass = Literal[
    "", "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE"
]
IntegrationType = Literal["aws-sts", "s3"]


def _refuse_null(value: object) -> object:
    if value is None:
        raise ValueError("must not be null")
    return value


Body = TypeVar("Body", bound=BaseModel)
NotNull = BeforeValidator(_refuse_null)


class _Body(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


class StsOptions(_Body):
    """Options of type aws-sts; `roleArns` is one ARN, as the console has one field for it."""

    key: AccessKeyId
    secret: Annotated[SecretStr, Field(min_length=1)]
    role_arn: RoleArn = Field(alias="roleArns")


class S3Options(_Body):
    """Options of type s3: a plain access key."""

    key: AccessKeyId
    secret: Annotated[SecretStr, Field(min_length=1)]


class IntegrationBody(_Body):
    """POST /orgs/{orgId}/integrations; metadata belongs to types that are not served here."""

    type: IntegrationType
    name: Name
    options: dict[str, Any]
    metadata: None = None


class CredentialsBody(_Body):
    """The new credentials of a PATCH, whole: which options the platform would merge is not known."""

    type: IntegrationType
    options: dict[str, Any]


class IntegrationChange(_Body):
    """PATCH /orgs/{orgId}/integrations."""

    integration_id: Identifier
    name: Annotated[Name | None, NotNull] = None
    credentials: Annotated[CredentialsBody | None, NotNull] = None


class SystemMetadata(_Body):
    """Which project a driver belongs to."""

    project_id: Identifier
    org_id: Annotated[Identifier | None, NotNull] = None


class DriverMetadata(_Body):
    """A driver's metadata, of which only the system's part is served."""

    system: SystemMetadata


class S3Payload(_Body):
    """Where the objects are. The two flags stand here in the API's description, beside it in what dtlpy sends."""

    bucket_name: BucketName
    region: Region | None = None
    path: Path | None = None
    storage_class: StorageClass | None = None
    allow_external_delete: Annotated[bool | None, NotNull] = None
    allow_external_modification: Annotated[bool | None, NotNull] = None


class DriverBody(_Body):
    """POST /drivers and POST /drivers/test."""

    type: Literal["s3"]
    name: Name
    creator: Identifier
    integration_id: Identifier
    integration_type: IntegrationType
    metadata: DriverMetadata
    payload: S3Payload
    allow_external_delete: Annotated[bool | None, NotNull] = None
    allow_external_modification: Annotated[bool | None, NotNull] = None


class S3Changes(_Body):
    """The settings that a PATCH may change; null clears one that may be empty."""

    bucket_name: Annotated[BucketName | None, NotNull] = None
    region: Region | None = None
    path: Path | None = None
    storage_class: StorageClass | None = None
    allow_external_delete: Annotated[bool | None, NotNull] = None
    allow_external_modification: Annotated[bool | None, NotNull] = None
    integration_id: Annotated[Identifier | None, NotNull] = None
    integration_type: Annotated[IntegrationType | None, NotNull] = None


class DriverChange(_Body):
    """PATCH /drivers/{id}; the API's description requires `payload`, if only an empty one."""

    name: Annotated[Name | None, NotNull] = None
    payload: S3Changes


class DatasetBody(_Body):
    """POST /datasets. The emulator has no storage of its own, so a driver is required."""

    name: Name
    projects: Annotated[list[Identifier], Field(min_length=1, max_length=1)]
    driver: Identifier
    create_default_recipe: bool = True


class QueryContext(_Body):
    """The projects and datasets that a query is confined to."""

    projects: Annotated[list[Identifier] | None, NotNull] = None
    datasets: Annotated[list[Identifier] | None, NotNull] = None


class DatasetQuery(_Body):
    """POST /datasets/query, the part of the query language that selects; see sandbox.dataloop.query for `filter`."""

    filter: dict[str, Any]
    resource: Literal["datasets"]
    context: QueryContext = QueryContext()
    page: Annotated[int, Field(ge=0)] = 0
    page_size: Annotated[int, Field(ge=1, le=1000)] = 1000


class PasswordLogin(_Body):
    """POST /token?default with the credentials of a machine-to-machine user."""

    type: Literal["user_credentials"]
    username: Annotated[str, Field(min_length=1)]
    password: Annotated[SecretStr, Field(min_length=1)]


class RefreshLogin(_Body):
    """POST /token?default with the refresh token of an earlier login."""

    type: Literal["refresh_token"]
    refresh_token: Annotated[SecretStr, Field(min_length=1)] = Field(alias="refresh_token")


def json_body() -> dict[str, Any]:
    """The current request's body, which has to be a JSON object; raises BadRequest."""
    if request.mimetype != "application/json":
        raise BadRequest("the body must be JSON: send Content-Type application/json")
    try:
        body = json.loads(request.get_data(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def parse(model: type[Body], body: object, at: str = "") -> Body:
    """Read a value as one of the models above.

    Args:
        model: The shape it has to have.
        body: The decoded JSON.
        at: Where it stands in the request's body, for the message.

    Raises:
        BadRequest: naming every field that is wrong, without its value, which may be a secret.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = [
            f"{'.'.join([at, *map(str, problem['loc'])]).lstrip('.') or 'body'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    raise BadRequest("; ".join(problems))


def parse_credentials(integration_type: IntegrationType, options: dict[str, Any], at: str) -> Credentials:
    """Read the options of an integration of this type; raises BadRequest."""
    if integration_type == "s3":
        plain = parse(S3Options, options, at)
        return Credentials(plain.key, plain.secret, role_arn=None)
    sts = parse(StsOptions, options, at)
    return Credentials(sts.key, sts.secret, sts.role_arn)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

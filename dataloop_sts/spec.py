"""The connection spec: the typed description of one customer's connection, and the only input of the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)

from dataloop_sts import naming, regions, values
from dataloop_sts.errors import Problem, SpecError

OnDestroy = Literal["retain", "refuse", "delete"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False, hide_input_in_errors=True)


class NamesSpec(_Model):
    """Names of the IAM objects; each default derives from customer and environment."""

    user: values.UserName | None = Field(
        None, description="IAM user; default dataloop-CUSTOMER-ENVIRONMENT; at most 64 characters"
    )
    role: values.RoleName | None = Field(
        None, description="IAM role; default dataloop-CUSTOMER-ENVIRONMENT; at most 64 characters"
    )
    policy: values.PolicyName | None = Field(
        None, description="IAM policy; default dataloop-CUSTOMER-ENVIRONMENT; at most 128 characters"
    )


class AwsSpec(_Model):
    """Where in AWS the connection's bucket, user and role are."""

    region: values.Region = Field(description="Region of the buckets, such as eu-west-1")
    account_id: values.AccountId | None = Field(
        None, description="The account's 12 digits, in quotes; where given, no other account is ever touched"
    )
    tags: values.Tags = Field(default_factory=dict, description="Tags on every AWS resource that can have them")
    names: NamesSpec = Field(default=NamesSpec(), description="Names of the IAM user, role and policy")

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, as the region says."""
        return regions.partition_of(self.region)


class IntegrationSpec(_Model):
    """The Dataloop integration of type ``aws-sts``."""

    name: values.DataloopName | None = Field(
        None, description="Name in the organization; default CUSTOMER-ENVIRONMENT-sts"
    )


class AccessKeySpec(_Model):
    """The user's access key, which Dataloop holds."""

    generation: StrictInt = Field(
        1, ge=1, le=1_000_000, description="Counts the key's rotations; one more makes a new key"
    )
    description: values.KeyDescription = Field(
        "DataLoop reads S3 over STS", description="What the AWS console shows beside the key; contains DataLoop"
    )


class BucketSpec(_Model):
    """A bucket that this connection creates and manages."""

    name: values.BucketName = Field(description="The bucket's name, unique in all of AWS")


class DriverSpec(_Model):
    """One Dataloop storage driver: a bucket, or a folder of it, in a Dataloop project."""

    name: values.DataloopName = Field(description="The driver's name in Dataloop")
    project_id: values.DataloopId = Field(description="The Dataloop project's id")
    bucket: BucketSpec = Field(description="The bucket the driver reads")
    prefix: values.Prefix | None = Field(
        None, description="Folder, such as raw/, that the connection is limited to; default: the whole bucket"
    )
    allow_delete: StrictBool = Field(
        False, description="Whether Dataloop may delete objects: the driver's flag and the role's s3:DeleteObject"
    )

    def covers(self, other: DriverSpec) -> bool:
        """Whether all that ``other`` reaches lies within this driver's bucket and folder."""
        return self.bucket == other.bucket and (other.prefix or "").startswith(self.prefix or "")


class _MistakesError(ValueError):
    """Mistakes of one field that have places of their own within the spec."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def _agreeing_drivers(value: tuple[DriverSpec, ...]) -> tuple[DriverSpec, ...]:
    if not value:
        raise ValueError("needs at least one entry")
    problems = [*_repeated_driver_names(value), *_contradictions(value)]
    if problems:
        raise _MistakesError(problems)
    return value


class ConnectionSpec(_Model):
    """One customer's AWS storage connected to Dataloop over STS. Read it with :meth:`parse`."""

    customer: values.Slug = Field(description="The customer's short name; other names derive from it")
    organization_id: values.DataloopId = Field(description="The Dataloop organization's id")
    aws: AwsSpec = Field(description="Where in AWS")
    integration: IntegrationSpec = Field(default=IntegrationSpec(), description="The Dataloop integration")
    access_key: AccessKeySpec = Field(default=AccessKeySpec(), description="The access key that Dataloop holds")
    on_destroy: OnDestroy = Field(
        "retain",
        description="Managed buckets at destroy: retain keeps them, refuse stops it, delete removes them once empty",
    )
    drivers: Annotated[tuple[DriverSpec, ...], AfterValidator(_agreeing_drivers)] = Field(
        description="The storage drivers, at least one"
    )

    @classmethod
    def parse(cls, data: object, *, environment: str) -> Self:
        """Reads a spec and checks all of it.

        Args:
            data: the mapping as it stands in the config, a record or another program; or a spec.
            environment: the environment's name, from which default names derive.

        Raises:
            SpecError: with every mistake found and its path in the config.
        """
        if isinstance(data, ConnectionSpec):
            data = data.model_dump()  # its names may not fit this environment
        problems: list[Problem] = []
        spec: Self | None = None
        try:
            spec = cls.model_validate(data)
        except ValidationError as error:
            for mistake in error.errors(include_url=False, include_input=False):
                problems += _problems(mistake)
        problems += _derived_name_problems(data, environment)
        if spec is None or problems:
            raise SpecError(problems)
        return spec

    def names(self, environment: str) -> naming.Names:
        """The names of the connection's IAM objects and its integration in an environment."""
        derived = naming.derived_names(self.customer, environment)
        return naming.Names(
            user=self.aws.names.user or derived.user,
            role=self.aws.names.role or derived.role,
            policy=self.aws.names.policy or derived.policy,
            integration=self.integration.name or derived.integration,
        )

    @property
    def bucket_names(self) -> tuple[str, ...]:
        """The managed buckets' names, each once, in the order of the drivers."""
        return tuple(dict.fromkeys(driver.bucket.name for driver in self.drivers))

    def folders(self, bucket: str) -> tuple[str, ...]:
        """The folders of a bucket's drivers, such as ``raw/``; ``""`` is the whole bucket."""
        return tuple(driver.prefix or "" for driver in self.drivers if driver.bucket.name == bucket)


def _repeated_driver_names(drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, driver in enumerate(drivers):
        if driver.name in seen:
            yield Problem(
                f"drivers[{index}].name", f"{driver.name!r} is the name of drivers[{seen[driver.name]}] already"
            )
        seen.setdefault(driver.name, index)


def _contradictions(drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    """All drivers share one role: where one may delete, no other can be kept from it."""
    for (_, wide), (index, narrow) in permutations(enumerate(drivers), 2):
        if wide.covers(narrow) and wide.allow_delete and not narrow.allow_delete:
            yield Problem(
                f"drivers[{index}].allow_delete",
                f"false cannot hold, since driver {wide.name!r} covers the same objects with allow_delete true and "
                "both use one role; give both the same value, or the one its own prefix",
            )


_DERIVED = (
    ("user", naming.IAM_USER_NAME_MAX),
    ("role", naming.IAM_ROLE_NAME_MAX),
    ("policy", naming.IAM_POLICY_NAME_MAX),
)


def _derived_name_problems(data: object, environment: str) -> Iterator[Problem]:
    customer = data.get("customer") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(customer, str) or not naming.SLUG.fullmatch(customer):
        return
    aws = data.get("aws")
    given = aws.get("names") if isinstance(aws, Mapping) else None
    derived = naming.derived_names(customer, environment)
    integration = data.get("integration")
    named = isinstance(integration, Mapping) and integration.get("name") is not None
    if not named and len(derived.integration) > values.DATALOOP_NAME_MAX:
        yield Problem(
            "integration.name",
            f"the derived name {derived.integration!r} has {len(derived.integration)} characters, "
            f"{values.DATALOOP_NAME_MAX} are allowed: shorten customer, or give a name here",
        )
    for kind, maximum in _DERIVED:
        if isinstance(given, Mapping) and given.get(kind) is not None:
            continue
        name = getattr(derived, kind)
        if len(name) > maximum:
            yield Problem(
                f"aws.names.{kind}",
                f"the derived name {name!r} has {len(name)} characters, IAM allows {maximum}: "
                "shorten customer, or give a name here",
            )


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of the spec; check its spelling and indentation",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "string_type": "must be text (numbers in quotes)",
    "model_type": "must hold keys of its own, each with a value",
    "dict_type": "must hold keys of its own, each with a value",
    "tuple_type": "must be a list",
}


def _problems(error: Mapping[str, Any]) -> list[Problem]:
    cause = error.get("ctx", {}).get("error")
    return cause.problems if isinstance(cause, _MistakesError) else [Problem(_path(error["loc"]), _message(error))]


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return _MESSAGES.get(error["type"], str(error["msg"]).lower())

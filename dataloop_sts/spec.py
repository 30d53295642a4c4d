"""The connection spec: the typed description of one customer's connection, and the only input of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError

from dataloop_sts import naming, values
from dataloop_sts.errors import Problem, SpecError
from dataloop_sts.spec_parts import AccessKeySpec, AwsSpec, DriverSpec, IntegrationSpec, OnDestroy, SpecPart
from dataloop_sts.spec_rules import arn_problems, derived_name_problems, driver_problems


class _MistakesError(ValueError):
    """Mistakes of one field that have places of their own within the spec."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def _agreeing_drivers(value: tuple[DriverSpec, ...]) -> tuple[DriverSpec, ...]:
    if not value:
        raise ValueError("needs at least one entry")
    if problems := list(driver_problems(value)):
        raise _MistakesError(problems)
    return value


class ConnectionSpec(SpecPart):
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
        else:
            problems += arn_problems(spec.aws, spec.drivers)
        problems += derived_name_problems(data, environment)
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

    def tags(self, environment: str) -> dict[str, str]:
        """The tags of every AWS resource that can have them: whose it is, and the spec's."""
        own = zip(naming.OWN_TAG_KEYS, ("dataloop-sts", self.customer, environment), strict=True)
        return dict(own) | self.aws.tags

    @property
    def managed_buckets(self) -> tuple[str, ...]:
        """The names of the buckets that the connection makes, each once, in the order of the drivers."""
        return tuple(dict.fromkeys(driver.bucket_name for driver in self.drivers if driver.bucket.managed))

    @property
    def existing_buckets(self) -> tuple[str, ...]:
        """The names of the buckets that are there and stay somebody else's, each once."""
        return tuple(dict.fromkeys(driver.bucket_name for driver in self.drivers if not driver.bucket.managed))

    @property
    def bucket_names(self) -> tuple[str, ...]:
        """The names of all buckets, each once, in the order of the drivers."""
        return tuple(dict.fromkeys(driver.bucket_name for driver in self.drivers))

    @property
    def kms_key_arns(self) -> tuple[str, ...]:
        """The KMS keys of the buckets, each once."""
        return tuple(dict.fromkeys(d.bucket.kms_key_arn for d in self.drivers if d.bucket.kms_key_arn))

    def kms_key_arn(self, bucket: str) -> str | None:
        """The KMS key of a bucket."""
        return next((d.bucket.kms_key_arn for d in self.drivers if d.bucket_name == bucket), None)

    def folders(self, bucket: str) -> tuple[str, ...]:
        """The folders of a bucket's drivers, such as ``raw/``; ``""`` is the whole bucket."""
        return tuple(driver.prefix or "" for driver in self.drivers if driver.bucket_name == bucket)


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

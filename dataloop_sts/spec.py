"""The connection spec: the typed description of one customer's connection, and the only input of the program."""

from __future__ import annotations

import re
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

from dataloop_sts import naming, regions
from dataloop_sts.errors import Problem, SpecError

OnDestroy = Literal["retain", "refuse", "delete"]

# The characters IAM and S3 allow in a tag: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
_TAG_TEXT = re.compile(r"[A-Za-z0-9 _.:/=+@-]*")
_TAGS_MAX = 40  # AWS allows 50 on a user; the key's description and a team's later tags need room
# "Safe characters" and some that S3 accepts, without those that mean something in an IAM policy (* ? $ { }):
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_PREFIX_TEXT = re.compile(r"[A-Za-z0-9 !_.'()=+@:,&/-]+")
_PREFIX_MAX = 512
_DATALOOP_NAME_MAX = 100
ACCESS_KEY_TAG_PREFIX = "AKIA"
"""A tag whose key begins so describes an access key (it is how the AWS console stores a key's description)."""


def _checked(problem: str | None, value: str) -> str:
    if problem:
        raise ValueError(problem)
    return value


def _slug(value: str) -> str:
    ok = naming.SLUG.fullmatch(value) and len(value) <= 63
    return _checked(None if ok else "use 1 to 63 lower-case letters, digits and inner hyphens", value)


def _dataloop_id(value: str) -> str:
    ok = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value)
    return _checked(None if ok else "a Dataloop id has letters, digits, - and _ only, 1 to 64 of them", value)


def _dataloop_name(value: str) -> str:
    ok = 1 <= len(value) <= _DATALOOP_NAME_MAX and value.strip() == value and value.isprintable()
    return _checked(None if ok else "use 1 to 100 printable characters, no space at the ends", value)


def _account_id(value: str) -> str:
    ok = re.fullmatch(r"[0-9]{12}", value)
    return _checked(None if ok else "an AWS account id has 12 digits; write it in quotes", value)


def _tags(value: dict[str, str]) -> dict[str, str]:
    if len(value) > _TAGS_MAX:
        raise ValueError(f"{len(value)} tags, at most {_TAGS_MAX} are allowed")
    # IAM takes keys that differ in case alone for the same: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    spellings = {key.lower(): key for key in naming.OWN_TAG_KEYS}
    for key in value:
        if spellings.setdefault(key.lower(), key) != key:
            raise ValueError(
                f"the tag keys {key!r} and {spellings[key.lower()]!r} differ in case alone: IAM refuses both"
            )
    for key, text in value.items():
        if not 1 <= len(key) <= 128 or not _TAG_TEXT.fullmatch(key):
            raise ValueError(f"the tag key {key!r} needs 1 to 128 letters, digits, spaces or characters of _.:/=+-@")
        if key.lower().startswith("aws:") or key.startswith(ACCESS_KEY_TAG_PREFIX):
            raise ValueError(f"the tag key {key!r} begins with aws: or {ACCESS_KEY_TAG_PREFIX}, which AWS uses itself")
        if len(text) > 256 or not _TAG_TEXT.fullmatch(text):
            raise ValueError(f"the tag {key!r} needs a value of up to 256 letters, digits, spaces or _.:/=+-@")
    return value


def _description(value: str) -> str:
    if "dataloop" not in value.lower():
        raise ValueError('the description must contain "DataLoop", so that people find the key\'s purpose')
    ok = len(value) <= 256 and _TAG_TEXT.fullmatch(value)
    return _checked(None if ok else "use up to 256 letters, digits, spaces or characters of _.:/=+-@", value)


def normalised_prefix(value: str) -> str:
    """A folder in a bucket as ``raw/`` or ``raw/images/``: no slash before, one after.

    Raises:
        ValueError: the text cannot be such a folder.
    """
    if not value or value.startswith("/"):
        raise ValueError(
            "write the folder without a leading slash, such as raw/; leave prefix out for the whole bucket"
        )
    if not _PREFIX_TEXT.fullmatch(value):
        raise ValueError("use letters, digits, spaces and the characters !_.'()=+@:,&/- (no wildcards)")
    folder = value.removesuffix("/")
    if any(part in ("", ".", "..") for part in folder.split("/")):
        raise ValueError("the folder has an empty part, or a part . or ..")
    if len(folder) >= _PREFIX_MAX:
        raise ValueError(f"the folder is longer than {_PREFIX_MAX} characters")
    return folder + "/"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False, hide_input_in_errors=True)


def _iam_name(maximum: int) -> AfterValidator:
    return AfterValidator(lambda value: _checked(naming.iam_name_problem(value, maximum), value))


class NamesSpec(_Model):
    """Names of the IAM objects; each default derives from customer and environment."""

    user: Annotated[str, _iam_name(naming.IAM_USER_NAME_MAX)] | None = Field(
        None, description="IAM user; default dataloop-CUSTOMER-ENVIRONMENT; at most 64 characters"
    )
    role: Annotated[str, _iam_name(naming.IAM_ROLE_NAME_MAX)] | None = Field(
        None, description="IAM role; default dataloop-CUSTOMER-ENVIRONMENT; at most 64 characters"
    )
    policy: Annotated[str, _iam_name(naming.IAM_POLICY_NAME_MAX)] | None = Field(
        None, description="IAM policy; default dataloop-CUSTOMER-ENVIRONMENT; at most 128 characters"
    )


class AwsSpec(_Model):
    """Where in AWS the connection's bucket, user and role are."""

    region: Annotated[str, AfterValidator(lambda v: _checked(regions.region_problem(v), v))] = Field(
        description="Region of the buckets, such as eu-west-1"
    )
    account_id: Annotated[str, AfterValidator(_account_id)] | None = Field(
        None, description="The account's 12 digits, in quotes; where given, no other account is ever touched"
    )
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(
        default_factory=dict, description="Tags on every AWS resource that can have them"
    )
    names: NamesSpec = Field(default=NamesSpec(), description="Names of the IAM user, role and policy")

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, as the region says."""
        return regions.partition_of(self.region)


class IntegrationSpec(_Model):
    """The Dataloop integration of type ``aws-sts``."""

    name: Annotated[str, AfterValidator(_dataloop_name)] | None = Field(
        None, description="Name in the organization; default CUSTOMER-ENVIRONMENT-sts"
    )


class AccessKeySpec(_Model):
    """The user's access key, which Dataloop holds."""

    generation: StrictInt = Field(
        1, ge=1, le=1_000_000, description="Counts the key's rotations; one more makes a new key"
    )
    description: Annotated[str, AfterValidator(_description)] = Field(
        "DataLoop reads S3 over STS", description="What the AWS console shows beside the key; contains DataLoop"
    )


class BucketSpec(_Model):
    """A bucket that this connection creates and manages."""

    name: Annotated[str, AfterValidator(lambda v: _checked(naming.bucket_name_problem(v), v))] = Field(
        description="The bucket's name, unique in all of AWS"
    )


class DriverSpec(_Model):
    """One Dataloop storage driver: a bucket, or a folder of it, in a Dataloop project."""

    name: Annotated[str, AfterValidator(_dataloop_name)] = Field(description="The driver's name in Dataloop")
    project_id: Annotated[str, AfterValidator(_dataloop_id)] = Field(description="The Dataloop project's id")
    bucket: BucketSpec = Field(description="The bucket the driver reads")
    prefix: Annotated[str, AfterValidator(normalised_prefix)] | None = Field(
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

    customer: Annotated[str, AfterValidator(_slug)] = Field(
        description="The customer's short name; other names derive from it"
    )
    organization_id: Annotated[str, AfterValidator(_dataloop_id)] = Field(description="The Dataloop organization's id")
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
            data: the mapping as it stands in the config, a record or another program.
            environment: the environment's name, from which default names derive.

        Raises:
            SpecError: with every mistake found and its path in the config.
        """
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
    if not named and len(derived.integration) > _DATALOOP_NAME_MAX:
        yield Problem(
            "integration.name",
            f"the derived name {derived.integration!r} has {len(derived.integration)} characters, "
            f"{_DATALOOP_NAME_MAX} are allowed: shorten customer, or give a name here",
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

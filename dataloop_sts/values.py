"""The spec's values: text that is checked, and put into its normal form, as it is read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from dataloop_sts import naming, regions

# The characters IAM and S3 allow in a tag: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
_TAG_TEXT = re.compile(r"[A-Za-z0-9 _.:/=+@-]*")
_TAGS_MAX = 40  # AWS allows 50 on a user; the key's description and a team's later tags need room
# "Safe characters" and some that S3 accepts, without those that mean something in an IAM policy (* ? $ { }):
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_PREFIX_TEXT = re.compile(r"[A-Za-z0-9 !_.'()=+@:,&/-]+")
_PREFIX_MAX = 512
DATALOOP_NAME_MAX = 100
_DATALOOP_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_IAM_PATH = re.compile(r"/([A-Za-z0-9_+=,.@-]+/)*")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_ARN = r"arn:aws(-cn|-us-gov)?:"
_ROLE_ARN = re.compile(rf"{_ARN}iam::[0-9]{{12}}:role/[A-Za-z0-9_+=,.@/-]+")
_POLICY_ARN = re.compile(rf"{_ARN}iam::([0-9]{{12}}|aws):policy/[A-Za-z0-9_+=,.@/-]+")
_KMS_KEY_ARN = re.compile(rf"{_ARN}kms:[a-z0-9-]+:[0-9]{{12}}:key/[A-Za-z0-9-]+")
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
    ok = _DATALOOP_ID.fullmatch(value)
    return _checked(None if ok else "a Dataloop id has letters, digits, - and _ only, 1 to 64 of them", value)


def _dataloop_name(value: str) -> str:
    ok = 1 <= len(value) <= DATALOOP_NAME_MAX and value.strip() == value and value.isprintable()
    return _checked(None if ok else "use 1 to 100 printable characters, no space at the ends", value)


def _account_id(value: str) -> str:
    ok = _ACCOUNT_ID.fullmatch(value)
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
    if not naming.names_dataloop(value):
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


def _arn(pattern: re.Pattern[str], example: str) -> AfterValidator:
    return _free_of(lambda value: None if pattern.fullmatch(value) else f"must be an ARN such as {example}")


def _iam_path(value: str) -> str:
    ok = len(value) <= 512 and _IAM_PATH.fullmatch(value)
    return _checked(None if ok else "an IAM path begins and ends with a slash, such as /dataloop/", value)


def _external_id(value: str) -> str:
    ok = _EXTERNAL_ID.fullmatch(value)
    return _checked(None if ok else "use 2 to 1,224 letters, digits and the characters _+=,.@:/-", value)


def _source_ips(value: tuple[str, ...]) -> tuple[str, ...]:
    ranges = []
    for text in value:
        try:
            found = ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is not an address range such as 203.0.113.0/24 ({error})") from None
        if found.prefixlen == 0:
            raise ValueError(f"{text!r} is every address: leave the field out where the source does not matter")
        ranges.append(str(found))
    return tuple(dict.fromkeys(ranges))


def _free_of(problem: Callable[[str], str | None]) -> AfterValidator:
    return AfterValidator(lambda value: _checked(problem(value), value))


def _text(pattern: re.Pattern[str], minimum: int = 1, maximum: int | None = None) -> WithJsonSchema:
    """What an editor may know of a value; the validator beside it is the rule."""
    shape: dict[str, object] = {"type": "string", "pattern": f"^(?:{pattern.pattern})$", "minLength": minimum}
    return WithJsonSchema(shape | ({} if maximum is None else {"maxLength": maximum}))


_TAGS_SHAPE = {
    "type": "object",
    "maxProperties": _TAGS_MAX,
    "propertyNames": {"minLength": 1, "maxLength": 128, "pattern": f"^{_TAG_TEXT.pattern}$"},
    "additionalProperties": {"type": "string", "maxLength": 256, "pattern": f"^{_TAG_TEXT.pattern}$"},
}
_DESCRIPTION_SHAPE = {
    "type": "string",
    "maxLength": 256,
    "pattern": f"^(?=.*[Dd][Aa][Tt][Aa][Ll][Oo][Oo][Pp]){_TAG_TEXT.pattern}$",
}

Slug = Annotated[str, AfterValidator(_slug), _text(naming.SLUG, 1, 63)]
DataloopId = Annotated[str, AfterValidator(_dataloop_id), _text(_DATALOOP_ID)]
DataloopName = Annotated[str, AfterValidator(_dataloop_name), _text(re.compile(r"\S(.*\S)?"), 1, DATALOOP_NAME_MAX)]
AccountId = Annotated[str, AfterValidator(_account_id), _text(_ACCOUNT_ID)]
Region = Annotated[str, _free_of(regions.region_problem), _text(regions.REGION)]
Tags = Annotated[dict[str, str], AfterValidator(_tags), WithJsonSchema(_TAGS_SHAPE)]
KeyDescription = Annotated[str, AfterValidator(_description), WithJsonSchema(_DESCRIPTION_SHAPE)]
BucketName = Annotated[str, _free_of(naming.bucket_name_problem), _text(naming.BUCKET_NAME, 3, 63)]
Prefix = Annotated[
    str, AfterValidator(normalised_prefix), _text(re.compile(f"(?!/){_PREFIX_TEXT.pattern}"), 1, _PREFIX_MAX)
]
UserName = Annotated[
    str,
    _free_of(lambda name: naming.iam_name_problem(name, naming.IAM_USER_NAME_MAX)),
    _text(naming.IAM_NAME, 1, naming.IAM_USER_NAME_MAX),
]
RoleName = Annotated[
    str,
    _free_of(lambda name: naming.iam_name_problem(name, naming.IAM_ROLE_NAME_MAX)),
    _text(naming.IAM_NAME, 1, naming.IAM_ROLE_NAME_MAX),
]
PolicyName = Annotated[
    str,
    _free_of(lambda name: naming.iam_name_problem(name, naming.IAM_POLICY_NAME_MAX)),
    _text(naming.IAM_NAME, 1, naming.IAM_POLICY_NAME_MAX),
]
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
IamPath = Annotated[str, AfterValidator(_iam_path), _text(_IAM_PATH, 1, 512)]
ExternalId = Annotated[str, AfterValidator(_external_id), _text(_EXTERNAL_ID)]
SourceIps = Annotated[tuple[str, ...], AfterValidator(_source_ips)]
RoleArn = Annotated[str, _arn(_ROLE_ARN, "arn:aws:iam::123456789012:role/deploy"), _text(_ROLE_ARN)]
PolicyArn = Annotated[str, _arn(_POLICY_ARN, "arn:aws:iam::123456789012:policy/name"), _text(_POLICY_ARN)]
KmsKeyArn = Annotated[
    str, _arn(_KMS_KEY_ARN, "arn:aws:kms:eu-west-1:123456789012:key/ID (no alias)"), _text(_KMS_KEY_ARN)
]

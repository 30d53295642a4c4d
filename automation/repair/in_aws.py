"""What a killed run had begun to make in AWS: whether it is there, and surely this connection's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from dataloop_sts import naming, regions
from dataloop_sts.aws import MISSING, REFUSED, Aws, aws_errors
from dataloop_sts.errors import AwsError
from dataloop_sts.live import AccessKey, Unseen
from dataloop_sts.live.identity import look_at_keys
from dataloop_sts.spec import ConnectionSpec

USER, ROLE, POLICY = "aws:iam/user:User", "aws:iam/role:Role", "aws:iam/policy:Policy"
BUCKET = "aws:s3/bucket:Bucket"

T = TypeVar("T")
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """A thing that is there and ours.

    Attributes:
        id: its id in the stack.
        outputs: what other resources need of it.
    """

    id: str
    outputs: dict[str, str]


@dataclass(frozen=True)
class Foreign:
    """A thing of the same name that may be somebody else's; ``why``: what it is, and what speaks against."""

    why: str


@dataclass(frozen=True)
class Window:
    """When the killed run can have made something: from its begin to a while after its last word."""

    begin: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return self.begin <= moment <= self.end


@dataclass
class Leftovers:
    """Looks at what one run may have left; read-only but for :meth:`delete_key`."""

    aws: Aws
    spec: ConnectionSpec
    environment: str
    account_id: str
    window: Window
    _iam: Any = field(init=False)

    def __post_init__(self) -> None:
        """One client for all looks."""
        self._iam = self.aws.iam()

    @property
    def looks(self) -> Mapping[str, Callable[[Properties], Made | Foreign | None]]:
        """How a resource that was being made is looked for, by its type; other types are safe to make again."""
        return {
            USER: self._user,
            ROLE: self._role,
            POLICY: self._policy,
            BUCKET: self._bucket,
        }

    def _user(self, inputs: Properties) -> Made | Foreign | None:
        name = inputs["name"]
        found = _there(f"look for user {name}", lambda: self._iam.get_user(UserName=name)["User"])
        return found and self._judged(f"IAM user {name}", found, name, uniqueId=found["UserId"])

    def _role(self, inputs: Properties) -> Made | Foreign | None:
        name = inputs["name"]
        found = _there(f"look for role {name}", lambda: self._iam.get_role(RoleName=name)["Role"])
        return found and self._judged(f"IAM role {name}", found, name, uniqueId=found["RoleId"])

    def _policy(self, inputs: Properties) -> Made | Foreign | None:
        name = inputs["name"]
        arn = regions.policy_arn(self.spec.aws.partition, self.account_id, name, inputs.get("path", "/"))
        found = _there(f"look for policy {name}", lambda: self._iam.get_policy(PolicyArn=arn)["Policy"])
        return found and self._judged(f"IAM policy {name}", found, arn, policyId=found["PolicyId"])

    def _judged(self, what: str, found: Any, id_: str, **outputs: str) -> Made | Foreign:
        if not self._tagged(found.get("Tags", [])):
            return Foreign(f"{what} is there without this connection's tags")
        return Made(id_, {"arn": found["Arn"], **outputs})

    def _bucket(self, inputs: Properties) -> Made | Foreign | None:
        """Its tags come in a call after its making, so there may be none yet: then only its time tells."""
        name, s3 = inputs["bucket"], self.aws.s3()
        try:
            if _there(f"look for bucket {name}", lambda: s3.head_bucket(Bucket=name)) is None:
                return None
        except AwsError as error:
            if error.code in REFUSED:
                return None  # another account's, as `up` will say
            raise
        tags = _there(f"look at the tags of bucket {name}", lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"])
        if tags and not self._tagged(tags):
            return Foreign(f"bucket {name} is there without this connection's tags")
        if not tags and self._bucket_made(name) not in self.window:
            return Foreign(f"bucket {name} is there, and was not made by the run that was killed")
        with aws_errors(f"look into bucket {name}"):
            if s3.list_objects_v2(Bucket=name, MaxKeys=1)["KeyCount"]:
                return Foreign(f"bucket {name} is there, and holds objects")
        return Made(name, {"arn": regions.bucket_arn(self.spec.aws.partition, name)})

    def _bucket_made(self, name: str) -> datetime:
        """When a bucket was made; long ago where it is not the account's."""
        with aws_errors("list the buckets of the account"):
            pages = self.aws.s3().get_paginator("list_buckets").paginate(Prefix=name)
            made = {each["Name"]: each["CreationDate"] for page in pages for each in page["Buckets"]}
        return made.get(name, datetime.min.replace(tzinfo=UTC))

    def _tagged(self, tags: Any) -> bool:
        live = {tag["Key"]: tag["Value"] for tag in tags}
        wanted = self.spec.tags(self.environment)
        return all(live.get(key) == wanted[key] for key in naming.OWN_TAG_KEYS)

    def unknown_keys(self, user: str, known: frozenset[str]) -> list[AccessKey]:
        """The keys of a user that the stack does not know; none where the user is gone."""
        listed = _there(f"list the access keys of user {user}", lambda: self._iam.list_access_keys(UserName=user))
        if all(key["AccessKeyId"] in known for key in (listed or {}).get("AccessKeyMetadata", [])):
            return []
        with aws_errors(f"look at the descriptions of the access keys of user {user}"):
            tags = {tag["Key"]: tag["Value"] for tag in self._iam.get_user(UserName=user)["User"].get("Tags", [])}
        keys = look_at_keys(self._iam, user, tags)
        if isinstance(keys, Unseen):
            raise AwsError(keys.reason)
        return [key for key in keys if key.id not in known]

    def is_orphan(self, key: AccessKey) -> bool:
        """Whether an unknown key can only be the killed run's: nobody has its secret, and nobody used it."""
        return key.last_used is None and key.description is None and key.created in self.window

    def delete_key(self, user: str, key_id: str) -> None:
        """Deletes a key."""
        with aws_errors(f"delete access key {key_id} of user {user}"):
            self._iam.delete_access_key(UserName=user, AccessKeyId=key_id)


def window(begun: datetime | None, last_word: datetime) -> Window:
    """When a killed run can have made something.

    Args:
        begun: when it took its lock, where that is still known.
        last_word: when it last wrote the stack's state, which it does before and after each thing that it makes.
    """
    slack, before = timedelta(seconds=5), timedelta(minutes=2)  # clocks differ; things are made side by side
    return Window((begun or last_word - before) - slack, last_word + before + slack)


def _there(what: str, call: Callable[[], T]) -> T | None:
    try:
        with aws_errors(what):
            return call()
    except AwsError as error:
        if error.code in MISSING or error.code == "NoSuchTagSet":
            return None
        raise


def utc(text: str) -> datetime:
    """A moment out of a state, whose fractions of seconds may have nine digits."""
    return datetime.fromisoformat(text).astimezone(UTC)

"""The rules on what a stack's resources are to each other: what is missing, and what does not agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dataloop_sts import regions
from dataloop_sts.rules import deletes, documents
from dataloop_sts.rules.declared import (
    ACCESS_BLOCK,
    ACCESS_KEY,
    ATTACHMENT,
    BUCKETS,
    COMMAND,
    DESCRIBES,
    DRIVER,
    EMPTIES,
    GUARDS,
    POLICY,
    Declared,
    StackRule,
)

Found = Iterator[tuple[Declared, str]]


def every_bucket_is_blocked(resources: Sequence[Declared]) -> Found:
    """A bucket's block is found by what it is made of, or by the bucket's name."""
    blocks = [each for each in resources if each.type == ACCESS_BLOCK]
    for bucket in _of(resources, *BUCKETS):
        name = bucket.props.get("bucket")
        if not any(
            bucket.urn in block.made_of.get("bucket", ()) or (name and name == block.props.get("bucket"))
            for block in blocks
        ):
            yield bucket, "it has no public access block"


def only_own_policies(resources: Sequence[Declared]) -> Found:
    """What another policy allows cannot be seen, so no rule could judge it."""
    own = {policy.urn for policy in _of(resources, POLICY)}
    for attachment in _of(resources, ATTACHMENT):
        if not own & attachment.made_of.get("policyArn", frozenset()):
            yield attachment, "the policy that it attaches is not declared in this stack"


def every_key_is_described(resources: Sequence[Declared]) -> Found:
    """A key is described, and loses its description, by a command that depends on it."""
    for key in _of(resources, ACCESS_KEY):
        if not _has_step(resources, DESCRIBES, key):
            yield key, f"no command with `{DESCRIBES}` depends on it"


def delete_flags_agree(resources: Sequence[Declared]) -> Found:
    """As far as the permissions and the drivers' buckets are known: in a preview, all that is not somebody else's."""
    policies = [policy for policy in _of(resources, POLICY) if policy.props.get("policy") is not None]
    drivers = _of(resources, DRIVER)
    reaches = {driver.urn: reach for driver in drivers if (reach := _reach(driver, resources))}
    allowed = {policy.urn: _deletable(policy) for policy in policies}
    for driver in drivers:
        every = [resource for each in allowed.values() for resource in each]
        if driver.urn in reaches and (what := deletes.wrong_flag(reaches[driver.urn], every)):
            yield driver, what
    for policy in policies if len(reaches) == len(drivers) else ():
        for what in deletes.surplus(allowed[policy.urn], [*reaches.values()]):
            yield policy, what


def buckets_are_guarded(resources: Sequence[Declared]) -> Found:
    """The engine asks no policy about a deletion. So each bucket has what asks for the confirmation when it comes.

    S3 deletes no bucket that has objects. The step that empties it takes none of the customer's without confirmation,
    and the guard, which goes first, refuses the whole destroy.
    """
    for bucket in _of(resources, *BUCKETS):
        for step in (EMPTIES, GUARDS):
            if not _has_step(resources, step, bucket):
                yield bucket, f"no command with `{step}` on its deletion depends on it"


RULES = (
    StackRule("public-access-block-present", "Every bucket has a public access block.", every_bucket_is_blocked),
    StackRule("own-policies-only", "A role has no policy but those that its stack declares.", only_own_policies),
    StackRule("key-description-present", "Every access key has a description.", every_key_is_described),
    StackRule("delete-flag-agrees", "A driver's flag and the role's permission to delete agree.", delete_flags_agree),
    StackRule(
        "deletion-guarded", "No bucket goes without the confirmation that its objects may be lost.", buckets_are_guarded
    ),
)


def _of(resources: Sequence[Declared], *types: str) -> list[Declared]:
    return [each for each in resources if each.type in types]


def _has_step(resources: Sequence[Declared], step: str, of: Declared) -> bool:
    return any(
        step in str(command.props.get("delete", "")) and of.urn in command.depends_on
        for command in _of(resources, COMMAND)
    )


def _bucket_of(driver: Declared, resources: Sequence[Declared]) -> str | None:
    """A driver's bucket; of one that is yet to be made by the bucket that the name is to come from."""
    known = driver.props.get("bucket")
    if isinstance(known, str):
        return known
    made_of = driver.made_of.get("bucket", frozenset())
    names = {each.props.get("bucket") for each in _of(resources, *BUCKETS) if each.urn in made_of}
    name = names.pop() if len(names) == 1 else None
    return name if isinstance(name, str) else None


def _reach(driver: Declared, resources: Sequence[Declared]) -> deletes.Reach | None:
    bucket, flag = _bucket_of(driver, resources), driver.props.get("allow_delete")
    if bucket is None or not isinstance(flag, bool):
        return None
    arn = regions.bucket_arn(regions.partition_of(str(driver.props.get("region", ""))), bucket)
    return deletes.Reach(driver.name, f"{arn}/{driver.props.get('path') or ''}", flag)


def _deletable(policy: Declared) -> list[str]:
    try:
        return deletes.deletable(policy.props["policy"])
    except documents.NoDocument:
        return []  # another rule says so

"""The buckets: there, in their place, private, and a managed one as the spec says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dataloop_sts import policies
from dataloop_sts.audit.facts import Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.audit.grants import Grant, grants, principals, statements, uncovered
from dataloop_sts.live import Bucket, Encryption, ForeignBucket, Unseen

MISSING = Check(
    "bucket-missing",
    "critical",
    "A bucket is not there.",
    "If its name is right, {way}: what was in it is gone all the same.",
)
FOREIGN = Check(
    "bucket-foreign",
    "critical",
    "A bucket of that name belongs to another account: whatever Dataloop writes goes there.",
    "Find out who took the name; choose another one, or have the bucket given back.",
)
REGION = Check(
    "bucket-region",
    "high",
    "A bucket is in another region than the spec says.",
    "Correct aws.region, or use a bucket of that region.",
)
PUBLIC = Check(
    "bucket-public",
    "critical",
    "A bucket is open to everyone, by its policy or its access control list.",
    "Close it at once: block public access, then take that out of the policy or the list; {way}.",
)
BLOCK = Check(
    "bucket-public-access-block", "high", "Public access is not blocked by all four settings.", "Block it: {way}."
)
TLS = Check("bucket-tls", "medium", "The policy of a managed bucket does not refuse calls without TLS.", "Run `{up}`.")
OTHER_POLICY = Check(
    "bucket-policy",
    "medium",
    "The policy of a managed bucket says more than the spec.",
    "Run `{up}`, which saves the spec's policy (`dataloop-sts policies` prints it).",
)
OWNERSHIP = Check("bucket-ownership", "medium", "A managed bucket lets access control lists count.", "Run `{up}`.")
ENCRYPTION = Check(
    "bucket-encryption",
    "medium",
    "A bucket encrypts with another key than the spec says, which the role then may not use.",
    "Correct drivers[].bucket.kms_key_arn, or the bucket's default encryption: {way}.",
)


def _presence(facts: Facts, _: Facts) -> Said:
    for name, bucket in facts.live.buckets.items():
        if isinstance(bucket, Unseen):
            yield bucket
        elif bucket is None:
            yield facts.found(MISSING, f"bucket {name}", "There is no bucket of that name.", way=_way(facts, name))
        elif isinstance(bucket, ForeignBucket):
            what = f"It does not belong to account {facts.live.account_id}."
            yield facts.found(FOREIGN, f"bucket {name}", what)


def _region(facts: Facts, bucket: Bucket) -> Said:
    if isinstance(bucket.region, Unseen):
        yield bucket.region
    elif bucket.region != facts.spec.aws.region:
        what = f"It is in {bucket.region}; the spec says {facts.spec.aws.region}."
        yield facts.found(REGION, f"bucket {bucket.name}", what)


def _public(facts: Facts, bucket: Bucket) -> Said:
    for by, is_so in (("policy", bucket.public_by_policy), ("access control list", bucket.public_by_acl)):
        if isinstance(is_so, Unseen):
            yield is_so
        elif is_so:
            yield facts.found(PUBLIC, f"bucket {bucket.name}", f"Its {by} is public.", way=_way(facts, bucket.name))


def _block(facts: Facts, bucket: Bucket) -> Said:
    block = bucket.public_access_block
    if isinstance(block, Unseen):
        yield block
        return
    off = [name for name, on in block.model_dump().items() if not on] if block else ["all four settings"]
    if off:
        yield facts.found(BLOCK, f"bucket {bucket.name}", f"Off: {listed(off)}.", way=_way(facts, bucket.name))


def _policy(facts: Facts, bucket: Bucket) -> Said:
    subject, policy = f"bucket {bucket.name}", bucket.policy
    if isinstance(policy, Unseen):
        yield policy
        return
    document = policies.bucket_document(facts.spec.aws.partition, bucket.name)
    wanted, found = grants(document, "Deny"), statements(policy or {})
    for_all = [grant for each in found if _for_everyone(each) for grant in grants({"Statement": [each]}, "Deny")]
    if uncovered(wanted, for_all):
        yield facts.found(TLS, subject, "Calls without TLS are not refused." if policy else "It has no policy.")
    if bucket.public_by_policy is True:
        return  # told as that
    more = [words for statement in found if (words := _beyond(statement, wanted))]
    if more:
        yield facts.found(OTHER_POLICY, subject, f"Its policy {'; '.join(more)}.")


def _beyond(statement: Mapping[str, Any], wanted: list[Grant]) -> str:
    """What a statement says that the spec's policy does not, in words; empty where there is nothing."""
    effect = str(statement.get("Effect"))
    says = grants({"Statement": [statement]}, effect)
    if effect == "Deny" and _for_everyone(statement):
        says = uncovered(says, wanted)
    whom = listed(f"{kind} {name}" for kind, name in principals(statement))
    return f"{'denies' if effect == 'Deny' else 'allows'} {whom} {listed(says)}" if says else ""


def _for_everyone(statement: Mapping[str, Any]) -> bool:
    return "Principal" in statement and ("AWS", "*") in principals(statement)


def _ownership(facts: Facts, bucket: Bucket) -> Said:
    if isinstance(bucket.ownership, Unseen):
        yield bucket.ownership
    elif bucket.ownership != "BucketOwnerEnforced":
        what = f"Its object ownership is {bucket.ownership or 'not set'}, the spec's is BucketOwnerEnforced."
        yield facts.found(OWNERSHIP, f"bucket {bucket.name}", what)


def _encryption(facts: Facts, bucket: Bucket) -> Said:
    found, wanted = bucket.encryption, facts.spec.kms_key_arn(bucket.name)
    if isinstance(found, Unseen):
        yield found
    elif not _encrypts_with(found, wanted):
        own = "S3's own key"
        is_so = (found.kms_key or "AWS's own key of KMS") if found and _by_kms(found) else own
        what = f"It encrypts with {is_so}; the spec says {wanted or own}."
        yield facts.found(ENCRYPTION, f"bucket {bucket.name}", what, way=_way(facts, bucket.name))


def _encrypts_with(found: Encryption | None, wanted: str | None) -> bool:
    """A bucket of before AWS encrypted each by default may have no setting; S3's own key it uses all the same."""
    if wanted is None:
        return found is None or not _by_kms(found)
    return found is not None and _by_kms(found) and found.kms_key in (wanted, wanted.rpartition("/")[2])


def _by_kms(found: Encryption) -> bool:
    return found.algorithm.startswith("aws:kms")


def _way(facts: Facts, bucket: str) -> str:
    if bucket in facts.spec.managed_buckets:
        return f"`{facts.command('up --refresh')}` sets what the spec says"
    return "the bucket is not the connection's own, so its owner has to"


def _owned(facts: Facts) -> Iterable[Bucket | Unseen]:
    return [bucket for bucket in facts.live.buckets.values() if isinstance(bucket, Bucket | Unseen)]


def _managed(facts: Facts) -> Iterable[Bucket | Unseen]:
    managed = facts.spec.managed_buckets
    return [each for each in _owned(facts) if isinstance(each, Unseen) or each.name in managed]


def _with_a_key(facts: Facts) -> Iterable[Bucket | Unseen]:
    """The managed ones, and of the others those whose key the spec names: theirs is their owner's matter else."""
    return [
        each
        for each in _owned(facts)
        if isinstance(each, Unseen) or each.name in facts.spec.managed_buckets or facts.spec.kms_key_arn(each.name)
    ]


RULES = (
    Rule((MISSING, FOREIGN), lambda facts: [facts], _presence),
    Rule((REGION,), _owned, _region),
    Rule((PUBLIC,), _owned, _public),
    Rule((BLOCK,), _owned, _block),
    Rule((TLS, OTHER_POLICY), _managed, _policy),
    Rule((OWNERSHIP,), _managed, _ownership),
    Rule((ENCRYPTION,), _with_a_key, _encryption),
)

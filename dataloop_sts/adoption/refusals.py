"""What forbids an adoption: what something else uses, what is elsewhere, what cannot be brought to the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dataloop_sts import policies
from dataloop_sts.adoption.groups import GroupPolicies
from dataloop_sts.adoption.known import Known
from dataloop_sts.adoption.of_identity import identity_refusals
from dataloop_sts.adoption.report import Refusal
from dataloop_sts.audit.facts import Facts
from dataloop_sts.audit.grants import grants, statements, uncovered
from dataloop_sts.dataloop import INTEGRATION_TYPE
from dataloop_sts.live import Bucket, ForeignBucket, LiveDriver, LiveIntegration, Unseen
from dataloop_sts.losses import counted, in_words
from dataloop_sts.spec_parts import DriverSpec


def refusals(facts: Facts, known: Known, groups: GroupPolicies) -> Iterator[Refusal]:
    """Every reason, so that all can be mended at once."""
    hidden = [*facts.live.unseen(), *(each for found in groups.values() for each in found if isinstance(each, Unseen))]
    if hidden:
        for unseen in hidden:
            yield Refusal(
                path="", message=f"{unseen.unseen} could not be looked at (needs {unseen.needs}). {unseen.reason}"
            )
        return
    if not _anything(facts):
        yield Refusal(
            path="aws.names",
            message="Nothing of this connection was found under the spec's names: write those of the bucket, user, "
            "role, policy, integration and drivers that are there. To make a new connection: `dataloop-sts up`.",
        )
        return
    for name in facts.spec.managed_buckets:
        yield from _bucket(facts, name)
    yield from identity_refusals(facts, known, groups)
    yield from _integration(facts)
    for driver in facts.spec.drivers:
        yield from _driver(facts, driver)


def _anything(facts: Facts) -> bool:
    live = facts.live
    managed = (live.buckets[name] for name in facts.spec.managed_buckets)
    return any((live.user, live.role, live.policy, live.integration, *managed, *live.drivers.values()))


def _bucket(facts: Facts, name: str) -> Iterator[Refusal]:
    bucket, region = facts.live.buckets[name], facts.spec.aws.region
    if isinstance(bucket, ForeignBucket):
        message = f"Bucket {name} belongs to another account than {facts.live.account_id}: correct the name."
        yield Refusal(path="drivers[].bucket.name", message=message)
    if not isinstance(bucket, Bucket):
        return
    if bucket.region != region:
        message = f"Bucket {name} is in {bucket.region}, the spec says {region}: correct it."
        yield Refusal(path="aws.region", message=message)
    yield from _bucket_policy(facts, bucket)
    encryption, key = bucket.encryption, facts.spec.kms_key_arn(name)
    if encryption and not isinstance(encryption, Unseen) and encryption.algorithm.startswith("aws:kms"):
        found = encryption.kms_key or "AWS's own key of KMS"
        if key is None or found not in (key, key.rpartition("/")[2]):
            message = (
                f"Bucket {name} encrypts with {found}: write that key's ARN, or use the bucket as `existing`, so that "
                "its settings stay."
            )
            yield Refusal(path="drivers[].bucket.kms_key_arn", message=message)


def _bucket_policy(facts: Facts, bucket: Bucket) -> Iterator[Refusal]:
    if not bucket.policy or isinstance(bucket.policy, Unseen):
        return
    wanted = grants(policies.bucket_document(facts.spec.aws.partition, bucket.name), "Deny")
    more = [
        each
        for each in statements(bucket.policy)
        if each.get("Effect") != "Deny" or uncovered(grants({"Statement": [each]}, "Deny"), wanted)
    ]
    if more:
        message = (
            f"Bucket {bucket.name} has a policy of its own, with {counted(len(more), 'statement')} that the spec's has "
            "not: use it as `existing`, so that the policy stays, or remove the policy first."
        )
        yield Refusal(path="drivers[].bucket.name", message=message)


def _integration(facts: Facts) -> Iterator[Refusal]:
    found = facts.live.integration
    if not isinstance(found, LiveIntegration):
        return
    name, path = found.integration.name, "integration.name"
    if found.integration.type != INTEGRATION_TYPE:
        message = (
            f"Integration {name!r} is of type {found.integration.type!r}, not {INTEGRATION_TYPE}: give another name."
        )
        yield Refusal(path=path, message=message)
        return
    drivers = () if isinstance(found.drivers, Unseen) else found.drivers
    ours = {(driver.project_id, driver.name) for driver in facts.spec.drivers}
    others = [each.name for each in drivers if (each.project_id, each.name) not in ours]
    if others:
        message = (
            f"Integration {name!r} is used by {in_words(others, 'driver')}: write them into the spec, or move them."
        )
        yield Refusal(path="drivers", message=message)
    count = len(drivers) if isinstance(found.driver_count, Unseen) else found.driver_count
    if count > len(drivers):
        message = (
            f"Integration {name!r} is used by {counted(count - len(drivers), 'driver')} that the token's user may not "
            "see: ask the organization's owner, and have them moved."
        )
        yield Refusal(path=path, message=message)


def _driver(facts: Facts, driver: DriverSpec) -> Iterator[Refusal]:
    found = facts.live.drivers[driver.name]
    if not isinstance(found, LiveDriver):
        return
    live, what = found.driver, f"Driver {driver.name!r}"
    elsewhere: Mapping[str, tuple[str | None, str]] = {
        "drivers[].bucket.name": (live.bucket, driver.bucket_name),
        "aws.region": (live.region, facts.spec.aws.region),
    }
    for path, (is_so, should) in elsewhere.items():
        if is_so != should:
            place = "region" if path == "aws.region" else "bucket"
            message = f"{what} is over the {place} {is_so or 'none'}, the spec says {should}: correct it."
            yield Refusal(path=path, message=message)
    integration = facts.live.integration
    if not isinstance(integration, LiveIntegration):
        message = (
            f"{what} uses integration {live.integration_id}, and there is none of the name "
            f"{facts.names.integration!r}: write that integration's name."
        )
        yield Refusal(path="integration.name", message=message)
    elif live.integration_id != integration.integration.id:
        message = (
            f"{what} uses integration {live.integration_id}, not {facts.names.integration!r}: write that "
            "integration's name, or move the driver."
        )
        yield Refusal(path="integration.name", message=message)
    datasets = () if isinstance(found.datasets, Unseen) else found.datasets
    if live.path != (driver.prefix or "") and datasets:
        used = in_words([each.name or each.id for each in datasets], "dataset")
        message = (
            f"{what} reads the folder {live.path or '(whole bucket)'}, the spec says "
            f"{driver.prefix or '(whole bucket)'}, and is used by {used}: write the folder that it reads."
        )
        yield Refusal(path="drivers[].prefix", message=message)

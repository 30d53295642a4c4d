"""What a change of the spec means for what is there: account, names, buckets, drivers, key and guard; pure."""

from __future__ import annotations

from collections.abc import Iterator

from automation.pull_request.changes import Change
from automation.pull_request.risk import Risk, note, risky
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.spec_parts import BucketSpec, DriverSpec

_LEAVES = {
    "retain": "it stays in AWS with its objects, and nothing looks after it any more (on_destroy retain)",
    "refuse": "an update that would take it away is refused (on_destroy refuse)",
    "delete": "it is deleted, if nothing in it would be lost (on_destroy delete)",
}


def risks(change: Change, environment: str) -> Iterator[Risk]:
    """What the spec at the head means, by itself and beside that at the base."""
    before, after = change.before, change.after
    if after is None:
        return
    if before is None:
        yield from _of_new(after)
        return
    yield from _of_place(before, after)
    if change.kind != "renamed":  # which makes others
        yield from _of_names(before, after, environment)
    yield from _of_buckets(before, after)
    yield from _of_drivers(before, after)
    yield from _of_key(before, after)
    yield from _of_guard(before, after)


def _of_new(spec: ConnectionSpec) -> Iterator[Risk]:
    for driver in spec.drivers:
        if driver.allow_delete:
            yield _may_delete(driver)
    if spec.on_destroy == "delete":
        yield note("A destroy deletes its buckets, if nothing in them would be lost (on_destroy delete).")


def _of_place(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    was, now = before.aws.account_id, after.aws.account_id
    if was and now is None:
        yield risky(f"It is no longer limited to AWS account {was} (aws.account_id).")
    elif was and was != now:
        yield risky(f"It is in AWS account {now} instead of {was}.")
    elif was != now:
        yield note(f"It is limited to AWS account {now} (aws.account_id).")
    if before.aws.region != after.aws.region:
        yield risky(f"It is in region {after.aws.region} instead of {before.aws.region}: a bucket cannot move.")
    if before.organization_id != after.organization_id:
        yield risky(
            f"It is in Dataloop organization {after.organization_id} instead of {before.organization_id}: it has "
            "another integration there."
        )


def _of_names(before: ConnectionSpec, after: ConnectionSpec, environment: str) -> Iterator[Risk]:
    was, now = before.names(environment), after.names(environment)
    if was.user != now.user:
        yield risky(f"IAM user {was.user} is replaced by {now.user}, and its access key by another.")
    if was.role != now.role:
        yield risky(f"IAM role {was.role} is replaced by {now.role}.")
    if was.policy != now.policy:
        yield risky(f"IAM policy {was.policy} is replaced by {now.policy}.")
    if was.integration != now.integration:
        yield note(f"Integration {was.integration} is renamed to {now.integration}, in place.")
    if before.aws.iam_path != after.aws.iam_path:
        yield risky(
            f"User, role and policy are in path {after.aws.iam_path} instead of {before.aws.iam_path}: role and policy "
            "have to be replaced."
        )


def _of_buckets(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    was, now = _buckets(before), _buckets(after)
    for name, bucket in was.items():
        if name not in now:
            told = _LEAVES[before.on_destroy] if bucket.managed else "it stays as it is, and is used no more"
            yield risky(f"Bucket {name} leaves the connection: {told}.")
        elif bucket.managed and not now[name].managed:
            yield risky(f"Bucket {name} is no longer managed: {_LEAVES[before.on_destroy]}.")
        elif not bucket.managed and now[name].managed:
            yield risky(f"Bucket {name}, which was there already, is to be made and managed.")
        elif bucket.kms_key_arn and bucket.kms_key_arn != now[name].kms_key_arn:
            instead = now[name].kms_key_arn or "S3's own key"
            yield risky(f"Bucket {name} is encrypted by {instead} instead of {bucket.kms_key_arn}.")
        elif bucket.kms_key_arn != now[name].kms_key_arn:
            yield note(f"Bucket {name} is encrypted by {now[name].kms_key_arn}.")


def _of_drivers(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    was = {driver.name: driver for driver in before.drivers}
    kept = set()
    for driver in after.drivers:
        former = was.get(driver.name) or was.get(driver.former_name or "")
        if former:
            kept.add(former.name)
            yield from _of_driver(former, driver)
        elif driver.allow_delete:
            yield _may_delete(driver)
    for name in was.keys() - kept:
        yield risky(f"Storage driver {name} is deleted: datasets that use it lose their storage.")


def _of_driver(was: DriverSpec, now: DriverSpec) -> Iterator[Risk]:
    if was.name != now.name:
        yield note(f"Storage driver {was.name} is renamed to {now.name}, in place.")
    if was.project_id != now.project_id:
        yield risky(
            f"Storage driver {now.name} is in project {now.project_id} instead of {was.project_id}: another driver is "
            "made, and the old one is deleted."
        )
    if was.bucket_name != now.bucket_name:
        yield risky(
            f"Storage driver {now.name} has bucket {now.bucket_name} instead of {was.bucket_name}: another driver is "
            "made, and the old one is deleted."
        )
    elif was.prefix != now.prefix:
        reach = [f"folder {driver.prefix}" if driver.prefix else "the whole bucket" for driver in (was, now)]
        yield note(f"Storage driver {now.name} has {reach[1]} of bucket {now.bucket_name} instead of {reach[0]}.")
    if now.allow_delete and not was.allow_delete:
        yield _may_delete(now)
    elif was.allow_delete and not now.allow_delete:
        yield note(f"Dataloop may no longer delete objects through storage driver {now.name}.")


def _of_key(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    was, now = before.access_key, after.access_key
    if now.generation > was.generation:
        old = "stays, switched off" if now.retiring else "is deleted"
        yield risky(
            f"The access key is rotated: generation {now.generation} instead of {was.generation}, of which the old "
            f"one {old}."
        )
    elif now.generation < was.generation:
        yield risky(f"The access key's generation goes back from {was.generation} to {now.generation}.")
    elif was.retiring and not now.retiring:
        yield risky(f"The access key of generation {was.retiring}, which was kept, is deleted.")


def _of_guard(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    was, now = before.on_destroy, after.on_destroy
    if was == now:
        return
    if now == "delete":
        yield risky(
            f"The guard is lifted: on_destroy is delete instead of {was}, so that buckets that leave are deleted if "
            "nothing in them would be lost."
        )
    elif was == "refuse":
        yield note("A destroy is refused no more: it leaves the buckets where they are (on_destroy retain).")


def _may_delete(driver: DriverSpec) -> Risk:
    where = f"folder {driver.prefix} of bucket" if driver.prefix else "bucket"
    return risky(f"Dataloop may delete objects of {where} {driver.bucket_name}: storage driver {driver.name}.")


def _buckets(spec: ConnectionSpec) -> dict[str, BucketSpec]:
    return {driver.bucket_name: driver.bucket for driver in spec.drivers}

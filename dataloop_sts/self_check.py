"""Holds a spec's own documents to the rules before anything is declared: also what a preview of new resources hides."""

from __future__ import annotations

from collections.abc import Iterator

from dataloop_sts import naming, policies, regions
from dataloop_sts.errors import DataloopStsError
from dataloop_sts.rules import deletes, documents
from dataloop_sts.spec import ConnectionSpec

BROKEN = "The program would break a rule of its own"


class RuleBroken(DataloopStsError):  # noqa: N818 - the names say what is wrong
    """What the program would declare breaks a rule; no spec can cause that, but a change of the program can."""


def check(spec: ConnectionSpec, environment: str) -> None:
    """Holds a connection to the rules on its documents, its key's description and its drivers' flags.

    The policy pack does the same with the resources, but not in a preview of a new connection: the trust policy names
    the user's unique id, which is not known before there is the user.

    Args:
        spec: the connection.
        environment: the environment's name.

    Raises:
        RuleBroken: a rule is broken; the message says which, and how.
        SpecError: a document is longer than IAM allows.
    """
    if broken := list(_broken(spec, environment)):
        raise RuleBroken(f"{BROKEN}: {'; '.join(broken)}. See docs/policies.md.")


def _broken(spec: ConnectionSpec, environment: str) -> Iterator[str]:
    aws = spec.aws
    account = aws.account_id or "0" * 12
    user = regions.user_arn(aws.partition, account, spec.names(environment).user, aws.iam_path)
    permission = policies.permission_document(spec)
    trust = policies.trust_document(user, "AIDA" + "0" * 17, aws.trust_source_ips)
    buckets = {bucket: policies.bucket_document(aws.partition, bucket) for bucket in spec.managed_buckets}
    for subject, document in {"the permissions": permission, "the trust": trust, **buckets}.items():
        for what in documents.wildcards(document):
            yield f"no-wildcards: {subject} {what}"
    for what in documents.trust(trust, {account}):
        yield f"trust-one-user: {what}"
    if not naming.names_dataloop(spec.access_key.description):
        yield f"key-description: {spec.access_key.description!r}"
    for what in _wrong_deletes(spec, deletes.deletable(permission)):
        yield f"delete-flag-agrees: {what}"


def _wrong_deletes(spec: ConnectionSpec, resources: list[str]) -> Iterator[str]:
    reaches = [
        deletes.Reach(
            driver.name,
            f"{regions.bucket_arn(spec.aws.partition, driver.bucket_name)}/{driver.prefix or ''}",
            driver.allow_delete,
        )
        for driver in spec.drivers
    ]
    for reach in reaches:
        if what := deletes.wrong_flag(reach, resources):
            yield f"{reach.driver}: {what}"
    yield from deletes.surplus(resources, reaches)

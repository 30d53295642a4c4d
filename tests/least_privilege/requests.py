"""What could be asked of AWS: every action of S3, KMS, IAM and STS, on resources in and beside a connection.

Actions and the types of resources that they have are of AWS's service authorization reference, as parliament carries
it (https://docs.aws.amazon.com/service-authorization/latest/reference/), and of botocore's models of the services.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session

from tests.least_privilege.combinations import ACCOUNT, BUCKET, BUCKET_2, REGIONS

SERVICES = ("s3", "kms", "iam", "sts")
BUCKETS = (BUCKET, BUCKET_2, BUCKET[:-1], f"x-{BUCKET}", "of-somebody-else")
KEYS_OF_OBJECTS = (
    "a",
    "raw",
    "raw/",
    "raw/a",
    "raw/in",
    "raw/in/",
    "raw/in/a",
    "raw/in/b/c",
    "raw/inner/a",
    "raw/out/a",
    "rawer/a",
    "Raw/a",
    "x/raw/a",
    "labels/a",
    "labels2/a",
    "test-file",
    "raw/test-file",
)
PREFIXES = (
    None,
    "",
    "raw",
    "raw/",
    "raw/in",
    "raw/in/",
    "raw/in/b/",
    "raw/inner/",
    "rawer/",
    "Raw/",
    "x/raw/",
    "labels/",
)
Context = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """One action on one resource, with the condition keys that come with it, in lower case."""

    action: str
    resource: str
    context: Context = ()


Requests = Mapping[str, tuple[Request, ...]]


@cache
def requests(region: str) -> Requests:
    """Everything that is asked in a region, by action."""
    partition = REGIONS[region]
    resources = {**_of_s3(partition, region), **_of_kms(partition, region), **_of_iam(partition)}
    found: dict[str, tuple[Request, ...]] = {}
    for action, types in actions().items():
        service, _, operation = action.partition(":")
        found[action] = tuple(
            Request(action, resource if types else "*", context)
            for type_ in types or ("*",)
            for resource in resources.get((service, type_), (f"{_account(partition, region, service)}:{type_}/one",))
            for context in _contexts(service, type_, operation, region)
        )
    return found


@cache
def actions() -> dict[str, tuple[str, ...]]:
    """Each action with the types of the resources it can have; without any, AWS knows it on no resource."""
    found: dict[str, tuple[str, ...]] = {}
    for service in SERVICES:
        for operation in botocore.session.get_session().get_service_model(service).operation_names:
            found[f"{service}:{operation}"] = ()  # S3's are partly named otherwise than their actions: more to refuse
        for privilege in _definition()[service]["privileges"]:
            types = dict.fromkeys(entry["resource_type"].rstrip("*") for entry in privilege["resource_types"])
            found[f"{service}:{privilege['privilege']}"] = tuple(type_ for type_ in types if type_)
    return found


@cache
def _definition() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it still imports pkg_resources
        from parliament import iam_definition
    return {service["prefix"]: service for service in iam_definition}


def _account(partition: str, region: str, service: str) -> str:
    return f"arn:{partition}:{service}:{'' if service in ('iam', 'sts') else region}:{ACCOUNT}"


def _of_s3(partition: str, region: str) -> dict[tuple[str, str], tuple[str, ...]]:
    buckets = tuple(f"arn:{partition}:s3:::{bucket}" for bucket in BUCKETS)
    point = f"{_account(partition, region, 's3')}:accesspoint/{BUCKET}"
    return {
        ("s3", "bucket"): buckets,
        ("s3", "object"): tuple(f"{bucket}/{key}" for bucket in buckets for key in KEYS_OF_OBJECTS),
        ("s3", "accesspoint"): (point, f"{point}/object/raw/a"),
    }


def _of_kms(partition: str, region: str) -> dict[tuple[str, str], tuple[str, ...]]:
    own = _account(partition, region, "kms")
    elsewhere = (own.replace(ACCOUNT, "999999999999"), own.replace(region, "eu-central-1"))
    keys = (f"{own}:key/one", f"{own}:key/two", f"{own}:key/one-more", *(f"{other}:key/one" for other in elsewhere))
    return {("kms", "key"): keys, ("kms", "alias"): (f"{own}:alias/one",)}


def _of_iam(partition: str) -> dict[tuple[str, str], tuple[str, ...]]:
    own = _account(partition, "", "iam")
    named = {
        (service, type_): (f"{own}:{type_}/dataloop-acme-dev", f"{own}:{type_}/other")
        for service, type_ in (("iam", "user"), ("iam", "role"), ("iam", "policy"), ("sts", "role"), ("sts", "user"))
    }
    return {**named, ("sts", "root-user"): (f"{own}:root",)}


def _contexts(service: str, type_: str, operation: str, region: str) -> tuple[Context, ...]:
    if service == "s3" and type_ == "bucket" and operation.startswith("List"):
        return tuple((("s3:prefix", prefix),) if prefix is not None else () for prefix in PREFIXES)
    if service == "kms":
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        via = (f"s3.{region}.{suffix}", f"s3.us-east-2.{suffix}", f"dynamodb.{region}.{suffix}", f"s3.{region}.example")
        return ((), *((("kms:viaservice", service),) for service in via))
    return ((),)

"""The rules on one resource."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dataloop_sts import naming
from dataloop_sts.rules import documents
from dataloop_sts.rules.declared import (
    ACCESS_BLOCK,
    AWS_PROVIDER,
    BUCKETS,
    COMMAND,
    DESCRIBES,
    POLICY,
    ROLE,
    USER,
    Declared,
    ResourceRule,
    Settings,
)

_BLOCK_SETTINGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_DOCUMENT_OF = {
    POLICY: "policy",
    ROLE: "assumeRolePolicy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
}
_OF_AWS = re.compile(r"arn:[a-z-]+:iam::aws:policy/.*")
_FOR_USERS = {
    "aws:iam/userPolicy:UserPolicy": "a policy",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": "a policy",
    "aws:iam/userGroupMembership:UserGroupMembership": "a group",
    "aws:iam/groupMembership:GroupMembership": "a group",
    "aws:iam/userLoginProfile:UserLoginProfile": "a login to the console",
    "aws:iam/serviceSpecificCredential:ServiceSpecificCredential": "another credential",
    "aws:iam/signingCertificate:SigningCertificate": "another credential",
    "aws:iam/sshKey:SshKey": "another credential",
    "aws:iam/virtualMfaDevice:VirtualMfaDevice": "a login to the console",
}
_FOR_USERS_IF_ANY = {
    "aws:iam/policyAttachment:PolicyAttachment": "users",
    "aws:iam/userPoliciesExclusive:UserPoliciesExclusive": "policyNames",
    "aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive": "policyArns",
}
_TAGGED = (*BUCKETS, USER, ROLE, POLICY)
_NAMES: Mapping[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}}


def public_access_block(resource: Declared, _: Settings) -> Iterator[str]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html"""
    if resource.type == ACCESS_BLOCK:
        for name in _BLOCK_SETTINGS:
            if resource.props.get(name) is not True:
                yield f"{name} is not true"


def no_wildcards(resource: Declared, _: Settings) -> Iterator[str]:
    """See :func:`documents.wildcards`. AWS's own policies, which can be attached by name, are full of wildcards."""
    if place := _DOCUMENT_OF.get(resource.type):
        for what in documents.wildcards(resource.props.get(place)):
            yield f"{place} {what}"
    if resource.type in BUCKETS and resource.props.get("policy"):
        for what in documents.wildcards(resource.props["policy"]):
            yield f"policy {what}"
    if resource.type == ROLE:
        for inline in documents.values(resource.props.get("inlinePolicies")):
            for what in documents.wildcards(inline.get("policy")):
                yield f"an inline policy {what}"
    if resource.type.startswith("aws:iam/"):
        attached = [resource.props.get("policyArn"), *documents.values(resource.props.get("managedPolicyArns"))]
        for arn in attached:
            if isinstance(arn, str) and _OF_AWS.fullmatch(arn):
                yield f"takes AWS's own policy {arn}, which has wildcards: declare what is needed"


def trust_one_user(resource: Declared, _: Settings) -> Iterator[str]:
    """See :func:`documents.trust`. This account is the one that the provider is limited to."""
    if resource.type == ROLE:
        accounts = documents.values(_decoded(resource.provider.get("allowedAccountIds")))
        for what in documents.trust(resource.props.get("assumeRolePolicy"), frozenset(map(str, accounts))):
            yield f"assumeRolePolicy {what}"


def user_only_assumes(resource: Declared, _: Settings) -> Iterator[str]:
    """The user has its access keys, and perhaps a permissions boundary, which only takes away."""
    if given := _FOR_USERS.get(resource.type):
        yield f"it gives a user {given}"
    place = _FOR_USERS_IF_ANY.get(resource.type)
    if place and documents.values(resource.props.get(place)):
        yield "it gives a user a policy"


def key_description(resource: Declared, _: Settings) -> Iterator[str]:
    """What the AWS console shows beside a key."""
    if resource.type == COMMAND and f"{DESCRIBES} write" in str(resource.props.get("create", "")):
        request = _decoded(resource.props.get("stdin"))
        description = request.get("description") if isinstance(request, Mapping) else None
        if not isinstance(description, str) or not naming.names_dataloop(description):
            yield f"the description is {description!r}"


def no_forced_deletion(resource: Declared, _: Settings) -> Iterator[str]:
    """https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/#forcedestroy_nodejs"""
    if resource.type in BUCKETS and resource.props.get("forceDestroy"):
        yield "forceDestroy is true: whoever removes it loses all objects, and nobody is asked"


def required_tags(resource: Declared, settings: Settings) -> Iterator[str]:
    """Of the provider's default tags and the resource's own. AWS takes an empty value, which says nothing."""
    if resource.type not in _TAGGED:
        return
    defaults = _decoded(resource.provider.get("defaultTags"))
    of_all = defaults.get("tags") if isinstance(defaults, Mapping) else None
    tags = {**(of_all or {}), **(resource.props.get("tags") or {})}
    if missing := [key for key in settings.get("tags", naming.OWN_TAG_KEYS) if not tags.get(key)]:
        yield f"it has no {', '.join(missing)}"


def allowed_regions(resource: Declared, settings: Settings) -> Iterator[str]:
    """Of every resource of AWS and of the provider itself; where no regions are set, all are allowed."""
    if "regions" not in settings or not resource.type.startswith(("aws:", AWS_PROVIDER)):
        return
    region = resource.props.get("region") or resource.provider.get("region")
    if region not in settings["regions"]:
        allowed = ", ".join(settings["regions"]) or "none"
        yield f"it is in {region or 'the region of whoever runs it'}, and allowed is {allowed}"


RULES = (
    ResourceRule(
        "public-access-block", "All four settings of a bucket's public access block are on.", public_access_block
    ),
    ResourceRule(
        "no-wildcards",
        "What a policy allows has no wildcard, but for all objects of one bucket or of one folder in it.",
        no_wildcards,
    ),
    ResourceRule(
        "trust-one-user", "A role trusts exactly one IAM user of its own account, by sts:AssumeRole.", trust_one_user
    ),
    ResourceRule(
        "user-only-assumes",
        "A user has no policy, no group, no login and no credential but its access keys.",
        user_only_assumes,
    ),
    ResourceRule("key-description", "An access key's description contains DataLoop.", key_description),
    ResourceRule("no-forced-deletion", "No bucket is deleted together with its objects.", no_forced_deletion),
    ResourceRule("required-tags", "Buckets, users, roles and policies have the tags.", required_tags, {"tags": _NAMES}),
    ResourceRule(
        "allowed-regions", "Everything is in one of the allowed regions.", allowed_regions, {"regions": _NAMES}
    ),
)


def _decoded(value: object) -> Any:
    """What a provider's setting holds, which the SDK hands over as JSON, and what a step reads; as it is otherwise."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None

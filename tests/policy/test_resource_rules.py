"""The rules on single resources and on the whole stack, each with what breaks it and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataloop_sts.rules import declared as types
from dataloop_sts.rules import resources, stack
from dataloop_sts.rules.declared import Declared
from dataloop_sts.steps import frame
from tests.policy.resources import ACCOUNT, allow, declared, document, trusting

BLOCK = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True}
ON_RESOURCES = {rule.name: rule for rule in resources.RULES}
ON_STACKS = {rule.name: rule for rule in stack.RULES}


def broken(resource: Declared, **settings: Any) -> set[str]:
    """The names of the rules on single resources that it breaks."""
    return {rule.name for rule in resources.RULES if list(rule.check(resource, settings))}


def broken_together(*declared: Declared) -> dict[str, list[str]]:
    """The rules on the stack that these break, each with the names of the resources."""
    found = {rule.name: [resource.name for resource, _ in rule.check(declared)] for rule in stack.RULES}
    return {name: names for name, names in found.items() if names}


@pytest.mark.parametrize("setting", BLOCK)
@pytest.mark.parametrize("value", [False, None])
def test_a_public_access_block_with_one_setting_off_is_refused(setting: str, value: object) -> None:
    assert broken(declared(types.ACCESS_BLOCK, **{**BLOCK, setting: value})) == {"public-access-block"}
    assert broken(declared(types.ACCESS_BLOCK, **BLOCK)) == set()


@pytest.mark.parametrize(
    ("type_", "place"),
    [
        (types.POLICY, "policy"),
        ("aws:iam/rolePolicy:RolePolicy", "policy"),
        ("aws:s3/bucketPolicy:BucketPolicy", "policy"),
    ],
)
def test_a_wildcard_is_refused_wherever_a_policy_is_declared(type_: str, place: str) -> None:
    assert broken(declared(type_, **{place: json.dumps(document(allow("s3:*")))})) == {"no-wildcards"}
    assert broken(declared(type_, **{place: document(allow())})) == set()


def test_a_wildcard_in_a_bucket_s_own_policy_is_refused() -> None:
    assert broken(declared(types.BUCKETS[0], policy=json.dumps(document(allow(Principal="*"))))) == {"no-wildcards"}
    assert broken(declared(types.BUCKETS[0], policy=json.dumps(document(allow())))) == set()


def test_a_role_is_refused_for_inline_wildcards_and_for_policies_of_aws_itself() -> None:
    role = {"assumeRolePolicy": json.dumps(trusting())}
    inline = [{"name": "x", "policy": json.dumps(document(allow("*")))}]
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert broken(declared(types.ROLE, **role)) == set()
    assert broken(declared(types.ROLE, **role, inlinePolicies=inline)) == {"no-wildcards"}
    assert broken(declared(types.ROLE, **role, managedPolicyArns=[admin])) == {"no-wildcards"}
    assert broken(declared(types.ATTACHMENT, role="r", policyArn=admin)) == {"no-wildcards"}


def test_a_role_is_refused_for_its_trust() -> None:
    other = trusting({"AWS": "arn:aws:iam::210987654321:user/x"})
    assert broken(declared(types.ROLE, assumeRolePolicy=json.dumps(other))) == {"trust-one-user"}


@pytest.mark.parametrize(
    ("type_", "props"),
    [
        ("aws:iam/userPolicy:UserPolicy", {"policy": document(allow())}),
        ("aws:iam/userPolicyAttachment:UserPolicyAttachment", {}),
        ("aws:iam/userGroupMembership:UserGroupMembership", {}),
        ("aws:iam/groupMembership:GroupMembership", {}),
        ("aws:iam/userLoginProfile:UserLoginProfile", {}),
        ("aws:iam/serviceSpecificCredential:ServiceSpecificCredential", {}),
        ("aws:iam/policyAttachment:PolicyAttachment", {"users": ["x"]}),
        ("aws:iam/userPoliciesExclusive:UserPoliciesExclusive", {"policyNames": ["x"]}),
    ],
)
def test_whatever_gives_a_user_more_than_its_key_is_refused(type_: str, props: dict[str, Any]) -> None:
    assert broken(declared(type_, **props)) == {"user-only-assumes"}


def test_what_takes_a_user_s_policies_away_is_not() -> None:
    assert broken(declared("aws:iam/userPoliciesExclusive:UserPoliciesExclusive", policyNames=[])) == set()


@pytest.mark.parametrize("request_", ['{"description": "for somebody"}', "{}", "no JSON", None])
def test_a_key_s_description_without_dataloop_is_refused(request_: str | None) -> None:
    create = frame.command("key_description", "write")
    assert broken(declared(types.COMMAND, create=create, stdin=request_)) == {"key-description"}
    named = '{"description": "DataLoop reads S3"}'
    assert broken(declared(types.COMMAND, create=create, stdin=named)) == set()
    assert broken(declared(types.COMMAND, create=frame.command("verify"), stdin=request_)) == set()


@pytest.mark.parametrize("type_", types.BUCKETS)
def test_a_bucket_that_goes_with_its_objects_is_refused(type_: str) -> None:
    assert broken(declared(type_, bucket="b", forceDestroy=True)) == {"no-forced-deletion"}
    assert broken(declared(type_, bucket="b", forceDestroy=False)) == set()


def test_tags_may_be_the_provider_s_or_the_resource_s_own_but_not_missing_or_empty() -> None:
    user = declared(types.USER, name_="u")
    without = Declared(user.urn, user.type, user.name, {}, {"region": "eu-west-1"})
    assert broken(user) == set()
    assert broken(without) == {"required-tags"}
    assert broken(user, tags=["cost-center"]) == {"required-tags"}
    assert broken(declared(types.USER, tags={"cost-center": ""}), tags=["cost-center"]) == {"required-tags"}
    assert broken(declared(types.USER, tags={"cost-center": "4711"}), tags=["cost-center"]) == set()
    assert broken(declared(types.USER, tags={"managed-by": ""})) == {"required-tags"}


def test_a_region_is_refused_where_it_is_not_one_of_those_that_are_set() -> None:
    bucket = declared(types.BUCKETS[0], region="us-east-1")
    user = declared(types.USER)
    assert broken(bucket) == set()
    assert broken(bucket, regions=["eu-west-1"]) == {"allowed-regions"}
    assert broken(user, regions=["eu-west-1"]) == set()
    assert broken(user, regions=["us-east-1"]) == {"allowed-regions"}
    assert broken(declared("pulumi:providers:aws", region="us-east-1"), regions=["eu-west-1"]) == {"allowed-regions"}
    assert broken(declared(types.COMMAND), regions=["us-east-1"]) == set()


def a_bucket(name: str = "bucket") -> list[Declared]:
    bucket = declared(types.BUCKETS[0], name, bucket=name)
    block = declared(types.ACCESS_BLOCK, f"{name}-block", bucket=bucket)
    emptied = declared(types.COMMAND, f"{name}-emptied", after=(bucket,), delete=frame.command("empty_bucket"))
    guard = declared(types.COMMAND, "guard", after=(bucket,), delete=frame.command("guard"))
    return [bucket, block, emptied, guard]


def test_a_bucket_needs_its_public_access_block_and_what_guards_its_deletion() -> None:
    bucket, block, emptied, guard = a_bucket()
    assert broken_together(bucket, block, emptied, guard) == {}
    assert broken_together(bucket, emptied, guard) == {"public-access-block-present": ["bucket"]}
    assert broken_together(bucket, block, guard) == {"deletion-guarded": ["bucket"]}
    assert broken_together(bucket, block, emptied) == {"deletion-guarded": ["bucket"]}
    of_another = a_bucket("other")
    assert broken_together(bucket, *of_another) == {
        "public-access-block-present": ["bucket"],
        "deletion-guarded": ["bucket", "bucket"],
    }


def test_a_public_access_block_is_found_by_the_bucket_s_name_too() -> None:
    bucket, _, emptied, guard = a_bucket()
    assert broken_together(bucket, declared(types.ACCESS_BLOCK, bucket="bucket"), emptied, guard) == {}
    unknown = Declared(bucket.urn, bucket.type, bucket.name, {}, {})
    assert "public-access-block-present" in broken_together(unknown, declared(types.ACCESS_BLOCK), emptied, guard)


def test_an_attached_policy_has_to_be_declared() -> None:
    policy = declared(types.POLICY, "policy", policy=json.dumps(document(allow())))
    assert broken_together(policy, declared(types.ATTACHMENT, policyArn=policy)) == {}
    foreign = declared(types.ATTACHMENT, policyArn=f"arn:aws:iam::{ACCOUNT}:policy/theirs")
    assert broken_together(policy, foreign) == {"own-policies-only": ["it"]}


def test_an_access_key_needs_a_description() -> None:
    key, other = declared(types.ACCESS_KEY, "key-1"), declared(types.ACCESS_KEY, "key-2")
    described = declared(types.COMMAND, after=(key,), delete=frame.command("key_description", "remove"))
    assert broken_together(key, described) == {}
    assert broken_together(key, other, described) == {"key-description-present": ["key-2"]}


def flags(*drivers: Declared, may_delete: tuple[str, ...] = ()) -> dict[str, list[str]]:
    statements = [allow("s3:GetObject"), *(allow(["s3:DeleteObject"], resource) for resource in may_delete)]
    policy = declared(types.POLICY, "policy", policy=json.dumps(document(*statements)))
    return broken_together(policy, *a_bucket(), *drivers)


def a_driver(name: str = "driver", *, allow_delete: bool, path: str = "", bucket: Any = "bucket") -> Declared:
    return declared(types.DRIVER, name, region="eu-west-1", bucket=bucket, path=path, allow_delete=allow_delete)


def test_a_driver_that_may_delete_needs_the_permission_for_all_it_reaches() -> None:
    whole, folder = a_driver(allow_delete=True), a_driver("folder", allow_delete=True, path="raw/")
    assert flags(whole, may_delete=("arn:aws:s3:::bucket/*",)) == {}
    assert flags(folder, may_delete=("arn:aws:s3:::bucket/raw/*",)) == {}
    assert flags(whole) == {"delete-flag-agrees": ["driver"]}
    assert flags(whole, may_delete=("arn:aws:s3:::bucket/raw/*",)) == {"delete-flag-agrees": ["driver"]}
    assert flags(folder, may_delete=("arn:aws:s3:::bucket/raw2/*",)) == {"delete-flag-agrees": ["folder", "policy"]}
    assert flags(whole, may_delete=("arn:aws:s3:::bucket2/*",)) == {"delete-flag-agrees": ["driver", "policy"]}


def test_a_role_may_delete_only_where_a_driver_may() -> None:
    whole, folder = a_driver(allow_delete=False), a_driver("folder", allow_delete=True, path="raw/")
    assert flags(whole) == {}
    assert flags(whole, may_delete=("arn:aws:s3:::bucket/*",)) == {"delete-flag-agrees": ["driver", "policy"]}
    assert flags(whole, may_delete=("arn:aws:s3:::bucket/raw/*",)) == {"delete-flag-agrees": ["policy"]}
    assert flags(whole, folder, may_delete=("arn:aws:s3:::bucket/raw/*",)) == {}


def test_the_flag_is_judged_in_a_preview_too_where_the_bucket_is_yet_to_be_made() -> None:
    bucket = a_bucket()[0]
    assert flags(a_driver(allow_delete=True, bucket=bucket)) == {"delete-flag-agrees": ["driver"]}
    nothing_known = declared(types.DRIVER, "driver", region="eu-west-1", allow_delete=True)
    assert flags(nothing_known, may_delete=("arn:aws:s3:::bucket/*",)) == {}


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({*ON_RESOURCES, *ON_STACKS}) == len(resources.RULES) + len(stack.RULES)


def test_the_steps_that_the_rules_look_for_are_those_that_the_components_declare() -> None:
    assert types.DESCRIBES in frame.command("key_description", "write")
    assert types.EMPTIES in frame.command("empty_bucket")
    assert types.GUARDS in frame.command("guard")

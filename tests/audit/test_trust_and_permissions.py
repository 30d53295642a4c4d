"""Every deviation of the role, its trust and its policy is found, by itself, with evidence and mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataloop_sts.revocation import revocation_document
from tests.audit.audited import Audited, allow, clean, document, ids
from tests.steps.aws_world import World

SERVICE = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def _also(principal: Any, **more: Any) -> Callable[[Audited], None]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return lambda audited: audited.trust(audited.own_trust(), statement)


def _another_role(audited: Audited) -> None:
    other = audited.world.iam.create_role(RoleName=f"other-{audited.user}", AssumeRolePolicyDocument=document(SERVICE))
    audited.trust(audited.own_trust(Principal={"AWS": [audited.connected.user_arn, other["Role"]["Arn"]]}))


TRUST = {
    "everyone": (
        lambda a: a.trust(a.own_trust(Principal={"AWS": [a.connected.user_arn, "*"]})),
        "trust-everyone",
        "names AWS *.",
    ),
    "another account": (_also({"AWS": "arn:aws:iam::210987654321:root"}), "trust-other-account", "210987654321"),
    "the EC2 service, as the console's wizard leaves it": (
        _also({"Service": "ec2.amazonaws.com"}),
        "trust-service",
        "ec2.amazonaws.com",
    ),
    "the whole account": (_also({"AWS": "123456789012"}), "trust-other-principal", "123456789012"),
    "another role": (_another_role, "trust-other-principal", "role/other-"),
    "an identity provider": (
        _also({"Federated": "cognito-identity.amazonaws.com"}),
        "trust-other-principal",
        "Federated",
    ),
    "nobody but another account": (
        lambda a: a.trust({**SERVICE, "Principal": {"AWS": "210987654321"}}),
        ["trust-other-account", "trust-user-missing"],
        "210987654321",
    ),
    "a condition that the spec does not have": (
        lambda a: a.trust(a.own_trust(Condition={"StringEquals": {"sts:ExternalId": "x"}})),
        "trust-condition",
        "sts:externalid",
    ),
    "more than assuming": (
        lambda a: a.trust(a.own_trust(Action=["sts:AssumeRole", "sts:TagSession"])),
        "trust-action",
        "sts:TagSession",
    ),
    "everyone under a condition": (
        _also("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        "trust-everyone",
        "names AWS * if StringEquals aws:principalorgid o-1.",
    ),
    "a denial": (_also({"AWS": "*"}, Effect="Deny", Action="sts:SetSourceIdentity"), "trust-deny", "SetSourceIdentity"),
}


@pytest.mark.parametrize(("plant", "checks", "evidence"), TRUST.values(), ids=TRUST.keys())
def test_a_trust_of_anybody_or_anything_else_is_found(
    plant: Callable[[Audited], None], checks: str | list[str], evidence: str, audited: Audited
) -> None:
    plant(audited)
    findings = audited.findings()
    assert ids(findings) == ([checks] if isinstance(checks, str) else checks)
    assert all(finding.subject == f"role {audited.user}" for finding in findings)
    assert evidence in findings[0].what
    assert f"dataloop-sts -e dev up --refresh {audited.spec.customer}" in findings[0].mend


def test_a_condition_of_the_spec_that_is_not_live_is_found(audited: Audited) -> None:
    audited.respec(aws={"trust_source_ips": ["203.0.113.0/24"]})
    (finding,) = audited.findings()
    assert finding.check == "trust-condition"
    assert "is: none; the spec's: IpAddress aws:sourceip 203.0.113.0/24" in finding.what
    audited.trust(audited.own_trust(Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))
    assert audited.findings() == ()


def test_a_user_made_anew_under_the_same_name_is_told_from_the_one_that_is_trusted(audited: Audited) -> None:
    audited.calling = True
    world, old = audited.world, audited.connected.unique_id
    user = world.iam.get_user(UserName=audited.user)["User"]
    world.iam.delete_access_key(UserName=audited.user, AccessKeyId=audited.key)
    world.iam.delete_user(UserName=audited.user)
    new = world.iam.create_user(UserName=audited.user, Tags=user["Tags"])["User"]["UserId"]
    findings = {finding.check: finding for finding in audited.findings()}
    assert list(findings) == ["key-held-gone", "call-assume-role", "driver-test", "state-other-id", "trust-orphaned"]
    assert f"names AWS {old}, who was deleted; user {audited.user} is {new} now." in findings["trust-orphaned"].what
    assert f"knows it as {old}; it is {new} now" in findings["state-other-id"].what


LISTED = ["s3:ListBucket", "s3:PutObject", "s3:GetObject"]
PERMISSIONS = {
    "one action more": ([*LISTED, "s3:DeleteObject"], "role-permission-extra", "s3:DeleteObject on {arn}/*"),
    "every action on the bucket": (["s3:*"], "role-wildcard", "s3:* on {arn}"),
    "one action less": (["s3:ListBucket", "s3:GetObject"], "role-permission-missing", "s3:PutObject on {arn}/*"),
}


@pytest.mark.parametrize(("actions", "check", "evidence"), PERMISSIONS.values(), ids=PERMISSIONS.keys())
def test_a_policy_that_allows_more_or_less_is_found(
    actions: list[str], check: str, evidence: str, audited: Audited
) -> None:
    arn = f"arn:aws:s3:::{audited.bucket}"
    audited.own_policy(allow(actions, [arn, f"{arn}/*"]))
    (finding,) = audited.findings()
    assert finding.check == check
    assert evidence.format(arn=arn) in finding.what


def test_the_same_permissions_written_in_another_way_are_no_finding(audited: Audited) -> None:
    arn = f"arn:aws:s3:::{audited.bucket}"
    audited.own_policy(
        allow("S3:listbucket", arn), allow(["s3:GetObject"], f"{arn}/*"), allow("s3:PutObject", [f"{arn}/*", arn])
    )
    assert audited.findings() == ()


def test_a_folder_that_became_the_whole_bucket_is_found_and_refusals_are_tried(world: World) -> None:
    audited = clean(world, prefix="raw/")
    audited.calling = True
    arn = f"arn:aws:s3:::{audited.bucket}"
    audited.own_policy(allow(LISTED, [arn, f"{arn}/*"]))
    refused, refused_too, extra = audited.findings()
    assert {refused.check, refused_too.check} == {"call-refused"}
    assert "list outside the folder: allowed; it must be refused." in refused.what
    assert "get outside the folder: allowed" in refused_too.what
    assert extra.check == "role-permission-extra"
    assert f"s3:ListBucket on {arn}" in extra.what
    assert f"s3:PutObject on {arn}/*" in extra.what
    assert world.keys(audited.bucket) == ["raw/test-file"]  # of Dataloop's TEST alone


def test_a_wider_list_condition_is_found(world: World) -> None:
    audited = clean(world, prefix="raw/")
    arn = f"arn:aws:s3:::{audited.bucket}"
    audited.own_policy(
        allow("s3:ListBucket", arn, Condition={"StringLike": {"s3:prefix": ["raw/*", "secret/*"]}}),
        allow(["s3:GetObject", "s3:PutObject"], f"{arn}/raw/*"),
    )
    (finding,) = audited.findings()
    assert finding.check == "role-permission-extra"
    assert "if StringLike s3:prefix secret/*." in finding.what


def test_another_inline_policy_is_found_with_what_it_adds_and_how_it_goes(audited: Audited) -> None:
    audited.inline("extra", allow("s3:GetObject", "arn:aws:s3:::payroll/*"))
    (finding,) = audited.findings()
    assert finding.check == "role-policy-extra"
    assert "extra is on the role; beyond the spec it allows s3:GetObject on arn:aws:s3:::payroll/*" in finding.what
    assert f"delete-role-policy --role-name {audited.user} --policy-name extra" in finding.mend


def test_another_attached_policy_with_wildcards_is_found_and_what_it_opens_is_tried(audited: Audited) -> None:
    audited.calling = True
    everything = document(allow("s3:*"))
    policy = audited.world.iam.create_policy(PolicyName=f"full-{audited.user}", PolicyDocument=everything)["Policy"]
    arn = policy["Arn"]
    audited.world.iam.attach_role_policy(RoleName=audited.user, PolicyArn=arn)
    by_check = {finding.check: finding for finding in audited.findings()}
    assert set(by_check) == {"role-wildcard", "call-refused"}
    assert f"Policy {arn} allows s3:* on *" in by_check["role-wildcard"].what
    assert f"detach-role-policy --role-name {audited.user} --policy-arn {arn}" in by_check["role-wildcard"].mend


def test_a_policy_that_denies_what_the_connection_needs_is_found(audited: Audited) -> None:
    audited.inline("deny", {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"})
    extra, lacking = audited.findings()
    assert (extra.check, lacking.check) == ("role-policy-extra", "role-permission-missing")
    assert f"s3:PutObject on arn:aws:s3:::{audited.bucket}/*" in lacking.what
    assert "it denies s3:Put* on *" in extra.what


def test_a_revocation_is_told_with_its_moment_and_is_no_deviation(audited: Audited) -> None:
    audited.inline("AWSRevokeOlderSessions", *revocation_document(audited.now)["Statement"])
    (finding,) = audited.findings()
    assert (finding.check, finding.severity) == ("role-sessions-revoked", "info")
    assert f"{audited.now:%Y-%m-%dT%H:%M}" in finding.what


def test_a_policy_of_that_name_that_is_no_revocation_is_another_policy(audited: Audited) -> None:
    audited.inline("AWSRevokeOlderSessions", allow("s3:GetObject", "arn:aws:s3:::payroll/*"))
    assert ids(audited.findings()) == ["role-policy-extra"]


def test_a_policy_that_was_detached_is_found(audited: Audited) -> None:
    audited.world.iam.detach_role_policy(RoleName=audited.user, PolicyArn=audited.connected.policy_arn)
    (finding,) = audited.findings()
    assert finding.check == "role-permission-missing"
    assert f"Policy {audited.connected.policy_arn} is not on the role." in finding.what


def test_a_policy_that_is_gone_is_found(audited: Audited) -> None:
    audited.world.iam.detach_role_policy(RoleName=audited.user, PolicyArn=audited.connected.policy_arn)
    audited.world.iam.delete_policy(PolicyArn=audited.connected.policy_arn)
    assert ids(audited.findings()) == ["policy-missing", "role-permission-missing"]


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_a_policy_that_somebody_else_has_too_is_found(kind: str, audited: Audited) -> None:
    iam, name, policy = audited.world.iam, f"other-{kind}-{audited.user}", audited.connected.policy_arn
    if kind == "role":
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(SERVICE))
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    elif kind == "group":
        iam.create_group(GroupName=name)
        iam.attach_group_policy(GroupName=name, PolicyArn=policy)
    else:
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
    (finding,) = audited.findings()
    assert finding.check == "policy-attached-elsewhere"
    assert f"attached to {kind} {name}" in finding.what
    assert f"aws iam detach-{kind}-policy --{kind}-name {name} --policy-arn {policy}" in finding.mend


def test_a_role_that_machines_can_take_is_found(audited: Audited) -> None:
    profile = f"profile-{audited.user}"
    audited.world.iam.create_instance_profile(InstanceProfileName=profile)
    audited.world.iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=audited.user)
    (finding,) = audited.findings()
    assert finding.check == "role-instance-profile"
    assert profile in finding.what
    assert f"--instance-profile-name {profile}" in finding.mend


def test_a_boundary_that_is_missing_or_another_is_found_on_user_and_role(audited: Audited) -> None:
    iam = audited.world.iam
    everything = document(allow("*"))
    ours, other = (
        iam.create_policy(PolicyName=f"{name}-{audited.user}", PolicyDocument=everything)["Policy"]["Arn"]
        for name in ("ours", "other")
    )
    audited.respec(aws={"permissions_boundary": ours})
    missing = audited.findings()
    assert ids(missing) == ["boundary-missing", "boundary-missing"]
    assert [finding.subject for finding in missing] == [f"user {audited.user}", f"role {audited.user}"]
    iam.put_user_permissions_boundary(UserName=audited.user, PermissionsBoundary=ours)
    iam.put_role_permissions_boundary(RoleName=audited.user, PermissionsBoundary=other)
    (finding,) = audited.findings()
    assert (finding.check, finding.subject) == ("boundary-other", f"role {audited.user}")
    assert other in finding.what
    assert ours in finding.what


def test_a_role_that_is_gone_is_one_finding_beside_what_follows(audited: Audited) -> None:
    audited.calling = True
    iam = audited.world.iam
    iam.detach_role_policy(RoleName=audited.user, PolicyArn=audited.connected.policy_arn)
    iam.delete_role(RoleName=audited.user)
    findings = audited.findings()
    assert ids(findings) == ["role-missing", "call-assume-role", "driver-test"]
    assert findings[0].subject == f"role {audited.user}"


def test_another_path_is_found(audited: Audited) -> None:
    audited.respec(aws={"iam_path": "/dataloop/"})
    by_check = {finding.check for finding in audited.findings() if finding.check == "iam-path"}
    assert by_check == {"iam-path"}

"""Every deviation of the user and its access keys is found, by itself, with evidence and mend."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from moto.iam.models import AccessKeyLastUsed

from tests.audit.audited import Audited, allow, document, ids, remember


def test_a_policy_in_the_user_is_found_and_what_it_opens_is_tried(audited: Audited) -> None:
    audited.calling = True
    listing = document(allow("s3:ListBucket", f"arn:aws:s3:::{audited.bucket}"))
    audited.world.iam.put_user_policy(UserName=audited.user, PolicyName="own", PolicyDocument=listing)
    opened, found = audited.findings()
    assert (opened.check, found.check) == ("call-refused", "user-permission")
    assert f"user without the role: list {audited.bucket}: allowed" in opened.what
    assert found.what == "It has the inline policy own."
    assert f"aws iam delete-user-policy --user-name {audited.user} --policy-name own" in found.mend


def test_a_policy_on_the_user_is_found(audited: Audited) -> None:
    iam, name = audited.world.iam, f"on-{audited.user}"
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("ec2:*")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=audited.user, PolicyArn=arn)
    (finding,) = audited.findings()
    assert finding.check == "user-permission"
    assert arn in finding.what
    assert arn in finding.mend


def test_a_group_is_found(audited: Audited) -> None:
    group = f"group-{audited.user}"
    audited.world.iam.create_group(GroupName=group)
    audited.world.iam.add_user_to_group(GroupName=group, UserName=audited.user)
    (finding,) = audited.findings()
    assert (finding.check, finding.what) == ("user-group", f"It is in group {group}.")
    assert f"remove-user-from-group --user-name {audited.user} --group-name {group}" in finding.mend


def test_a_console_login_is_found(audited: Audited) -> None:
    audited.world.iam.create_login_profile(UserName=audited.user, Password="Correct-horse-1")
    (finding,) = audited.findings()
    assert finding.check == "user-console"
    assert f"delete-login-profile --user-name {audited.user}" in finding.mend


def test_other_credentials_are_found(audited: Audited) -> None:
    iam, name = audited.world.iam, {"UserName": audited.user}
    ssh = iam.upload_ssh_public_key(**name, SSHPublicKeyBody="ssh-rsa AAAA")["SSHPublicKey"]["SSHPublicKeyId"]
    certificate = iam.upload_signing_certificate(**name, CertificateBody=_CERTIFICATE)["Certificate"]["CertificateId"]
    codecommit = iam.create_service_specific_credential(**name, ServiceName="codecommit.amazonaws.com")
    of_service = codecommit["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    findings = audited.findings()
    assert ids(findings) == ["user-credential"] * 3
    for finding, there in zip(findings, (ssh, certificate, f"codecommit.amazonaws.com {of_service}"), strict=True):
        assert there in finding.what
    assert f"aws iam delete-ssh-public-key --user-name {audited.user}" in findings[0].mend


def test_an_mfa_device_is_found(audited: Audited) -> None:
    iam = audited.world.iam
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"mfa-{audited.user}")["VirtualMFADevice"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName=audited.user, SerialNumber=device["SerialNumber"], **codes)
    (finding,) = audited.findings()
    assert (finding.check, finding.severity) == ("user-mfa", "low")
    assert device["SerialNumber"] in finding.mend


def test_a_key_that_is_not_the_stacks_is_named_with_age_and_last_use(audited: Audited) -> None:
    second = audited.world.iam.create_access_key(UserName=audited.user)["AccessKey"]["AccessKeyId"]
    (finding,) = audited.findings()
    assert finding.check == "key-other"
    assert finding.what == f"Access key {second} (active, 0 days old, never used) is not the stack's."
    assert f"--access-key-id {second}" in finding.mend


def test_without_a_state_two_keys_are_one_too_many(audited: Audited) -> None:
    audited.without_state()
    second = audited.world.iam.create_access_key(UserName=audited.user)["AccessKey"]["AccessKeyId"]
    audited.world.iam.tag_user(UserName=audited.user, Tags=[{"Key": second, "Value": "DataLoop reads S3 over STS"}])
    (finding,) = audited.findings()
    assert finding.check == "key-other"
    assert "It has 2 access keys, the spec says 1: " in finding.what
    assert audited.key in finding.what
    assert second in finding.what


def test_a_key_that_a_rotation_keeps_inactive_is_no_finding(audited: Audited) -> None:
    iam = audited.world.iam
    new = iam.create_access_key(UserName=audited.user)["AccessKey"]
    iam.tag_user(UserName=audited.user, Tags=[{"Key": new["AccessKeyId"], "Value": "DataLoop reads S3 over STS"}])
    iam.update_access_key(UserName=audited.user, AccessKeyId=audited.key, Status="Inactive")
    audited.respec(access_key={"generation": 2, "retiring": 1})
    remember(audited, access_key_ids=(audited.key, new["AccessKeyId"]), held_key_id=new["AccessKeyId"])
    world, connected = audited.world, audited.connected
    connected.access_key_id, connected.secret = new["AccessKeyId"], new["SecretAccessKey"]
    organization = audited.spec.organization_id
    world.client.update_integration(organization, audited.integration_id, credentials=connected.credentials)
    remember(audited, integration_updated_at=world.client.integration(organization, audited.integration_id).updated_at)
    assert audited.findings() == ()
    audited.without_state()
    assert audited.findings() == ()


def test_a_key_that_is_off_is_found(audited: Audited) -> None:
    audited.world.iam.update_access_key(UserName=audited.user, AccessKeyId=audited.key, Status="Inactive")
    for calling in (True, False):
        audited.calling = calling
        found = {finding.check: finding for finding in audited.findings()}
        assert set(found) == {"key-inactive"} | ({"call-assume-role", "driver-test"} if calling else set())
        assert audited.key in found["key-inactive"].what
        assert f"--access-key-id {audited.key} --status Active" in found["key-inactive"].mend
    audited.without_state()
    assert ids(audited.findings()) == ["key-inactive"]


def test_a_key_that_dataloop_holds_and_the_user_has_no_more_is_found(audited: Audited) -> None:
    audited.calling = True
    iam = audited.world.iam
    iam.delete_access_key(UserName=audited.user, AccessKeyId=audited.key)
    findings = audited.findings()
    assert ids(findings) == ["key-held-gone", "call-assume-role", "driver-test"]
    assert findings[0].what == f"Dataloop holds access key {audited.key}; the user has none."
    assert f"dataloop-sts -e dev rotate {audited.spec.customer}" in findings[0].mend
    audited.without_state()
    audited.calling = False
    assert ids(audited.findings()) == ["key-none"]


def test_a_key_of_the_state_that_is_gone_is_found(audited: Audited) -> None:
    remember(audited, access_key_ids=(audited.key, "AKIAIOSFODNN7EXAMPLE"))
    (finding,) = audited.findings()
    assert finding.check == "state-key-gone"
    assert "AKIAIOSFODNN7EXAMPLE" in finding.what


@pytest.mark.parametrize("days", [89, 91])
def test_an_old_key_is_found_by_its_age(days: int, audited: Audited) -> None:
    audited.age_key(days)
    findings = audited.findings()
    assert ids(findings) == (["key-old"] if days > 90 else [])
    assert [finding.what for finding in findings] == ([f"It is {days} days old; 90 are allowed."] if days > 90 else [])
    audited.max_key_age_days = 7
    assert ids(audited.findings()) == ["key-old"]


def test_a_key_that_was_never_used_is_found_a_day_after_it_was_made(audited: Audited) -> None:
    audited.moto_key().last_used = None
    assert audited.findings() == ()
    audited.age_key(2)
    audited.moto_key().last_used = None
    (finding,) = audited.findings()
    assert (finding.check, finding.severity) == ("key-never-used", "low")
    assert f"made on {audited.now - timedelta(days=2):%Y-%m-%d} and never used" in finding.what


def test_a_key_that_is_not_used_any_more_is_told_with_its_last_use(audited: Audited) -> None:
    audited.age_key(60)
    last = audited.now - timedelta(days=31)
    audited.moto_key().last_used = AccessKeyLastUsed(timestamp=last, service="sts", region="eu-west-1")
    (finding,) = audited.findings()
    assert (finding.check, finding.severity) == ("key-idle", "info")
    assert finding.what == f"It was last used on {last:%Y-%m-%d} for sts in eu-west-1."


@pytest.mark.parametrize("description", [None, "a key"])
def test_a_key_without_its_description_is_found(description: str | None, audited: Audited) -> None:
    iam = audited.world.iam
    iam.untag_user(UserName=audited.user, TagKeys=[audited.key])
    if description:
        iam.tag_user(UserName=audited.user, Tags=[{"Key": audited.key, "Value": description}])
    (finding,) = audited.findings()
    assert finding.check == "key-description"
    assert f"is {description or 'missing'}; the spec's: DataLoop reads S3 over STS." in finding.what
    assert f"Key={audited.key},Value='DataLoop reads S3 over STS'" in finding.mend


def test_missing_and_changed_tags_are_found_on_each_thing(audited: Audited) -> None:
    iam, arn = audited.world.iam, audited.connected.policy_arn
    iam.untag_role(RoleName=audited.user, TagKeys=["managed-by"])
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "managed-by", "Value": "hand"}])
    role, policy = audited.findings()
    assert (role.check, role.subject) == ("tags", f"role {audited.user}")
    assert "managed-by=dataloop-sts (missing)" in role.what
    assert (policy.check, policy.subject) == ("tags", f"policy {audited.user}")
    assert "managed-by=dataloop-sts (it is hand)" in policy.what


def test_a_user_that_is_gone_is_told_once(audited: Audited) -> None:
    audited.world.iam.delete_access_key(UserName=audited.user, AccessKeyId=audited.key)
    audited.world.iam.delete_user(UserName=audited.user)
    findings = audited.findings()
    assert ids(findings) == ["user-missing", "trust-orphaned"]
    assert json.loads(findings[0].model_dump_json())["subject"] == f"user {audited.user}"


_CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBbjCCAROgAwIBAgIUaTkSBYKuzZJq2gHvANEtPtDFmR4wCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAeFw0yNjExMjQxOTU2MTFaFw0zNjExMjExOTU2MTFaMAwx
CjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARnxICJF9UaQWE5
ZyW4eRLfrM1gyas0WRG2Wn/i8nFtQiyxHysM9ACUCKjcsXc4YaZIYVC1LSiqsNj/
ePk82tlco1MwUTAdBgNVHQ4EFgQUvplSkzuQMqzNvfl0B4eIdBPvFUswHwYDVR0j
BBgwFoAUvplSkzuQMqzNvfl0B4eIdBPvFUswDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNJADBGAiEA+YMKTuU3QBZI3GJdcWlkOLWCEzd4X0SFzllE/NwHQ4IC
IQDfu8LSUzDkaZzIRS+HQ/Pn9qF+fZ1y7Exo96RE9nXFZQ==
-----END CERTIFICATE-----"""

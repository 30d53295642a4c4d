"""The guard names what others put on user, role and policy, and how it is removed; then the destroy may go on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name

from dataloop_sts.errors import AwsError, GuardRefused
from dataloop_sts.live.iam_policies import look_at_policy
from dataloop_sts.live.identity import look_at_role, look_at_user
from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.steps.guard import GuardRequest, guard
from tests.steps.aws_world import REGION, Connected, World

DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}'
ALL_BUT_ONE = DOCUMENT.replace('"Action": "s3:GetObject"', '"NotAction": "iam:ListSSHPublicKeys"')


@pytest.fixture
def connected(world: World) -> Connected:
    """The AWS side of a connection."""
    return world.connect()


def request_of(world: World, connected: Connected, **identity: Any) -> GuardRequest:
    """What the component asks about it."""
    known = {
        "user": connected.user,
        "role": connected.role,
        "policy": connected.user,
        "path": "/",
        "access_key_ids": [connected.access_key_id],
        "key_description": f"DataLoop {world.tag}",
        **identity,
    }
    return GuardRequest.model_validate(
        {
            "customer": world.tag,
            "on_destroy": "delete",
            "region": REGION,
            "account_id": world.aws.account_id,
            "buckets": {connected.bucket: [""]},
            "integration_id": "gone",
            "drivers": [],
            "identity": known,
        }
    )


def ask(world: World, request: GuardRequest) -> str:
    """What the guard refuses with; empty where it does not."""
    try:
        guard(request, world.client)
    except GuardRefused as refusal:
        assert str(refusal).startswith(f"The destroy of {world.tag} is refused, nothing was touched: ")
        return str(refusal)
    return ""


def live(world: World, connected: Connected) -> tuple[Any, ...]:
    """Everything there is on user, role and policy."""
    return (
        look_at_user(world.iam, connected.user),
        look_at_role(world.iam, connected.role),
        look_at_policy(world.iam, connected.policy_arn),
    )


def run(world: World, command: str) -> None:
    """Does what a command of the AWS CLI does: its names are those of IAM's API, spelt otherwise."""
    words = shlex.split(command)
    assert words[:2] == ["aws", "iam"]
    operation = words[2].replace("-", "_")
    shape = world.iam.meta.service_model.operation_model(world.iam.meta.method_to_api_mapping[operation]).input_shape
    options = {f"--{xform_name(member, '-')}": member for member in shape.members}
    given = {options[name]: value for name, value in zip(words[3::2], words[4::2], strict=True)}
    getattr(world.iam, operation)(**given)


def _certificate() -> str:
    """A self-signed certificate, as moto checks one."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _into_group(iam: Any, c: Connected) -> None:
    iam.create_group(GroupName=f"g-{c.user}")
    iam.add_user_to_group(GroupName=f"g-{c.user}", UserName=c.user)


def _into_profile(iam: Any, c: Connected) -> None:
    iam.create_instance_profile(InstanceProfileName=f"p-{c.role}")
    iam.add_role_to_instance_profile(InstanceProfileName=f"p-{c.role}", RoleName=c.role)


def _on_other_role(iam: Any, c: Connected) -> None:
    iam.create_role(RoleName=f"o-{c.role}", AssumeRolePolicyDocument=_trust())
    iam.attach_role_policy(RoleName=f"o-{c.role}", PolicyArn=c.policy_arn)


def _on_group(iam: Any, c: Connected) -> None:
    iam.create_group(GroupName=f"h-{c.user}")
    iam.attach_group_policy(GroupName=f"h-{c.user}", PolicyArn=c.policy_arn)


def _policy(iam: Any, name: str) -> str:
    return str(iam.create_policy(PolicyName=name, PolicyDocument=DOCUMENT)["Policy"]["Arn"])


def _trust() -> str:
    return (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, '
        '"Action": "sts:AssumeRole"}]}'
    )


PLANTED: dict[str, tuple[Callable[[Any, Connected], Any], str]] = {
    "a key made outside": (
        lambda iam, c: iam.create_access_key(UserName=c.user),
        r"user \S+ has access key AKIA\w+ beside this stack's, made on \d{4}-\d\d-\d\d, never used",
    ),
    "a console login": (
        lambda iam, c: iam.create_login_profile(UserName=c.user, Password="Ab1!Ab1!Ab1!Ab1!"),
        r"user \S+ has a console login",
    ),
    "an inline policy of the user": (
        lambda iam, c: iam.put_user_policy(UserName=c.user, PolicyName="extra", PolicyDocument=DOCUMENT),
        r"user \S+ has inline policy extra",
    ),
    "a policy attached to the user": (
        lambda iam, c: iam.attach_user_policy(UserName=c.user, PolicyArn=_policy(iam, f"x-{c.user}")),
        r"user \S+ has policy arn:\S+:policy/x-\S+",
    ),
    "a group": (_into_group, r"user \S+ is in group g-\S+"),
    "an MFA device": (
        lambda iam, c: iam.enable_mfa_device(
            UserName=c.user,
            SerialNumber=f"arn:aws:iam::123456789012:mfa/{c.user}",
            AuthenticationCode1="123456",
            AuthenticationCode2="654321",
        ),
        r"user \S+ has MFA device arn:aws:iam::123456789012:mfa/\S+",
    ),
    "an SSH key": (
        lambda iam, c: iam.upload_ssh_public_key(UserName=c.user, SSHPublicKeyBody="ssh-rsa AAAA"),
        r"user \S+ has SSH key APKA\w+",
    ),
    "a signing certificate": (
        lambda iam, c: iam.upload_signing_certificate(UserName=c.user, CertificateBody=_certificate()),
        r"user \S+ has signing certificate \w+",
    ),
    "a service-specific credential": (
        lambda iam, c: iam.create_service_specific_credential(UserName=c.user, ServiceName="codecommit.amazonaws.com"),
        r"user \S+ has service-specific credential ACCA\w+",
    ),
    "an inline policy of the role": (
        lambda iam, c: iam.put_role_policy(RoleName=c.role, PolicyName="extra", PolicyDocument=DOCUMENT),
        r"role \S+ has inline policy extra",
    ),
    "a policy attached to the role": (
        lambda iam, c: iam.attach_role_policy(RoleName=c.role, PolicyArn=_policy(iam, f"y-{c.role}")),
        r"role \S+ has policy arn:\S+:policy/y-\S+",
    ),
    "an instance profile": (_into_profile, r"role \S+ is in instance profile p-\S+"),
    "the policy on a user": (
        lambda iam, c: iam.attach_user_policy(
            UserName=iam.create_user(UserName=f"u-{c.user}")["User"]["UserName"], PolicyArn=c.policy_arn
        ),
        r"policy arn:\S+ is attached to user u-\S+",
    ),
    "the policy on a group": (_on_group, r"policy arn:\S+ is attached to group h-\S+"),
    "the policy on another role": (_on_other_role, r"policy arn:\S+ is attached to role o-\S+"),
}


def test_what_others_put_there_is_named_with_the_commands_that_remove_it_and_then_the_destroy_may_go_on(
    world: World, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(world, connected)
    for plant, _ in PLANTED.values():
        plant(world.iam, connected)
    before = live(world, connected)
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)  # it is in the way whatever may be lost
    said = ask(world, request)
    assert live(world, connected) == before
    for name, (_, says) in PLANTED.items():
        assert re.search(f"[:;] {says} \\(aws iam [^()]+\\)[;.]", said), (name, said)
    commands = re.findall(r"\((aws iam [^()]+)\)", said)
    assert len(commands) == len(PLANTED) == 15
    for number, command in enumerate(commands):
        run(world, command)
        if number == 0:
            assert len(re.findall(r"\(aws iam ", ask(world, request))) == len(PLANTED) - 1
    assert ask(world, request) == ""


def test_what_the_stack_made_itself_is_not_in_the_way(world: World, connected: Connected) -> None:
    world.iam.put_role_policy(RoleName=connected.role, PolicyName="AWSRevokeOlderSessions", PolicyDocument=DOCUMENT)
    world.iam.create_policy_version(PolicyArn=connected.policy_arn, PolicyDocument=DOCUMENT, SetAsDefault=True)
    key = world.iam.create_access_key(UserName=connected.user)["AccessKey"]["AccessKeyId"]
    assert ask(world, request_of(world, connected, access_key_ids=[connected.access_key_id, key])) == ""
    # one that an interrupted rotation has made and described, but the guard's request does not have yet
    assert f"has access key {key} beside" in ask(world, request_of(world, connected))
    world.iam.tag_user(UserName=connected.user, Tags=[{"Key": key, "Value": f"DataLoop {world.tag}"}])
    assert ask(world, request_of(world, connected)) == ""


def test_user_role_and_policy_that_are_gone_are_not_in_the_way(world: World, connected: Connected) -> None:
    gone = {"user": "gone", "role": "gone", "policy": "gone"}
    assert ask(world, request_of(world, connected, **gone)) == ""


def test_a_state_from_before_the_guard_looked_at_iam_can_be_destroyed(world: World, connected: Connected) -> None:
    world.iam.create_login_profile(UserName=connected.user, Password="Ab1!Ab1!Ab1!Ab1!")
    old = request_of(world, connected).model_dump()
    del old["identity"]
    assert ask(world, GuardRequest.model_validate(old)) == ""


def test_what_may_not_be_looked_at_is_not_taken_for_none(
    world: World, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"looker-{world.tag}"
    world.iam.create_user(UserName=name)
    key = world.iam.create_access_key(UserName=name)["AccessKey"]
    world.iam.put_user_policy(UserName=name, PolicyName="all-but-one", PolicyDocument=ALL_BUT_ONE)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with pytest.raises(AwsError, match=f"look at the SSH keys of user {connected.user}: AccessDenied"):
        ask(world, request_of(world, connected))

"""What others put on a connection's IAM user, role and policy, in the way of their deletion.

IAM refuses to delete a user with credentials, policies or groups, a role with policies or instance profiles, and a
policy that is attached: https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html, and API_DeleteRole
and API_DeletePolicy there. Some of it the AWS provider would take along; what others made goes only knowingly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dataloop_sts.errors import AwsError
from dataloop_sts.live import AccessKey, LastUse, Role, Unseen, User
from dataloop_sts.live.iam_policies import look_at_policy
from dataloop_sts.live.identity import look_at_role, look_at_user
from dataloop_sts.revocation import REVOCATION_POLICY

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

T = TypeVar("T")


@dataclass(frozen=True)
class OwnKeys:
    """How the stack's access keys are told from others.

    Attributes:
        ids: those that the stack held at the end of its last update.
        description: what the stack writes beside its keys; one that an interrupted update made is known by it.
    """

    ids: tuple[str, ...] = ()
    description: str = ""

    def __contains__(self, key: AccessKey) -> bool:
        """Whether a key is the stack's."""
        return key.id in self.ids or (bool(self.description) and key.description == self.description)


def on_user(iam: IAMClient, name: str, own: OwnKeys) -> Iterator[str]:
    """What the user has beside the stack's keys, each with the command that takes it away; nothing where it is gone.

    Raises:
        AwsError: something of it could not be looked at.
    """
    if user := _seen(look_at_user(iam, name)):
        yield from _on_user(user, own)


def on_role(iam: IAMClient, name: str, policy_arn: str) -> Iterator[str]:
    """What the role has beside the connection's policy; otherwise as :func:`on_user`."""
    if role := _seen(look_at_role(iam, name)):
        yield from _on_role(role, policy_arn)


def on_policy(iam: IAMClient, arn: str, role: str) -> Iterator[str]:
    """Where the policy is attached beside the connection's role; otherwise as :func:`on_user`."""
    policy = _seen(look_at_policy(iam, arn))
    for bearer in _seen(policy.attached_to) if policy else ():
        kind, _, name = bearer.partition(" ")
        if bearer != f"role {role}":
            command = f"detach-{kind}-policy --{kind}-name {name} --policy-arn {arn}"
            yield f"policy {arn} is attached to {bearer} (aws iam {command})"


def _on_user(user: User, own: OwnKeys) -> Iterator[str]:
    name = f"--user-name {user.name}"
    if _seen(user.console_login):
        yield f"user {user.name} has a console login (aws iam delete-login-profile {name})"
    for key in _seen(user.keys):
        if key not in own:
            yield f"user {user.name} has {_key(key)} (aws iam delete-access-key {name} --access-key-id {key.id})"
    of_kinds = (
        (_seen(user.inline_policies), "has inline policy", f"delete-user-policy {name} --policy-name"),
        (_arns(user), "has policy", f"detach-user-policy {name} --policy-arn"),
        (_seen(user.groups), "is in group", f"remove-user-from-group {name} --group-name"),
        (_seen(user.mfa_devices), "has MFA device", f"deactivate-mfa-device {name} --serial-number"),
        (_seen(user.ssh_keys), "has SSH key", f"delete-ssh-public-key {name} --ssh-public-key-id"),
        (
            _seen(user.signing_certificates),
            "has signing certificate",
            f"delete-signing-certificate {name} --certificate-id",
        ),
        (
            [credential.rpartition(" ")[2] for credential in _seen(user.service_credentials)],
            "has service-specific credential",
            f"delete-service-specific-credential {name} --service-specific-credential-id",
        ),
    )
    for ids, has, command in of_kinds:
        yield from (f"user {user.name} {has} {id_} (aws iam {command} {id_})" for id_ in ids)


def _on_role(role: Role, policy_arn: str) -> Iterator[str]:
    name = f"--role-name {role.name}"
    of_kinds = (
        (_seen(role.inline_policies), "has inline policy", f"delete-role-policy {name} --policy-name"),
        (_arns(role), "has policy", f"detach-role-policy {name} --policy-arn"),
        (
            _seen(role.instance_profiles),
            "is in instance profile",
            f"remove-role-from-instance-profile {name} --instance-profile-name",
        ),
    )
    for ids, has, command in of_kinds:
        others = [id_ for id_ in ids if id_ not in (REVOCATION_POLICY, policy_arn)]
        yield from (f"role {role.name} {has} {id_} (aws iam {command} {id_})" for id_ in others)


def _arns(bearer: User | Role) -> list[str]:
    return [policy.arn for policy in _seen(bearer.attached_policies)]


def _key(key: AccessKey) -> str:
    if isinstance(key.last_used, LastUse):
        used = f"last used on {key.last_used.at:%Y-%m-%d}"
    else:
        used = "never used" if key.last_used is None else "of unknown use"
    return f"access key {key.id} beside this stack's, made on {key.created:%Y-%m-%d}, {used}"


def _seen(value: T | Unseen) -> T:
    if isinstance(value, Unseen):
        raise AwsError(value.reason)
    return value

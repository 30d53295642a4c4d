"""The IAM user: it may do nothing by itself, and its access key is the only way to be it."""

from __future__ import annotations

from dataloop_sts.audit.facts import Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.live import Policy, Unseen, User

MISSING = Check("user-missing", "critical", "The user is not there.", "Run `{up}`.")
PERMISSION = Check("user-permission", "high", "The user has a policy of its own.", "Take it off the user: {way}.")
GROUP = Check(
    "user-group",
    "high",
    "The user is in a group, whose permissions it has.",
    "`aws iam remove-user-from-group --user-name {user} --group-name {group}`",
)
CONSOLE = Check(
    "user-console",
    "high",
    "The user can sign in to the console.",
    "`aws iam delete-login-profile --user-name {user}`",
)
CREDENTIAL = Check(
    "user-credential",
    "medium",
    "The user has other credentials than access keys: SSH keys, signing certificates, those of single services.",
    "Delete them on the user's page, Security credentials, or by `aws iam {action} --user-name {user}`.",
)
MFA = Check(
    "user-mfa",
    "low",
    "The user has an MFA device, which a machine does not need and which keeps the user from being deleted.",
    "`aws iam deactivate-mfa-device --user-name {user} --serial-number {device}`",
)


def _presence(facts: Facts, _: Facts) -> Said:
    if isinstance(facts.live.user, Unseen):
        yield facts.live.user
    elif facts.live.user is None:
        yield facts.found(MISSING, f"user {facts.names.user}", "There is no user of that name.")


def _permissions(facts: Facts, user: User) -> Said:
    subject = f"user {user.name}"
    own = facts.live.policy
    told_of_the_policy = isinstance(own, Policy) and not isinstance(own.attached_to, Unseen)
    if isinstance(user.inline_policies, Unseen):
        yield user.inline_policies
    else:
        for name in user.inline_policies:
            way = f"`aws iam delete-user-policy --user-name {user.name} --policy-name {name}`"
            yield facts.found(PERMISSION, subject, f"It has the inline policy {name}.", way=way)
    if isinstance(user.attached_policies, Unseen):
        yield user.attached_policies
    else:
        for policy in user.attached_policies:
            if policy.arn == facts.policy_arn and told_of_the_policy:
                continue
            way = f"`aws iam detach-user-policy --user-name {user.name} --policy-arn {policy.arn}`"
            yield facts.found(PERMISSION, subject, f"Policy {policy.arn} is attached to it.", way=way)


def _groups(facts: Facts, user: User) -> Said:
    if isinstance(user.groups, Unseen):
        yield user.groups
        return
    for group in user.groups:
        yield facts.found(GROUP, f"user {user.name}", f"It is in group {group}.", user=user.name, group=group)


def _console(facts: Facts, user: User) -> Said:
    if isinstance(user.console_login, Unseen):
        yield user.console_login
    elif user.console_login:
        yield facts.found(CONSOLE, f"user {user.name}", "It has a login profile, with a password.", user=user.name)


def _credentials(facts: Facts, user: User) -> Said:
    for kind, action, ids in (
        ("SSH key", "delete-ssh-public-key", user.ssh_keys),
        ("signing certificate", "delete-signing-certificate", user.signing_certificates),
        ("credential of a service", "delete-service-specific-credential", user.service_credentials),
    ):
        if isinstance(ids, Unseen):
            yield ids
        elif ids:
            what = f"It has the {kind} {listed(ids)}."
            yield facts.found(CREDENTIAL, f"user {user.name}", what, user=user.name, action=action)


def _mfa(facts: Facts, user: User) -> Said:
    if isinstance(user.mfa_devices, Unseen):
        yield user.mfa_devices
        return
    for device in user.mfa_devices:
        yield facts.found(MFA, f"user {user.name}", f"It has the MFA device {device}.", user=user.name, device=device)


RULES = (
    Rule((MISSING,), lambda facts: [facts], _presence),
    Rule((PERMISSION,), lambda facts: [facts.live.user], _permissions),
    Rule((GROUP,), lambda facts: [facts.live.user], _groups),
    Rule((CONSOLE,), lambda facts: [facts.live.user], _console),
    Rule((CREDENTIAL,), lambda facts: [facts.live.user], _credentials),
    Rule((MFA,), lambda facts: [facts.live.user], _mfa),
)

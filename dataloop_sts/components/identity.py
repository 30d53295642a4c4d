"""The IAM side of a connection: a user that may do nothing but assume one role."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi_command import local

from dataloop_sts import adopted, policies
from dataloop_sts.adopted import FormerKey, RoleLeftovers
from dataloop_sts.naming import Names
from dataloop_sts.spec_parts import AwsSpec
from dataloop_sts.steps import frame


@dataclass(frozen=True)
class IdentityArgs:
    """Arguments of :class:`Identity`.

    Attributes:
        names: of the user, the role and the policy.
        aws: where, and with which path, boundary and deploying role.
        permission: the role's permission document.
        generation: of the access key; one more makes a new key before the old one goes.
        key_description: what the AWS console shows beside the key.
        former_key: a key that was made by hand; the run after this one, in which it is not declared, deletes it.
        leftovers: what is taken off the role in this run.
    """

    names: Names
    aws: AwsSpec
    permission: policies.Document
    generation: int
    key_description: str
    former_key: FormerKey | None = None
    leftovers: RoleLeftovers | None = None


class Identity(pulumi.ComponentResource):
    """An IAM user, its access key, and the role that only this user may assume.

    Creates:
        - the user, without any permission,
        - its access key, and the key's description,
        - the policy with the permission document,
        - the role, whose trust policy names the user and nobody else,
        - the attachment of the policy to the role.
    """

    user_arn: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    access_key_created_at: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    trust: pulumi.Output[str]

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataloop-sts:identity:Identity", name, None, opts)
        self._args = args
        self._key_ids: list[pulumi.Output[str]] = []
        child = pulumi.ResourceOptions(parent=self)
        path, boundary = args.aws.iam_path, args.aws.permissions_boundary
        # a new name is made beside the old one, which goes last: the preflight lets nothing else through
        beside = pulumi.ResourceOptions(parent=self, delete_before_replace=False)

        # The engine keeps the id of what is updated in place, and a user's id is its name: a rename in place would lose
        # the user and its key (https://github.com/pulumi/pulumi-aws/issues/1610)
        user = aws.iam.User(
            "user",
            name=args.names.user,
            path=path,
            permissions_boundary=boundary,
            opts=pulumi.ResourceOptions.merge(beside, pulumi.ResourceOptions(replace_on_changes=["name"])),
        )
        self._user_name = user.name
        key = self._described_key(args.generation, child)
        if args.former_key:
            self._former_key(args.former_key, child)
        policy = aws.iam.Policy(
            "policy",
            name=args.names.policy,
            path=path,
            policy=policies.canonical(args.permission),
            # IAM cannot change a description, so one that was written by hand would mean another policy
            opts=pulumi.ResourceOptions.merge(beside, pulumi.ResourceOptions(ignore_changes=["description"])),
        )
        self.trust = pulumi.Output.all(user.arn, user.unique_id).apply(
            lambda user: policies.canonical(policies.trust_document(user[0], user[1], args.aws.trust_source_ips))
        )
        role = aws.iam.Role(
            "role",
            name=args.names.role,
            path=path,
            permissions_boundary=boundary,
            assume_role_policy=self.trust,
            # a revocation leaves an inline policy on the role; what is anybody else's the guard has named before
            force_detach_policies=True,
            opts=beside,
        )
        attachment = aws.iam.RolePolicyAttachment("role-policy", role=role.name, policy_arn=policy.arn, opts=beside)

        self.user_arn = user.arn
        self.access_key_id = key.id
        self.access_key_created_at = key.create_date
        self.secret_access_key = key.secret
        # known once the role can do its work, and no more
        leftovers = [self._without(args.leftovers, role, attachment)] if args.leftovers else []
        self.role_arn = pulumi.Output.all(role.arn, attachment.id, *(step.id for step in leftovers)).apply(
            lambda v: v[0]
        )
        self.register_outputs({"user_arn": self.user_arn, "role_arn": self.role_arn})

    @property
    def access_key_ids(self) -> pulumi.Output[list[str]]:
        """Of all keys that were declared until now."""
        return pulumi.Output.all(*self._key_ids)

    def keep_inactive(self, generation: int, after: pulumi.Resource) -> None:
        """Keeps the key of a former generation, switched off once ``after`` has handed over to the new one."""
        opts = pulumi.ResourceOptions(parent=self, depends_on=[after])
        self._described_key(generation, opts, status="Inactive")

    def _described_key(
        self, generation: int, opts: pulumi.ResourceOptions, status: str | None = None
    ) -> aws.iam.AccessKey:
        name = f"access-key-{generation}"
        key = aws.iam.AccessKey(name, user=self._user_name, status=status, opts=opts)
        self._key_ids.append(key.id)
        self._description(name, key, create=frame.command("key_description", "write"))
        return key

    def _former_key(self, former: FormerKey, opts: pulumi.ResourceOptions) -> None:
        status = "Active" if former.active else "Inactive"
        key = aws.iam.AccessKey(adopted.FORMER_KEY, user=self._user_name, status=status, opts=opts)
        self._key_ids.append(key.id)
        self._description(adopted.FORMER_KEY, key)  # it has one already, or none

    def _description(self, name: str, key: aws.iam.AccessKey, create: str | None = None) -> None:
        request = {
            "region": self._args.aws.region,
            "user": self._user_name,
            "access_key_id": key.id,
            "description": self._args.key_description,
        }
        local.Command(
            f"{name}-description",
            create=create,
            delete=frame.command("key_description", "remove"),
            stdin=pulumi.Output.json_dumps(request | frame.deploying(self._args.aws.deploy_role)),
            logging=local.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _without(
        self, leftovers: RoleLeftovers, role: aws.iam.Role, attachment: aws.iam.RolePolicyAttachment
    ) -> local.Command:
        request = {
            "region": self._args.aws.region,
            "role": role.name,
            "attached": leftovers.attached,
            "inline": leftovers.inline,
        }
        return local.Command(
            "role-leftovers",
            create=frame.command("role_leftovers"),
            stdin=pulumi.Output.json_dumps(request | frame.deploying(self._args.aws.deploy_role)),
            logging=local.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )

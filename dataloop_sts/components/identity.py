"""The IAM side of a connection: a user that may do nothing but assume one role."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi_command import local

from dataloop_sts import policies, steps
from dataloop_sts.naming import Names
from dataloop_sts.spec_parts import AwsSpec


@dataclass(frozen=True)
class IdentityArgs:
    """Arguments of :class:`Identity`.

    Attributes:
        names: of the user, the role and the policy.
        aws: where, and with which path, boundary and deploying role.
        permission: the role's permission document.
        generation: of the access key; one more makes a new key before the old one goes.
        key_description: what the AWS console shows beside the key.
    """

    names: Names
    aws: AwsSpec
    permission: policies.Document
    generation: int
    key_description: str


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
        child = pulumi.ResourceOptions(parent=self)
        path, boundary = args.aws.iam_path, args.aws.permissions_boundary

        # The engine keeps the id of what is updated in place, and a user's id is its name: a rename in place would lose
        # the user and its key (https://github.com/pulumi/pulumi-aws/issues/1610)
        user = aws.iam.User(
            "user",
            name=args.names.user,
            path=path,
            permissions_boundary=boundary,
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["name"]),
        )
        self._user_name = user.name
        key = self._described_key(args.generation, child)
        policy = aws.iam.Policy(
            "policy", name=args.names.policy, path=path, policy=policies.canonical(args.permission), opts=child
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
            opts=child,
        )
        attachment = aws.iam.RolePolicyAttachment("role-policy", role=role.name, policy_arn=policy.arn, opts=child)

        self.user_arn = user.arn
        self.access_key_id = key.id
        self.access_key_created_at = key.create_date
        self.secret_access_key = key.secret
        # known once the role can do its work
        self.role_arn = pulumi.Output.all(role.arn, attachment.id).apply(lambda v: v[0])
        self.register_outputs({"user_arn": self.user_arn, "role_arn": self.role_arn})

    def keep_inactive(self, generation: int, after: pulumi.Resource) -> None:
        """Keeps the key of a former generation, switched off once ``after`` has handed over to the new one."""
        opts = pulumi.ResourceOptions(parent=self, depends_on=[after])
        self._described_key(generation, opts, status="Inactive")

    def _described_key(
        self, generation: int, opts: pulumi.ResourceOptions, status: str | None = None
    ) -> aws.iam.AccessKey:
        name = f"access-key-{generation}"
        key = aws.iam.AccessKey(name, user=self._user_name, status=status, opts=opts)
        request = {
            "region": self._args.aws.region,
            "user": self._user_name,
            "access_key_id": key.id,
            "description": self._args.key_description,
        }
        local.Command(
            f"{name}-description",
            create=steps.command("key_description", "write"),
            delete=steps.command("key_description", "remove"),
            stdin=pulumi.Output.json_dumps(request | steps.deploying(self._args.aws.deploy_role)),
            logging=local.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key

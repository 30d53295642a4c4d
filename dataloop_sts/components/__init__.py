"""Pulumi components: they declare resources and speak no HTTP. Resource names and types are a contract of the state."""

import pulumi_aws
import pulumi_command

from dataloop_sts.components.connection import Connection, ConnectionArgs

__all__ = ["Connection", "ConnectionArgs"]

# The package imports its parts when they are first used, and cannot do that for two threads at once: so here, once.
_USED = (pulumi_aws.Provider, pulumi_aws.iam.User, pulumi_aws.s3.Bucket, pulumi_command.local.Command)

"""Pulumi components: they declare resources and speak no HTTP. Resource names and types are a contract of the state."""

from dataloop_sts.components.connection import Connection, ConnectionArgs

__all__ = ["Connection", "ConnectionArgs"]

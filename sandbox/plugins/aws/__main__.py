"""Starts the stand-in for pulumi-resource-aws: `python -m sandbox.plugins.aws`."""

from sandbox.plugins import protocol

protocol.load_alone()

from sandbox.plugins.aws.provider import AwsProvider  # noqa: E402
from sandbox.plugins.serving import serve  # noqa: E402

serve(AwsProvider(), clean_up=lambda: None)

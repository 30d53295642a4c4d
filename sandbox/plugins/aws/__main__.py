"""Starts the stand-in for pulumi-resource-aws: `python -m sandbox.plugins.aws`."""

from sandbox.plugins.aws.provider import AwsProvider
from sandbox.plugins.serving import serve

serve(AwsProvider(), clean_up=lambda: None)

"""A sandbox AWS and plugin processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from sandbox.aws.server import AwsServer

sys.path.insert(0, str(Path(__file__).parent))  # the folder is no package, and its tests share plugin_driver

from plugin_driver import PluginProcess, start_plugin, stop_plugin

if TYPE_CHECKING:
    from engine_stacks import MakeStack


@pytest.fixture(scope="module")
def aws_server() -> Iterator[AwsServer]:
    server = AwsServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stack_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStack:
    """Makes a stack of the real engine for a program."""
    from engine_stacks import stack_maker  # the official SDK takes long to import, and few tests need it

    return stack_maker(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def aws_settings(aws_server: AwsServer) -> dict[str, Any]:
    """The provider's settings as the SDK sends them: strings as they are, the rest as JSON text."""
    endpoints = [dict.fromkeys(("iam", "s3", "sts"), aws_server.endpoint_url)]
    return {
        "version": "7.51.1",
        "region": "us-east-1",
        "accessKey": aws_server.access_key_id,
        "secretKey": aws_server.secret_access_key,
        "endpoints": json.dumps(endpoints),
        "s3UsePathStyle": "true",
        "skipMetadataApiCheck": "true",
        "allowedAccountIds": json.dumps([aws_server.account_id]),
        "defaultTags": json.dumps({"tags": {"managed-by": "pulumi"}}),
        "ignoreTags": json.dumps({"keyPrefixes": ["AKIA"]}),
    }


@pytest.fixture(scope="module")
def aws_plugin(aws_settings: dict[str, Any]) -> Iterator[PluginProcess]:
    plugin = start_plugin("sandbox.plugins.aws")
    plugin.configure(aws_settings)
    yield plugin
    stop_plugin(plugin)


@pytest.fixture(scope="module")
def command_plugin() -> Iterator[PluginProcess]:
    plugin = start_plugin("sandbox.plugins.command")
    plugin.configure({"version": "1.2.1"})
    yield plugin
    stop_plugin(plugin)


def _client(server: AwsServer, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.endpoint_url,
        region_name=server.region,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
    )


@pytest.fixture(scope="module")
def iam(aws_server: AwsServer) -> Any:
    return _client(aws_server, "iam")


@pytest.fixture(scope="module")
def s3(aws_server: AwsServer) -> Any:
    return _client(aws_server, "s3")

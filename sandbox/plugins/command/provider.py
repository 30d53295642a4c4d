"""The provider protocol over command:local:Command.

https://www.pulumi.com/registry/packages/command/api-docs/local/command/ says what the properties mean;
https://github.com/pulumi/pulumi-command/tree/master/provider/pkg/provider/local is the official implementation.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from sandbox.plugins import differences
from sandbox.plugins.command.engine_log import EngineLog
from sandbox.plugins.command.processes import Finished, Processes
from sandbox.plugins.errors import ProviderError
from sandbox.plugins.schema import DEFAULTS, Property, ResourceType, check
from sandbox.plugins.servicer import BaseServicer, answering
from sandbox.plugins.values import UNKNOWN, Properties, Secret, has_secret, marshal, plain, unmarshal

VERSION: Final = "1.2.1"
STAND_IN: Final = f"the sandbox's stand-in for pulumi-resource-command {VERSION}"
COMMAND: Final = ResourceType(
    "command:local:Command",
    {
        "addPreviousOutputInEnv": Property("boolean", default=True),
        "create": Property(),
        "delete": Property(),
        "dir": Property(),
        "environment": Property("map"),
        "interpreter": Property("list"),
        "logging": Property(choices=("stdout", "stderr", "stdoutAndStderr", "none")),
        "stdin": Property(),
        "triggers": Property("list"),
        "update": Property(),
    },
    computed=("stdout", "stderr"),
)
_SHELL: Final = ["/bin/sh", "-c"]
_ENGINE_SETTINGS: Final = frozenset({"version", "pluginDownloadURL"})
_ERROR_OUTPUT: Final = 4000  # characters; a gRPC status travels in headers, which are limited to some kilobytes
_SHORTEST_REDACTED: Final = 4


class CommandProvider(BaseServicer):
    """The stand-in provider.

    Args:
        processes: runs the commands.
        log: where their output is shown.
    """

    def __init__(self, processes: Processes, log: EngineLog) -> None:
        super().__init__(VERSION, accept_secrets=True)
        self._processes = processes
        self._log = log

    def Cancel(self, _request: empty_pb2.Empty, _context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self._processes.kill()
        return empty_pb2.Empty()

    @answering
    def CheckConfig(self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"the provider setting {name} is not served by {STAND_IN}")
            for name in unmarshal(request.news)
            if name not in _ENGINE_SETTINGS and not name.startswith("__")
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @answering
    def DiffConfig(self, _request: provider_pb2.DiffRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        return differences.response([])

    @answering
    def Configure(self, _request: provider_pb2.ConfigureRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self.configured()

    @answering
    def Invoke(self, request: provider_pb2.InvokeRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        raise ProviderError(f"the function {request.tok} is not served by {STAND_IN}")

    @answering
    def Check(self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        _require_command(request.urn)
        news = unmarshal(request.news)
        checked = check(COMMAND, _resource_name(request.urn), unmarshal(request.olds), news, stand_in=STAND_IN)
        inputs = {name: value for name, value in checked.inputs.items() if name != DEFAULTS}
        return provider_pb2.CheckResponse(inputs=marshal(inputs), failures=checked.failures)

    @answering
    def Diff(self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        olds = unmarshal(request.old_inputs if request.HasField("old_inputs") else request.olds)
        news = unmarshal(request.news)
        found = [
            change
            for name in COMMAND.properties
            for change in differences.changes(name, olds.get(name), news.get(name))
        ]
        # a change of triggers replaces the resource because the SDK says so to the engine (replaceOnChanges)
        return differences.response(found, of_inputs=True)

    @answering
    def Create(self, request: provider_pb2.CreateRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        _require_command(request.urn)
        inputs = unmarshal(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=marshal(_outputs(inputs, UNKNOWN, UNKNOWN)))
        outputs = self._run(request.urn, plain(inputs).get("create"), inputs, {})
        return provider_pb2.CreateResponse(
            id=f"{_resource_name(request.urn)}{secrets.token_hex(4)}", properties=marshal(outputs)
        )

    @answering
    def Read(self, request: provider_pb2.ReadRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    @answering
    def Update(self, request: provider_pb2.UpdateRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        news = unmarshal(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=marshal(_outputs(news, UNKNOWN, UNKNOWN)))
        values = plain(news)
        command = values.get("update", values.get("create"))
        outputs = self._run(request.urn, command, news, unmarshal(request.olds))
        return provider_pb2.UpdateResponse(properties=marshal(outputs))

    @answering
    def Delete(self, request: provider_pb2.DeleteRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        state = unmarshal(request.properties)
        inputs = {name: value for name, value in state.items() if name in COMMAND.properties}
        self._run(request.urn, plain(state).get("delete"), inputs, state)
        return empty_pb2.Empty()

    def _run(self, urn: str, command: str | None, inputs: Properties, previous: Properties) -> Properties:
        """Runs a command; answers the outputs of the resource."""
        values, before = plain(inputs), plain(previous)
        if command is None:
            return _outputs(inputs, before.get("stdout", ""), before.get("stderr", ""))
        logging = values.get("logging", "stdoutAndStderr")

        def show(stream: str) -> Any:
            shown = logging in (stream, "stdoutAndStderr")
            return (lambda line: self._log.info(urn, line)) if shown else (lambda _line: None)

        try:
            finished = self._processes.run(
                [*(values.get("interpreter") or _SHELL), command],
                directory=values.get("dir"),
                environment=_environment(values, before),
                stdin=values.get("stdin", ""),
                on_stdout=show("stdout"),
                on_stderr=show("stderr"),
            )
        except (OSError, RuntimeError) as error:
            raise ProviderError(_redacted(f"{error}: running {json.dumps(command)}", inputs)) from None
        if finished.status != 0:
            raise ProviderError(_redacted(_failure(command, finished), inputs), grpc.StatusCode.UNKNOWN)
        return _outputs(inputs, finished.stdout.removesuffix("\n"), finished.stderr.removesuffix("\n"))


def _outputs(inputs: Properties, stdout: Any, stderr: Any) -> Properties:
    """The outputs: the inputs as they are, and what the command wrote, a secret as soon as one of the inputs is."""
    written = {"stdout": stdout, "stderr": stderr}
    if has_secret(inputs):
        written = {name: Secret(value) for name, value in written.items()}
    return {**inputs, **written}


def _environment(values: Properties, previous: Properties) -> dict[str, str]:
    environment = {**os.environ, **values.get("environment", {})}
    if values.get("addPreviousOutputInEnv", True):
        for name in COMMAND.computed:
            if previous.get(name):
                environment[f"PULUMI_COMMAND_{name.upper()}"] = previous[name]
    return environment


def _failure(command: str, finished: Finished) -> str:
    status, output = finished.status, finished.output
    ended = f"signal: {signal.strsignal(-status)}" if status < 0 else f"exit status {status}"
    if len(output) > _ERROR_OUTPUT:
        output = f"[...]{output[-_ERROR_OUTPUT:]}"
    return f"{ended}: running {json.dumps(command)}:\n{output}"


def _redacted(text: str, inputs: Properties) -> str:
    for value in inputs.values():
        secret = plain(value)
        if has_secret(value) and isinstance(secret, str) and len(secret) >= _SHORTEST_REDACTED:
            text = text.replace(secret, "[secret]").replace(json.dumps(secret)[1:-1], "[secret]")
    return text


def _require_command(urn: str) -> None:
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    if token != COMMAND.token:
        raise ProviderError(f"the resource type {token} is not served by {STAND_IN}", grpc.StatusCode.UNIMPLEMENTED)


def _resource_name(urn: str) -> str:
    return urn.rsplit("::", maxsplit=1)[1]

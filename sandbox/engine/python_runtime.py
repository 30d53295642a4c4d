"""What the engine starts to run a Python program: the language host, also of policy packs, and dynamic providers.

It takes the place of Pulumi's own `pulumi-language-python` where that cannot be had, since its Go module is not
published. It is copied beside the `pulumi` binary and run as a script by the interpreter of the program's virtual
environment, hence it imports nothing but the standard library and the Pulumi SDK. The contract, and what the user sees
of a failing program, are those of
https://github.com/pulumi/pulumi/blob/v3.274.1/sdk/python/cmd/pulumi-language-python/main.go and of
https://github.com/pulumi/pulumi/blob/v3.274.1/sdk/python/cmd/pulumi-language-python-exec.
"""

import asyncio
import contextvars
import importlib.metadata
import json
import logging
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import grpc
import pulumi
from google.protobuf import empty_pb2, json_format
from pulumi.automation._server import LanguageServer
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

# The engine's own limit on a message, in bytes:
# https://github.com/pulumi/pulumi/blob/v3.274.1/sdk/go/common/util/rpcutil/serve.go
_MAX_MESSAGE = 1024 * 1024 * 400
_PARENT_POLL_SECONDS = 0.5
# The program takes one for as long as it runs, and so does each policy pack.
_CALLS_AT_ONCE = 16


def main() -> None:
    """Serve until the engine is done with us: `language ENGINE_ADDRESS` or `dynamic ENGINE_ADDRESS`."""
    role, *arguments = sys.argv[1:]
    _end_with_the_engine()
    if role == "dynamic":
        sys.argv = ["pulumi.dynamic", *arguments]
        runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
        return
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_CALLS_AT_ONCE),
        options=[("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(arguments[0] if arguments else ""), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


class LanguageHost(LanguageServer):
    """The SDK's language server for one function, made to run the program that each request names."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(program=lambda: None)
        self._engine_address = engine_address
        # A program owns the process's directory, arguments and `__main__` while it runs: one at a time.
        self._one_program_at_a_time = threading.Lock()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._engine_address = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return empty_pb2.Empty()  # the interrupt that follows ends the process

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Name the plugins behind the installed SDKs, so that the engine asks for exactly these versions."""
        return language_pb2.GetRequiredPackagesResponse(packages=_required_packages())

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        found = {each.name: each.version for each in importlib.metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=found[name]) for name in sorted(found)]
        )

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run the program; what it raised is logged once, and `bail` says that nothing is left to be said."""
        wrong = _wrong_interpreter(request.info)
        if wrong:
            return language_pb2.RunResponse(error=wrong)
        with self._one_program_at_a_time:
            failed = contextvars.copy_context().run(self._run, request)
        return language_pb2.RunResponse(bail=failed)

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        """Run a policy pack by the interpreter of its own virtual environment, until the engine ends the call."""
        environment = Path(request.info.root_directory, _virtualenv_of(request.info) or "venv")
        python = environment / "bin" / "python"
        if not python.exists():
            reason = f"the virtual environment {environment} is not there: create it (make setup, or pulumi install)"
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)
        process = subprocess.Popen(
            [python, "-u", request.info.program_directory, *request.args],
            cwd=request.pwd,
            env=dict(each.partition("=")[::2] for each in request.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _plugins.append(process)
        if not context.add_callback(process.kill):
            process.kill()
        said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        readers = [
            threading.Thread(target=_pass_on, args=(name, stream, said), daemon=True)
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for reader in readers:
            reader.start()
        for _ in readers:
            while (response := said.get()) is not None:
                yield response
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def _run(self, request: Any) -> bool:
        reset_options(
            project=request.project,
            stack=request.stack,
            root_directory=request.info.root_directory,
            parallel=request.parallel,
            engine_address=self._engine_address,
            monitor_address=request.monitor_address,
            preview=request.dryRun,
            organization=request.organization or "organization",
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        os.chdir(request.pwd)
        entry_point = request.info.entry_point or request.program
        sys.argv = [entry_point, *request.args]
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # futures left over by a failure are no news
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        executor = ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4)
        loop.set_default_executor(executor)
        loop.set_exception_handler(self._exception_handler)
        try:
            loop.run_until_complete(run_in_stack(lambda: _run_program(entry_point)))
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
            return True
        except SystemExit as leaving:
            if leaving.code in (None, 0):
                return False
            pulumi.log.error(f"Program exited with non-zero exit code: {leaving.code}")
            return True
        except Exception as error:
            if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAVAILABLE:
                return False  # the engine is shutting down, and knows why
            pulumi.log.error(f"Program failed with an unhandled exception:\n{_program_traceback(error, entry_point)}")
            return True
        finally:
            executor.shutdown(wait=True)
            loop.close()
            asyncio.set_event_loop(None)
            sys.stdout.flush()
            sys.stderr.flush()
        return False


def _run_program(entry_point: str) -> None:
    runpy.run_path(entry_point, run_name="__main__")


def _program_traceback(error: BaseException, entry_point: str) -> str:
    """The traceback from the program's first frame on; whole where the program has none in it."""
    program = Path(entry_point).resolve()
    program = program / "__main__.py" if program.is_dir() else program
    frames = traceback.extract_tb(error.__traceback__)
    for index, frame in enumerate(frames):
        if Path(frame.filename).resolve() == program:
            return "".join(traceback.format_exception(error, limit=index - len(frames)))
    return "".join(traceback.format_exception(error))


def _required_packages() -> list[Any]:
    packages = []
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or []:
            if file.name == "pulumi-plugin.json" and len(file.parts) == 2:
                plugin = json.loads(Path(str(distribution.locate_file(file))).read_text("utf-8"))
                if plugin.get("resource"):
                    name = plugin.get("name") or distribution.name.removeprefix("pulumi-").removeprefix("pulumi_")
                    version = "v" + (plugin.get("version") or distribution.version).removeprefix("v")
                    packages.append(
                        plugin_pb2.PackageDependency(
                            name=name, version=version, kind="resource", server=plugin.get("server", "")
                        )
                    )
    return sorted(packages, key=lambda package: str(package.name))


def _wrong_interpreter(info: Any) -> str | None:
    """Say so where the program wants another virtual environment than the one that runs this."""
    wanted = _virtualenv_of(info)
    if not wanted:
        return None
    environment = Path(info.root_directory, wanted)
    if environment.resolve() == Path(sys.prefix).resolve():
        return None
    return f"the program wants the virtual environment {environment}, but the language host runs in {sys.prefix}"


def _virtualenv_of(info: Any) -> str | None:
    wanted: str | None = json_format.MessageToDict(info.options).get("virtualenv")
    return wanted


def _pass_on(name: str, stream: IO[bytes], said: queue.SimpleQueue[Any]) -> None:
    """Each piece of an output as it comes, and None at its end."""
    with stream:
        while piece := stream.read1(_PIECE):  # type: ignore[attr-defined]
            said.put(language_pb2.RunPluginResponse(**{name: piece}))
    said.put(None)


_PIECE = 1 << 16
_plugins: list[subprocess.Popen[bytes]] = []


def _end_with_the_engine() -> None:
    """End at once on the engine's interrupt, and when the engine is gone: it kills no child when it is killed."""

    def end() -> None:
        for plugin in _plugins:
            plugin.kill()
        os._exit(0)

    signal.signal(signal.SIGINT, lambda _signal, _frame: end())
    engine = os.getppid()

    def watch() -> None:
        while os.getppid() == engine:
            time.sleep(_PARENT_POLL_SECONDS)
        end()

    threading.Thread(target=watch, name="engine-watch", daemon=True).start()


if __name__ == "__main__":
    main()

"""The providers that are forked: whose environment they have, and that each ends with its run, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from pulumi.dynamic import CheckResult, ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from automation.fork_server import client
from automation.fork_server.client import forks
from tests.automation.forking import ends, fork_server

ATTACH = "PULUMI_DEBUG_PROVIDERS"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the engine starts its providers itself")


@pytest.fixture(autouse=True)
def own_server() -> Iterator[None]:
    client.end()
    yield
    client.end()


@contextmanager
def engine() -> Iterator[str]:
    """What a provider sees of an engine: somebody who listens at its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        host, port = listening.getsockname()
        yield f"{host}:{port}"


def looking() -> str:
    """A provider that tells where it is, pickled by value as one of `__main__` would be."""

    class Looking(ResourceProvider):
        config: Any = None

        def configure(self, req: Any) -> None:
            self.config = req.config

        def check(self, _olds: Any, news: Any) -> CheckResult:
            import os
            import random

            here = {"pid": os.getpid(), "folder": os.getcwd(), "random": random.random()}  # noqa: PTH109, S311
            environ = {name: os.environ.get(name, "") for name in ("MINE", "OF_THE_PARENT")}
            return CheckResult({**here, **environ, "config": self.config.get("p:mine")}, [])

    return str(serialize_provider(Looking()))


def call(found: dict[str, str], address: str, config: str = "") -> dict[str, Any]:
    """What the engine does with a provider: attaches, configures, asks."""
    (port,) = (each.partition(":")[2] for each in found[ATTACH].split(",") if each.startswith("pulumi-python:"))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Attach(plugin_pb2.PluginAttach(address=address))
        properties = asyncio.run(rpc.serialize_properties({"p:mine": config}, {}))
        stub.Configure(provider_pb2.ConfigureRequest(args=properties))
        properties = asyncio.run(rpc.serialize_properties({"__provider": looking()}, {}))
        answer = stub.Check(provider_pb2.CheckRequest(news=properties))
        return dict(rpc.deserialize_properties(answer.inputs))


def test_each_run_has_a_process_of_its_own_with_its_own_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_PARENT", "it must not be seen")

    def run(number: int) -> dict[str, Any]:
        folder = tmp_path / str(number)
        folder.mkdir()
        variables = {"MINE": f"of {number}", "PATH": os.environ["PATH"]}
        with engine() as address, forks(variables, folder) as found:
            seen = call(found, address, f"config {number}")
            assert seen == {**call(found, address, f"config {number}"), "random": seen["random"]}
            return seen

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(run, range(12)))
    for number, each in enumerate(seen):
        assert each["folder"] == str(tmp_path / str(number))
        assert (each["MINE"], each["OF_THE_PARENT"], each["config"]) == (f"of {number}", "", f"config {number}")
    assert len({each["pid"] for each in seen}) == len({each["random"] for each in seen}) == 12
    assert not any(psutil.pid_exists(int(each["pid"])) for each in seen)


def test_what_is_forked_has_one_thread(tmp_path: Path) -> None:
    with forks({}, tmp_path):
        server = fork_server()
        assert server.num_threads() == 1


def test_a_provider_ends_with_its_engine(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found:
        with engine() as address:
            pid = int(call(found, address)["pid"])
            assert not ends(pid, 0.7)
        assert ends(pid)
    with forks({}, tmp_path) as found, engine() as address:  # and the next run has another
        assert int(call(found, address)["pid"]) != pid


_KILLED = """
import sys, time
from pathlib import Path
from automation.fork_server.client import forks
from tests.automation.forking import ends, fork_server
with forks({}, Path(sys.argv[1])) as found:
    print(found["PULUMI_DEBUG_PROVIDERS"], flush=True)
    time.sleep(60)
"""


def test_whose_starter_is_killed_lives_as_long_as_its_engine(tmp_path: Path) -> None:
    """The engine has calls under way, whose results it wants to keep."""
    starter = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    found = {ATTACH: starter.stdout.readline().strip()}
    (server,) = psutil.Process(starter.pid).children()
    with engine() as address:
        pid = int(call(found, address)["pid"])
        starter.kill()
        starter.communicate()
        assert ends(server.pid)
        assert not ends(pid, 0.7)
    assert ends(pid)


def test_whose_starter_is_killed_before_an_engine_came_ends_soon(tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout and starter.stdout.readline()
    ours = psutil.Process(starter.pid).children(recursive=True)
    assert len(ours) == 2
    starter.kill()
    starter.communicate()
    assert all(ends(process.pid, 15) for process in ours)


def test_where_what_is_forked_is_killed_the_next_run_starts_another(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found, engine() as address:
        server = fork_server()
        server.kill()
        pid = int(call(found, address)["pid"])  # it goes on
        with forks({}, tmp_path) as other:
            assert int(call(other, address)["pid"]) != pid
    assert ends(pid)


def test_a_fork_of_this_process_shares_nothing(tmp_path: Path) -> None:
    with forks({}, tmp_path) as found, engine() as address:
        mine = int(call(found, address)["pid"])
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            with forks({}, tmp_path) as other:
                os.write(writing, json.dumps(other).encode())
            client.end()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert json.loads(os.read(reading, 1000))[ATTACH] != found[ATTACH]
        assert int(call(found, address)["pid"]) == mine


def test_what_waits_for_work_in_vain_ends() -> None:
    brief = "from automation.fork_server import __main__ as server; server.IDLE_S = 0.1; server.main()"
    with subprocess.Popen([sys.executable, "-u", "-c", brief], stdin=subprocess.PIPE) as process:
        assert process.wait(20) == 0


def test_a_run_after_the_end_of_an_idle_one_is_served(tmp_path: Path) -> None:
    for _ in range(2):
        with forks({}, tmp_path) as found, engine() as address:
            assert call(found, address)["pid"]
        server = fork_server()
        server.send_signal(signal.SIGTERM)
        server.wait(5)


def test_an_interrupt_while_it_is_asked_leaves_nothing_that_the_next_run_takes_for_its_own(tmp_path: Path) -> None:
    with forks({}, tmp_path), engine() as address:
        server = fork_server()
        server.suspend()
        former = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(KeyboardInterrupt), forks({"MINE": "interrupted"}, tmp_path):
                pass
        finally:
            signal.signal(signal.SIGALRM, former)
        with forks({"MINE": "next"}, tmp_path) as found:
            assert call(found, address)["MINE"] == "next"


def test_somebody_s_own_attached_providers_stay(tmp_path: Path) -> None:
    with forks({ATTACH: "aws:1234"}, tmp_path) as found, engine() as address:
        assert found[ATTACH].startswith("aws:1234,pulumi-python:")
        assert call(found, address)["pid"]
    with forks({ATTACH: "pulumi-python:1234"}, tmp_path) as found:
        assert found == {}


def test_what_has_ended_is_started_ahead_of_the_next_run() -> None:
    client.prepare()
    first = fork_server()
    client.prepare()
    assert fork_server() == first
    first.kill()
    psutil.wait_procs([first], timeout=5)
    client.prepare()
    assert fork_server() != first


def test_on_another_system_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SUPPORTED", False)
    client.prepare()
    with forks({}, tmp_path) as found:
        assert found == {}
    assert not any("automation.fork_server" in each.cmdline() for each in psutil.Process().children())


def test_where_there_can_be_none_the_engine_starts_its_own(tmp_path: Path) -> None:
    with forks({}, tmp_path / "gone") as found:
        assert found == {}
    with forks({}, tmp_path) as found:
        assert found

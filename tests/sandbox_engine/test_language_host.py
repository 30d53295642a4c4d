"""The stand-in language host: what a user of the real engine sees of a Python program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from sandbox.engine import Engine, ensure_plugins, versions

if TYPE_CHECKING:
    from tests.sandbox_engine.conftest import Machine

PROGRAM = """
import os, sys
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("an-id", props)

class Thing(Resource):
    def __init__(self, name):
        super().__init__(Provider(), name, {"size": 1})

config = pulumi.Config()
mode = config.get("mode")
print("the program speaks")
thing = Thing("thing")
if mode == "run-error":
    raise pulumi.RunError("the bucket is taken")
if mode == "exception":
    raise ValueError("a fault in the program")
if mode == "in-apply":
    def fail(_):
        raise ValueError("a fault in an apply")
    pulumi.export("never", thing.urn.apply(fail))
if mode == "exit":
    sys.exit(3)
pulumi.export("seen", {
    "project": pulumi.get_project(), "stack": pulumi.get_stack(), "directory": os.getcwd(), "name": __name__,
    "organization": pulumi.get_organization(), "root": pulumi.get_root_directory(), "python": sys.prefix,
    "dry_run": pulumi.runtime.is_dry_run(),
})
pulumi.export("password", config.get_secret("password"))
pulumi.export("id", thing.id)
"""


class Project:
    """A Pulumi project of its own with a backend of its own."""

    def __init__(self, root: Path, engine: Engine) -> None:
        self.folder = root / "program"
        self.folder.mkdir()
        (self.folder / "__main__.py").write_text(PROGRAM)
        virtualenv = os.path.relpath(sys.prefix, self.folder)
        self.describe(f"{{name: python, options: {{virtualenv: {virtualenv}}}}}")
        (root / "backend").mkdir()
        self.environment = os.environ | {
            "PATH": f"{engine.bin_dir}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(root / "home"),
            "PULUMI_BACKEND_URL": (root / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        assert self.run("stack", "init", "dev").returncode == 0

    def describe(self, runtime: str) -> None:
        (self.folder / "Pulumi.yaml").write_text(f"name: tiny\nruntime: {runtime}\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, object]:
        outputs: dict[str, object] = json.loads(self.run("stack", "output", "--json").stdout)
        return outputs


@pytest.fixture
def project(tmp_path: Path, real_engine: Engine) -> Project:
    if real_engine.language_host != "stand-in":
        pytest.skip("the engine of this machine has its official language host")
    return Project(tmp_path, real_engine)


def test_a_program_goes_through_preview_up_refresh_and_destroy(project: Project) -> None:
    assert project.run("config", "set", "--secret", "password", "hush").returncode == 0
    preview = project.run("preview")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    up = project.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert "the program speaks" in up.stdout
    assert "warning" not in (up.stdout + up.stderr).lower()
    outputs = project.outputs()
    assert outputs["seen"] == {
        "project": "tiny",
        "stack": "dev",
        "directory": str(project.folder),
        "name": "__main__",
        "organization": "organization",
        "root": str(project.folder),
        "python": sys.prefix,
        "dry_run": False,
    }
    assert outputs["password"] == "[secret]"
    assert outputs["id"] == "an-id"
    assert "2 unchanged" in project.up().stdout
    assert project.run("refresh", "--yes", "--skip-preview").returncode == 0
    destroyed = project.run("destroy", "--yes", "--skip-preview")
    assert destroyed.returncode == 0
    assert "2 deleted" in destroyed.stdout


@pytest.mark.parametrize(
    ("mode", "message", "tracebacks"),
    [
        ("run-error", "the bucket is taken", 0),
        ("exception", "ValueError: a fault in the program", 1),
        ("in-apply", "ValueError: a fault in an apply", 1),
        ("exit", "Program exited with non-zero exit code: 3", 0),
    ],
)
def test_a_failing_program_is_told_once_and_fails_the_command(
    project: Project, mode: str, message: str, tracebacks: int
) -> None:
    project.run("config", "set", "mode", mode)
    done = project.up()
    assert done.returncode != 0
    diagnostics = done.stdout.partition("Diagnostics:")[2] + done.stderr
    assert diagnostics.count(message) == 1, diagnostics
    assert diagnostics.count("Traceback") == tracebacks
    assert "unhandled error occurred" not in diagnostics


def test_the_traceback_of_a_program_begins_in_the_program(project: Project) -> None:
    project.run("config", "set", "mode", "exception")
    diagnostics = project.up().stdout.partition("Diagnostics:")[2]
    assert "__main__.py" in diagnostics
    assert "runpy" not in diagnostics
    assert "site-packages" not in diagnostics


def test_plain_python_runs_in_the_python_of_the_environment(project: Project) -> None:
    project.describe("python")
    project.environment["PULUMI_PYTHON_CMD"] = sys.executable
    up = project.up()
    assert up.returncode == 0, up.stdout + up.stderr
    seen = project.outputs()["seen"]
    assert isinstance(seen, dict)
    assert seen["python"] == sys.prefix


def test_a_virtual_environment_that_is_not_there_is_named(project: Project) -> None:
    project.describe("{name: python, options: {virtualenv: not-there}}")
    done = project.up()
    assert done.returncode != 0
    assert "not-there" in done.stdout + done.stderr


@contextmanager
def _host(engine: Engine, directory: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A language host started as the engine starts it, with its port."""
    process = subprocess.Popen(
        [engine.bin_dir / "pulumi-language-python", "127.0.0.1:1"],
        cwd=directory,
        env=os.environ | {"PULUMI_PYTHON_CMD": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def test_one_host_runs_several_programs(project: Project, real_engine: Engine) -> None:
    with _host(real_engine, project.folder) as (_, port):
        project.environment["PULUMI_DEBUG_LANGUAGES"] = f"python:{port}"
        for mode, code in (("run-error", 255), ("none", 0), ("exception", 255), ("none", 0)):
            project.run("config", "set", "mode", mode)
            done = project.run("preview")
            assert bool(done.returncode) == bool(code), done.stdout + done.stderr


def test_the_engine_is_told_the_plugins_of_the_installed_sdks(project: Project, real_engine: Engine) -> None:
    with _host(real_engine, project.folder) as (_, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        host = language_pb2_grpc.LanguageRuntimeStub(channel)
        asked = host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=10)
        about = host.GetPluginInfo(empty_pb2.Empty(), timeout=10)
    packages = {(package.name, package.version, package.kind) for package in asked.packages}
    assert packages == {(name, f"v{versions.plugin(name)}", "resource") for name in versions.PLUGINS}
    assert about.version == versions.sdk()


def test_an_interrupt_ends_the_host_at_once_and_without_a_word(project: Project, real_engine: Engine) -> None:
    with _host(real_engine, project.folder) as (process, _):
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=2) == 0


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def _wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 5
    while not _gone(pid):
        assert time.monotonic() < end, f"process {pid} lives on"
        time.sleep(0.05)


PACK = """
import os, sys, time
print(os.getpid(), sys.argv[1], os.environ["MARK"], os.getcwd(), os.environ.get("PATH"))
print("a warning", file=sys.stderr)
sys.exit(3) if sys.argv[1] == "fail" else time.sleep(60)
"""


def _run_plugin(port: int, folder: Path, argument: str, virtualenv: str) -> Any:
    """A policy pack in this folder, run as the engine has it run."""
    (folder / "__main__.py").write_text(PACK)
    info = language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")
    info.options.update({"virtualenv": virtualenv})
    request = language_pb2.RunPluginRequest(pwd="/", args=[argument], env=["MARK==x"], info=info, kind="analyzer")
    return language_pb2_grpc.LanguageRuntimeStub(grpc.insecure_channel(f"127.0.0.1:{port}")).RunPlugin(request)


def test_a_policy_pack_runs_in_its_own_environment_and_ends_with_the_call(
    project: Project, real_engine: Engine, tmp_path: Path
) -> None:
    with _host(real_engine, project.folder) as (host, port):
        failing = list(_run_plugin(port, tmp_path, "fail", sys.prefix))
        pid, *said = b"".join(each.stdout for each in failing).split()
        assert said == [b"fail", b"=x", b"/", b"None"]
        assert b"".join(each.stderr for each in failing) == b"a warning\n"
        assert failing[-1].exitcode == 3
        for end in ("the call", "the host"):
            call = _run_plugin(port, tmp_path, "stay", sys.prefix)
            pid = next(each.stdout for each in call if each.stdout).split()[0]
            call.cancel() if end == "the call" else host.send_signal(signal.SIGINT)
            _wait_until_gone(int(pid))


def test_a_policy_pack_s_environment_that_is_not_there_is_named(
    project: Project, real_engine: Engine, tmp_path: Path
) -> None:
    with _host(real_engine, project.folder) as (_, port), pytest.raises(grpc.RpcError) as told:
        list(_run_plugin(port, tmp_path, "fail", "not-there"))
    assert f"{tmp_path}/not-there is not there" in told.value.details()


@pytest.mark.parametrize("program", ["pulumi-language-python", "pulumi-resource-pulumi-python"])
def test_what_the_engine_starts_does_not_outlive_a_killed_engine(
    project: Project, real_engine: Engine, program: str
) -> None:
    starter = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", starter, str(real_engine.bin_dir / program), "127.0.0.1:1"],
        cwd=project.folder,
        env=os.environ | {"PULUMI_PYTHON_CMD": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert engine.stdout
    child = int(engine.stdout.readline())
    assert not _gone(child)
    engine.kill()
    engine.wait()
    _wait_until_gone(child)


def test_stand_in_plugins_answer_from_any_directory(machine: Machine, tmp_path: Path, said: list[str]) -> None:
    engine = Engine(tmp_path / "pulumi", "v3.274.1", "built", "stand-in", tmp_path)
    for plugin in ensure_plugins(engine, tmp_path / "home", said.append):
        process = subprocess.Popen([plugin.path, "127.0.0.1:1"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        try:
            assert process.stdout.readline().strip().isdigit()
        finally:
            process.kill()
            process.wait()

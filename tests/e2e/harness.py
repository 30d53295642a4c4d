"""The harness of the end-to-end tests: the world, a project in it, and the CLI to run on the project."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import requests
import yaml

from automation import engine
from dataloop_sts.program import declare_configured
from sandbox.engine import ensure, ensure_plugins
from sandbox.instance import Instance
from sandbox.inventory import inventory
from sandbox.ready import ReadyFile

CHECKOUT = Path(__file__).resolve().parents[2]
SETTLE_SECONDS = "4"
_TIMEOUT_S = 180


@dataclass(frozen=True)
class Done:
    """What a finished `pulumi` command said."""

    code: int
    output: str

    def ok(self) -> Done:
        assert self.code == 0, self.output
        return self

    def refused(self, *texts: str) -> Done:
        """It failed with these texts, in plain words."""
        assert self.code != 0, self.output
        for text in texts:
            assert text in self.output, self.output
        assert self.output.count("Traceback") <= 1, self.output
        assert '  File "' not in self.output, self.output
        return self


@dataclass
class World:
    """A sandbox: its AWS, its Dataloop, and the environment that leads there."""

    ready: ReadyFile
    environment: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.ready.aws.endpoint_url,
            aws_access_key_id=self.ready.aws.access_key_id,
            aws_secret_access_key=self.ready.aws.secret_access_key,
            region_name="eu-west-1",
        )

    def dataloop(self, method: str, path: str, body: object = None) -> Any:
        answer = self._request(method, self.ready.dataloop.api_url + path, body)
        return answer.json() if answer.content else None

    def fault(self, method: str, path: str, **fault: object) -> None:
        self._request("POST", self.ready.dataloop.control_url + "/faults", {"method": method, "path": path, **fault})

    def clear_faults(self) -> None:
        self._request("DELETE", self.ready.dataloop.control_url + "/faults")

    def calls(self) -> list[dict[str, Any]]:
        answer = self._request("GET", self.ready.dataloop.control_url + "/calls").json()
        return answer["calls"] if isinstance(answer, dict) else answer

    def forget_calls(self) -> None:
        self._request("DELETE", self.ready.dataloop.control_url + "/calls")

    def inventory(self) -> dict[str, list[str]]:
        return inventory(self.ready)

    def _request(self, method: str, url: str, body: object = None) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {self.ready.dataloop.token}"}
            answer = session.request(method, url, json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer


@contextmanager
def running_world(state_dir: Path) -> Iterator[World]:
    """A sandbox of its own, with its state in a folder of its own, while it lasts."""
    instance = Instance(CHECKOUT, state_dir=state_dir)
    instance.prepare()
    ensure_plugins(ensure(lambda _: None), instance.pulumi_home, lambda _: None)
    instance.up()
    try:
        yield World(instance.ready(), instance.process_environment())
    finally:
        instance.down()


@dataclass
class Project:
    """A copy of the program's files with one stack, and the CLI to run on it."""

    folder: Path
    world: World
    stack: str
    spec: dict[str, Any]
    sandbox: bool = True
    extra: dict[str, str] = field(default_factory=dict)
    plain: bool = False
    """Whether `up` and `preview` run `__main__.py` by the plain CLI's language host; else the program runs in this
    process, as `automation` runs it, which takes less time."""

    @property
    def customer(self) -> str:
        return str(self.spec["customer"])

    @property
    def bucket(self) -> str:
        return str(self.spec["drivers"][0]["bucket"]["name"])

    @property
    def iam_name(self) -> str:
        return f"dataloop-{self.customer}-{self.stack}"

    @property
    def environment(self) -> dict[str, str]:
        return {**self.world.environment, "DATALOOP_STS_SETTLE_SECONDS": SETTLE_SECONDS, **self.extra}

    def configure(self) -> None:
        """Writes the stack's settings, keeping the salt of its encryption."""
        file = self.folder / f"Pulumi.{self.stack}.yaml"
        settings = yaml.safe_load(file.read_text()) if file.exists() else {}
        config: dict[str, Any] = {"dataloop-sts:connection": self.spec}
        if self.sandbox:
            config["dataloop-sts:sandbox"] = True
        file.write_text(yaml.safe_dump({**settings, "config": config}))

    @property
    def records(self) -> Path:
        """The folder of the customers' records in the environment ``dev``, which is made."""
        folder = self.folder / "customers" / "dev"
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "_environment.yaml").write_text("sandbox: true\n")
        return folder

    def write_record(self, customer: str, of_driver: Mapping[str, Any] | None = None, **of_spec: Any) -> Path:
        """Writes a customer's record: the project's spec, with a driver and a bucket of the customer's name."""
        driver = {**self.spec["drivers"][0], "name": customer, "bucket": {"name": f"dataloop-{customer}"}}
        spec = {**self.spec, "customer": customer, "drivers": [driver | (of_driver or {})], **of_spec}
        file = self.records / f"{customer}.yaml"
        file.write_text(yaml.safe_dump(spec))
        return file

    def begin(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Starts `dataloop-sts`, its two outputs apart."""
        return subprocess.Popen(
            [str(CHECKOUT / ".venv" / "bin" / "dataloop-sts"), *arguments],
            cwd=self.folder,
            env=dict(environment or self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def pulumi(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Done:
        process = self.start(*arguments, environment=environment)
        try:
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return Done(process.returncode, output)

    def _run(self, *arguments: str) -> Done:
        self.configure()
        arguments = (*arguments, "--stack", self.stack)
        if self.plain or "PATH" in self.extra:
            return self.pulumi(*arguments)
        lines: list[str] = []
        with mock.patch.dict(os.environ, self.environment):
            try:
                engine.run(
                    [*arguments, "--color", "never"],
                    self.folder,
                    self.environment,
                    program=declare_configured,
                    on_output=lines.append,
                )
            except engine.CommandFailed:
                return Done(255, "\n".join(lines))
        return Done(0, "\n".join(lines))

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        environment = environment or self.environment
        program = shutil.which("pulumi", path=environment["PATH"])
        assert program
        return subprocess.Popen(
            [program, *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def up(self, *arguments: str) -> Done:
        return self._run("up", "--yes", "--skip-preview", *arguments)

    def preview(self, *arguments: str) -> Done:
        return self._run("preview", *arguments)

    def changes(self) -> dict[str, str]:
        """What a preview would do, by resource name; resources that stay are left out."""
        done = self._run("preview", "--json").ok()
        steps = json.loads(done.output[done.output.index("{") :])["steps"]
        return {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] != "same"}

    def refresh(self, *arguments: str) -> Done:
        return self.pulumi("refresh", "--yes", "--skip-preview", "--stack", self.stack, *arguments)

    def destroy(self, *arguments: str) -> Done:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--stack", self.stack, *arguments)

    def outputs(self) -> dict[str, Any]:
        done = self.pulumi("stack", "output", "--json", "--stack", self.stack).ok()
        outputs: dict[str, Any] = json.loads(done.output)
        return outputs

    @property
    def backend(self) -> Path:
        """The folder of the backend."""
        return Path(self.world.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))

    @property
    def checkpoint_file(self) -> Path:
        """Where the stack's state lies in the backend."""
        return self.backend / ".pulumi" / "stacks" / "dataloop-sts" / f"{self.stack}.json"

    def checkpoint(self) -> str:
        """The stack's state as it lies in the backend."""
        return self.checkpoint_file.read_text()

    def resources(self) -> set[str]:
        """The URNs of the resources in the stack's state."""
        deployed = json.loads(self.checkpoint())["checkpoint"]["latest"]
        return {resource["urn"] for resource in (deployed or {}).get("resources", [])}

    def access_key(self) -> tuple[str, str]:
        """The key that the stack holds, secret included, as only the passphrase's owner can read it."""
        done = self.pulumi("stack", "export", "--show-secrets", "--stack", self.stack).ok()
        for resource in json.loads(done.output)["deployment"]["resources"]:
            if resource["type"] == "aws:iam/accessKey:AccessKey":
                return resource["id"], json.loads(resource["outputs"]["secret"]["plaintext"])
        raise AssertionError("the stack has no access key")

    def role_session(self) -> Any:
        """S3 as the role, by a real AssumeRole with the stack's key."""
        key, secret = self.access_key()
        endpoint = self.world.ready.aws.endpoint_url
        sts = boto3.client(
            "sts", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, region_name="eu-west-1"
        )
        answer = sts.assume_role(RoleArn=self.outputs()["role_arn"], RoleSessionName="tests")["Credentials"]
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=answer["AccessKeyId"],
            aws_secret_access_key=answer["SecretAccessKey"],
            aws_session_token=answer["SessionToken"],
            region_name="eu-west-1",
        )

    def owned(self) -> dict[str, list[str]]:
        """What of this connection stands in the world, by kind."""
        return {
            kind: mine
            for kind, names in self.world.inventory().items()
            if (mine := [name for name in names if self.customer in name])
        }


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Waits for a condition, which has to come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)

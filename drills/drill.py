"""One drill's fleet: its records, the command on it, and what is asked of its world in the end."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import yaml

from automation.deployment import SECRET, SIGNATURE
from drills.leftovers import Watch
from tests.e2e.harness import CHECKOUT, SETTLE_SECONDS, World

_CLI = str(CHECKOUT / ".venv" / "bin" / "dataloop-sts")
_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Ran:
    """A command that has ended.

    Attributes:
        code: its exit code.
        said, told: standard output and standard error.
        wall_s, cpu_s: seconds, those of the CPU of its whole process tree.
    """

    code: int
    said: str
    told: str
    wall_s: float
    cpu_s: float

    @property
    def report(self) -> dict[str, Any]:
        """The report that it printed."""
        report: dict[str, Any] = json.loads(self.said)
        return report

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The report's rows by customer."""
        return {row["customer"]: row for row in self.report["customers"]}

    @property
    def outcomes(self) -> dict[str, str]:
        """What came of each customer."""
        return {customer: row["outcome"] for customer, row in self.rows.items()}

    @property
    def counts(self) -> dict[str, int]:
        """How many customers came to what."""
        return dict(Counter(self.outcomes.values()))


@dataclass
class Drill:
    """A fleet of the environment `dev` in a sandbox of its own."""

    world: World
    folder: Path
    watch: Watch
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    _passphrase: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _began: float = field(default_factory=time.monotonic)
    _before: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        """An environment without records, and what must not be found anywhere."""
        self.records.mkdir(parents=True)
        self.shown.mkdir()
        (self.records / "_environment.yaml").write_text("sandbox: true\n")
        self._before, ready = self.world.inventory(), self.world.ready
        self.secrets = {
            self._passphrase: "the passphrase",
            ready.dataloop.token: "the token of Dataloop",
            ready.aws.secret_access_key: "the deployer's secret access key",
        }

    @property
    def records(self) -> Path:
        """Where the records are."""
        return self.folder / "customers" / "dev"

    @property
    def shown(self) -> Path:
        """Where all outputs of the commands are kept."""
        return self.folder / "shown"

    @property
    def fleet_folder(self) -> Path:
        """Where the reports and the log are."""
        return self.folder / ".dataloop-sts" / "fleet" / "dev"

    @property
    def backend(self) -> Path:
        """Where Pulumi's backend keeps its files."""
        return Path(self.world.environment["PULUMI_BACKEND_URL"].removeprefix("file://")) / ".pulumi"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every command."""
        return {
            **self.world.environment,
            **self.watch.environment,
            "DATALOOP_STS_SETTLE_SECONDS": SETTLE_SECONDS,
            "PULUMI_CONFIG_PASSPHRASE": self._passphrase,
        }

    def say(self, text: str) -> None:
        """Tells how far the drill is."""
        print(f"[{time.monotonic() - self._began:6.1f} s] {text}", file=sys.stderr, flush=True)  # noqa: T201

    # --- records

    def write(self, customer: str, **more: Any) -> None:
        """Writes a customer's record; `more` takes the place of its keys."""
        record: dict[str, Any] = {
            "organization_id": self.world.ready.dataloop.org_id,
            "aws": {"region": "eu-west-1", "account_id": self.world.ready.aws.account_id},
            "on_destroy": "delete",
            "drivers": [
                {
                    "name": f"{customer}-images",
                    "project_id": self.world.ready.dataloop.project_id,
                    "bucket": {"name": f"dataloop-{customer}"},
                }
            ],
            **more,
        }
        (self.records / f"{customer}.yaml").write_text(yaml.safe_dump(record))

    # --- commands

    def start(self, operation: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Starts `dataloop-sts fleet`; what it shows goes into files, which an orphan cannot hold open."""
        number = len(list(self.shown.iterdir())) // 2
        with (
            (self.shown / f"{number:02}-{operation}.out").open("wb") as said,
            (self.shown / f"{number:02}-{operation}.err").open("wb") as told,
        ):
            return subprocess.Popen(
                [_CLI, "fleet", operation, *arguments],
                cwd=self.folder,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=told,
                start_new_session=True,
            )

    def run(self, operation: str, *arguments: str, code: int = 0, **environment: str) -> Ran:
        """Runs `dataloop-sts fleet` to its end, which has to be of an exit code, and tells what it took."""
        if "--format" not in arguments:
            arguments = (*arguments, "--json")
        before, began = _children_s(), time.monotonic()
        process = self.start(operation, *arguments, **environment)
        process.wait(_TIMEOUT_S)
        wall_s, cpu_s = time.monotonic() - began, _children_s() - before
        said, told = (path.read_text() for path in sorted(self.shown.iterdir(), reverse=True)[:2])
        ran = Ran(process.returncode, said, told, wall_s, cpu_s)
        self.say(f"fleet {operation} {' '.join(arguments)}: {wall_s:.2f} s, {cpu_s:.2f} CPU s")
        assert ran.code == code, said + told
        if "--json" in arguments:
            self.say(f"  {ran.counts}")
            for customer, row in ran.rows.items():
                for text in row["repaired"]:
                    self.say(f"  {customer}: repaired: {text}")
        return ran

    # --- what is there

    def locks(self) -> list[Path]:
        """The locks in the backend."""
        return sorted((self.backend / "locks").rglob("*.json"))

    def files_of(self, customers: Iterable[str]) -> dict[str, bytes]:
        """Every file of some customers' stacks: states, histories, settings."""
        stacks = {f"dev.{customer}" for customer in customers}
        files = [path for place in (self.backend, self.folder / ".dataloop-sts") for path in place.rglob("*")]
        mine = [path for path in files if path.is_file() and any(f"/{stack}" in str(path) for stack in stacks)]
        return {str(path): path.read_bytes() for path in mine}

    def learn_keys(self, customers: Iterable[str]) -> None:
        """Decrypts the states and keeps the secrets of their access keys, for the search."""
        with ThreadPoolExecutor(2) as pool:
            for found in pool.map(self._keys_of, customers):
                self.secrets |= found

    def _keys_of(self, customer: str) -> dict[str, str]:
        stack = f"dev.{customer}"
        said = subprocess.run(
            ["pulumi", "stack", "export", "--show-secrets", "--stack", stack, "--non-interactive"],
            cwd=self.folder / ".dataloop-sts" / stack,
            env=self.environment,
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        resources = json.loads(said)["deployment"]["resources"]
        keys = [each["outputs"] for each in resources if each["type"] == "aws:iam/accessKey:AccessKey"]
        assert len(keys) == 1, f"{customer} has {len(keys)} access keys in its state"
        assert keys[0]["secret"][SIGNATURE] == SECRET
        return {json.loads(keys[0]["secret"]["plaintext"]): f"the secret access key of {customer}"}

    # --- what has to hold

    def assert_stands(self, customers: Iterable[str], besides: Mapping[str, Iterable[str]] | None = None) -> None:
        """Just these customers are connected, each with one of everything; the platform's TEST of each driver passes.

        Args:
            customers: who.
            besides: what else stands there, by kind.
        """
        customers, owned = sorted(customers), self.world.inventory()
        for kind, names in owned.items():
            for name in (*self._before[kind], *(besides or {}).get(kind, ())):
                names.remove(name)
        iam = [f"dataloop-{customer}-dev" for customer in customers]
        assert {kind: sorted(names) for kind, names in owned.items() if kind != "access keys"} == {
            "buckets": [f"dataloop-{customer}" for customer in customers],
            "IAM users": iam,
            "IAM roles": iam,
            "IAM policies": iam,
            "Dataloop integrations": [f"{customer}-dev-sts" for customer in customers],
            "Dataloop drivers": [f"{customer}-images" for customer in customers],
        }
        users = self.world.client("iam")
        keys = {name: len(users.list_access_keys(UserName=name)["AccessKeyMetadata"]) for name in iam}
        assert keys == dict.fromkeys(iam, 1)
        for driver in self.world.dataloop("GET", f"/drivers?projectId={self.world.ready.dataloop.project_id}"):
            if driver["name"] not in (besides or {}).get("Dataloop drivers", ()):
                self.world.dataloop("GET", f"/drivers/{driver['id']}/test")

    def assert_nothing_left(self) -> None:
        """No process, no file in the temporary folder, no lock, nothing under way in a state, and no secret."""
        self.watch.assert_no_process()
        self.watch.assert_no_file()
        assert self.locks() == []
        for state in (self.backend / "stacks").rglob("*.json"):
            assert not (json.loads(state.read_bytes())["checkpoint"]["latest"] or {}).get("pending_operations"), state
        strays = [path for path in (self.folder / ".dataloop-sts").rglob(".*") if path.is_file()]
        assert strays == [], "a file that was being written"
        home = Path(self.world.environment["PULUMI_HOME"])
        places = (self.folder, self.backend.parent, home, home.parent / "serve.log")
        self.watch.assert_no_secret(self.secrets, *places)
        self.say(f"nothing is left; {len(self.secrets)} secrets were searched for")


def _children_s() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seed() -> int:
    """Of what is left to chance; `SEED` in the environment names another."""
    return int(os.environ.get("SEED", "1"))

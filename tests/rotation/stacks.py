"""A stack whose state is written by the test, and a record beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from automation.connection import Connection
from automation.environment import Environment
from automation.records import Record, find
from automation.results import Outcome

RECORD = """\
# acme's bucket, asked for by Ann
organization_id: org-1
aws: {region: eu-west-1}
access_key: {generation: GENERATION, grace_days: 7}  # a week
drivers:
  - {name: images, project_id: project-1, bucket: {name: dataloop-acme}}
"""


class Stack:
    """A stack whose state is written here, and whose update does what Pulumi would; the engine is tried elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.customer = "acme"
        self.keys: dict[int, str] = {1: "Active"}
        self.held, self.told = 1, 1
        self.created = datetime.now(UTC) - timedelta(days=30)
        self.pending: list[dict[str, Any]] = []
        self.failing: BaseException | None = None
        self.ups = 0

    def record(self, text: str | None = None, generation: int = 1) -> Record:
        """The record, written anew where text is given."""
        file = self.folder / "customers" / "dev" / f"{self.customer}.yaml"
        if text or not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((text or RECORD).replace("GENERATION", str(generation)))
        return find(Environment.of("dev", self.folder), self.customer)

    def state(self, connection: Connection) -> dict[str, Any]:
        """As `pulumi stack export` gives it."""
        created = f"{self.created:%Y-%m-%dT%H:%M:%SZ}"
        keys = [
            {
                "type": "aws:iam/accessKey:AccessKey",
                "urn": f"urn:pulumi:dev.acme::dataloop-sts::x::access-key-{number}",
                "id": f"AKIA{number}",
                "inputs": {"status": status},
                "outputs": {"createDate": created},
            }
            for number, status in self.keys.items()
        ]
        stack = {"type": "pulumi:pulumi:Stack", "urn": "s", "outputs": {"access_key_generation": self.told}}
        integration = {
            "type": "pulumi-python:dynamic/dataloop:Integration",
            "urn": "i",
            "outputs": {"access_key_id": f"AKIA{self.held}", "generation": float(self.held)},
        }
        return {"resources": [stack, *keys, integration], "pending_operations": self.pending}

    def up(self, connection: Connection) -> Outcome:
        """An update that succeeds, or fails before anything is handed over."""
        self.ups += 1
        if self.failing:
            raise self.failing
        wanted = connection.spec.access_key
        if wanted.generation != self.held:
            self.created = datetime.now(UTC)
        self.keys = {wanted.generation: "Active"} | ({wanted.retiring: "Inactive"} if wanted.retiring else {})
        self.held = self.told = wanted.generation
        self.pending = []
        return Outcome({}, 0)

"""What one connection costs beside its floor: the same calls made directly, with boto3 and requests.

Create, a second run with nothing to do, and destroy. The floor does the calls and nothing else: no plan, no state, no
verification of what is refused, no look whether something would be lost. Linux alone. Usage::

    python -m benchmarks.floor
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from automation.connection import Connection
from automation.environment import Environment
from automation.events import Progress
from automation.records import find
from benchmarks._measuring import Cost, measured, say, world
from dataloop_sts import policies
from dataloop_sts.spec import ConnectionSpec
from sandbox.ready import ReadyFile

NAME = "floor"


def main() -> None:
    """Measures both, and prints a table in Markdown."""
    with world() as (folder, ready):
        customers = folder / "customers" / "dev"
        customers.mkdir(parents=True)
        (customers / "_environment.yaml").write_text("sandbox: true\n")
        (customers / f"{NAME}.yaml").write_text(yaml.safe_dump(_record(ready, NAME)))
        moments: list[tuple[float, Progress]] = []
        connection = Connection.of(
            find(Environment.of("dev", folder), NAME),
            on_event=lambda step: moments.append((time.perf_counter(), step)),
        )
        rows: list[tuple[str, Cost, Cost]] = []
        phases: dict[str, list[float]] = {}
        for what, ours in (
            ("create", connection.up),
            ("nothing to do", connection.up),
            ("destroy", connection.destroy),
        ):
            moments.clear()
            began = time.perf_counter()
            cost = measured(ours, here=True)
            rows.append((what, cost, _direct(folder, ready, what)))
            if moments:
                phases[what] = _phases(what, began, moments, began + cost.wall_s)
        say("\n\n".join((_ratios(rows), _by_program(rows), _where(phases))))


def _record(ready: ReadyFile, name: str) -> dict[str, Any]:
    driver = {
        "name": name,
        "project_id": ready.dataloop.project_id,
        "bucket": {"name": f"dataloop-{name}"},
        "allow_delete": False,
    }
    return {
        "organization_id": ready.dataloop.org_id,
        "aws": {"region": "eu-west-1", "account_id": ready.aws.account_id},
        "on_destroy": "delete",
        "drivers": [driver],
    }


def _direct(folder: Path, ready: ReadyFile, what: str) -> Cost:
    """The calls in a process of their own, as a script would make them."""
    file = folder / "floor.json"
    request = {
        "record": {"customer": f"{NAME}-direct", **_record(ready, f"{NAME}-direct")},
        "ready": ready.model_dump(),
        "what": what,
    }
    if not file.exists():
        file.write_text("{}")
    code = "import sys; from benchmarks.floor import direct; direct(sys.argv[1])"
    command = [sys.executable, "-c", code, str(file)]
    return measured(lambda: subprocess.run(command, input=json.dumps(request), text=True, check=True))


def direct(memory: str) -> None:
    """Makes the calls that standard input asks for; what later calls need is kept in a file."""
    import boto3
    import requests

    request = json.loads(sys.stdin.read())
    ready, what = ReadyFile.model_validate(request["ready"]), request["what"]
    spec = ConnectionSpec.parse(request["record"], environment="dev")
    names, bucket = spec.names("dev"), spec.drivers[0].bucket_name
    session = boto3.Session(ready.aws.access_key_id, ready.aws.secret_access_key, region_name="eu-west-1")
    s3, iam = (session.client(service, endpoint_url=ready.aws.endpoint_url) for service in ("s3", "iam"))
    http = requests.Session()
    http.trust_env = False
    http.headers["Authorization"] = f"Bearer {ready.dataloop.token}"
    api, organization = ready.dataloop.api_url, f"{ready.dataloop.api_url}/orgs/{spec.organization_id}/integrations"

    def call(method: str, url: str, body: Any = None) -> Any:
        answer = http.request(method, url, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    known = json.loads(Path(memory).read_text())
    if what == "create":
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        block = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(block, True))
        owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=owner)
        s3.put_bucket_policy(Bucket=bucket, Policy=policies.canonical(policies.bucket_document("aws", bucket)))
        user = iam.create_user(UserName=names.user)["User"]
        key = iam.create_access_key(UserName=names.user)["AccessKey"]
        iam.tag_user(UserName=names.user, Tags=[{"Key": key["AccessKeyId"], "Value": "DataLoop"}])
        permission = policies.canonical(policies.permission_document(spec))
        policy = iam.create_policy(PolicyName=names.policy, PolicyDocument=permission)["Policy"]
        trust = policies.canonical(policies.trust_document(user["Arn"], user["UserId"]))
        role = iam.create_role(RoleName=names.role, AssumeRolePolicyDocument=trust)["Role"]
        iam.attach_role_policy(RoleName=names.role, PolicyArn=policy["Arn"])
        options = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"], "roleArns": role["Arn"]}
        body = {"type": "aws-sts", "name": names.integration, "options": options}
        integration = call("POST", organization, body)
        driver = {
            "integrationId": integration["id"],
            "integrationType": "aws-sts",
            "name": spec.drivers[0].name,
            "metadata": {"system": {"projectId": spec.drivers[0].project_id}},
            "type": "s3",
            "payload": {"bucketName": bucket, "storageClass": "", "region": "eu-west-1", "path": ""},
            "allowExternalDelete": False,
            "creator": call("GET", f"{api}/users/me")["email"],
        }
        call("POST", f"{api}/drivers/test", driver)
        made = call("POST", f"{api}/drivers", driver)
        call("GET", f"{api}/drivers/{made['id']}/test")
        known = {"integration": integration["id"], "driver": made["id"], "policy": policy["Arn"]}
        Path(memory).write_text(json.dumps(known | {"key": key["AccessKeyId"]}))
    elif what == "nothing to do":
        s3.head_bucket(Bucket=bucket)
        iam.get_user(UserName=names.user)
        iam.get_role(RoleName=names.role)
        iam.get_policy(PolicyArn=known["policy"])
        call("GET", f"{organization}/{known['integration']}")
        call("GET", f"{api}/drivers/{known['driver']}")
    else:
        call("DELETE", f"{api}/drivers/{known['driver']}")
        call("DELETE", f"{organization}/{known['integration']}")
        iam.detach_role_policy(RoleName=names.role, PolicyArn=known["policy"])
        iam.delete_role(RoleName=names.role)
        iam.delete_policy(PolicyArn=known["policy"])
        iam.delete_access_key(UserName=names.user, AccessKeyId=known["key"])
        iam.delete_user(UserName=names.user)
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=entry["Key"])
        s3.delete_bucket(Bucket=bucket)


_PROOFS = {"create": "verification", "destroy": "guard"}
"""The step of a create that proves, and that of a destroy that looks for losses."""
_PHASES = ("before the first step", "steps before the proof", "the proof", "steps after it", "after the last step")


def _phases(what: str, began: float, moments: list[tuple[float, Progress]], ended: float) -> list[float]:
    """How long each of the phases took, in seconds."""
    proof = [moment for moment, step in moments if step.resource == _PROOFS[what]]
    marks = [began, moments[0][0], proof[0], proof[-1], moments[-1][0], ended]
    return [later - earlier for earlier, later in pairwise(marks)]


def _ratios(rows: list[tuple[str, Cost, Cost]]) -> str:
    lines = [
        "One connection: dataloop-sts, the calls made directly, and the ratio",
        "",
        "| | wall-clock s | | | CPU s | | | peak MiB | | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for what, ours, floor in rows:
        lines.append(
            f"| {what} | {ours.wall_s:.1f} | {floor.wall_s:.1f} | {ours.wall_s / floor.wall_s:.1f} "
            f"| {ours.cpu_s:.1f} | {floor.cpu_s:.1f} | {ours.cpu_s / floor.cpu_s:.1f} "
            f"| {ours.peak_mib:.0f} | {floor.peak_mib:.0f} | {ours.peak_mib / floor.peak_mib:.1f} |"
        )
    return "\n".join(lines)


def _by_program(rows: list[tuple[str, Cost, Cost]]) -> str:
    operations = [what for what, _, _ in rows]
    lines = [
        f"| CPU s, sampled; peak MiB | {' | | '.join(operations)} | |",
        "|---|" + "---|---|" * len(rows),
    ]
    costs = [ours for _, ours, _ in rows]
    kinds: Counter[str] = sum((cost.by_program for cost in costs), Counter())
    for kind in sorted(kinds, key=lambda kind: -kinds[kind]):
        figures = (f"{cost.by_program[kind]:.2f} | {cost.peak_by_program[kind]:.0f}" for cost in costs)
        lines.append(f"| {kind} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _where(phases: dict[str, list[float]]) -> str:
    lines = [f"| where the wall-clock seconds go | {' | '.join(phases)} |", "|---|" + "---|" * len(phases)]
    for index, phase in enumerate(_PHASES):
        lines.append(f"| {phase} | {' | '.join(f'{seconds[index]:.2f}' for seconds in phases.values())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

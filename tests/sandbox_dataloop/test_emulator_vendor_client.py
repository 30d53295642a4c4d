"""The vendor's own client works against the emulator. It runs as a process of its own: its state is global."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sandbox.dataloop.server import DataloopServer

SESSION = Path(__file__).with_name("vendor_client_session.py")
TIMEOUT_S = 60


def test_the_vendors_client_does_everything_a_connection_needs(aws, customer, tmp_path):
    server = DataloopServer(aws.endpoint_url)
    server.start()
    try:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DATALOOP_PATH": str(tmp_path),
            "API_URL": server.api_url,
            "GATE_URL": server.api_url.removesuffix("/api/v1"),
            "TOKEN": server.token,
            "MACHINE_USERNAME": server.username,
            "MACHINE_PASSWORD": server.password,
            "ORG_ID": server.org_id,
            "PROJECT_ID": server.project_id,
            "BUCKET": "customer-bucket",
            "KEY": customer.options["key"],
            "SECRET": customer.options["secret"],
            "ROLE_ARN": customer.options["roleArns"],
        }
        run = subprocess.run(
            [sys.executable, str(SESSION)],
            env=environment,
            timeout=TIMEOUT_S,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        seen = json.loads(run.stdout.splitlines()[-1])
    finally:
        server.stop()
    assert seen == {
        "token_expired": False,
        "organization": server.org_id,
        "organization_by_name": server.org_id,
        "organizations": [server.org_id],
        "project": server.project_id,
        "project_by_name": server.project_id,
        "projects": [server.project_id, server.other_project_id],
        "integration_type": "aws-sts",
        "integrations": ["by-dtlpy"],
        "integration_name": "renamed",
        "integration_was_written_again": True,
        "integrations_of_organization": ["renamed"],
        "driver": ["driver", "customer-bucket", "raw/", "us-east-1", False],
        "driver_class": "S3Driver",
        "driver_by_name": True,
        "drivers": ["driver"],
        "driver_test": 204,
        "datasets_of_driver": ["dataset"],
        "dataset_deleted": True,
        "delete_in_use": "integration 'renamed' cannot be deleted: 1 driver uses it",
        "driver_deleted": True,
        "driver_gone": seen["driver_gone"],
        "integration_deleted": True,
        "integrations_left": [],
        "machine_login": True,
        "machine_user": server.username,
        "machine_refresh": True,
        "project_of_machine": server.project_id,
    }
    assert "was not found" in seen["driver_gone"]
    assert customer.keys() == ["raw/test-file"]

"""Credentials of a profile that signs in: IAM Identity Center ("SSO") is a service of its own, asked on the way."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

START_URL = "https://acme.awsapps.com/start"
TOKEN = "a-token-of-the-sign-in"
PROFILE = f"""
[profile acme]
sso_start_url = {START_URL}
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = deploy
"""


ASK = "from dataloop_sts.aws import Aws, account_of; account_of(Aws('eu-west-1'))"


def test_a_profile_that_has_signed_in_asks_for_its_credentials(tmp_path: Path) -> None:
    """The answer would come from where nobody listens; that it was asked for is what is shown."""
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (tmp_path / ".aws" / "config").write_text(PROFILE)
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = hashlib.sha1(START_URL.encode(), usedforsecurity=False).hexdigest()  # as the AWS CLI names it
    (cache / f"{name}.json").write_text(json.dumps({"accessToken": TOKEN, "expiresAt": until}))
    variables = {"HOME": str(tmp_path), "AWS_PROFILE": "acme", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    done = subprocess.run([sys.executable, "-c", ASK], env=variables, capture_output=True, text=True, check=False)
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:1/federation/credentials' in done.stderr
    assert "AwsError: Cannot find out whose AWS credentials these are" in done.stderr
    assert TOKEN not in done.stderr

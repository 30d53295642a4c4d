"""The sandbox's AWS server: starts, stops, and says how to reach it and as whom.

    server = AwsServer()
    server.start()
    boto3.client("s3", endpoint_url=server.endpoint_url, region_name=server.region, ...)

moto's state is global: there is one running server in a process, and each start begins with an empty world.
"""

import json
import logging
from datetime import timedelta
from threading import Lock, Thread
from typing import Any

from moto.core.base_backend import BackendDict
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.models import s3_backends
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.aws import patch
from sandbox.aws.directory import PARTITION, Directory
from sandbox.aws.gateway import Gateway

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
OTHER_ACCOUNT_ID = "210987654321"
ADMINISTRATOR = "sandbox-administrator"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

_running = Lock()


class _QuietHandler(MotoRequestHandler):
    """Keeps connections alive, sends small answers at once, writes no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        logging.getLogger(__name__).debug(message, *args)


class AwsServer:
    """One AWS with two accounts and an administrator in each; the keys are new at every start.

    port: 0 takes a free one. consistency_delay_s: how many seconds a new access key, trust policy or policy version is
    not yet in force.
    """

    region = REGION
    account_id = ACCOUNT_ID
    other_account_id = OTHER_ACCOUNT_ID

    def __init__(self, port: int = 0, host: str = "127.0.0.1", consistency_delay_s: float = 0) -> None:
        self._port = port
        self._host = host
        self._world = Directory(consistency_delay_s)
        self._http: BaseWSGIServer | None = None
        self._gateway: Gateway | None = None
        self._thread: Thread | None = None
        self.endpoint_url = ""
        self.access_key_id = ""
        self.secret_access_key = ""
        self.other_account_access_key_id = ""
        self.other_account_secret_access_key = ""

    @property
    def consistency_delay_s(self) -> float:
        """Seconds that a new access key, trust policy or policy version is not yet in force; may be set at any time."""
        return self._world.delay_s

    @consistency_delay_s.setter
    def consistency_delay_s(self, seconds: float) -> None:
        self._world.delay_s = seconds

    def start(self) -> None:
        """Begin an empty world and serve it; returns once requests are answered.

        Raises RuntimeError if a server runs in this process, OSError if the port is taken.
        """
        if not _running.acquire(blocking=False):
            raise RuntimeError("an AwsServer is running in this process; stop it first")
        try:
            patch.install()
            _forget_everything()
            self.access_key_id, self.secret_access_key = _create_administrator(ACCOUNT_ID)
            self.other_account_access_key_id, self.other_account_secret_access_key = _create_administrator(
                OTHER_ACCOUNT_ID
            )
            self._gateway = Gateway(self._world)
            # The socket listens once this returns: a client that connects now is answered as soon as the thread runs.
            self._http = make_server(
                self._host, self._port, self._gateway, threaded=True, request_handler=_QuietHandler
            )
        except BaseException:
            _running.release()
            raise
        self.endpoint_url = f"http://{self._host}:{self._http.server_port}"
        self._thread = Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox-aws", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and forget the world; a server that does not run is left alone."""
        if self._http is None or self._gateway is None or self._thread is None:
            return
        self._gateway.close()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._http = self._gateway = self._thread = None
        _forget_everything()
        _running.release()


def _forget_everything() -> None:
    BackendDict.reset()
    s3_backends.bucket_accounts.clear()


def _create_administrator(account_id: str) -> tuple[str, str]:
    backend = iam_backends[account_id][PARTITION]
    backend.create_user(REGION, ADMINISTRATOR, "/sandbox/")
    backend.put_user_policy(ADMINISTRATOR, "AdministratorAccess", json.dumps(_EVERYTHING))
    key = backend.create_access_key(ADMINISTRATOR)
    key.create_date -= timedelta(days=1)  # in force at once, whatever the simulated delay
    return key.access_key_id, key.secret_access_key

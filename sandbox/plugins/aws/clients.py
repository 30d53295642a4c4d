"""Clients of the AWS services, made when first used and shared by a provider instance's resources."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Final, cast

from sandbox.plugins.aws import assume_roles
from sandbox.plugins.aws.assume_roles import AssumedRole
from sandbox.plugins.aws.config import LOOPBACK_ONLY, ProviderConfig
from sandbox.plugins.aws.failures import explained
from sandbox.plugins.errors import ProviderError

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 30
_ATTEMPTS: Final = 4
_DENIED: Final = "AccessDenied"
_HINT: Final = "; check the role's ARN, the external id, and whom its trust policy allows"


class Clients:
    """The AWS services as one provider configuration reaches them.

    Clients may be used by several threads; making them may not, hence the lock
    (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients).
    """

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._lock = threading.RLock()
        self._made: dict[tuple[str, str], object] = {}

    @functools.cached_property
    def _session(self) -> Session:
        from boto3.session import Session  # the import costs a quarter of a second that a start cannot spare

        credentials = self.config.credentials
        session = Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            region_name=self.config.region,
        )
        for role in self.config.assumed_roles:
            session = self._assumed(session, role)
        return session

    def _assumed(self, session: Session, role: AssumedRole) -> Session:
        sts = cast("STSClient", self._make(session, "sts", self.config.region))
        try:
            return assume_roles.session(sts, role, self.config.region)
        except Exception as error:
            doing = f"Cannot assume IAM Role: IAM Role ({role.arn}) cannot be assumed: "
            reported = explained(error, doing, f"access key id {self.config.credentials.access_key_id}")
            raise ProviderError(f"{reported}{_HINT if _DENIED in str(reported) else ''}", reported.code) from None

    @property
    def signer(self) -> str:
        """What signs the requests, for messages."""
        roles = self.config.assumed_roles
        return f"session of {roles[-1].arn}" if roles else f"access key id {self.config.credentials.access_key_id}"

    def sign_in(self) -> None:
        """Assumes the configured roles, if that is not done yet.

        Raises:
            ProviderError: one of them cannot be assumed.
        """
        if self.config.assumed_roles:
            with self._lock:
                _ = self._session

    @property
    def iam(self) -> IAMClient:
        """The IAM service."""
        return cast("IAMClient", self._client("iam", self.config.region))

    @property
    def sts(self) -> STSClient:
        """The STS service."""
        return cast("STSClient", self._client("sts", self.config.region))

    def s3(self, region: str | None = None) -> S3Client:
        """The S3 service of a region, the provider's own by default."""
        return cast("S3Client", self._client("s3", region or self.config.region))

    @functools.cached_property
    def account_id(self) -> str:
        """The account of the credentials.

        Raises:
            botocore.exceptions.ClientError: the credentials were refused.
        """
        return self.sts.get_caller_identity()["Account"]

    def _client(self, service: str, region: str) -> object:
        with self._lock:
            made = self._made.get((service, region))
            if made is None:
                made = self._made[service, region] = self._make(self._session, service, region)
            return made

    def _make(self, session: Session, service: str, region: str) -> object:
        from botocore.config import Config

        endpoint = self.config.endpoints.get(service)
        if endpoint is None:
            raise ProviderError(f"no endpoint is given for {service}: {LOOPBACK_ONLY}")
        return session.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                s3={"addressing_style": "path" if self.config.path_style else "auto"},
                proxies={},  # a proxy of the environment would take the requests off this machine
            ),
        )

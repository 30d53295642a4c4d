"""Clients of AWS for what looks at or touches AWS outside Pulumi's resources: time limits, retries, clear errors.

They are botocore's: what boto3 lays over it (resources, transfers) is not used, and takes time to import. botocore too
is imported when credentials are taken up, not with this module: the Pulumi program describes steps and makes no call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from dataloop_sts.errors import AwsError
from dataloop_sts.refusals import reason
from dataloop_sts.spec_parts import DeployRoleSpec

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from botocore.loaders import Loader
    from botocore.session import Session
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

# The codes of AWS for credentials that are wrong, unknown, expired or switched off:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
BAD_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "403", "Forbidden"})
_CLIENT_ADVICE = {
    **dict.fromkeys(
        BAD_CREDENTIALS,
        " Correct or renew the AWS credentials of this shell: AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY.",
    ),
    **dict.fromkeys(REFUSED, " Have that permission granted, or use other credentials."),
}
_DEPLOY_ROLE_ADVICE = (
    " Check its ARN and external_id, that its trust policy names these credentials, and that they may sts:AssumeRole."
)
_NO_ANSWER_ADVICE = (
    "Check the network, the proxy settings, AWS_ENDPOINT_URL, and that AWS has the region of aws.region."
)
_SIGN_IN_ADVICE = "Check the AWS credentials of this shell; where they come from a sign-in, sign in again."
NO_CREDENTIALS, BAD_SETTINGS = "NoCredentials", "BadSettings"
"""Codes of ours, for failures before any call."""
MISSING = frozenset({"NoSuchBucket", "NoSuchEntity", "NoSuchKey", "404", "NotFound"})


class Aws:
    """One set of AWS credentials in one region.

    Args:
        region: region of the S3 calls; IAM and STS take the partition from it.
        access_key_id, secret_access_key, session_token: the credentials; all None for those of the environment (the
            usual chain of environment variables, profile and role). ``AWS_ENDPOINT_URL`` is honoured.
        deploy_role: a role to assume with these credentials, for everything else.

    Raises:
        AwsError: the settings of the environment cannot be used, such as a profile that does not exist; or the
            role may not be assumed.
    """

    def __init__(
        self,
        region: str,
        *,
        access_key_id: str | None = None,
        secret_access_key: SecretStr | None = None,
        session_token: SecretStr | None = None,
        deploy_role: DeployRoleSpec | None = None,
    ) -> None:
        self.region = region
        with _usable_settings():
            self._session = _new_session(region)
        if access_key_id is not None and secret_access_key is not None:
            token = session_token.get_secret_value() if session_token else None
            self._session.set_credentials(access_key_id, secret_access_key.get_secret_value(), token)
        if deploy_role:
            self._session = self._assumed(deploy_role)

    def _assumed(self, role: DeployRoleSpec) -> Session:
        """A session of the role, which is assumed anew before it ends: emptying a large bucket takes hours."""
        from botocore.credentials import RefreshableCredentials

        sts = self.sts()
        external_id: Any = {"ExternalId": role.external_id} if role.external_id else {}

        def assume() -> dict[str, str]:
            with aws_errors(f"assume the deploying role {role.arn} (aws.deploy_role)", _DEPLOY_ROLE_ADVICE):
                answer = sts.assume_role(RoleArn=role.arn, RoleSessionName="dataloop-sts", **external_id)
            credentials = answer["Credentials"]
            return {
                "access_key": credentials["AccessKeyId"],
                "secret_key": credentials["SecretAccessKey"],
                "token": credentials["SessionToken"],
                "expiry_time": credentials["Expiration"].isoformat(),
            }

        session = _new_session(self.region)
        credentials = RefreshableCredentials.create_from_metadata(assume(), assume, "assume-role")
        session.register_component("credential_provider", _Given(credentials))
        return session

    def s3(self) -> S3Client:
        """A client of S3."""
        client: S3Client = self._client("s3")
        return client

    def iam(self) -> IAMClient:
        """A client of IAM."""
        client: IAMClient = self._client("iam")
        return client

    def kms(self) -> KMSClient:
        """A client of KMS."""
        client: KMSClient = self._client("kms")
        return client

    def sts(self) -> STSClient:
        """A client of STS, at the region's own endpoint."""
        client: STSClient = self._client("sts")
        return client

    def _client(self, service: str) -> Any:
        with _usable_settings():
            return self._session.create_client(service, config=_config())


@dataclass(frozen=True)
class _Given:
    """What botocore asks for credentials."""

    credentials: Any

    def load_credentials(self) -> Any:
        return self.credentials


def _new_session(region: str) -> Session:
    from botocore.session import get_session

    session = get_session()
    session.set_config_variable("region", region)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


@cache
def _loader(search_path: str | None) -> Loader:
    """What reads AWS's descriptions of its services, megabytes of JSON, and keeps them: one for all credentials."""
    from botocore.loaders import create_loader

    return create_loader(search_path)


def preload() -> None:
    """Loads botocore, and AWS's descriptions of its services, for all processes that are forked from this one."""
    for module in ("client", "config", "credentials", "endpoint", "parsers", "session"):
        import_module(f"botocore.{module}")
    loader = _loader(None)
    loader.load_data_with_path("endpoints")
    for service in ("iam", "s3", "sts"):
        loader.load_service_model(service, "service-2")
        loader.load_service_model(service, "endpoint-rule-set-1")


def _config() -> Config:
    from botocore.config import Config

    return Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "max_attempts": 3})


@contextmanager
def _usable_settings() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError) as error:  # botocore says with a ValueError that an endpoint is no URL
        message = str(error).rstrip(".")
        raise AwsError(
            f"The AWS settings of this shell cannot be used: {message}. Correct AWS_PROFILE, AWS_CONFIG_FILE or "
            "AWS_ENDPOINT_URL, whichever names it.",
            code=BAD_SETTINGS,
        ) from None


@dataclass(frozen=True)
class Failure:
    """A call that did not go through.

    Attributes:
        code: AWS's error code, or the kind of the failure where there was no answer.
        reason: of a refusal, in a few words, where AWS gives one: see :func:`dataloop_sts.refusals.reason`.
    """

    code: str
    reason: str = ""

    @property
    def refused(self) -> bool:
        """Whether AWS knows who asks and says no."""
        return self.code in REFUSED


def failure(call: Callable[[], object]) -> Failure | None:
    """Makes a call: None where it went through, else what came of it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        call()
    except ClientError as error:
        code = _code(error)
        return Failure(code, reason(error.response.get("Error", {}).get("Message", "")) if code in REFUSED else "")
    except BotoCoreError as error:
        return Failure(type(error).__name__)
    return None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def account_of(aws: Aws) -> str:
    """The 12 digits of the account that the credentials are of.

    Raises:
        AwsError: they are missing, wrong, or AWS gave no answer.
    """
    with aws_errors("find out whose AWS credentials these are"):
        return aws.sts().get_caller_identity()["Account"]


def require_account(aws: Aws, account_id: str) -> None:
    """Refuses credentials of another account: there, everything would look as if it were gone.

    Raises:
        AwsError: they are of another account, missing or wrong.
    """
    found = account_of(aws)
    if found != account_id:
        raise AwsError(
            f"The AWS credentials are of account {found}, this connection is in {account_id}, nothing was touched: "
            "use credentials of that account.",
            code="OtherAccount",
        )


@contextmanager
def aws_errors(what: str, refused_advice: str = _CLIENT_ADVICE["AccessDenied"]) -> Iterator[None]:
    """Turns botocore's errors into :class:`AwsError` of one line.

    Args:
        what: what was being done, for the message: ``"list the objects of bucket x"``.
        refused_advice: the mend where AWS refuses it.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )
    from botocore.exceptions import ConnectionError as NoConnection

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        message = (
            f"Cannot {what}: no AWS credentials found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            'AWS_SECRET_ACCESS_KEY; in the sandbox run: eval "$(python -m sandbox env)".'
        )
        raise AwsError(message, code=NO_CREDENTIALS) from None
    except ClientError as error:
        code = _code(error)
        detail = error.response.get("Error", {}).get("Message", "")
        raise AwsError(
            f"Cannot {what}: {code}: {detail}{'' if detail.endswith('.') else '.'}"
            f"{refused_advice if code in REFUSED else _CLIENT_ADVICE.get(code, '')}",
            code=code,
        ) from None
    except BotoCoreError as error:
        advice = _NO_ANSWER_ADVICE if isinstance(error, HTTPClientError | NoConnection) else _SIGN_IN_ADVICE
        raise AwsError(f"Cannot {what}: {str(error).rstrip('.')}. {advice}", code=type(error).__name__) from None

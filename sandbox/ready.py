"""The ready file: where a running sandbox answers, and with which credentials."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox import SandboxError

LOOPBACK = ("127.0.0.1", "localhost", "::1")

FOREIGN_VARIABLES = (
    # Other ways to name credentials, which would be mixed with the sandbox's.
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    # Stronger than AWS_ENDPOINT_URL: each would send calls to another place than the sandbox.
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    # The machine-to-machine login, in the place of which the token stands.
    "DATALOOP_USERNAME",
    "DATALOOP_PASSWORD",
    # A file would be ignored beside PULUMI_CONFIG_PASSPHRASE; it belongs to another environment.
    "PULUMI_CONFIG_PASSPHRASE_FILE",
)
"""Variables of a real environment that a process in the sandbox must not see."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, from_attributes=True)


class AwsReady(_Part):
    """The sandbox's AWS: `access_key_id` is an administrator's; the `other_` account is a stranger's."""

    endpoint_url: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str = Field(repr=False)
    other_account_id: str
    other_account_access_key_id: str
    other_account_secret_access_key: str = Field(repr=False)


class DataloopReady(_Part):
    """The sandbox's Dataloop: `token` is the organization owner's, valid as long as the sandbox lives.

    The `foreign_` organization is a second one, with an owner and a project of its own.
    """

    api_url: str
    token: str = Field(repr=False)
    org_id: str
    project_id: str
    other_project_id: str
    non_owner_token: str = Field(repr=False)
    expired_token: str = Field(repr=False)
    foreign_org_id: str
    foreign_project_id: str
    foreign_token: str = Field(repr=False)
    control_url: str
    username: str
    password: str = Field(repr=False)


class ReadyFile(_Part):
    """What a sandbox says of itself once it answers; all strings, and its secrets are worth nothing elsewhere."""

    aws: AwsReady
    dataloop: DataloopReady

    def write_atomically(self, path: Path) -> None:
        """Write the file so that a reader finds all of it or nothing, readable by its owner only.

        Raises SandboxError where the folder does not exist or cannot be written.
        """
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(self.model_dump_json(indent=2) + "\n")
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise SandboxError(
                f"cannot write the ready file {path}: {error.strerror}; name a file in a folder that can be written"
            ) from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write_atomically` wrote. Raises SandboxError where it is missing or something else."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise SandboxError(f"cannot read the ready file {path}: {error.strerror}; is the sandbox up?") from None
        except ValidationError:
            raise SandboxError(f"{path} is not a ready file of this version; start the sandbox again") from None

    def variables(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment variables that lead AWS and Dataloop clients to this sandbox.

        A process that gets them must not have FOREIGN_VARIABLES. `environ` is where NO_PROXY is extended from.
        """
        bypass = no_proxy(environ)
        return {
            "AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "AWS_REGION": self.aws.region,
            "AWS_DEFAULT_REGION": self.aws.region,
            "AWS_ACCESS_KEY_ID": self.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "DATALOOP_API_URL": self.dataloop.api_url,
            "DATALOOP_TOKEN": self.dataloop.token,
            # Clients disagree about the spelling, and some read one of the two only.
            "NO_PROXY": bypass,
            "no_proxy": bypass,
        }


def no_proxy(environ: Mapping[str, str]) -> str:
    """The hosts of NO_PROXY and no_proxy in `environ`, comma-separated, and the loopback ones."""
    listed = f"{environ.get('NO_PROXY', '')},{environ.get('no_proxy', '')}".split(",")
    return ",".join(dict.fromkeys(host for host in (*map(str.strip, listed), *LOOPBACK) if host))

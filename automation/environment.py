"""An environment (dev, staging, prod): where its stacks' state is, and what all its connections share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from automation.errors import RecordError
from automation.files import read_yaml
from dataloop_sts import naming
from dataloop_sts.errors import InvalidSetting, Problem

SETTINGS_FILE = "_environment.yaml"
_WORK = ".dataloop-sts"


class EnvironmentSettings(BaseModel):
    """The file ``customers/ENVIRONMENT/_environment.yaml``; every key is optional."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sandbox: StrictBool = Field(False, description="Whether the AWS side is the sandbox, at AWS_ENDPOINT_URL")
    backend_url: str | None = Field(
        None, description="Where Pulumi keeps the state; default: PULUMI_BACKEND_URL, or what `pulumi login` chose"
    )
    secrets_provider: str | None = Field(
        None, description="What encrypts secrets in the state of new stacks, such as awskms://...; default: passphrase"
    )
    dataloop_api_url: str | None = Field(None, description="Dataloop's API; default: DATALOOP_API_URL, or its own")


@dataclass(frozen=True)
class Environment:
    """One environment of a project.

    Attributes:
        name: a slug, such as ``prod``.
        project_dir: the folder that holds ``customers/``, and for the environment's own stack ``Pulumi.NAME.yaml``.
        settings: what its connections share.
        own_variables: environment variables that its connections have over those of the process, such as the
            DATALOOP_TOKEN of one organization. AWS credentials are the process's own: what is looked at in this
            process, and what the engine does, shall be one account; aws.deploy_role leads into another.
    """

    name: str
    project_dir: Path
    settings: EnvironmentSettings = EnvironmentSettings.model_validate({})  # noqa: RUF009 - frozen
    own_variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if of_aws := next((name for name in self.own_variables if name.startswith("AWS_")), None):
            raise InvalidSetting(
                f"The environment {self.name} cannot have {of_aws} of its own: AWS credentials are the process's, and "
                "aws.deploy_role leads into another account."
            )

    @classmethod
    def of(cls, name: str, project_dir: Path, own_variables: Mapping[str, str] | None = None) -> Environment:
        """The environment as its settings file describes it; without one, with defaults.

        Args:
            name, project_dir, own_variables: see the attributes.

        Raises:
            InvalidSetting: the name is no slug.
            RecordError: the file cannot be read, or has mistakes.
        """
        if not naming.SLUG.fullmatch(name):
            raise InvalidSetting(f"The environment {name!r} needs lower-case letters, digits and inner hyphens only.")
        file = project_dir / "customers" / name / SETTINGS_FILE
        if not file.exists():
            return cls(name, project_dir, own_variables=own_variables or {})
        try:
            settings = EnvironmentSettings.model_validate(read_yaml(file).data or {})
        except ValidationError as error:
            problems = [Problem(".".join(map(str, each["loc"])), str(each["msg"]).lower()) for each in error.errors()]
            raise RecordError(f"The settings {file} are not valid:", problems) from None
        return cls(name, project_dir, settings, own_variables or {})

    @property
    def customers_dir(self) -> Path:
        """The folder of the customers' records."""
        return self.project_dir / "customers" / self.name

    def work_dir(self, stack: str) -> Path:
        """The stack's own work folder, private to the user."""
        return self.project_dir / _WORK / stack

    def variables(self) -> dict[str, str]:
        """The environment variables that its connections have over those of the process."""
        settings = {
            "PULUMI_BACKEND_URL": self.settings.backend_url,
            "DATALOOP_API_URL": self.settings.dataloop_api_url,
        }
        return {name: value for name, value in settings.items() if value} | dict(self.own_variables)

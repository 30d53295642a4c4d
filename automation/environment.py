"""An environment (dev, staging, prod): where its stacks' state is, and what all its connections share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from automation import organizations
from automation.errors import NoCredentials, RecordError
from automation.files import YamlFile, read_yaml
from automation.organizations import Credentials
from dataloop_sts import naming, values
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
    policy_pack: str | None = Field(
        None,
        description="Folder of the policy pack to which previews and updates are held, such as policy; default: none",
    )
    policy_config: str | None = Field(
        None, description="Settings of its policies, a JSON file; default: what the pack itself says"
    )
    organizations: Mapping[values.DataloopId, Credentials] = Field(
        {}, description="Where the Dataloop credentials of an organization are, by its id; default: those of the shell"
    )


@dataclass(frozen=True)
class Environment:
    """One environment of a project.

    Attributes:
        name: a slug, such as ``prod``.
        project_dir: the folder that holds ``customers/``, and for the environment's own stack ``Pulumi.NAME.yaml``.
        settings: what its connections share.
        own_variables: environment variables that its connections have over those of the process, such as the
            DATALOOP_TOKEN of one organization, or those that ``settings.organizations`` names. AWS credentials are the
            process's own: what is looked at in this process, and what the engine does, shall be one account;
            aws.deploy_role leads into another.
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
        return cls(name, project_dir, settings_in(read_yaml(file)), own_variables or {})

    @property
    def customers_dir(self) -> Path:
        """The folder of the customers' records."""
        return self.project_dir / "customers" / self.name

    def work_dir(self, stack: str) -> Path:
        """The stack's own work folder, private to the user."""
        return self.project_dir / _WORK / stack

    def variables(self) -> dict[str, str]:
        """The environment variables that all its connections have over those of the process.

        Those that hold the credentials of single organizations are empty: a run sees its own organization's only.
        """
        settings = {
            "PULUMI_BACKEND_URL": self.settings.backend_url,
            "DATALOOP_API_URL": self.settings.dataloop_api_url,
        }
        named = {name for each in self.settings.organizations.values() for name in each.names}
        return (
            {name: value for name, value in settings.items() if value}
            | dict(self.own_variables)
            | dict.fromkeys(named - set(organizations.STANDARD), "")
        )

    def variables_of(self, organization_id: str) -> dict[str, str]:
        """The same with the Dataloop credentials of an organization, where it has its own.

        Raises:
            NoCredentials: they are not where the settings say.
        """
        credentials = self.settings.organizations.get(organization_id)
        if credentials is None:
            return self.variables()
        try:
            return self.variables() | credentials.read({**os.environ, **self.own_variables})
        except organizations.Unset as error:
            place = self.place(("organizations", organization_id, error.key))
            what = f"{error.what}; it has to hold {_HELD[error.key.partition('_')[0]]}"
            heading = f"Organization {organization_id} has no Dataloop credentials in {self.name}:"
            raise NoCredentials(heading, [Problem(place, what)]) from None

    def policy_arguments(self) -> list[str]:
        """What tells the CLI of the policy pack; nothing where there is none. Paths are relative to the project.

        Raises:
            RecordError: a setting leads nowhere.
        """
        found = []
        for key, option, inside in _POLICY_SETTINGS:
            value = getattr(self.settings, key)
            if value is None:
                continue
            path = (self.project_dir / value).resolve()
            problem = None if (path / inside).is_file() else f"there is no file {path / inside}"
            if self.settings.policy_pack is None:
                problem = "it sets the policies of a policy_pack, and there is none"
            if problem:
                raise RecordError(
                    f"The policies of {self.name} cannot be used:", [Problem(self.place((key,)), problem)]
                )
            found += [option, str(path)]
        return found

    def place(self, parts: Sequence[str]) -> str:
        """Where a setting stands: file, line and path, or the path alone where there is no file."""
        file = self.customers_dir / SETTINGS_FILE
        return _place(read_yaml(file), parts) if file.is_file() else ".".join(parts)


def settings_in(file: YamlFile) -> EnvironmentSettings:
    """The settings that a file holds, which need not be on disk.

    Raises:
        RecordError: it has mistakes.
    """
    try:
        return EnvironmentSettings.model_validate(file.data or {})
    except ValidationError as error:
        problems = [_problem(file, each) for each in error.errors(include_url=False, include_input=False)]
        raise RecordError(f"The settings {file.path} are not valid:", problems) from None


_POLICY_SETTINGS = (
    ("policy_pack", "--policy-pack", "PulumiPolicy.yaml"),
    ("policy_config", "--policy-pack-config", ""),
)
_HELD = {
    "token": "a token of an owner of that organization",
    "username": "the user of a machine's login",
    "password": "the password of a machine's login",
}
_MESSAGES = {
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text (numbers in quotes)",
    "model_type": "must hold keys of its own, each with a value",
    "dict_type": "must hold keys of its own, each with a value",
}


def _problem(file: YamlFile, error: Mapping[str, Any]) -> Problem:
    parts = [str(part) for part in error["loc"] if part != "[key]"]
    if error["type"] == "value_error":
        what = str(error["ctx"]["error"])
    elif error["type"] == "extra_forbidden":
        what = f"is not a setting: {organizations.ONE_OF if len(parts) > 1 else _KEYS}"
    else:
        what = _MESSAGES.get(error["type"], str(error["msg"]).lower())
    return Problem(_place(file, parts), what)


_KEYS = f"there are {', '.join(EnvironmentSettings.model_fields)}"


def _place(file: YamlFile, parts: Sequence[str]) -> str:
    _, line = file.line(parts)
    return f"{file.path}:{line}: {'.'.join(parts)}" if line else f"{file.path}: {'.'.join(parts)}"

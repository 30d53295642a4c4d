"""Each organization's connections get its own Dataloop credentials, from where the environment's settings say."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from automation import cli
from automation.cli.frame import app
from automation.environment import Environment, EnvironmentSettings
from automation.errors import NoCredentials, RecordError
from automation.fleet import Operation, perform

RECORD = (
    "organization_id: {of}\naws: {{region: eu-west-1}}\n"
    "drivers: [{{name: {name}, project_id: p, bucket: {{name: dl-{name}}}}}]\n"
)
OTHERS = {"DATALOOP_TOKEN": "of-the-shell", "DATALOOP_USERNAME": "shell", "DATALOOP_PASSWORD": "of-the-shell-too"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "customers" / "prod"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name, value in OTHERS.items():
        monkeypatch.setenv(name, value)
    for number in (1, 2):
        (folder / f"c{number}.yaml").write_text(RECORD.format(of=f"org-{number}", name=f"c{number}"))
    return folder


def prod(folder: Path, organizations: str, **own_variables: str) -> Environment:
    (folder / "_environment.yaml").write_text(f"sandbox: true\norganizations:\n{organizations}")
    return Environment.of("prod", folder.parents[1], own_variables)


def credentials(environment: Environment, organization: str) -> dict[str, str]:
    """What a run of the organization finds in its environment."""
    whole = {**os.environ, **environment.variables_of(organization)}
    return {name: value for name, value in whole.items() if name.startswith("DATALOOP_") and value}


def test_an_organization_gets_its_own_credentials_and_those_of_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATALOOP_TOKEN_ONE", "token-1")
    monkeypatch.setenv("DATALOOP_BOT", "bot@two.example")
    (tmp_path / "password").write_text(" pass word \n")
    environment = prod(
        folder,
        "  org-1: {token_variable: DATALOOP_TOKEN_ONE}\n"
        f"  org-2: {{username_variable: DATALOOP_BOT, password_file: {tmp_path}/password}}\n",
    )
    assert credentials(environment, "org-1") == {"DATALOOP_TOKEN": "token-1"}
    login = {"DATALOOP_USERNAME": "bot@two.example", "DATALOOP_PASSWORD": " pass word "}
    assert credentials(environment, "org-2") == login, "the shell's token would win over a login"
    assert credentials(environment, "org-3") == OTHERS, "who has none of its own uses the shell's"
    assert "token-1" not in repr(environment) + str(environment.variables())


def test_a_service_gives_the_named_variables_without_its_processs_environment(folder: Path) -> None:
    environment = prod(folder, "  org-1: {token_variable: TOKEN_ONE}\n", TOKEN_ONE="token-1", DATALOOP_TOKEN="own")
    assert credentials(environment, "org-1") == {"DATALOOP_TOKEN": "token-1"}
    assert credentials(environment, "org-2")["DATALOOP_TOKEN"] == "own"
    assert "TOKEN_ONE" in environment.variables() and "token-1" not in environment.variables().values()
    again = pickle.loads(pickle.dumps(environment))  # noqa: S301 - our own
    assert credentials(again, "org-1") == {"DATALOOP_TOKEN": "token-1"}


def test_an_organization_may_have_the_shells_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWO", "token-2")
    environment = prod(folder, "  org-1: {token_variable: DATALOOP_TOKEN}\n  org-2: {token_variable: TWO}\n")
    assert credentials(environment, "org-1") == {"DATALOOP_TOKEN": "of-the-shell"}
    assert credentials(environment, "org-2") == {"DATALOOP_TOKEN": "token-2"}
    assert credentials(environment, "org-3") == OTHERS


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("token_variable: NOT_SET", "NOT_SET is not set; it has to hold a token of an owner of that organization"),
        ("token_variable: BLANK", "BLANK is not set; it has to hold a token"),
        ("token_file: {folder}/none", "/none cannot be read (No such file or directory); it has to hold a token"),
        ("token_file: {folder}/empty", "/empty is empty; it has to hold a token"),
        ("token_file: {folder}/binary", "/binary is not UTF-8 text; it has to hold a token"),
        ("token_file: {folder}/zero", "/zero is not UTF-8 text; it has to hold a token"),
        (
            "username_variable: BOT\n    password_variable: NOT_SET",
            "NOT_SET is not set; it has to hold the password of a machine's login",
        ),
    ],
)
def test_credentials_that_are_not_there_are_told_with_organization_variable_and_mend_before_anything_begins(
    where: str, says: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")  # no engine is started
    monkeypatch.setenv("BLANK", " ")
    monkeypatch.setenv("BOT", "bot@one.example")
    for name, content in (("empty", b"\n"), ("binary", b"\xff"), ("zero", b"a\0b")):
        (folder.parent / name).write_bytes(content)
    environment = prod(folder, f"  org-1:\n    {where.format(folder=folder.parent)}\n")
    key = where.split()[-2].strip(":")
    place = f"{folder}/_environment.yaml:{4 if key.startswith('token') else 5}: organizations.org-1.{key}: "

    # a row of the fleet
    for name in ("preview", "up", "refresh", "destroy", "rotate", "audit", "verify"):
        row = perform(environment, "c1", Operation(name))  # type: ignore[arg-type]
        assert (row.outcome, row.changes, row.attempts) == ("failed", {}, 1)
        assert row.error and row.error[0] == "NoCredentials"
        assert row.error[1].startswith(f"Organization org-1 has no Dataloop credentials in prod: {place}")
        assert says in row.error[1]

    # a command
    before = (folder / "c1.yaml").read_text()
    for command in (["up"], ["rotate"], ["repair"], ["adopt"], ["audit", "--no-state"], ["destroy", "--yes"]):
        monkeypatch.setattr("sys.argv", ["dataloop-sts", "-e", "prod", *command, "c1"])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        told = capsys.readouterr().err
        assert caught.value.code == 2, told
        assert told.startswith("Organization org-1 has no Dataloop credentials in prod:\n  ")
        assert place in told and says in told
    assert (folder / "c1.yaml").read_text() == before
    assert not (folder.parents[1] / ".dataloop-sts").exists()
    assert "of-the-shell" not in told


@pytest.mark.parametrize(
    ("organizations", "says"),
    [
        ("  org-1: {token_variable: eyJhbGciOi.J9.x}", ":3: organizations.org-1.token_variable: is no name of an"),
        ("  org-1: {token_file: secrets/token}", ":3: organizations.org-1.token_file: is no absolute path"),
        (
            "  org-1: {token: eyJhbGciOi.J9.x}",
            ":3: organizations.org-1.token: is not a setting: give token_variable or",
        ),
        ("  org-1: eyJhbGciOi.J9.x", ":3: organizations.org-1: must hold keys of its own"),
        ("  org-1: {}", ":3: organizations.org-1: give token_variable or token_file, or a username and a password"),
        ("  org-1: {token_variable: A, token_file: /b}", ":3: organizations.org-1: give token_variable or token_file"),
        ("  org-1: {username_variable: A}", ":3: organizations.org-1: give token_variable or token_file"),
        ("  org 1: {token_variable: A}", ":3: organizations.org 1: a Dataloop id has letters"),
        ("  12: {token_variable: A}", ":3: organizations.12: must be text (numbers in quotes)"),
        ("  - org-1", ":2: organizations: must hold keys of its own"),
    ],
)
def test_mistakes_in_the_settings_are_told_with_their_line_and_show_no_secret(
    organizations: str, says: str, folder: Path
) -> None:
    with pytest.raises(RecordError) as caught:
        prod(folder, organizations + "\n")
    assert f"{folder}/_environment.yaml{says}" in str(caught.value)
    assert "eyJ" not in str(caught.value)


def _records(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["-e", "prod", "records", *arguments])


def test_a_record_shows_where_its_credentials_are_and_an_id_of_no_record_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prod(folder, "  org-1: {token_variable: TOKEN_ONE}\n")
    assert "# Dataloop credentials: TOKEN_ONE is not set; it has to hold" in _records("show", "c1").output
    assert "# Dataloop credentials: those of the shell" in _records("show", "c2").output
    monkeypatch.setenv("TOKEN_ONE", "token-1")
    shown = _records("show", "c1").output
    assert "# Dataloop credentials: variable TOKEN_ONE" in shown and "token-1" not in shown
    assert '"credentials": "variable TOKEN_ONE"' in _records("show", "c1", "--json").output
    assert _records("validate").exit_code == 0

    prod(folder, "  org-l: {token_variable: TOKEN_ONE}\n")
    done = _records("validate")
    assert isinstance(done.exception, RecordError)
    assert f"{folder}/_environment.yaml:3: organizations.org-l: no record is of this organization" in str(
        done.exception
    )
    assert _records("validate", "--json").exit_code == 2
    assert _records("validate", "--select", "c1").exit_code == 0
    (folder / "c2.yaml").write_text("drivers: [")
    assert "org-l" not in str(_records("validate").exception), "the broken one may be of it"


def test_settings_in_memory_have_organizations_too(tmp_path: Path) -> None:
    settings = EnvironmentSettings.model_validate({"organizations": {"org-1": {"token_variable": "TOKEN_ONE"}}})
    environment = Environment("prod", tmp_path, settings, {"TOKEN_ONE": "token-1"})
    assert environment.variables_of("org-1")["DATALOOP_TOKEN"] == "token-1"
    with pytest.raises(NoCredentials, match=r"in prod: organizations\.org-1\.token_variable: TOKEN_ONE is not set"):
        Environment("prod", tmp_path, settings).variables_of("org-1")

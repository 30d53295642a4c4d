"""Bad input ends with messages of docs/errors.md, by the plain CLI, and changes nothing: spec, config, this machine.

The messages stand here as they stand on that page, so that the page cannot drift from what is printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.errors_page import assert_refused, assert_told
from tests.e2e.harness import CHECKOUT, Done, Project

Change = Callable[[dict[str, Any]], None]


def _unknown_and_missing_keys(spec: dict[str, Any]) -> None:
    spec["organisation_id"] = spec.pop("organization_id")
    spec["aws"]["regoin"] = spec["aws"].pop("region")
    spec["drivers"][0]["bucket"] = {}


def _invalid_values(spec: dict[str, Any]) -> None:
    spec["customer"] = "Acme Inc."
    spec["aws"].update(region="Ireland", account_id="1234-5678-9012")
    spec["access_key"] = {"generation": "1", "description": "key"}
    spec["drivers"][0].update(bucket={"name": "My_Bucket"}, prefix="/raw", allow_delete="no")
    spec["drivers"].append({**spec["drivers"][0], "bucket": {"name": "ab"}, "prefix": "raw/*"})


def _arns_in_the_place_of_names(spec: dict[str, Any]) -> None:
    spec["aws"]["names"] = {"role": "arn:aws:iam::123456789012:role/dataloop"}
    spec["drivers"][0]["bucket"]["name"] = "arn:aws:s3:::dataloop-acme-images"


def _two_drivers_of_one_name(spec: dict[str, Any]) -> None:
    spec["drivers"].append({**spec["drivers"][0], "bucket": {"name": "dataloop-another"}})


def _a_long_customer(spec: dict[str, Any]) -> None:
    spec["customer"] = "c" * 60


_DERIVED = "the derived name <name> has <count> characters, IAM allows <maximum>: shorten customer, or give a name here"
SPECS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown and missing keys": (
        _unknown_and_missing_keys,
        (
            "<path>: is missing",
            "<path>: is not a key of the spec; check its spelling and indentation",
        ),
    ),
    "invalid values": (
        _invalid_values,
        (
            "customer: use 1 to 63 lower-case letters, digits and inner hyphens",
            "aws.region: <text> is not the code of an AWS region, such as eu-west-1",
            "aws.account_id: an AWS account id has 12 digits; write it in quotes",
            "<path>: must be a whole number, without quotes",
            'access_key.description: the description must contain "DataLoop", so that people find the key\'s purpose',
            "drivers[<index>].bucket.name: a bucket's name has lower-case letters, digits, dots and hyphens only, a "
            "letter or digit at both ends",
            "drivers[<index>].bucket.name: a bucket's name has 3 to 63 characters, this one has <count>",
            "drivers[<index>].prefix: write the folder without a leading slash, such as raw/; leave prefix out for "
            "the whole bucket",
            "drivers[<index>].prefix: use letters, digits, spaces and the characters !_.'()=+@:,&/- (no wildcards)",
            "<path>: must be true or false, without quotes",
        ),
    ),
    "ARNs in the place of names": (
        _arns_in_the_place_of_names,
        (
            "aws.names.<kind>: IAM allows letters, digits and the characters _+=,.@- in a name, not <name>",
            "drivers[<index>].bucket.name: a bucket's name has lower-case letters, digits, dots and hyphens only, a "
            "letter or digit at both ends",
        ),
    ),
    "two drivers of one name": (
        _two_drivers_of_one_name,
        ("drivers[<index>].name: <name> is the name of drivers[<index>] already",),
    ),
    "derived names too long": (_a_long_customer, (f"aws.names.<kind>: {_DERIVED}",)),
}


@pytest.mark.parametrize("mistakes", SPECS)
def test_mistakes_of_the_spec_are_told_at_once_each_with_its_path(mistakes: str, empty_project: Project) -> None:
    change, messages = SPECS[mistakes]
    change(empty_project.spec)
    assert_refused(
        empty_project,
        empty_project.preview,
        "error: The connection spec in Pulumi.<stack>.yaml is not valid:",
        *messages,
    )


def test_each_mistake_of_the_spec_is_told_by_both_commands_and_up_changes_nothing(
    empty_project: Project, tmp_path: Path
) -> None:
    change, messages = SPECS["invalid values"]
    change(empty_project.spec)
    assert_refused(empty_project, empty_project.up, *messages)
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(empty_project.spec))
    done = _run("automation.cli", "policies", str(file))
    assert done.code == 2, done.output
    assert_told(done.output, "The connection spec is not valid:", *messages)


def test_a_policy_that_would_be_too_long_is_told_before_anything_is_made(empty_project: Project) -> None:
    (driver,) = empty_project.spec["drivers"]
    folders = [f"{'long-' * 12}{number}" for number in range(30)]
    empty_project.spec["drivers"] = [{**driver, "name": folder, "prefix": folder} for folder in folders]
    message = (
        "the role's policy would have <count> characters, IAM allows <maximum>: use fewer or shorter prefixes, or "
        "spread the drivers over two customers"
    )
    assert_refused(empty_project, empty_project.up, message)


_CONFIG_TEXT: dict[str, tuple[dict[str, Any], str]] = {
    "no connection": ({}, "Stack '<stack>' is missing configuration value 'connection'"),
    "a connection that is text": (
        {"dataloop-sts:connection": "acme"},
        "Stack '<stack>' with configuration key 'connection' must be of type 'object'",
    ),
    "a sandbox that is text": (
        {"dataloop-sts:connection": {}, "dataloop-sts:sandbox": "yes please"},
        "Stack '<stack>' with configuration key 'sandbox' must be of type 'boolean'",
    ),
}


@pytest.mark.parametrize("mistake", _CONFIG_TEXT)
def test_a_stacks_config_of_another_shape_is_told(mistake: str, empty_project: Project) -> None:
    config, message = _CONFIG_TEXT[mistake]
    file = empty_project.folder / f"Pulumi.{empty_project.stack}.yaml"
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**settings, "config": config}))
    assert_refused(empty_project, lambda: empty_project.pulumi("preview", "--stack", empty_project.stack), message)


@pytest.mark.parametrize("arguments", [("preview",), ("up", "--yes", "--skip-preview"), ("destroy", "--yes")])
def test_a_wrong_passphrase_is_told(arguments: tuple[str, ...], empty_project: Project) -> None:
    empty_project.configure()
    empty_project.extra = {"PULUMI_CONFIG_PASSPHRASE": "not the sandbox's"}
    run = lambda: empty_project.pulumi(*arguments, "--stack", empty_project.stack)  # noqa: E731
    assert_refused(empty_project, run, "incorrect passphrase")


def test_a_stack_that_does_not_exist_is_told(empty_project: Project) -> None:
    run = lambda: empty_project.pulumi("preview", "--stack", "nowhere")  # noqa: E731
    assert_refused(empty_project, run, "no stack named '<stack>' found")


def test_a_stack_that_is_not_a_sandboxs_gets_no_stand_in(empty_project: Project) -> None:
    empty_project.sandbox = False
    message = (
        "no endpoint is given: this is the sandbox's stand-in for pulumi-resource-aws <version>; it talks to loopback "
        "only; a real stack needs the official plugin"
    )
    empty_project.configure()
    run = lambda: empty_project.pulumi("up", "--yes", "--stack", empty_project.stack)  # noqa: E731
    assert_refused(empty_project, run, message, problems=1)


def test_a_shell_without_the_sandboxs_settings_is_told(empty_project: Project) -> None:
    empty_project.extra = {"AWS_ENDPOINT_URL": ""}
    message = (
        "This is a sandbox stack and AWS_ENDPOINT_URL is not set. Start the sandbox with `python -m sandbox up` and "
        'take its settings into this shell with: eval "$(python -m sandbox env)"'
    )
    assert_refused(empty_project, empty_project.up, message)


def test_a_sandbox_that_has_ended_is_told_in_one_message(empty_project: Project) -> None:
    closed = "http://127.0.0.1:9"  # the port of "discard", where nothing listens
    empty_project.extra = {"AWS_ENDPOINT_URL": closed, "DATALOOP_API_URL": f"{closed}/api/v1"}
    message = (
        "The sandbox does not answer: start it with `python -m sandbox up` and take its settings into this shell "
        'with: eval "$(python -m sandbox env)"'
    )
    assert_refused(empty_project, empty_project.up, message, problems=1)


def test_a_sandbox_that_does_not_run_gives_a_shell_nothing_to_evaluate(tmp_path: Path) -> None:
    done = _run("sandbox", "--state-dir", str(tmp_path / "none"), "env")
    assert done.code == 1, done.output
    assert done.output.count("\n") == 1, done.output
    assert done.output.startswith("Error: ")
    assert_told(done.output, "the sandbox is not running; start it: python -m sandbox up")


def test_an_engine_that_is_missing_is_told_with_the_command_that_gets_it(
    empty_project: Project, tmp_path: Path
) -> None:
    nothing = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    verify = ("-e", empty_project.stack, "verify")
    done = _run("automation.cli", *verify, folder=empty_project.folder, **nothing, DATALOOP_TOKEN="any")
    assert done.code == 1, done.output
    assert_told(done.output, "No usable `pulumi` on PATH (<reason>): see `python -m sandbox doctor`.")
    done = _run("sandbox", "doctor", **nothing)
    assert done.code == 1, done.output
    assert_told(done.output, "no Pulumi <version> or newer on PATH, and none set up", "python -m sandbox setup")


def test_verify_tells_what_keeps_it_from_looking(empty_project: Project, tmp_path: Path) -> None:
    def verify(folder: Path, code: int) -> str:
        done = _run("automation.cli", "-e", empty_project.stack, "verify", folder=folder, **empty_project.environment)
        assert done.code == code, done.output
        return done.output

    assert_told(
        verify(tmp_path, 2),
        "The environment <name> has no stack of its own:",
        "<file> does not exist: name a customer, or run this in the project's folder",
    )
    never_up = "Stack <stack> has no connection yet: make it with `dataloop-sts up` or `pulumi up`."
    assert_told(verify(empty_project.folder, 1), never_up)


def test_a_spec_file_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    done = _run("automation.cli", "policies", str(file))
    assert done.code == 2, done.output
    assert_told(done.output, "<file> cannot be read:")
    file.write_text("customer: acme: inc")
    done = _run("automation.cli", "policies", str(file))
    assert done.code == 2, done.output
    assert_told(done.output, "<file> is not valid YAML:", "line <number>, column <number>: <reason>")


def _run(module: str, *arguments: str, folder: Path = CHECKOUT, **variables: str) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return Done(done.returncode, done.stdout)

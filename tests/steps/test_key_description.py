"""A key's description is written where the AWS console keeps it, follows the key, and goes with it."""

from __future__ import annotations

import pytest

from dataloop_sts.errors import AwsError
from dataloop_sts.steps.key_description import PREVIOUS_VARIABLE, DescriptionRequest, remove, write
from tests.steps.aws_world import REGION, World
from tests.steps.starting import Starting

KEY, OTHER_KEY = "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE"


def request(world: World, key: str = KEY, text: str = "DataLoop reads S3") -> DescriptionRequest:
    """What the component asks for."""
    return DescriptionRequest(region=REGION, user=f"user-{world.tag}", access_key_id=key, description=text)


def tags(world: World) -> dict[str, str]:
    """The test's user's tags."""
    listed = world.iam.list_user_tags(UserName=f"user-{world.tag}")["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


@pytest.fixture
def user(world: World) -> str:
    """A user with a tag of somebody else's."""
    world.iam.create_user(UserName=f"user-{world.tag}", Tags=[{"Key": "team", "Value": "data"}])
    return f"user-{world.tag}"


@pytest.mark.usefixtures("user")
def test_the_description_is_a_tag_named_by_the_key_and_the_keys_id_is_printed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    write(request(world))
    write(request(world, text="DataLoop, once more"))
    assert tags(world) == {"team": "data", KEY: "DataLoop, once more"}
    assert capsys.readouterr().out == f"{KEY}\n" * 2


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("previous", [f"{OTHER_KEY}\n", OTHER_KEY])
def test_where_the_key_changed_the_former_ones_description_goes(
    previous: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(request(world, OTHER_KEY))
    monkeypatch.setenv(PREVIOUS_VARIABLE, previous)
    write(request(world, KEY))
    assert tags(world) == {"team": "data", KEY: "DataLoop reads S3"}


@pytest.mark.usefixtures("user")
def test_the_same_keys_description_is_not_taken_away_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREVIOUS_VARIABLE, f"{KEY}\n")
    write(request(world))
    assert KEY in tags(world)


@pytest.mark.usefixtures("user")
def test_remove_takes_away_this_keys_description_alone_and_may_be_repeated(world: World) -> None:
    write(request(world, KEY))
    write(request(world, OTHER_KEY))
    remove(request(world, KEY))
    remove(request(world, KEY))
    assert tags(world) == {"team": "data", OTHER_KEY: "DataLoop reads S3"}


def test_a_user_that_is_gone_took_its_descriptions_along(world: World) -> None:
    remove(request(world))


def test_a_user_that_does_not_appear_in_time_is_an_error_that_names_it(world: World) -> None:
    with pytest.raises(AwsError, match=f"user user-{world.tag}: NoSuchEntity"):
        write(request(world))


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("verb", ["write", "remove"])
def test_the_step_runs_as_a_process(verb: str, world: World, starting: Starting) -> None:
    done = starting.run(f"key_description {verb}", request(world).model_dump_json(), world)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"{KEY}\n" if verb == "write" else "")
    assert (KEY in tags(world)) is (verb == "write")

"""The client's methods against the emulator: what they do, and what they do when the way there is bad."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from pydantic import SecretStr

from dataloop_sts.dataloop import (
    DataloopClient,
    Integration,
    LoginCredentials,
    NewDriver,
    Retries,
    StsCredentials,
    Timeouts,
    TokenCredentials,
)
from dataloop_sts.dataloop.auth import expires_at
from dataloop_sts.errors import (
    BadRequest,
    Conflict,
    DataloopError,
    DataloopStsError,
    DriverTestFailed,
    Forbidden,
    NotAuthenticated,
    NotFound,
    RateLimited,
    ServerError,
    Unreachable,
)
from sandbox.dataloop.server import DataloopServer

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # the example of AWS's documentation
CREDENTIALS = StsCredentials(
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    secret_access_key=SecretStr(SECRET),
    role_arn="arn:aws:iam::123456789012:role/acme-dataloop",
)
INTEGRATIONS = "/integrations$"


@pytest.fixture
def name() -> str:
    return f"acme-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def integration(client: DataloopClient, emulator: DataloopServer, name: str) -> Integration:
    return client.create_integration(emulator.org_id, name, CREDENTIALS)


@pytest.fixture
def new_driver(client: DataloopClient, emulator: DataloopServer, integration: Integration, name: str) -> NewDriver:
    return NewDriver(
        name=name,
        project_id=emulator.project_id,
        integration_id=integration.id,
        bucket="acme-images",
        region="eu-west-1",
        path="raw/",
        allow_delete=False,
        creator=client.me().email,
    )


def test_user_organization_and_project_are_typed(client: DataloopClient, emulator: DataloopServer) -> None:
    assert "@" in client.me().email
    assert client.organization(emulator.org_id).id == emulator.org_id
    assert client.project(emulator.project_id).org == emulator.org_id


def test_an_integration_lives_from_create_to_delete(
    client: DataloopClient, emulator: DataloopServer, name: str
) -> None:
    org = emulator.org_id
    created = client.create_integration(org, name, CREDENTIALS)
    assert (created.name, created.type, created.org) == (name, "aws-sts", org)
    assert client.me().made(created)
    assert client.integration(org, created.id) == created
    assert created in client.integrations(org)

    renamed = client.update_integration(org, created.id, name=name + "-2")
    assert renamed.name == name + "-2"
    rotated = client.update_integration(org, created.id, credentials=CREDENTIALS)
    assert rotated.updated_at != created.updated_at
    assert client.integration(org, created.id).updated_at == rotated.updated_at

    client.delete_integration(org, created.id)
    with pytest.raises(NotFound, match=created.id):
        client.integration(org, created.id)
    with pytest.raises(NotFound):
        client.delete_integration(org, created.id)


def test_a_driver_lives_from_create_to_delete(client: DataloopClient, new_driver: NewDriver) -> None:
    created = client.create_driver(new_driver)
    as_wanted = created.model_dump(include=set(NewDriver.model_fields))
    assert as_wanted == new_driver.model_dump()
    assert client.driver(created.id) == created
    assert [driver.id for driver in client.drivers(integration_id=new_driver.integration_id)] == [created.id]
    assert created.id in {driver.id for driver in client.drivers(project_id=new_driver.project_id)}
    assert client.driver_count(new_driver.integration_id) == 1
    assert client.datasets_of_driver(new_driver.project_id, created.id) == []

    client.update_driver(created.id, path="", allow_delete=True)
    changed = client.driver(created.id)
    assert (changed.path, changed.allow_delete, changed.name) == ("", True, new_driver.name)
    client.update_driver(created.id, path="cooked/")
    assert client.driver(created.id).allow_delete is True
    client.delete_driver(created.id)
    assert client.driver_count(new_driver.integration_id) == 0


def test_datasets_on_a_driver_are_found_and_others_are_not(
    client: DataloopClient, emulator: DataloopServer, new_driver: NewDriver
) -> None:
    driver = client.create_driver(new_driver)
    other = client.create_driver(new_driver.model_copy(update={"name": f"{new_driver.name}-2"}))
    for dataset, on in (("on-it", driver), ("elsewhere", other)):
        requests.post(
            f"{emulator.api_url}/datasets",
            json={"name": f"{new_driver.name}-{dataset}", "projects": [emulator.project_id], "driver": on.id},
            headers={"Authorization": f"Bearer {emulator.token}"},
            timeout=5,
        ).raise_for_status()
    found = client.datasets_of_driver(emulator.project_id, driver.id)
    assert [dataset.name for dataset in found] == [f"{new_driver.name}-on-it"]


def test_a_test_that_cannot_use_the_storage_tells_the_platforms_reason(
    client: DataloopClient, new_driver: NewDriver
) -> None:
    with pytest.raises(DriverTestFailed) as before:
        client.test_new_driver(new_driver)
    assert before.value.message
    driver = client.create_driver(new_driver)
    with pytest.raises(DriverTestFailed, match=driver.id):
        client.test_driver(driver.id)


def test_a_name_that_is_taken_is_a_conflict(client: DataloopClient, emulator: DataloopServer, name: str) -> None:
    client.create_integration(emulator.org_id, name, CREDENTIALS)
    with pytest.raises(Conflict, match=name) as conflict:
        client.create_integration(emulator.org_id, name, CREDENTIALS)
    assert not conflict.value.maybe_applied
    assert conflict.value.request_id


def test_what_a_create_needs_and_does_not_find_is_told_apart_from_the_thing_itself(
    client: DataloopClient, name: str
) -> None:
    with pytest.raises(
        NotFound, match=rf'does not know something that integration "{name}".*no-such-org.*Check the ids'
    ):
        client.create_integration("no-such-org", name, CREDENTIALS)


def test_unknown_ids_are_named_with_where_to_look(client: DataloopClient) -> None:
    with pytest.raises(NotFound, match=r"organization no-such-org.*iam/ORGANIZATION_ID"):
        client.organization("no-such-org")
    with pytest.raises(NotFound, match=r"project no-such-project.*projects/PROJECT_ID"):
        client.project("no-such-project")
    with pytest.raises(NotFound, match="organization no-such-org"):
        client.integrations("no-such-org")


@pytest.mark.parametrize("hostile", ["../users/me", "a/b", "x?y=z", "ü #%"])
def test_an_id_stays_one_segment_of_the_path(client: DataloopClient, hostile: str) -> None:
    with pytest.raises((NotFound, BadRequest)):
        client.organization(hostile)


def test_a_member_who_is_not_the_owner_is_told_about_the_owners_rights(
    emulator: DataloopServer, make_client: Callable[..., DataloopClient], name: str
) -> None:
    member = make_client(emulator.api_url, emulator.non_owner_token)
    with pytest.raises(Forbidden, match="organization's owner") as forbidden:
        member.create_integration(emulator.org_id, name, CREDENTIALS)
    assert forbidden.value.status == 403


def test_an_expired_token_is_told_with_its_end(
    emulator: DataloopServer, make_client: Callable[..., DataloopClient]
) -> None:
    expired = make_client(emulator.api_url, emulator.expired_token)
    ends = expires_at(SecretStr(emulator.expired_token))
    assert ends is not None
    with pytest.raises(NotAuthenticated, match=f"expired on {ends:%Y-%m-%d at %H:%M} UTC.*DATALOOP_TOKEN"):
        expired.me()


def test_a_forged_token_is_refused_and_never_shown(
    emulator: DataloopServer, make_client: Callable[..., DataloopClient]
) -> None:
    forged = emulator.token[:-4] + "AAAA"
    with pytest.raises(NotAuthenticated) as refused:
        make_client(emulator.api_url, forged).me()
    assert forged not in str(refused.value)


def test_a_machine_logs_in_once_and_reuses_its_token(
    emulator: DataloopServer, make_client: Callable[..., DataloopClient], calls: Callable[[str, str], int]
) -> None:
    machine = make_client(emulator.api_url, LoginCredentials(emulator.username, SecretStr(emulator.password)))
    with ThreadPoolExecutor(8) as pool:
        emails = {user.email for user in pool.map(lambda _: machine.me(), range(16))}
    assert emails == {emulator.username}
    assert calls("POST", "/token") == 1


def test_a_wrong_password_names_the_two_variables(
    emulator: DataloopServer, make_client: Callable[..., DataloopClient], calls: Callable[[str, str], int]
) -> None:
    machine = make_client(emulator.api_url, LoginCredentials(emulator.username, SecretStr("not-the-password")))
    with pytest.raises(NotAuthenticated, match="DATALOOP_USERNAME and DATALOOP_PASSWORD") as refused:
        machine.me()
    assert emulator.username in str(refused.value)
    assert calls("POST", "/token") == 1, "a wrong password is not tried again: accounts get locked"


@pytest.fixture
def short_logins(emulator: DataloopServer) -> Iterator[Callable[[float], None]]:
    url = f"{emulator.control_url}/login-lifetime"
    yield lambda seconds: requests.put(url, json={"seconds": seconds}, timeout=5).raise_for_status()
    requests.delete(url, timeout=5)


def test_a_login_whose_token_ends_at_once_is_renewed_for_the_call(
    emulator: DataloopServer,
    make_client: Callable[..., DataloopClient],
    short_logins: Callable[[float], None],
    calls: Callable[[str, str], int],
) -> None:
    short_logins(-10)
    machine = make_client(emulator.api_url, LoginCredentials(emulator.username, SecretStr(emulator.password)))
    with pytest.raises(NotAuthenticated):
        machine.me()  # each new token has ended already: one renewal, then it gives up
    assert (calls("POST", "/token"), calls("GET", "/users/me")) == (2, 2)
    short_logins(3600)
    assert machine.me().email == emulator.username


def test_reads_are_repeated_through_errors_and_broken_connections(
    client: DataloopClient, fault: Callable[..., None], calls: Callable[[str, str], int], waits: list[float]
) -> None:
    fault("GET", "/users/me$", status=502)
    fault("GET", "/users/me$", drop="before")
    fault("GET", "/users/me$", drop="after")
    assert client.me().email
    assert calls("GET", "/users/me") == 4
    assert len(waits) == 3
    assert waits[0] <= 0.5 and waits[1] <= 1.0 and waits[2] <= 2.0


def test_repeats_are_bounded(
    client: DataloopClient, fault: Callable[..., None], calls: Callable[[str, str], int]
) -> None:
    fault("GET", "/users/me$", times=50, status=503)
    with pytest.raises(ServerError) as error:
        client.me()
    assert error.value.status == 503
    assert calls("GET", "/users/me") == Retries().attempts


def test_a_rate_limit_is_waited_out(client: DataloopClient, fault: Callable[..., None], waits: list[float]) -> None:
    fault("GET", "/users/me$", status=429, retry_after_s=7)
    assert client.me().email
    assert 7 <= waits[0] <= 7.5


def test_a_rate_limit_longer_than_the_limit_is_reported_at_once(
    client: DataloopClient, fault: Callable[..., None], calls: Callable[[str, str], int], waits: list[float]
) -> None:
    fault("GET", "/users/me$", status=429, retry_after_s=3600)
    with pytest.raises(RateLimited) as limited:
        client.me()
    assert limited.value.retry_after == 3600
    assert "3600 s" in str(limited.value)
    assert (calls("GET", "/users/me"), waits) == (1, [])


def test_a_create_whose_answer_is_lost_is_not_repeated(
    client: DataloopClient,
    emulator: DataloopServer,
    fault: Callable[..., None],
    calls: Callable[[str, str], int],
    name: str,
) -> None:
    fault("POST", INTEGRATIONS, drop="after")
    with pytest.raises(Unreachable, match="look before repeating") as lost:
        client.create_integration(emulator.org_id, name, CREDENTIALS)
    assert lost.value.maybe_applied
    assert calls("POST", "/integrations") == 1
    assert [found.name for found in client.integrations(emulator.org_id)].count(name) == 1


def test_a_create_that_times_out_is_not_repeated(
    emulator: DataloopServer,
    make_client: Callable[..., DataloopClient],
    fault: Callable[..., None],
    calls: Callable[[str, str], int],
    name: str,
) -> None:
    hasty = make_client(emulator.api_url, emulator.token, timeout=Timeouts(connect=1, read=0.2, total=5))
    fault("POST", INTEGRATIONS, delay_s=0.8)
    with pytest.raises(Unreachable, match=r"no answer within 0.2 s") as lost:
        hasty.create_integration(emulator.org_id, name, CREDENTIALS)
    assert lost.value.maybe_applied
    assert calls("POST", "/integrations") == 1


def test_a_create_that_fails_on_the_platform_may_have_been_applied(
    client: DataloopClient,
    emulator: DataloopServer,
    fault: Callable[..., None],
    calls: Callable[[str, str], int],
    name: str,
) -> None:
    fault("POST", INTEGRATIONS, status=502)
    with pytest.raises(ServerError) as error:
        client.create_integration(emulator.org_id, name, CREDENTIALS)
    assert error.value.maybe_applied
    assert calls("POST", "/integrations") == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_create_is_repeated_where_the_platform_did_nothing(
    client: DataloopClient, emulator: DataloopServer, fault: Callable[..., None], name: str, status: int
) -> None:
    fault("POST", INTEGRATIONS, status=status, retry_after_s=1)
    assert client.create_integration(emulator.org_id, name, CREDENTIALS).name == name
    assert [found.name for found in client.integrations(emulator.org_id)].count(name) == 1


def test_changed_credentials_are_sent_again_after_a_lost_answer(
    client: DataloopClient,
    emulator: DataloopServer,
    integration: Integration,
    fault: Callable[..., None],
    calls: Callable[[str, str], int],
) -> None:
    fault("PATCH", INTEGRATIONS, drop="after")
    assert client.update_integration(emulator.org_id, integration.id, credentials=CREDENTIALS).id == integration.id
    assert calls("PATCH", "/integrations") == 2


def test_a_delete_whose_answer_is_lost_has_done_its_work(
    client: DataloopClient, emulator: DataloopServer, integration: Integration, fault: Callable[..., None]
) -> None:
    fault("DELETE", f"/{integration.id}$", drop="after")
    client.delete_integration(emulator.org_id, integration.id)
    with pytest.raises(NotFound):
        client.delete_integration(emulator.org_id, integration.id)


def test_what_a_change_could_not_be_told_is_said(
    client: DataloopClient, emulator: DataloopServer, integration: Integration, fault: Callable[..., None]
) -> None:
    fault("PATCH", INTEGRATIONS, times=50, drop="after")
    with pytest.raises(Unreachable) as lost:
        client.update_integration(emulator.org_id, integration.id, credentials=CREDENTIALS)
    assert lost.value.maybe_applied
    assert SECRET not in str(lost.value)


def test_the_same_settings_share_one_client_in_a_process(emulator: DataloopServer) -> None:
    environ = {"DATALOOP_API_URL": emulator.api_url, "DATALOOP_TOKEN": emulator.token}
    with ThreadPoolExecutor(4) as pool:
        clients = set(pool.map(lambda _: DataloopClient.shared(environ), range(8)))
    assert len(clients) == 1
    assert clients.pop().me().email
    other = DataloopClient.shared(environ | {"DATALOOP_TOKEN": emulator.non_owner_token})
    assert other is not DataloopClient.shared(environ)


def test_any_failure_is_one_base_class(client: DataloopClient) -> None:
    with pytest.raises(DataloopError):
        client.driver("no-such-driver")


def test_no_attempt_is_made_any_more_once_the_caller_is_told_to_stop(
    emulator: DataloopServer, fault: Callable[..., None], calls: Callable[[str, str], int]
) -> None:
    allowed = iter([None])

    def stop_after_one() -> None:
        if next(allowed, "no more") == "no more":
            raise DataloopStsError("told to stop")

    client = DataloopClient(
        emulator.api_url,
        TokenCredentials(SecretStr(emulator.token)),
        retries=Retries(sleep=lambda seconds: None),
        before_attempt=stop_after_one,
    )
    fault("GET", "/users/me$", times=5, status=503)
    with pytest.raises(DataloopStsError, match="told to stop"):
        client.me()
    assert calls("GET", "/users/me") == 1

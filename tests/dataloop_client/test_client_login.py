"""Tokens and logins: when one is renewed, what is said when none is accepted, and that none is ever shown."""

from __future__ import annotations

import json
import logging
import pickle
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dataloop_sts.dataloop import DataloopClient, LoginCredentials, StsCredentials, TokenCredentials
from dataloop_sts.dataloop.auth import expires_at
from dataloop_sts.errors import DataloopError, InvalidSetting, NotAuthenticated, UnexpectedAnswer, Unreachable

ME = {"json": {"id": "u1", "email": "me@example.com"}}
REFUSED = {"status": 401, "json": {"message": "jwt expired"}}
PASSWORD = 'pass/word+with%odd "characters"'
LOGIN = LoginCredentials("bot@example.com", SecretStr(PASSWORD))


def grant(token: str, refresh_token: str | None = None) -> dict[str, Any]:
    return {"json": {"id_token": token} | ({"refresh_token": refresh_token} if refresh_token else {})}


def test_login_is_sent_to_the_gate_as_the_vendors_client_sends_it(scripted: Any, make_client: Any) -> None:
    server = scripted(grant("first.fresh.token"), ME)
    make_client(server.api_url, LOGIN).me()
    login, call = server.requests
    assert (login.method, login.path) == ("POST", "/token?default")
    assert "Authorization" not in login.headers
    assert json.loads(login.body) == {"type": "user_credentials", "username": LOGIN.username, "password": PASSWORD}
    assert call.headers["Authorization"] == "Bearer first.fresh.token"


def test_a_token_near_its_end_is_refreshed_before_the_call(
    scripted: Any, make_client: Any, make_token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    first, second = (make_token(iat=now, exp=now + 3600, jti=jti) for jti in (1, 2))
    server = scripted(grant(first, "refresh-me"), ME, ME, grant(second), ME)
    client = make_client(server.api_url, LOGIN)
    client.me()
    started = time.monotonic()
    monkeypatch.setattr("dataloop_sts.dataloop.auth.time.monotonic", lambda: started + 3500)
    client.me()
    monkeypatch.setattr("dataloop_sts.dataloop.auth.time.monotonic", lambda: started + 3550)
    client._transport.deadline = lambda: started + 3600 + 120  # type: ignore[method-assign]
    client.me()
    refresh = server.requests[3]
    assert refresh.path == "/token?default"
    assert json.loads(refresh.body) == {"type": "refresh_token", "refresh_token": "refresh-me"}
    assert server.requests[4].headers["Authorization"] == f"Bearer {second}"


def test_a_refresh_that_is_refused_falls_back_to_the_login(scripted: Any, make_client: Any, make_token: Any) -> None:
    short = make_token(iat=1000, exp=1000.1)  # a life of 0.1 s, by whichever clock
    server = scripted(grant(short, "stale"), ME, REFUSED, grant("new.login.token"), ME)
    client = make_client(server.api_url, LOGIN)
    client.me()
    time.sleep(0.12)
    client.me()
    assert json.loads(server.requests[3].body)["type"] == "user_credentials"
    assert server.requests[4].headers["Authorization"] == "Bearer new.login.token"


def test_a_clock_that_is_wrong_here_does_not_make_every_call_log_in(
    scripted: Any, make_client: Any, make_token: Any
) -> None:
    yesterday = time.time() - 86_400
    server = scripted(grant(make_token(iat=yesterday, exp=yesterday + 3600)), ME, ME)
    client = make_client(server.api_url, LOGIN)
    client.me()
    client.me()
    assert len(server.requests) == 3


def test_a_rejected_token_is_renewed_once_even_for_a_create(scripted: Any, make_client: Any) -> None:
    server = scripted(grant("old.old.old"), REFUSED, grant("new.new.new"), {"json": {"id": "i1", "name": "n"}})
    credentials = StsCredentials(access_key_id="AKIA", secret_access_key=SecretStr("x" * 40), role_arn="r")
    assert make_client(server.api_url, LOGIN).create_integration("o", "n", credentials).id == "i1"
    assert [request.path for request in server.requests][2] == "/token?default"


def test_a_second_rejection_is_reported(scripted: Any, make_client: Any) -> None:
    server = scripted(grant("a.a.a"), REFUSED, grant("b.b.b"), REFUSED)
    with pytest.raises(NotAuthenticated, match="jwt expired"):
        make_client(server.api_url, LOGIN).me()
    assert len(server.requests) == 4


def test_threads_whose_token_is_rejected_share_one_new_login(scripted: Any, make_client: Any) -> None:
    logins = 0

    def reply(request: Any) -> dict[str, Any]:
        nonlocal logins
        if request.path == "/token?default":
            logins += 1
            return grant(f"token.number.{logins}")
        return ME if request.headers["Authorization"] == "Bearer token.number.2" else REFUSED

    client = make_client(scripted(*[reply] * 100).api_url, LOGIN)
    with ThreadPoolExecutor(8) as pool:
        assert {user.id for user in pool.map(lambda _: client.me(), range(16))} == {"u1"}
    assert logins == 2


def test_the_login_is_repeated_where_the_server_fails(scripted: Any, make_client: Any, waits: list[float]) -> None:
    server = scripted({"status": 502, "raw": b"<html>"}, {"drop": True}, grant("a.b.c"), ME)
    assert make_client(server.api_url, LOGIN).me().id == "u1"
    assert len(waits) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refused_login_never_looks_as_if_the_resource_were_gone(scripted: Any, make_client: Any, status: int) -> None:
    server = scripted({"status": status, "json": {"message": "not found"}})
    with pytest.raises(NotAuthenticated, match=r"refused the login of bot@example\.com"):
        make_client(server.api_url, LOGIN).driver("d1")
    assert [request.path for request in server.requests] == ["/token?default"]


@pytest.mark.parametrize("answer", [{}, [], None, {"id_token": 7}, {"id_token": "with blank"}, {"id_token": "a\r\nb"}])
def test_a_login_that_answers_otherwise_is_no_login(scripted: Any, make_client: Any, answer: object) -> None:
    with pytest.raises(UnexpectedAnswer, match=r"the login.*no id_token"):
        make_client(scripted({"json": answer}).api_url, LOGIN).me()


def test_a_static_token_is_sent_once_and_never_logs_in(scripted: Any, make_client: Any) -> None:
    server = scripted(REFUSED)
    with pytest.raises(NotAuthenticated, match=r"not a JSON Web Token.*DATALOOP_TOKEN"):
        make_client(server.api_url, "no-jwt").me()
    assert [request.path for request in server.requests] == ["/api/v1/users/me"]


def test_a_valid_looking_token_that_is_rejected_is_not_said_to_be_expired(
    scripted: Any, make_client: Any, make_token: Any
) -> None:
    rejected = {"status": 401, "json": {"message": "unknown issuer"}}
    with pytest.raises(NotAuthenticated, match="unknown issuer") as refused:
        make_client(scripted(rejected).api_url, make_token(exp=time.time() + 900)).me()
    assert "expired" not in str(refused.value)


def test_a_pasted_bearer_prefix_and_line_end_are_forgiven(scripted: Any, make_client: Any) -> None:
    server = scripted(ME)
    make_client(server.api_url, "Bearer the.real.token\n").me()
    assert server.requests[0].headers["Authorization"] == "Bearer the.real.token"


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "tokén"])
def test_a_token_that_cannot_be_one_is_refused_unshown(make_client: Any, token: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        make_client("http://127.0.0.1:9/api/v1", token)
    assert not token.strip() or token not in str(refused.value)


class TestEnvironment:
    """What DataloopClient.from_environment takes from it."""

    def test_nothing_set_names_the_token(self) -> None:
        with pytest.raises(NotAuthenticated, match="DATALOOP_TOKEN is not set"):
            DataloopClient.from_environment({})

    @pytest.mark.parametrize(
        ("given", "missing"), [("DATALOOP_USERNAME", "DATALOOP_PASSWORD"), ("DATALOOP_PASSWORD", "DATALOOP_USERNAME")]
    )
    def test_half_a_login_names_the_other_half(self, given: str, missing: str) -> None:
        with pytest.raises(NotAuthenticated, match=f"{missing} is not set"):
            DataloopClient.from_environment({given: "something", "DATALOOP_TOKEN": ""})

    def test_the_default_is_dataloops_own_address(self) -> None:
        client = DataloopClient.from_environment({"DATALOOP_TOKEN": "a.b.c"})
        assert client.api_url == "https://gate.dataloop.ai/api/v1"

    def test_the_token_comes_before_the_login(self, scripted: Any) -> None:
        server = scripted(ME)
        environ = {"DATALOOP_TOKEN": "a.b.c", "DATALOOP_USERNAME": "u", "DATALOOP_PASSWORD": "p"}
        DataloopClient.from_environment(environ | {"DATALOOP_API_URL": server.api_url}).me()
        assert [request.path for request in server.requests] == ["/api/v1/users/me"]


class TestAddress:
    """Where a token may go."""

    @pytest.mark.parametrize(
        "url",
        [
            "http://gate.dataloop.ai/api/v1",
            "http://127.0.0.1.example.com/api/v1",
            "http://0.0.0.0:80/api/v1",
            "http://localhost.example.com/api/v1",
            "http://127.0.0.1@example.com/api/v1",
            "http://127.0.0.1\\@example.com/api/v1",
            "http://127.0.0.1#@example.com/api/v1",
            "https://user:password123@gate.dataloop.ai/api/v1",
            "https://gate.dataloop.ai",
            "https://gate.dataloop.ai/api/v1?x=y",
            "https://gate.dataloop.ai:port/api/v1",
            "https://gate.dataloop.ai:99999/api/v1",
            "https:///api/v1",
            "ftp://gate.dataloop.ai/api/v1",
            "gate.dataloop.ai/api/v1",
            "https://gate.data loop.ai/api/v1",
            "https://[::1/api/v1",
            "",
        ],
    )
    def test_what_is_refused(self, make_client: Any, url: str) -> None:
        with pytest.raises(InvalidSetting, match="DATALOOP_API_URL") as refused:
            make_client(url)
        assert "password123" not in str(refused.value)

    @pytest.mark.parametrize(
        "url",
        [
            "https://gate.dataloop.ai/api/v1",
            "https://gate.example.com:8443/dataloop/api/v1/",
            "http://127.0.0.1:1234/api/v1",
            "http://127.8.8.8/api/v1",
            "http://localhost:1234/api/v1",
            "http://[::1]:1234/api/v1",
            "  https://gate.dataloop.ai/api/v1\n",
        ],
    )
    def test_what_is_accepted(self, make_client: Any, url: str) -> None:
        assert make_client(url).api_url == url.strip().rstrip("/")

    @given(st.text())
    def test_anything_is_accepted_or_refused_in_words(self, url: str) -> None:
        try:
            DataloopClient(url, TokenCredentials(SecretStr("a.b.c")))
        except InvalidSetting as refused:
            assert "DATALOOP_API_URL" in str(refused)


@given(st.text() | st.builds("{0}.{1}.{0}".format, st.text(), st.text()))
def test_no_token_breaks_the_reading_of_its_claims(token: str) -> None:
    expires_at(SecretStr(token))


@pytest.mark.parametrize("exp", [1e300, -1e300, True, "soon", None, [], float("inf")])
def test_an_end_that_is_none_is_not_known(make_token: Any, exp: object) -> None:
    assert expires_at(SecretStr(make_token(exp=exp))) is None


class TestNothingLeaks:
    """Secrets searched for in logs at every level, in exceptions with all that hangs on them, and in reprs."""

    SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    TOKEN = "opaque-token-value-0123456789"
    CREDENTIALS = StsCredentials(
        access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key=SecretStr(SECRET), role_arn="arn:aws:iam::1:role/r"
    )

    def everything(self, error: BaseException) -> str:
        """All text that a careless reporter could find: the chain, attributes, locals of each frame but the test's."""
        found: list[str] = []
        waiting: list[BaseException | None] = [error]
        while waiting:
            current = waiting.pop()
            if current is None:
                continue
            frames = current.__traceback__.tb_next if current is error and current.__traceback__ else None
            report = traceback.TracebackException(type(current), current, frames, capture_locals=True)
            found += [*report.format(), repr(current), repr(vars(current)), repr(pickle.dumps(current.args))]
            waiting += [current.__cause__, current.__context__]
        return "".join(found)

    @pytest.mark.parametrize(
        "reply",
        [
            {"status": 400, "json": {"message": f"bad secret {SECRET} in Bearer {TOKEN}"}},
            {"status": 500, "json": {"error": {"message": json.dumps({"key": SECRET, "password": PASSWORD})}}},
            {"status": 403, "json": {"message": SECRET}, "headers": {"x-request-id": "r-1"}},
            {"status": 302, "headers": {"Location": "https://user:hunter2hunter2@example.com/"}},
            {"drop": True},
            {"raw": SECRET.encode()},
            {"json": {"name": SECRET}},
            {"status": 401, "json": {"message": f"token {TOKEN}"}},
        ],
    )
    def test_when_a_create_fails(
        self, scripted: Any, make_client: Any, caplog: pytest.LogCaptureFixture, reply: dict[str, Any]
    ) -> None:
        caplog.set_level(logging.NOTSET)
        for name in ("urllib3", "requests", "dataloop_sts"):
            caplog.set_level(logging.DEBUG, logger=name)
        client = make_client(scripted(grant(self.TOKEN), *[reply] * 9).api_url, LOGIN)
        try:
            client.create_integration("o", "n", self.CREDENTIALS)
        except DataloopError as error:
            caught = error
        text = str(caught) + repr(caught) + repr(vars(caught)) + caplog.text + repr(client) + repr(vars(client))
        assert "dataloop_sts.dataloop.transport" in caplog.text, "the log was looked at while it was written"
        for secret in (self.SECRET, self.TOKEN, PASSWORD, json.dumps(PASSWORD)[1:-1], "hunter2hunter2"):
            assert secret not in text
        assert caught.__cause__ is None and caught.__context__ is None

    def test_no_request_hangs_on_an_error(self, make_client: Any, scripted: Any) -> None:
        client = make_client(scripted(*[{"drop": True}] * 9).api_url, self.TOKEN)
        with pytest.raises(Unreachable) as lost:
            client.create_integration("o", "n", self.CREDENTIALS)
        everything = self.everything(lost.value)
        assert self.TOKEN not in everything
        assert self.SECRET not in everything

    @pytest.mark.parametrize(
        "replies", [[REFUSED], [{"json": {"id_token": TOKEN + " x"}}], [{"raw": TOKEN.encode()}], [{"drop": True}] * 9]
    )
    def test_nothing_hangs_on_the_error_of_a_login(self, make_client: Any, scripted: Any, replies: list[Any]) -> None:
        client = make_client(scripted(*replies).api_url, LOGIN)
        with pytest.raises(DataloopError) as failed:
            client.me()
        everything = self.everything(failed.value)
        assert "deadline" in everything, "the frames' variables are among what is searched"
        assert PASSWORD not in everything and repr(PASSWORD)[1:-1] not in everything
        assert self.TOKEN not in everything

    def test_in_reprs(self) -> None:
        things = [self.CREDENTIALS, LOGIN, TokenCredentials(SecretStr(self.TOKEN))]
        shown = (
            repr(things) + str(things) + "".join(f"{thing}" for thing in things) + self.CREDENTIALS.model_dump_json()
        )
        for secret in (self.SECRET, PASSWORD, self.TOKEN):
            assert secret not in shown

"""How calls travel: redirects, proxies, .netrc, time limits, repeats, and what is no answer of the API at all."""

from __future__ import annotations

import datetime
import http.client
import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dataloop_sts.dataloop import DataloopClient, NewDriver, Retries, StsCredentials, Timeouts
from dataloop_sts.dataloop.answers import error_of, json_of, models_of
from dataloop_sts.dataloop.models import Driver
from dataloop_sts.dataloop.transport import Answer, Call, parse_retry_after
from dataloop_sts.errors import (
    DriverTestFailed,
    Forbidden,
    InvalidSetting,
    NotFound,
    ServerError,
    UnexpectedAnswer,
    Unreachable,
)
from dataloop_sts.redaction import Redactor

ME = {"json": {"id": "u1", "email": "me@example.com"}}
DRIVER = NewDriver(
    name="d", project_id="p", integration_id="i", bucket="b", region="eu-west-1", allow_delete=False, creator="c"
)
CREDENTIALS = StsCredentials(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key=SecretStr("s" * 40), role_arn="r")


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_redirect_is_not_followed_with_the_token(scripted: Any, make_client: Any) -> None:
    elsewhere = scripted(ME)
    here = scripted({"status": 302, "headers": {"Location": f"{elsewhere.api_url}/users/me"}})
    with pytest.raises(UnexpectedAnswer, match=f"a redirect to 127.0.0.1:{elsewhere.port}"):
        make_client(here.api_url).me()
    assert elsewhere.requests == []


def test_netrc_does_not_replace_the_token(
    scripted: Any, make_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = scripted(ME)
    make_client(server.api_url, "the.real.token").me()
    assert server.requests[0].headers["Authorization"] == "Bearer the.real.token"


def test_loopback_is_reached_past_the_proxy_of_the_environment(
    scripted: Any, make_client: Any, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://user:proxypassword@127.0.0.1:{closed_port}")
    assert make_client(scripted(ME).api_url).me().email == "me@example.com"


def test_a_proxy_that_fails_is_named_without_its_password(
    make_client: Any, closed_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:proxypassword@127.0.0.1:{closed_port}")
    monkeypatch.delenv("https_proxy", raising=False)
    caplog.set_level(0)
    with pytest.raises(Unreachable, match="proxy") as unreachable:
        make_client("https://gate.example.invalid/api/v1").me()
    assert "proxypassword" not in str(unreachable.value) + caplog.text


def test_no_cookie_is_kept(scripted: Any, make_client: Any) -> None:
    server = scripted(ME | {"headers": {"Set-Cookie": "session=abc; Path=/"}}, ME)
    client = make_client(server.api_url)
    client.me()
    client.me()
    assert "Cookie" not in server.requests[1].headers


def test_a_refused_connection_is_retried_and_told_with_the_address(
    make_client: Any, closed_port: int, waits: list[float]
) -> None:
    client = make_client(f"http://127.0.0.1:{closed_port}/api/v1")
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{closed_port}.*refused \(5 attempts\).*DATALOOP_API_URL"):
        client.me()
    assert len(waits) == 4


def test_a_create_is_repeated_while_nothing_can_have_been_sent(
    make_client: Any, closed_port: int, waits: list[float]
) -> None:
    client = make_client(f"http://127.0.0.1:{closed_port}/api/v1")
    with pytest.raises(Unreachable) as unreachable:
        client.create_driver(DRIVER)
    assert len(waits) == 4
    assert not unreachable.value.maybe_applied


def test_an_error_that_the_caller_is_handling_is_not_taken_for_the_calls_own(
    scripted: Any, make_client: Any, closed_port: int
) -> None:
    server = scripted({"drop": True})
    try:
        socket.create_connection(("127.0.0.1", closed_port), timeout=1)
    except ConnectionRefusedError:
        with pytest.raises(Unreachable) as lost:
            make_client(server.api_url).create_driver(DRIVER)
    assert lost.value.maybe_applied
    assert len(server.requests) == 1


def test_an_unknown_host_is_said_to_be_unknown(make_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    with pytest.raises(Unreachable, match=r"host name gate\.example\.invalid is not known"):
        make_client("https://gate.example.invalid/api/v1").me()


def test_an_untrusted_certificate_is_refused_at_once(
    make_client: Any, tmp_path: Path, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    port, seen = _start_tls_server(tmp_path)
    with pytest.raises(Unreachable, match="certificate is not trusted") as unreachable:
        make_client(f"https://127.0.0.1:{port}/api/v1").create_integration("o", "n", CREDENTIALS)
    assert not unreachable.value.maybe_applied
    assert waits == []
    assert seen == [], "nothing is sent before the certificate is checked"


def test_a_silent_server_costs_no_more_than_the_read_limit(scripted: Any, make_client: Any) -> None:
    server = scripted({"delay": 1.5} | ME)
    client = make_client(server.api_url, retries=Retries(attempts=1), timeout=Timeouts(connect=1, read=0.2, total=10))
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        client.me()
    assert time.monotonic() - started < 1.2


def test_a_server_that_dribbles_is_cut_off_at_the_total_limit(scripted: Any, make_client: Any) -> None:
    server = scripted({"raw": b" " * 1000, "dribble": 0.05})
    client = make_client(server.api_url, timeout=Timeouts(connect=1, read=1, total=0.4))
    started = time.monotonic()
    with pytest.raises(Unreachable, match="time limit"):
        client.me()
    assert time.monotonic() - started < 2


def test_repeats_end_with_the_total_limit(scripted: Any, make_client: Any) -> None:
    server = scripted(*[{"status": 503, "headers": {"Retry-After": "9"}}] * 9)
    client = make_client(server.api_url, timeout=Timeouts(total=5))
    with pytest.raises(ServerError):
        client.me()
    assert len(server.requests) == 1, "a wait that ends after the limit is not begun"


def test_an_answer_cut_short_of_a_create_may_have_been_applied(scripted: Any, make_client: Any) -> None:
    server = scripted({"raw": b'{"id": "1', "missing": 50})
    with pytest.raises(Unreachable, match="broke") as broken:
        make_client(server.api_url).create_driver(DRIVER)
    assert broken.value.maybe_applied
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ({"raw": b"<html>Sign in to the hotel's network</html>"}, "an HTML page"),
        ({"raw": b""}, "an empty answer"),
        ({"raw": b"OK"}, "text that is not JSON"),
        ({"raw": b"\xff\xfe\x00"}, "text that is not JSON"),
        ({"raw": b"[" * 100_000}, "text that is not JSON"),
        ({"json": []}, "another shape"),
        ({"json": None}, "another shape"),
        ({"json": {"id": "u1"}}, r"another shape \(email"),
        ({"json": {"id": "u1", "email": {"a": 1}}}, r"another shape \(email"),
    ],
)
def test_what_is_no_answer_of_the_api_is_said_to_be_none(
    scripted: Any, make_client: Any, reply: dict[str, Any], found: str
) -> None:
    with pytest.raises(UnexpectedAnswer, match=f"did not answer as the Dataloop API does.*{found}"):
        make_client(scripted(reply).api_url).me()


_KEYS = st.sampled_from(["id", "_id", "name", "message", "error", "errors", "payload", "metadata", "system", "items"])


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS | st.text(), inner, max_size=4),
    )
)
def test_no_json_makes_anything_but_a_dataloop_error(document: Any) -> None:
    call = Call("GET", "/drivers", "drivers")
    for status in (200, 302, 400, 401, 404, 429, 503):
        answer = Answer(status, {}, json.dumps(document).encode())
        error = error_of(answer, call, Redactor())
        assert (error is None) == (status == 200)
        if error is not None:
            assert "\n" not in str(error)
    try:
        models_of(Driver, json_of(answer, call), answer, call)
    except UnexpectedAnswer as unexpected:
        assert unexpected.__context__ is None


@pytest.mark.parametrize("status", [403, 404])
def test_a_proxys_page_does_not_pass_for_gone_or_forbidden(scripted: Any, make_client: Any, status: int) -> None:
    page = {"status": status, "raw": b"<!DOCTYPE html><title>nothing here</title>"}
    with pytest.raises(UnexpectedAnswer) as unexpected:
        make_client(scripted(page).api_url).driver("d1")
    assert not isinstance(unexpected.value, NotFound | Forbidden)
    assert unexpected.value.status == status


def test_a_create_without_a_readable_answer_may_have_been_applied(scripted: Any, make_client: Any) -> None:
    with pytest.raises(UnexpectedAnswer) as unexpected:
        make_client(scripted({"json": {"name": "no id"}}).api_url).create_driver(DRIVER)
    assert unexpected.value.maybe_applied


@pytest.mark.parametrize("count", [3, 3.0])
def test_a_count_is_a_whole_number(scripted: Any, make_client: Any, count: float) -> None:
    assert make_client(scripted({"json": count}).api_url).driver_count("i") == 3


@pytest.mark.parametrize("count", [True, "3", None, 1.5, {}, float("nan"), float("inf")])
def test_anything_else_is_no_count(scripted: Any, make_client: Any, count: object) -> None:
    with pytest.raises(UnexpectedAnswer, match="no number"):
        make_client(scripted({"json": count}).api_url).driver_count("i")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 424])
def test_a_failed_test_is_told_apart_whichever_status_it_has(scripted: Any, make_client: Any, status: int) -> None:
    server = scripted({"status": status, "json": {"message": "AccessDenied on b"}})
    with pytest.raises(DriverTestFailed, match="AccessDenied on b") as failed:
        make_client(server.api_url).test_new_driver(DRIVER)
    assert failed.value.status == status


def test_pages_of_datasets_are_read_to_their_end(scripted: Any, make_client: Any) -> None:
    def page(*ids: str, more: bool) -> dict[str, Any]:
        return {"json": {"items": [{"id": i, "driver": "d"} for i in ids], "hasNextPage": more}}

    server = scripted(page("1", "2", more=True), page("3", more=False))
    assert [found.id for found in make_client(server.api_url).datasets_of_driver("p", "d")] == ["1", "2", "3"]
    endless = scripted(*[page("1", more=True)] * 5)
    assert len(make_client(endless.api_url).datasets_of_driver("p", "d")) == 1
    assert len(endless.requests) == 2


@pytest.mark.parametrize("of", ["integrations", "drivers"])
def test_a_page_is_taken_for_the_whole_list_only_where_it_is_the_last(of: str, scripted: Any, make_client: Any) -> None:
    def listed(more: bool) -> list[str]:
        server = scripted({"json": {"items": [{"id": "1"}, {"id": "2"}], "hasNextPage": more}})
        client = make_client(server.api_url)
        return [found.id for found in (client.integrations("o") if of == "integrations" else client.drivers())]

    assert listed(more=False) == ["1", "2"]
    with pytest.raises(UnexpectedAnswer, match="one page of several where all was asked for"):
        listed(more=True)


@pytest.mark.parametrize("empty", ["", " ", ".", ".."])
def test_an_id_that_would_lead_elsewhere_is_not_sent(scripted: Any, make_client: Any, empty: str) -> None:
    server = scripted(ME)
    with pytest.raises(InvalidSetting):
        make_client(server.api_url).driver(empty)
    assert server.requests == []


def test_many_threads_use_one_client(scripted: Any, make_client: Any) -> None:
    server = scripted(*[lambda request: {"json": {"id": request.path.rsplit("/", 1)[-1]}}] * 200)
    client: DataloopClient = make_client(server.api_url)
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda number: client.driver(f"d{number}").id, range(200)))
    assert found == [f"d{number}" for number in range(200)]


def test_http_clients_debug_output_does_not_print_the_token(
    scripted: Any, make_client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    make_client(scripted(ME).api_url, "the.real.token").me()
    assert "the.real.token" not in "".join(capsys.readouterr())


class TestRetryAfter:
    """The header of RFC 9110."""

    def test_seconds(self) -> None:
        assert parse_retry_after(" 12 ") == 12

    def test_date(self) -> None:
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
        assert 25 <= (parse_retry_after(format_datetime(soon, usegmt=True)) or 0) <= 30

    def test_date_that_has_passed(self) -> None:
        assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0

    @given(st.text())
    def test_anything(self, value: str) -> None:
        seconds = parse_retry_after(value)
        assert seconds is None or seconds >= 0

    def test_date_is_waited_out(self, scripted: Any, make_client: Any, waits: list[float]) -> None:
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=10)
        limited = {"status": 429, "headers": {"Retry-After": format_datetime(soon, usegmt=True)}}
        make_client(scripted(limited, ME).api_url).me()
        assert 5 <= waits[0] <= 11


def test_waits_are_drawn_over_the_whole_range_and_stay_under_the_bound() -> None:
    retries = Retries(attempts=100, first_delay=1, longest_delay=10)
    for failures, bound in ((1, 1), (3, 4), (50, 10)):
        drawn = [retries.wait(failures, None) or 0 for _ in range(300)]
        assert 0 <= min(drawn) < bound * 0.1
        assert bound * 0.9 < max(drawn) <= bound
    assert retries.wait(100, None) is None


def _start_tls_server(folder: Path) -> tuple[int, list[bytes]]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    seen: list[bytes] = []

    def serve() -> None:
        with listener:
            try:
                connection, _ = listener.accept()
                connection.settimeout(5)
                with context.wrap_socket(connection, server_side=True) as secured:
                    if data := secured.recv(1000):
                        seen.append(data)
            except OSError:
                return

    Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1]), seen

"""Faults on demand, and the log of calls."""

from __future__ import annotations

import threading
import time

import pytest
import requests


@pytest.fixture
def order(server):
    def post(**fault):
        answer = requests.post(server.control_url + "/faults", json=fault, timeout=10)
        assert answer.status_code == 201, answer.text

    return post


def _calls(server):
    return requests.get(server.control_url + "/calls", timeout=10).json()


def test_a_status_fault_happens_to_the_next_matching_calls_only_and_without_effect(owner, order):
    order(method="post", path=r"/orgs/[^/]+/integrations$", times=2, status=503)
    body = owner.integration_body()
    assert owner.call("GET", owner.integrations).json() == []
    assert owner.call("POST", owner.integrations, json=body).status_code == 503
    assert owner.call("POST", owner.integrations, json=body).status_code == 503
    assert owner.call("GET", owner.integrations).json() == []
    assert owner.call("POST", owner.integrations, json=body).status_code == 200


def test_a_path_is_matched_from_the_hosts_root_or_from_the_apis(owner, server, order):
    for pattern in ("^/users/me$", "^/api/v1/users/me$"):
        order(method="GET", path=pattern, status=418)
        assert owner.call("GET", "/users/me").status_code == 418
    order(method="POST", path="^/token$", status=500)
    assert requests.post(server.api_url.removesuffix("/api/v1") + "/token?default", timeout=10).status_code == 500


def test_a_rate_limit_carries_retry_after(owner, order):
    order(method="GET", path="/users/me", retry_after_s=7)
    limited = owner.call("GET", "/users/me")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    order(method="GET", path="/users/me", status=503, retry_after_s=0)
    limited = owner.call("GET", "/users/me")
    assert (limited.status_code, limited.headers["Retry-After"]) == (503, "0")
    order(method="GET", path="/users/me", retry_after_s=0.2)
    assert owner.call("GET", "/users/me").headers["Retry-After"] == "1"


def test_a_delay_holds_one_call_and_no_other(owner, order):
    order(method="GET", path="^/orgs$", delay_s=1.0)
    slow: list[float] = []

    def call_slowly() -> None:
        start = time.monotonic()
        assert owner.call("GET", "/orgs").status_code == 200
        slow.append(time.monotonic() - start)

    thread = threading.Thread(target=call_slowly)
    thread.start()
    time.sleep(0.1)
    start = time.monotonic()
    assert owner.call("GET", "/projects").status_code == 200
    assert owner.create_integration()
    assert time.monotonic() - start < 0.8
    thread.join(10)
    assert slow[0] >= 1.0


def test_a_delay_outlasts_the_clients_timeout(owner, order):
    order(method="GET", path="^/orgs$", delay_s=5)
    with pytest.raises(requests.ReadTimeout):
        requests.get(owner.server.api_url + "/orgs", headers={"Authorization": f"Bearer {owner.token}"}, timeout=0.2)


def test_a_drop_before_the_effect_leaves_nothing_behind(owner, server, order):
    order(method="POST", path="/integrations$", drop="before")
    with pytest.raises(requests.ConnectionError, match=r"[Rr]emote end closed connection without response"):
        owner.create_integration()
    assert owner.call("GET", owner.integrations).json() == []
    assert [(call["status"], call["drop"]) for call in _calls(server)] == [(None, "before"), (200, None)]


def test_a_drop_after_the_effect_loses_only_the_answer(owner, server, order):
    order(method="POST", path="/integrations$", drop="after")
    with pytest.raises(requests.ConnectionError, match=r"[Rr]emote end closed connection without response"):
        owner.create_integration("lost")
    assert [integration["name"] for integration in owner.call("GET", owner.integrations).json()] == ["lost"]
    assert [(call["status"], call["drop"]) for call in _calls(server)] == [(200, "after"), (200, None)]


def test_faults_happen_in_the_order_they_were_given_and_can_be_cleared(owner, server, order):
    order(method="GET", path="/users/me", status=500)
    order(method="GET", path="/users/me", status=502, times=5)
    assert [owner.call("GET", "/users/me").status_code for _ in range(2)] == [500, 502]
    assert [fault["times"] for fault in requests.get(server.control_url + "/faults", timeout=10).json()] == [4]
    assert requests.delete(server.control_url + "/faults", timeout=10).status_code == 204
    assert owner.call("GET", "/users/me").status_code == 200


def test_the_log_names_calls_and_never_the_control_plane(owner, server, order):
    order(method="GET", path=".*", status=500, times=1)
    requests.get(server.control_url + "/faults", timeout=10).raise_for_status()
    owner.call("GET", "/orgs?secret=query")
    owner.call("GET", "/projects/unknown")
    owner.call("DELETE", "/nothing/here")
    assert [(call["method"], call["path"], call["status"]) for call in _calls(server)] == [
        ("GET", "/api/v1/orgs", 500),
        ("GET", "/api/v1/projects/unknown", 404),
        ("DELETE", "/api/v1/nothing/here", 404),
    ]
    assert requests.delete(server.control_url + "/calls", timeout=10).status_code == 204
    assert _calls(server) == []


def test_the_server_stops_in_the_middle_of_a_delay(owner, server, order):
    order(method="GET", path="^/orgs$", delay_s=60)
    thread = threading.Thread(target=lambda: requests.get(server.api_url + "/orgs", timeout=10))
    thread.start()
    time.sleep(0.1)
    start = time.monotonic()
    server.stop()
    thread.join(10)
    assert time.monotonic() - start < 5
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "GET", "path": "/orgs"},
        {"method": "GET", "path": "(", "status": 500},
        {"method": "GET", "status": 500},
        {"method": "", "path": "/", "status": 500},
        {"method": "GET", "path": "/", "status": 200},
        {"method": "GET", "path": "/", "status": "500"},
        {"method": "GET", "path": "/", "status": 500, "times": 0},
        {"method": "GET", "path": "/", "delay_s": -1},
        {"method": "GET", "path": "/", "drop": "during"},
        {"method": "GET", "path": "/", "drop": "after", "status": 500},
        {"method": "GET", "path": "/", "status": 500, "unknown": 1},
        ["GET"],
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(server, fault):
    answer = requests.post(server.control_url + "/faults", json=fault, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert requests.get(server.control_url + "/faults", timeout=10).json() == []

"""One comment on a pull request: made once, found again, edited in place; against a stand-in of GitHub's API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from automation.errors import RecordError
from automation.pull_request.comment import LIMIT, body_of, keep
from automation.pull_request.github import CommentFailed, PullRequest
from dataloop_sts.dataloop.transport import Retries
from tests.pull_request.github import ACTIONS, TOKEN, Fault, GitHub

MARK = "<!-- dataloop-sts: preview of prod -->"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as stand_in:
        yield stand_in


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def pull_request(github: GitHub, pauses: list[float]) -> PullRequest:
    return _of(github, pauses)


def _of(github: GitHub, pauses: list[float], token: str = TOKEN) -> PullRequest:
    retries = Retries(attempts=3, longest_retry_after=120.0, sleep=pauses.append)
    return PullRequest("acme/connections", 7, SecretStr(token), github.url, retries)


def _says(text: str) -> str:
    return f"{MARK}\n{text}\n"


def _command(
    github: GitHub, file: Path, *options: str, token: str = TOKEN, **extra: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(file.parent), "GITHUB_TOKEN": token} | extra
    command = [sys.executable, "-m", "automation.cli", "-e", "prod", "pr", "comment", "--markdown", str(file)]
    given = ["--repo", "acme/connections", "--pr", "7", "--api-url", github.url, *options]
    return subprocess.run([*command, *given], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_three_pushes_edit_one_comment_in_place_by_the_command(github: GitHub, tmp_path: Path) -> None:
    github.add("reviewer", "Looks fine?")
    file, said = tmp_path / "preview.md", []
    for push in ("first", "second", "third"):
        file.write_text(f"## {push}\n")
        done = _command(github, file)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout.split(":")[0])
    assert said == ["created", "edited", "edited"]
    assert [comment["body"] for comment in github.comments] == ["Looks fine?", _says("## third")]
    assert [call.split()[0] for call in github.writes()] == ["POST", "PATCH", "PATCH"]


def test_an_unchanged_text_is_not_sent_again(github: GitHub, pull_request: PullRequest) -> None:
    github.add(ACTIONS, _says("the same").replace("\n", "\r\n"))
    assert keep(pull_request, _says("the same")).action == "unchanged"
    assert github.writes() == []


def test_what_is_only_to_be_edited_is_not_made(github: GitHub, tmp_path: Path) -> None:
    file = tmp_path / "preview.md"
    file.write_text("nothing would change")
    done = _command(github, file, "--edit-only")
    assert (done.returncode, done.stdout, github.writes()) == (0, "none\n", [])
    github.add(ACTIONS, _says("risky"))
    assert _command(github, file, "--edit-only").stdout.startswith("edited: https://")
    assert github.comments[0]["body"] == _says("nothing would change")


def test_the_comment_is_found_on_the_third_page_and_no_other_host_is_asked(
    github: GitHub, pull_request: PullRequest
) -> None:
    for number in range(250):
        github.add("reviewer", f"word {number}")
    github.add(ACTIONS, _says("old"))
    assert keep(pull_request, _says("new")).action == "edited"
    assert len(github.comments) == 251
    pages = [call for call in github.calls if call.startswith("GET")]
    assert [call.rpartition("page=")[2] for call in pages] == ["100", "2", "3"]


@pytest.mark.parametrize(
    ("author", "body"),
    [
        ("mallory", _says("pasted")),
        ("github-actions", _says("a user of a like name")),
        ("other-app[bot]", _says("of another app")),
        (None, _says("of an account that is gone")),
        (ACTIONS, f"Somebody wrote: {_says('quoted by another workflow')}"),
        (ACTIONS, "<!-- dataloop-sts: preview of staging -->\nof another environment\n"),
        (ACTIONS, "<!-- dataloop-sts: preview of prod-eu -->\nof another environment\n"),
    ],
)
def test_a_comment_that_is_not_ours_is_left_alone(
    github: GitHub, pull_request: PullRequest, author: str | None, body: str
) -> None:
    theirs = dict(github.add(author, body))
    assert keep(pull_request, _says("ours")).action == "created"
    assert github.comments[0] == theirs
    assert len(github.comments) == 2


def test_with_a_persons_token_the_comment_is_that_persons(github: GitHub, pauses: list[float]) -> None:
    github.tokens["ghp_ops"] = "ops"
    github.add(ACTIONS, _says("of the workflow"))
    keep(_of(github, pauses, "ghp_ops"), _says("mine"))
    keep(_of(github, pauses, "ghp_ops"), _says("mine again"))
    assert [(each["user"]["login"], each["body"]) for each in github.comments] == [
        (ACTIONS, _says("of the workflow")),
        ("ops", _says("mine again")),
    ]


def test_of_several_of_ours_the_oldest_stays(github: GitHub, pull_request: PullRequest) -> None:
    for text in ("one", "two", "three"):
        github.add(ACTIONS, _says(text))
        github.add("reviewer", text)
    kept = keep(pull_request, _says("four"))
    assert (kept.action, kept.removed) == ("edited", 2)
    assert [each["body"] for each in github.comments] == [_says("four"), "one", "two", "three"]


def test_two_runs_at_once_leave_one_comment(github: GitHub, pauses: list[float]) -> None:
    both_have_looked = threading.Barrier(2, timeout=20)
    github.before_making = both_have_looked.wait
    failed: list[BaseException] = []

    def run(text: str) -> None:
        try:
            keep(_of(github, pauses), _says(text))
        except BaseException as error:
            failed.append(error)

    runs = [threading.Thread(target=run, args=[text]) for text in ("one", "two")]
    for each in runs:
        each.start()
    for each in runs:
        each.join(timeout=30)
    assert failed == []
    assert len([call for call in github.calls if call.startswith("POST /repos")]) == 2
    assert [each["id"] for each in github.comments] == [1]


def test_a_comment_of_which_it_is_not_known_whether_it_was_made_is_looked_for_not_made_twice(
    github: GitHub, pull_request: PullRequest
) -> None:
    github.faults = [Fault("POST", "/comments", applied=True, drop=True)]
    kept = keep(pull_request, _says("once"))
    assert [each["body"] for each in github.comments] == [_says("once")]
    assert kept.url == github.comments[0]["html_url"]
    assert len(github.writes()) == 1


def test_a_failure_of_github_while_it_makes_the_comment_is_not_answered_by_another_one(
    github: GitHub, pull_request: PullRequest
) -> None:
    github.faults = [Fault("POST", "/comments", status=502, body={"message": "Server Error"})]
    with pytest.raises(CommentFailed, match="did not say whether it made the comment, and it is not there: run again"):
        keep(pull_request, _says("once"))
    assert len(github.writes()) == 1


def test_reading_and_editing_are_tried_again(github: GitHub, pull_request: PullRequest, pauses: list[float]) -> None:
    github.add(ACTIONS, _says("old"))
    github.faults = [
        Fault("GET", "/comments", status=502),
        Fault("POST", "/graphql", drop=True),
        Fault("PATCH", "/comments", times=2, status=503),
    ]
    assert keep(pull_request, _says("new")).action == "edited"
    assert len(pauses) == 4


@pytest.mark.parametrize(
    ("status", "headers", "body", "least", "most"),
    [
        (429, {"Retry-After": "7"}, {}, 7, 8),
        (403, {"Retry-After": "7"}, {"message": "You have exceeded a secondary rate limit."}, 7, 8),
        (403, {}, {"message": "You have exceeded a secondary rate limit. Please wait."}, 60, 61),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "in 30 s"}, {"message": "API rate limit"}, 28, 31),
    ],
)
def test_a_rate_limit_is_waited_out_as_github_asks(
    github: GitHub,
    pull_request: PullRequest,
    pauses: list[float],
    status: int,
    headers: dict[str, str],
    body: object,
    least: float,
    most: float,
) -> None:
    if "x-ratelimit-reset" in headers:
        headers = headers | {"x-ratelimit-reset": str(int(time.time()) + 30)}
    github.faults = [Fault("POST", "/comments", status=status, headers=headers, body=body)]
    assert keep(pull_request, _says("late")).action == "created"
    assert len(pauses) == 1
    assert least <= pauses[0] <= most


def test_a_limit_that_ends_in_an_hour_is_not_waited_for(
    github: GitHub, pull_request: PullRequest, pauses: list[float]
) -> None:
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3600)}
    github.faults = [Fault("GET", "/comments", times=9, status=403, headers=reset, body={"message": "API rate limit"})]
    with pytest.raises(CommentFailed, match="GitHub limits the rate of calls, acme/connections#7 was not reached"):
        keep(pull_request, _says("never"))
    assert pauses == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault("POST", "/graphql", status=401, body={"message": "Bad credentials"}), "does not accept the token"),
        (
            Fault("POST", "/comments", status=403, body={"message": "Resource not accessible by integration"}),
            r'does not allow the token to comment on acme/connections#7: "Resource not accessible by integration"\. '
            "It needs `pull-requests: write`",
        ),
        (Fault("GET", "/comments", status=404, body={"message": "Not Found"}), "Check --repo and --pr"),
        (Fault("POST", "/comments", status=410, body={"message": "Issues are disabled"}), "no place for a comment"),
        (
            Fault(
                "POST", "/comments", status=422, body={"message": "Validation Failed", "errors": [{"message": "long"}]}
            ),
            'does not take the comment on acme/connections#7: "Validation Failed; long"',
        ),
        (Fault("GET", "/comments", status=301, headers={"Location": "https://elsewhere.invalid"}), "correct --repo"),
        (Fault("GET", "/comments", times=9, status=500, body=b"<html>"), "GitHub failed while it worked on"),
        (Fault("GET", "/comments", times=9, drop=True), "gave no answer about acme/connections#7"),
        (Fault("POST", "/graphql", status=200, body=b"<html>"), "does not speak JSON"),
        (Fault("POST", "/graphql", status=200, body={"errors": []}), "does not say whose the token is"),
        (Fault("GET", "/comments", status=200, body={"a": 1}), "does not list comments"),
        (Fault("POST", "/comments", status=201, body=[]), "does not answer with the comment"),
    ],
    ids=lambda value: f"{value.method} {value.status}" if isinstance(value, Fault) else "",
)
def test_each_refusal_says_what_to_do(github: GitHub, pull_request: PullRequest, fault: Fault, told: str) -> None:
    github.faults = [fault]
    with pytest.raises(CommentFailed, match=told):
        keep(pull_request, _says("refused"))
    assert github.comments == []


def test_an_api_that_repeats_the_token_does_not_bring_it_into_the_message(github: GitHub, tmp_path: Path) -> None:
    file = tmp_path / "preview.md"
    file.write_text("text")
    github.faults = [Fault("POST", "/graphql", status=401, body={"message": f"Bad {TOKEN}"})]
    done = _command(github, file)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: GitHub does not accept the token")
    assert TOKEN not in done.stdout + done.stderr


def test_bad_input_is_told_and_nothing_is_sent(github: GitHub, tmp_path: Path) -> None:
    file, empty = tmp_path / "preview.md", tmp_path / "empty.md"
    file.write_text("text")
    empty.write_text("")
    told = {
        "no token": _command(github, file, token=""),
        "no such token": _command(github, file, token="a b"),
        "--repo": _command(github, file, "--repo", "acme"),
        "cannot be read": _command(github, tmp_path / "none.md"),
        "is empty": _command(github, empty),
        "must begin with https://": _command(github, file, "--api-url", "http://github.example"),
    }
    assert {what: done.returncode for what, done in told.items()} == dict.fromkeys(told, 2)
    assert "GITHUB_TOKEN: set it to a token that may write comments" in told.pop("no token").stderr
    assert "GITHUB_TOKEN: it has characters that no token has" in told.pop("no such token").stderr
    assert {what: what in done.stderr for what, done in told.items()} == dict.fromkeys(told, True)
    assert github.calls == []


def test_json_is_one_document(github: GitHub, tmp_path: Path) -> None:
    file = tmp_path / "preview.md"
    file.write_text("text")
    done = _command(github, file, "--json", token="", GH_TOKEN=TOKEN)
    assert json.loads(done.stdout) == {"action": "created", "url": github.comments[0]["html_url"], "removed": 0}


def test_a_text_up_to_githubs_limit_is_taken_and_a_longer_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "preview.md"
    file.write_text("ü" * (LIMIT - len(MARK) - 2))
    assert len(body_of("prod", file)) == LIMIT
    file.write_text("ü" * (LIMIT - len(MARK) - 1))
    with pytest.raises(RecordError, match="has 65,537 characters with the mark, GitHub takes 65,536"):
        body_of("prod", file)


def test_a_secret_that_has_come_into_the_text_does_not_leave(tmp_path: Path) -> None:
    file = tmp_path / "preview.md"
    file.write_text("secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY\n")
    assert "wJalr" not in body_of("prod", file)


def test_of_an_enterprise_server_graphql_is_beside_the_rest_api(github: GitHub, pauses: list[float]) -> None:
    asked = PullRequest("acme/connections", 7, SecretStr(TOKEN), f"{github.url}/api/v3", Retries(sleep=pauses.append))
    with pytest.raises(CommentFailed):
        asked.login()
    assert github.calls == ["POST /api/graphql"]

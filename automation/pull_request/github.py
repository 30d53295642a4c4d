"""GitHub's comments on one pull request: read, made, edited and removed, with a token of the environment."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr
from requests.utils import parse_header_links

from automation.errors import RecordError
from dataloop_sts.dataloop.address import checked
from dataloop_sts.dataloop.auth import BearerAuth
from dataloop_sts.dataloop.session import new_session
from dataloop_sts.dataloop.transport import Answer, Call, Effect, Retries, Timeouts, Transport
from dataloop_sts.errors import DataloopStsError, Problem, Unreachable
from dataloop_sts.redaction import one_line, redact

API_URL = "https://api.github.com"
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")
"""Where the token is looked for, in the order of GitHub's own CLI: https://cli.github.com/manual/gh_help_environment"""
_PAGE = {"per_page": "100"}  # the most: https://docs.github.com/en/rest/issues/comments
_MOST_PAGES = 100  # GitHub takes 2,500 comments on an issue
_SECONDARY_WAIT_S = 60.0
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what can stand in a header
_ADVICE = {
    401: "It is missing, wrong or expired: set GITHUB_TOKEN to a valid one.",
    403: "It needs `pull-requests: write` (`issues: write` for an issue), which a fork's workflow never has; "
    "a locked conversation takes comments of collaborators alone.",
    404: "Check --repo and --pr, and that the token may see the repository.",
    410: "The conversation was deleted, or the repository has issues switched off: there is no place for a comment.",
    422: "Where the text is at fault, shorten it; where GitHub takes it for spam, try again later.",
}


class CommentFailed(DataloopStsError):  # noqa: N818 - the names say what is wrong
    """GitHub did not take the comment, or did not answer.

    Attributes:
        status: of HTTP; None where there was no answer.
        in_doubt: it may have done all the same what it was asked for.
    """

    def __init__(self, message: str, *, status: int | None = None, in_doubt: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.in_doubt = in_doubt


@dataclass(frozen=True)
class Comment:
    """A comment as GitHub has it; ``author`` is a login, empty where the account is gone."""

    id: int
    author: str
    body: str
    url: str

    @classmethod
    def of(cls, data: Any) -> Self:
        """Out of GitHub's JSON."""
        author = (data.get("user") or {}).get("login") or ""
        return cls(int(data["id"]), str(author), str(data.get("body") or ""), str(data.get("html_url") or ""))


class PullRequest:
    """The conversation of a pull request, or of an issue: to GitHub both are issues.

    The calls: https://docs.github.com/en/rest/issues/comments

    Args:
        repository: ``OWNER/NAME``.
        number: of the pull request.
        token: may read and write comments there.
        api_url: of GitHub's REST API; of an Enterprise Server ``https://HOST/api/v3``. https, or http to this machine.
        retries: how often a call is repeated; making a comment only where GitHub surely did nothing.

    Raises:
        RecordError: the address cannot be used.
    """

    def __init__(
        self,
        repository: str,
        number: int,
        token: SecretStr,
        api_url: str = API_URL,
        retries: Retries = Retries(longest_retry_after=120.0),  # noqa: B008 - frozen
    ) -> None:
        self._api_url = api_url.strip().rstrip("/")
        try:
            _, is_loopback = checked(self._api_url)
        except ValueError as error:
            raise RecordError("GitHub's API cannot be called:", [Problem("--api-url", f"it {error}")]) from None
        session = new_session()
        session.headers["Accept"] = "application/vnd.github+json"
        session.headers["X-GitHub-Api-Version"] = "2022-11-28"
        timeouts = Timeouts(total=300.0)
        self._transport = Transport(
            is_loopback=is_loopback, timeouts=timeouts, retries=retries, session=session, asked_wait=_asked_wait
        )
        self._auth = BearerAuth(token)
        self._token = token
        self._comments = f"/repos/{repository}/issues/{number}/comments"
        self._one = f"/repos/{repository}/issues/comments"
        self._name = f"{repository}#{number}"

    def login(self) -> str:
        """Who the token is, such as ``github-actions[bot]``.

        Asked of GraphQL, which answers an app's token and a workflow's too; REST's ``GET /user`` refuses them:
        https://docs.github.com/en/rest/authentication/endpoints-available-for-github-app-installation-access-tokens.
        On an Enterprise Server it is ``/api/graphql``, beside ``/api/v3``:
        https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql
        """
        call = Call("POST", "/graphql", self._name, body={"query": "{viewer{login}}"})
        data = self._json(self._answer(call, self._api_url.removesuffix("/v3")))
        try:
            return str(data["data"]["viewer"]["login"])
        except (KeyError, TypeError):
            raise _unexpected("does not say whose the token is") from None

    def comments(self) -> Iterator[Comment]:
        """All comments, the oldest first, page by page."""
        query: Mapping[str, str] = _PAGE
        for _ in range(_MOST_PAGES):
            answer = self._answer(Call("GET", self._comments, self._name, query=query))
            page = self._json(answer)
            try:
                yield from [Comment.of(each) for each in page]
            except (KeyError, TypeError, ValueError, AttributeError):
                raise _unexpected("does not list comments") from None
            links = parse_header_links(answer.headers.get("Link", ""))
            following = next((link["url"] for link in links if link.get("rel") == "next"), None)
            if following is None:
                return
            query = dict(parse_qsl(urlsplit(following).query))  # never its host: the token goes to the one given alone

    def make(self, body: str) -> Comment:
        """A new comment."""
        return self._comment(Call("POST", self._comments, self._name, Effect.ONCE, body={"body": body}))

    def edit(self, comment: Comment, body: str) -> Comment:
        """The comment with another text."""
        path = f"{self._one}/{comment.id}"
        return self._comment(Call("PATCH", path, self._name, Effect.IDEMPOTENT, body={"body": body}))

    def remove(self, comment: Comment) -> None:
        """Takes a comment away; one that is gone is no failure."""
        self._answer(Call("DELETE", f"{self._one}/{comment.id}", self._name, Effect.IDEMPOTENT), gone_is_fine=True)

    def _comment(self, call: Call) -> Comment:
        try:
            return Comment.of(self._json(self._answer(call)))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _unexpected("does not answer with the comment") from None

    def _answer(self, call: Call, base_url: str | None = None, *, gone_is_fine: bool = False) -> Answer:
        try:
            answer = self._transport.exchange(call, base_url or self._api_url, self._auth, self._transport.deadline())
        except Unreachable as error:
            raise CommentFailed(
                f"GitHub gave no answer about {self._name}: {error.message}. Check the network, the proxy settings and "
                "--api-url, then run again.",
                in_doubt=error.maybe_applied,
            ) from None
        if 200 <= answer.status < 300 or (gone_is_fine and answer.status == 404):
            return answer
        raise self._failure(answer)

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except ValueError:
            raise _unexpected("does not speak JSON") from None

    def _failure(self, answer: Answer) -> CommentFailed:
        said = self._said(answer)
        status = answer.status
        if answer.did_nothing or _asked_wait(answer) is not None:
            text = f"GitHub limits the rate of calls, {self._name} was not reached{said}. Try again later."
        elif 300 <= status < 400:
            text = f"GitHub has moved {self._name}: correct --repo, or --api-url."
        elif status == 401:
            text = f"GitHub does not accept the token{said}. {_ADVICE[401]}"
        elif status == 403:
            text = f"GitHub does not allow the token to comment on {self._name}{said}. {_ADVICE[403]}"
        elif status == 404:
            text = f"GitHub knows no {self._name}{said}. {_ADVICE[404]}"
        elif status < 500:
            text = f"GitHub does not take the comment on {self._name}{said}. {_ADVICE.get(status, '')}"
        else:
            text = f"GitHub failed while it worked on {self._name}{said}. Run again later."
        return CommentFailed(f"{text.rstrip()} (status {status})", status=status, in_doubt=status >= 500)

    def _said(self, answer: Answer) -> str:
        try:
            data = json.loads(answer.body)
            message = str(data["message"])
            details = [str(each["message"]) for each in data.get("errors", []) if "message" in each]
        except (ValueError, KeyError, TypeError):
            return ""
        return f': "{one_line(redact("; ".join([message, *details]), [self._token]))}"'


def token_of_environment() -> SecretStr:
    """The token: an argument would stand in lists of processes.

    Raises:
        RecordError: there is none, or it is none.
    """
    name, found = next(((name, os.environ[name].strip()) for name in TOKENS if os.environ.get(name)), ("", ""))
    if not found:
        mend = "set it to a token that may write comments; in GitHub Actions it is ${{ github.token }}"
        raise RecordError("There is no token for GitHub:", [Problem("GITHUB_TOKEN", mend)])
    if not _TOKEN.fullmatch(found):
        mend = "it has characters that no token has: copy it again"
        raise RecordError("The token for GitHub cannot be sent:", [Problem(name, mend)])
    return SecretStr(found)


def _asked_wait(answer: Answer) -> float | None:
    """How long GitHub asks to wait, in its order of headers.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    if answer.status not in (403, 429):
        return None
    if answer.retry_after is not None:
        return answer.retry_after
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(0.0, float(reset) - time.time())
    return _SECONDARY_WAIT_S if b"secondary rate limit" in answer.body.lower() else None


def _unexpected(what: str) -> CommentFailed:
    return CommentFailed(f"What answered {what}, so it is not GitHub's API: check --api-url and the proxy settings.")

"""The messages of docs/errors.md, and runs that end with them and change nothing."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.harness import Done, Project

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
_PLACEHOLDER = re.compile(r"<[^<>]*>")


@functools.cache
def page() -> str:
    """The page, without the marks of code."""
    return _PAGE.read_text(encoding="utf-8").replace("`", "")


def is_on_the_page(message: str) -> bool:
    """Whether the page has a message, or a part of one, word for word; ``<...>`` stands for a value."""
    return message.replace("`", "") in page()


def is_printed(message: str, output: str) -> bool:
    """Whether a program has printed a message of the page, with values in the places of ``<...>``."""
    return re.search(".+?".join(map(re.escape, _PLACEHOLDER.split(message))), output) is not None


def assert_told(output: str, *messages: str) -> None:
    """The messages are printed, and are on the page."""
    assert [message for message in messages if not is_printed(message, output)] == [], output
    assert [message for message in messages if not is_on_the_page(message)] == []


def assert_refused(project: Project, run: Callable[[], Done], *messages: str, problems: int = 0) -> None:
    """The run fails with just these messages of the page, shows no secret, and changes nothing anywhere.

    Args:
        project: where it runs.
        run: the run.
        messages: of the page, or parts of them.
        problems: how many problems of a resource Pulumi tells in all, as it does for the preflight's.
    """
    before = project.world.inventory(), remembered(project)
    done = run().refused()
    assert_told(done.output, *messages)
    told = done.output.partition("Diagnostics:")[2].count(" has a problem: ")
    assert told == problems, done.output
    ready = project.world.ready
    for secret in (ready.dataloop.token, ready.dataloop.expired_token, ready.aws.secret_access_key):
        assert secret not in done.output
    after = project.world.inventory(), remembered(project)
    assert after == before, f"{before} was before, {after} is now"


def remembered(project: Project) -> list[dict[str, Any]]:
    """The resources in the stack's state, without what Pulumi keeps there for itself.

    A secret's ciphertext is left out: Pulumi encrypts anew with each write.
    """
    checkpoint = json.loads(project.checkpoint(), object_hook=lambda each: "secret" if "ciphertext" in each else each)
    resources = checkpoint["checkpoint"]["latest"].get("resources") or []
    return [each for each in resources if each["custom"] and not each["type"].startswith("pulumi:")]

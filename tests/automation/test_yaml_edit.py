"""An edit of a key changes that key and nothing else in the file."""

from __future__ import annotations

import difflib
import textwrap

import pytest
import yaml

from automation.yaml_edit import with_number

KEY = ("access_key", "generation")
WRITTEN = textwrap.dedent(
    """\
    # Acme's connection
    customer:   acme
    organization_id: "5f0c"   # the org
    aws: {region: eu-west-1, account_id: "123456789012"}
    access_key:
        # rotated in June
        generation: 3   # keep
        description: 'DataLoop key'

    drivers:
        - name: acme-images
          bucket: {name: dataloop-acme}   # b
    notes: >
      long text
      folded
    """
)


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_a_number_is_replaced_and_its_comment_stays() -> None:
    assert changed_lines(WRITTEN, with_number(WRITTEN, KEY, 4)) == [
        "-     generation: 3   # keep",
        "+     generation: 4   # keep",
    ]


def test_a_missing_key_is_added_beside_the_others_and_removed_again() -> None:
    added = with_number(WRITTEN, ("access_key", "retiring"), 2)
    assert changed_lines(WRITTEN, added) == ["+     retiring: 2"]
    assert with_number(added, ("access_key", "retiring"), None) == WRITTEN


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("customer: acme\ndrivers: []\n", "+ access_key: {generation: 4}"),
        ("customer: acme", "+ access_key: {generation: 4}"),
        ("drivers:\n  - a\n", "+ access_key: {generation: 4}"),
        ("access_key: {}\n", "+ access_key: {generation: 4}"),
        ("access_key: {description: x}  # c\n", "+ access_key: {generation: 4, description: x}  # c"),
        ("access_key:\n  description: |\n    x\n", "+   generation: 4"),
    ],
)
def test_a_key_is_added_in_whichever_form_the_file_is_written(text: str, line: str) -> None:
    edited = with_number(text, KEY, 4)
    assert line in changed_lines(text, edited)
    assert yaml.safe_load(edited)["access_key"]["generation"] == 4


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("k: {a: 1, b: 2}\n", "k: {a: 1}\n"),
        ("k: {b: 2, a: 1}\n", "k: {a: 1}\n"),
        ("k: {b: 2}\n", "k: {}\n"),
        ("k:\n  a: 1\n  b: 2", "k:\n  a: 1\n"),
        ("other: 1\n", "other: 1\n"),
    ],
)
def test_a_key_is_removed_in_whichever_form_the_file_is_written(text: str, left: str) -> None:
    assert with_number(text, ("k", "b"), None) == left


@pytest.mark.parametrize("text", ["access_key: &key {generation: 1}\nother: *key\n", "access_key: 7\n"])
def test_what_cannot_be_edited_safely_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="access_key"):
        with_number(text, KEY, 4)

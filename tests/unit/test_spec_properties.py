"""Properties of spec and names that hold for any input at all."""

from __future__ import annotations

import re
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dataloop_sts import naming
from dataloop_sts.errors import SpecError
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.values import normalised_prefix
from tests.unit.spec_examples import data, driver

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.binary(max_size=8)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)
_PATHS = [
    ("customer",),
    ("organization_id",),
    ("aws",),
    ("aws", "region"),
    ("aws", "account_id"),
    ("aws", "tags"),
    ("aws", "names"),
    ("integration",),
    ("access_key",),
    ("on_destroy",),
    ("drivers",),
    ("drivers", 0),
    ("drivers", 0, "name"),
    ("drivers", 0, "bucket"),
    ("drivers", 0, "prefix"),
    ("drivers", 0, "allow_delete"),
]
_FOLDER_CHARACTERS = string.ascii_letters + string.digits + " !_.'()=+@:,&-"
_FOLDERS = st.lists(
    st.text(_FOLDER_CHARACTERS, min_size=1, max_size=12).filter(lambda part: part not in (".", "..")),
    min_size=1,
    max_size=5,
)


def _with(path: tuple[Any, ...], value: Any) -> Any:
    source = data(drivers=[driver(prefix="raw", allow_delete=True)])
    place: Any = source
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return source


def _parse(source: Any) -> ConnectionSpec | SpecError:
    try:
        return ConnectionSpec.parse(source, environment="dev")
    except SpecError as error:
        return error


@given(_ANYTHING)
def test_any_input_at_all_is_a_spec_or_a_spec_error_of_one_line(source: Any) -> None:
    result = _parse(source)
    assert isinstance(result, SpecError)
    assert result.problems
    assert "\n" not in str(result)


@given(st.sampled_from(_PATHS), _ANYTHING)
def test_any_value_at_any_place_is_accepted_or_its_place_is_told(path: tuple[Any, ...], value: Any) -> None:
    result = _parse(_with(path, value))
    if isinstance(result, SpecError):
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        derived = {"aws.names.user", "aws.names.role", "aws.names.policy"} if path == ("customer",) else set()
        assert all(problem.path.startswith(place) or problem.path in derived for problem in result.problems)
        assert all(problem.message for problem in result.problems)
    else:
        assert ConnectionSpec.parse(result.model_dump(), environment="dev") == result


@given(st.sets(st.sampled_from([p for p in _PATHS if len(p) != 1 or p[0] in ("customer", "on_destroy")]), max_size=6))
def test_each_of_several_mistakes_is_told(paths: set[tuple[Any, ...]]) -> None:
    apart = {p for p in paths if not any(p != q and p[: len(q)] == q for q in paths)}
    source: Any = data(drivers=[driver()])
    for path in apart:
        place: Any = source
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = object()
    result = _parse(source)
    told = {problem.path for problem in result.problems} if isinstance(result, SpecError) else set()
    assert told == {"".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).lstrip(".") for path in apart}


@given(_FOLDERS, st.booleans())
def test_any_folder_is_kept_as_it_is_with_one_slash_at_its_end(parts: list[str], slash: bool) -> None:
    folder = "/".join(parts)
    assert normalised_prefix(folder + "/" * slash) == folder + "/"
    assert normalised_prefix(normalised_prefix(folder)) == folder + "/"


@given(st.text(max_size=40))
def test_a_prefix_that_is_accepted_cannot_mean_anything_in_a_policy(text: str) -> None:
    try:
        prefix = normalised_prefix(text)
    except ValueError:
        return
    assert prefix.endswith("/")
    assert not prefix.startswith("/")
    assert "//" not in prefix
    assert not set(prefix) & set('*?${}"\\')
    assert prefix.isascii()


@given(st.text(max_size=70) | st.from_regex(r"[a-z0-9.-]{1,66}", fullmatch=True))
def test_a_bucket_name_that_is_accepted_keeps_the_documented_rules(name: str) -> None:
    if naming.bucket_name_problem(name) is None:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name)
        assert ".." not in name
        assert not re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name)


@given(st.text("abcxyz019-", min_size=1, max_size=20), st.text("abcxyz019-", min_size=1, max_size=20))
def test_names_derived_from_slugs_are_names_that_iam_accepts(customer: str, environment: str) -> None:
    names = naming.derived_names(customer, environment)
    for name, maximum in ((names.user, 64), (names.role, 64), (names.policy, 128)):
        assert naming.iam_name_problem(name, maximum) is None


@given(st.text(max_size=70))
def test_an_iam_name_is_accepted_exactly_where_its_characters_and_length_are(name: str) -> None:
    allowed = set(string.ascii_letters + string.digits + "_+=,.@-")
    assert (naming.iam_name_problem(name, 64) is None) == (1 <= len(name) <= 64 and set(name) <= allowed)


@given(st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True), st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True))
def test_the_environment_is_read_back_from_a_stacks_name(environment: str, customer: str) -> None:
    assert naming.environment_of(naming.stack_name(environment, customer)) == environment
    assert naming.environment_of(naming.stack_name(environment)) == environment

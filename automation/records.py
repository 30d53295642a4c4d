"""Customer records: one YAML file a customer, in a folder for each environment, over defaults that they share.

``customers/prod/acme.yaml`` holds the spec of customer ``acme`` in environment ``prod``; ``_defaults.yaml`` beside it
what all records of the folder inherit. The environment's own stack, such as ``dev``, keeps its spec in the stack's
config, ``Pulumi.dev.yaml``, and is read and edited the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automation.conflicts import conflicts
from automation.environment import Environment
from automation.errors import RecordError
from automation.files import YamlFile, read_yaml, write_whole
from automation.labels import LABELS_KEY, label_problems, valid_labels
from automation.yaml_edit import with_number
from dataloop_sts import naming
from dataloop_sts.errors import Problem, SpecError
from dataloop_sts.spec import ConnectionSpec

DEFAULTS_FILE = "_defaults.yaml"
INVALID = "The record is not valid:"
_SUFFIXES = (".yaml", ".yml")
CONFIG_KEY = "dataloop-sts:connection"
SANDBOX_KEY = "dataloop-sts:sandbox"


@dataclass(frozen=True)
class Record:
    """A connection's description in a file.

    Attributes:
        environment: where the connection lives.
        customer: whose it is, by the file's name; None for the environment's own stack.
        path: the file.
        spec: what it says, defaults included.
        sandbox: whether the AWS side is the sandbox.
        labels: by which the record is selected, those of the defaults included.
    """

    environment: Environment
    customer: str | None
    path: Path
    spec: ConnectionSpec
    sandbox: bool
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """The Pulumi stack's name."""
        return naming.stack_name(self.environment.name, self.customer)

    def with_access_key(self, *, generation: int, retiring: int | None) -> Record:
        """Writes the key's generations into the file, keeping comments and order, and reads it anew.

        Raises:
            RecordError: the file cannot be written, or would not be valid.
        """
        where = () if self.customer else ("config", CONFIG_KEY)
        text = read_yaml(self.path).text
        try:
            text = with_number(text, (*where, "access_key", "generation"), generation)
            text = with_number(text, (*where, "access_key", "retiring"), retiring)
            write_whole(self.path, text)
        except ValueError as error:
            advice = f"{error}: set access_key.generation to {generation} by hand, then run again"
            raise RecordError(f"{self.path} cannot be edited:", [Problem("", advice)]) from None
        except OSError as error:
            raise RecordError(f"{self.path} cannot be written:", [Problem("", str(error.strerror))]) from None
        return find(self.environment, self.customer)


def find(environment: Environment, customer: str | None) -> Record:
    """The record of a customer, or of the environment's own stack where ``customer`` is None.

    Raises:
        RecordError: there is none, or it has mistakes; each with file, line and path.
    """
    if customer is None:
        return _own_stack(environment)
    _check_name(customer)
    folder = environment.customers_dir
    files = files_of(environment, customer)
    if not files:
        path = folder / f"{customer}.yaml"
        known = ", ".join(sorted(record_files(folder))[:10])
        what = f"{path} does not exist; " + (f"there are: {known}" if known else "no customer has one yet")
        raise RecordError(f"There is no record of customer {customer!r} in {environment.name}:", [Problem("", what)])
    return read_record(environment, customer, files, _defaults(folder))


def all_of(environment: Environment) -> dict[str, Record | RecordError]:
    """Every customer's record in an environment, sorted by customer; a mistake in one hides no other.

    Each is what :func:`find` would return or raise. Records that name the same thing, such as a bucket, are mistaken
    both: see :func:`automation.conflicts.conflicts`. The environment's own stack is not among them, but no record may
    name what it names.

    Raises:
        RecordError: the defaults, which all inherit, cannot be read.
    """
    folder = environment.customers_dir
    defaults = _defaults(folder)
    found: dict[str, Record | RecordError] = {}
    for customer, paths in sorted(record_files(folder).items()):
        try:
            found[customer] = read_record(environment, customer, paths, defaults)
        except RecordError as error:
            found[customer] = error
    valid = [record for record in found.values() if isinstance(record, Record)]
    for record, mistakes in conflicts([*valid, *own_stack_if_valid(environment)]):
        if record.customer is not None:
            found[record.customer] = in_conflict(record, mistakes)
    return found


def in_conflict(
    record: Record, mistakes: Sequence[Problem], read: Callable[[Path], YamlFile] = read_yaml
) -> RecordError:
    """The mistakes of :func:`automation.conflicts.conflicts` with their places.

    Args:
        record: whose they are.
        mistakes: each with its path in the spec.
        read: reads the record's file.
    """
    file, above = read(record.path), "" if record.customer else f"config.{CONFIG_KEY}."
    places = [file.place(above + each.path, shown=each.path, whole=True) for each in mistakes]
    problems = [Problem(place, each.message) for place, each in zip(places, mistakes, strict=True)]
    return RecordError(INVALID, problems, record.labels)


def own_stack_if_valid(environment: Environment) -> list[Record]:
    """The record of the environment's own stack, where there is a valid one."""
    try:
        return [_own_stack(environment)]
    except RecordError:
        return []


def unused_organizations(environment: Environment, found: Iterable[Record | RecordError]) -> list[Problem]:
    """Organizations that the settings give credentials and no record is of: most likely ids that are mistyped.

    Args:
        environment: whose settings.
        found: all of its records; where one is mistaken, its organization may be the one, and nothing is said.
    """
    known = list(found)
    if any(isinstance(each, RecordError) for each in known):
        return []
    records = [each for each in known if isinstance(each, Record)] + own_stack_if_valid(environment)
    unused = set(environment.settings.organizations) - {record.spec.organization_id for record in records}
    what = "no record is of this organization: correct the id, or take it out"
    return [Problem(environment.place(("organizations", each)), what) for each in sorted(unused)]


def parse(environment: Environment, customer: str, file: YamlFile) -> Record:
    """A record out of a file's content, which need not be in the folder yet.

    Raises:
        RecordError: it has mistakes; each with file, line and path.
    """
    _check_name(customer)
    return _parse(environment, customer, file, _defaults(environment.customers_dir))


def files_of(environment: Environment, customer: str) -> list[Path]:
    """The files of a customer's record: one, none yet, or by mistake two."""
    paths = (environment.customers_dir / f"{customer}{suffix}" for suffix in _SUFFIXES)
    return [path for path in paths if path.exists()]


def _check_name(customer: str) -> None:
    if not naming.SLUG.fullmatch(customer):
        raise RecordError(
            f"{customer!r} is not a customer's name:", [Problem("", "use lower-case letters, digits, inner hyphens")]
        )


def record_files(folder: Path) -> dict[str, list[Path]]:
    """The records' files in an environment's folder, by customer; none of them is read."""
    return by_customer(folder.iterdir() if folder.is_dir() else ())


def by_customer(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Those files of an environment's folder that are records, by customer."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        if path.suffix in _SUFFIXES and not path.name.startswith(("_", ".")):
            found.setdefault(path.stem, []).append(path)
    return found


def _defaults(folder: Path) -> YamlFile | None:
    path = folder / DEFAULTS_FILE
    return keys_of(read_yaml(path)) if path.is_file() else None


def read_record(
    environment: Environment,
    customer: str,
    paths: Sequence[Path],
    defaults: YamlFile | None,
    read: Callable[[Path], YamlFile] = read_yaml,
) -> Record:
    """A customer's record out of its files, which need not be on disk.

    Args:
        environment: where the connection lives.
        customer: whose it is.
        paths: its files.
        defaults: what it inherits.
        read: reads a file, or raises RecordError.

    Raises:
        RecordError: it has mistakes, or there are two files.
    """
    _check_name(customer)
    if len(paths) > 1:
        names = " and ".join(sorted(path.name for path in paths))
        raise RecordError(
            f"Customer {customer!r} has two records in {environment.name}:",
            [Problem(str(paths[0].parent), f"has {names}: keep one of them")],
        )
    return _parse(environment, customer, read(paths[0]), defaults)


def keys_of(file: YamlFile) -> YamlFile:
    """The file, which holds keys or nothing.

    Raises:
        RecordError: it holds something else.
    """
    if file.data is not None and not isinstance(file.data, Mapping):
        raise RecordError(f"{file.path} is not a record:", [Problem("", "it must hold keys, each with a value")])
    return file


def _parse(environment: Environment, customer: str, file: YamlFile, defaults: YamlFile | None) -> Record:
    inherited = (defaults and defaults.data) or {}
    data = _merged({"customer": customer} | inherited, keys_of(file).data or {})
    labels = data.pop(LABELS_KEY, None)
    files = [file, *([defaults] if defaults else [])]
    problems = [Problem(_place_in(files, each.path), each.message) for each in label_problems(labels)]
    try:
        spec = _spec_of(data, environment, files)
    except RecordError as error:
        raise RecordError(error.heading, error.problems + problems, valid_labels(labels)) from None
    if spec.customer != customer:
        what = f"{spec.customer!r} is not the file's name, {customer!r}: give both the same, or leave customer out"
        problems.append(Problem(_place_in(files, "customer"), what))
    if problems:
        raise RecordError(INVALID, problems, valid_labels(labels))
    return Record(environment, customer, file.path, spec, environment.settings.sandbox, labels or {})


def _own_stack(environment: Environment) -> Record:
    path = environment.project_dir / f"Pulumi.{environment.name}.yaml"
    if not path.is_file():
        what = f"{path} does not exist: name a customer, or run this in the project's folder"
        raise RecordError(f"The environment {environment.name} has no stack of its own:", [Problem("", what)])
    record = own_stack(environment, read_yaml(path))
    if record is None:
        raise RecordError(f"{path} has no connection spec:", [Problem("", f"write one under config, {CONFIG_KEY}")])
    return record


def own_stack(environment: Environment, file: YamlFile) -> Record | None:
    """The record of the environment's own stack out of its settings file; None where that has no connection spec.

    Raises:
        RecordError: the spec has mistakes.
    """
    config = file.data.get("config") if isinstance(file.data, Mapping) else None
    if not isinstance(config, Mapping) or CONFIG_KEY not in config:
        return None
    spec = _spec_of(config[CONFIG_KEY], environment, [file], f"config.{CONFIG_KEY}")
    sandbox = str(config.get(SANDBOX_KEY, False)).lower() == "true"
    return Record(environment, None, file.path, spec, sandbox)


def _spec_of(data: Any, environment: Environment, files: list[YamlFile], below: str = "") -> ConnectionSpec:
    try:
        return ConnectionSpec.parse(data, environment=environment.name)
    except SpecError as error:
        problems = [Problem(_place_in(files, each.path, below), each.message) for each in error.problems]
        raise RecordError(INVALID, problems) from None


def _place_in(files: list[YamlFile], path: str, below: str = "") -> str:
    whole = f"{below}.{path}" if below else path
    # the file that holds most of the path is the one to mend
    file = max(files, key=lambda file: file.line(whole)[0])
    return file.place(whole, shown=path)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: mappings key by key, everything else as a whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged

"""Customer records: one YAML file a customer, in a folder for each environment, over defaults that they share.

``customers/prod/acme.yaml`` holds the spec of customer ``acme`` in environment ``prod``; ``_defaults.yaml`` beside it
what all records of the folder inherit. The environment's own stack, such as ``dev``, keeps its spec in the stack's
config, ``Pulumi.dev.yaml``, and is read and edited the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.environment import Environment
from automation.errors import RecordError
from automation.files import YamlFile, read_yaml, write_whole
from automation.yaml_edit import with_number
from dataloop_sts import naming
from dataloop_sts.errors import Problem, SpecError
from dataloop_sts.spec import ConnectionSpec

DEFAULTS_FILE = "_defaults.yaml"
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
    """

    environment: Environment
    customer: str | None
    path: Path
    spec: ConnectionSpec
    sandbox: bool

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
    if not naming.SLUG.fullmatch(customer):
        raise RecordError(
            f"{customer!r} is not a customer's name:", [Problem("", "use lower-case letters, digits, inner hyphens")]
        )
    folder = environment.customers_dir
    path = folder / f"{customer}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in _record_files(folder))[:10])
        what = f"{path} does not exist; " + (f"there are: {known}" if known else "no customer has one yet")
        raise RecordError(f"There is no record of customer {customer!r} in {environment.name}:", [Problem("", what)])
    return _read(environment, customer, path, _defaults(folder))


def _record_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.yaml") if not path.name.startswith("_"))


def _defaults(folder: Path) -> YamlFile | None:
    path = folder / DEFAULTS_FILE
    return read_yaml(path) if path.is_file() else None


def _read(environment: Environment, customer: str, path: Path, defaults: YamlFile | None) -> Record:
    file = read_yaml(path)
    for each in filter(None, (file, defaults)):
        if each.data is not None and not isinstance(each.data, Mapping):
            raise RecordError(f"{each.path} is not a record:", [Problem("", "it must hold keys, each with a value")])
    data = _merged({"customer": customer} | ((defaults and defaults.data) or {}), file.data or {})
    spec = _parsed(data, environment, [file, *([defaults] if defaults else [])])
    if spec.customer != customer:
        where = _place(file, "customer")
        what = f"{spec.customer!r} is not the file's name, {customer!r}: give both the same, or leave customer out"
        raise RecordError("The record is not valid:", [Problem(where, what)])
    return Record(environment, customer, path, spec, environment.settings.sandbox)


def _own_stack(environment: Environment) -> Record:
    path = environment.project_dir / f"Pulumi.{environment.name}.yaml"
    if not path.is_file():
        what = f"{path} does not exist: name a customer, or run this in the project's folder"
        raise RecordError(f"The environment {environment.name} has no stack of its own:", [Problem("", what)])
    file = read_yaml(path)
    config = file.data.get("config") if isinstance(file.data, Mapping) else None
    if not isinstance(config, Mapping) or CONFIG_KEY not in config:
        raise RecordError(f"{path} has no connection spec:", [Problem("", f"write one under config, {CONFIG_KEY}")])
    spec = _parsed(config[CONFIG_KEY], environment, [file], f"config.{CONFIG_KEY}")
    sandbox = str(config.get(SANDBOX_KEY, False)).lower() == "true"
    return Record(environment, None, path, spec, sandbox)


def _parsed(data: Any, environment: Environment, files: list[YamlFile], below: str = "") -> ConnectionSpec:
    try:
        return ConnectionSpec.parse(data, environment=environment.name)
    except SpecError as error:
        problems = []
        for problem in error.problems:
            path = f"{below}.{problem.path}" if below else problem.path
            # the file that holds most of the path is the one to mend
            file = max(files, key=lambda file: file.line(path)[0])
            problems.append(Problem(_place(file, path, problem.path), problem.message))
        raise RecordError("The record is not valid:", problems) from None


def _place(file: YamlFile, path: str, shown: str | None = None) -> str:
    _, line = file.line(path)
    where = f"{file.path}:{line}" if line else str(file.path)
    return f"{where}: {shown or path}" if path else where


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: mappings key by key, everything else as a whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged

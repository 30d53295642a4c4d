"""An environment's files on one side of a comparison: as a commit has them, or as they are in the working tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from automation.environment import SETTINGS_FILE, Environment, EnvironmentSettings, settings_in
from automation.errors import RecordError
from automation.files import YamlFile, parse_yaml
from automation.pull_request.git import FOLDER, LINK, SUBMODULE, Repository
from automation.records import DEFAULTS_FILE, by_customer, keys_of
from dataloop_sts.errors import Problem

LARGEST = 1 << 20
"""Bytes that a file may have: a record has some hundreds."""
_STRANGE = {
    LINK: "it is a symbolic link, and what that leads to may change unseen: write the file itself",
    FOLDER: "it is a folder: give it a name without .yaml or .yml",
    SUBMODULE: "it is a submodule: what that holds cannot be compared",
}
_TOO_LARGE = f"it has more than {LARGEST >> 20} MiB, and is no record"


@dataclass(frozen=True)
class Side:
    """The files of one environment.

    Attributes:
        environment: whose files.
        contents: what each file holds, by its path in the project's folder; or in words why it cannot be read.
    """

    environment: str
    contents: Mapping[Path, bytes | str]

    @cached_property
    def records(self) -> dict[str, list[Path]]:
        """The records' files, by customer."""
        return by_customer(path for path in self.contents if path.parent == _folder(self.environment))

    def is_readable(self, customer: str | None) -> bool:
        """Whether a record's files can be read, or those of the environment's own stack."""
        paths = [own_stack_path(self.environment)] if customer is None else self.records[customer]
        return all(isinstance(self.contents[path], bytes) for path in paths)

    def read(self, path: Path) -> YamlFile:
        """A file of it.

        Raises:
            RecordError: it cannot be read, or is no YAML.
        """
        content = self.contents[path]
        if isinstance(content, str):
            raise RecordError(f"{path} cannot be read:", [Problem("", content)])
        try:
            return parse_yaml(path, content.decode("utf-8"))
        except UnicodeDecodeError:
            raise RecordError(f"{path} cannot be read:", [Problem("", "it is not UTF-8 text")]) from None

    def defaults(self) -> YamlFile | None:
        """What all records inherit; raises as :meth:`read`, and where it holds no keys."""
        path = defaults_path(self.environment)
        return keys_of(self.read(path)) if path in self.contents else None

    def settings(self) -> EnvironmentSettings:
        """The environment's settings.

        Raises:
            RecordError: they have mistakes.
        """
        path = settings_path(self.environment)
        return settings_in(self.read(path)) if path in self.contents else EnvironmentSettings()

    def own_stack(self) -> YamlFile | None:
        """The settings of the environment's own stack; raises as :meth:`read`."""
        path = own_stack_path(self.environment)
        return self.read(path) if path in self.contents else None


def at_commit(repository: Repository, commit: str, environment: str) -> Side:
    """The files as a commit has them.

    Raises:
        RecordError: the folder is none there, or the clone lacks files.
    """
    folder = _folder(environment)
    above = repository.entries(commit, str(folder.parent), str(folder))
    for path, entry in above.items():
        if entry.kind != FOLDER:
            raise _no_folder(path)
    found = {
        Path(path): entry
        for path, entry in repository.entries(commit, f"{folder}/", str(own_stack_path(environment))).items()
        if _counts(Path(path), environment)
    }
    texts = repository.contents((each.id for each in found.values() if each.kind not in _STRANGE), LARGEST)
    contents: dict[Path, bytes | str] = {}
    for at, entry in found.items():
        text = texts.get(entry.id)
        contents[at] = _STRANGE.get(entry.kind) or (_TOO_LARGE if text is None else text)
    return Side(environment, contents)


def in_working_tree(environment: Environment) -> Side:
    """The files as they are on disk, those included that git does not know.

    Raises:
        RecordError: the folder is none.
    """
    name, project = environment.name, environment.project_dir
    for path in (_folder(name).parent, _folder(name)):
        if (project / path).is_symlink() or ((project / path).exists() and not (project / path).is_dir()):
            raise _no_folder(str(path))
    return Side(name, {path: _on_disk(project / path) for path in _paths_on_disk(project, name)})


@cache
def defaults_path(environment: str) -> Path:
    """Where what all records inherit is, in the project's folder."""
    return _folder(environment) / DEFAULTS_FILE


@cache
def settings_path(environment: str) -> Path:
    """Where the environment's settings are."""
    return _folder(environment) / SETTINGS_FILE


@cache
def own_stack_path(environment: str) -> Path:
    """Where the spec of the environment's own stack is."""
    return Path(f"Pulumi.{environment}.yaml")


@cache
def _folder(environment: str) -> Path:
    return Path("customers") / environment


def _counts(path: Path, environment: str) -> bool:
    ours = (defaults_path(environment), settings_path(environment), own_stack_path(environment))
    return path in ours or bool(by_customer([path]))


def _paths_on_disk(project: Path, environment: str) -> Iterator[Path]:
    folder, own = _folder(environment), own_stack_path(environment)
    if (project / folder).is_dir():
        yield from (path for each in (project / folder).iterdir() if _counts(path := folder / each.name, environment))
    if (project / own).exists() or (project / own).is_symlink():
        yield own


def _on_disk(path: Path) -> bytes | str:
    if path.is_symlink():
        return _STRANGE[LINK]
    if path.is_dir():
        return _STRANGE[FOLDER]
    try:
        if path.stat().st_size > LARGEST:
            return _TOO_LARGE
        return path.read_bytes()
    except OSError as error:
        return str(error.strerror)


def _no_folder(path: str) -> RecordError:
    what = "it is no folder, but a link, a submodule or a file, and what that leads to cannot be compared"
    return RecordError(f"The records in {path} cannot be looked at:", [Problem("", what)])

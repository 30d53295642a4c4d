"""YAML files that people write: read strictly, with the line of every key; written whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from automation.errors import RecordError
from dataloop_sts.errors import Problem

_PARTS = re.compile(r"[^.\[\]]+")


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a key that stands twice, of which YAML readers silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is one word, not a list or keys", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (AttributeError, KeyError, TypeError, ValueError):  # PyYAML's, of 2026-13-01 or !!bool maybe
            kind = str(node.tag).rpartition(":")[2]
            problem = f"the value is written like a {kind} and is none: write it in quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None


@dataclass(frozen=True)
class YamlFile:
    """A file's content, and where its keys are."""

    path: Path
    text: str
    data: Any

    def line(self, path: str | Sequence[str]) -> tuple[int, int | None]:
        """Where a key stands.

        Args:
            path: ``drivers[0].bucket.name``, or its parts where one has a dot in it.

        Returns:
            How many parts of the path are in the file, and the line, from 1, of the last of them.
        """
        node: Any = self._root
        line: int | None = None
        depth = 0
        for part in _PARTS.findall(path) if isinstance(path, str) else path:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == part), None)
                if found is None:
                    break
                key, node = found
                line = key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
                node = node.value[int(part)]
                line = node.start_mark.line + 1
            else:
                break
            depth += 1
        return depth, line

    def place(self, path: str, *, shown: str | None = None, whole: bool = False) -> str:
        """``file:line: path``, with the line as far as the file has the path.

        Args:
            path: as in :meth:`line`; empty for the file itself.
            shown: what is told of the path, where that is less than all of it.
            whole: give no line where the file has only a part of the path.
        """
        depth, line = self.line(path)
        known = line and not (whole and depth < len(_PARTS.findall(path)))
        where = f"{self.path}:{line}" if known else str(self.path)
        return f"{where}: {shown or path}" if path else where

    @cached_property
    def _root(self) -> Any:
        return yaml.compose(self.text, yaml.CSafeLoader)


def read_yaml(path: Path) -> YamlFile:
    """Reads a YAML file.

    Raises:
        RecordError: it cannot be read, is no YAML, or a key stands twice in it; with the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecordError(f"{path} cannot be read:", [Problem("", str(error.strerror))]) from None
    except UnicodeDecodeError:
        raise RecordError(f"{path} cannot be read:", [Problem("", "it is not UTF-8 text")]) from None
    return parse_yaml(path, text)


def parse_yaml(path: Path, text: str) -> YamlFile:
    """A file out of its text, which need not be on disk yet.

    Raises:
        RecordError: it is no YAML, or a key stands twice in it; with the line.
    """
    try:
        return YamlFile(path, text, yaml.load(text, _StrictLoader))  # noqa: S506 - made of the safe loader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = str(getattr(error, "problem", None) or error)
        raise RecordError(f"{path} is not valid YAML:", [Problem(where, what)]) from None


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Replaces a file in one step, so that an interruption leaves the old or the new one.

    Args:
        path: the file; its folder exists.
        text: the new content.
        mode: permissions; None keeps those of the file that is replaced, or 0o644.
    """
    if mode is None:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

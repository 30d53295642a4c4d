"""Connect a customer's S3 buckets to Dataloop over AWS STS, as code.

Each name is imported when it is first asked for: the steps of a run are processes of their own, and few need the spec.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataloop_sts.errors import DataloopStsError
    from dataloop_sts.spec import ConnectionSpec

__all__ = ["ConnectionSpec", "DataloopStsError"]
_MODULE_OF = {"ConnectionSpec": "spec", "DataloopStsError": "errors"}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

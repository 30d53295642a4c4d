"""Whether drivers' flags and the role's permission to delete agree: Dataloop goes by the one, AWS by the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dataloop_sts.rules import documents


@dataclass(frozen=True)
class Reach:
    """What a driver reaches.

    Attributes:
        driver: its name.
        objects: the beginning of their ARNs: ``arn:aws:s3:::bucket/``, or ``arn:aws:s3:::bucket/raw/`` of a folder.
        allow_delete: its flag.
    """

    driver: str
    objects: str
    allow_delete: bool


def deletable(document: object) -> list[str]:
    """The ARNs on which a permission document allows ``s3:DeleteObject``.

    Raises:
        NoDocument: it is none.
    """
    return [
        str(resource)
        for statement in documents.allowing(document)
        if "s3:DeleteObject" in documents.values(statement.get("Action"))
        for resource in documents.values(statement.get("Resource"))
        if "/" in str(resource)  # a bucket itself is no object
    ]


def wrong_flag(reach: Reach, resources: Collection[str]) -> str | None:
    """What is wrong with a driver's flag, or None. Within a driver that may not delete another one may.

    Args:
        reach: the driver.
        resources: what :func:`deletable` gives.
    """
    every = any(resource.endswith("*") and reach.objects.startswith(resource[:-1]) for resource in resources)
    if reach.allow_delete and not every:
        return f"allow_delete is true, and the role may not delete {reach.objects}*"
    if every and not reach.allow_delete:
        return f"allow_delete is false, and the role may delete {reach.objects}*"
    return None


def surplus(resources: Collection[str], reaches: Sequence[Reach]) -> Iterator[str]:
    """What the role may delete without a driver that may.

    Args:
        resources: what :func:`deletable` gives.
        reaches: all drivers.
    """
    for resource in resources:
        if not any(reach.allow_delete and resource.startswith(reach.objects) for reach in reaches):
            yield f"the role may delete {resource}, and no driver has allow_delete there"

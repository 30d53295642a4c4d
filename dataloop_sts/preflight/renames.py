"""The preflight's look at changes of the spec that would replace something, although they read like a new name for it.

IAM cannot rename a role or a policy, and S3 no bucket; a driver cannot leave its bucket. The update would make another
one and delete the first. Where both can be there at once nothing is lost meanwhile, so only such a change is let
through, and only where this run confirms it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataloop_sts.errors import Problem
from dataloop_sts.losses import confirmed, how_to_go_on
from dataloop_sts.preflight.request import Known, PreflightRequest


@dataclass(frozen=True)
class _Renamed:
    """An IAM object as the stack knew it, and as it is to be."""

    kind: str
    old: str
    new: str
    moves: bool
    """Whether its path changes."""

    @property
    def is_replaced(self) -> bool:
        """A user, unlike a role or a policy, can be moved to another path as it is."""
        return self.old != self.new or (self.moves and self.kind != "user")


def rename_problems(request: PreflightRequest) -> Iterator[Problem]:
    """What would be replaced, and the safe way to it."""
    if request.known:
        yield from _of_iam(request, request.known)
        yield from _of_drivers(request, request.known)
        yield from _of_buckets(request, request.known)


def _of_iam(request: PreflightRequest, known: Known) -> Iterator[Problem]:
    moves = known.iam_path != request.iam_path
    replaced = [
        renamed
        for kind in ("user", "role", "policy")
        if (renamed := _Renamed(kind, getattr(known.names, kind), getattr(request.names, kind), moves)).is_replaced
    ]
    unsafe = list(_unsafe(replaced, request, known))
    yield from unsafe
    if replaced and not unsafe and not confirmed(request.customer):
        changes = ", ".join(f"{renamed.kind} {renamed.old} by {renamed.new}" for renamed in replaced)
        yield Problem(
            "aws.names",
            f"IAM would have to replace {changes}. Buckets, drivers and datasets stay, and Dataloop is given the new "
            "key and role before the old ones go; but who else relies on the old names loses them. Put them back. "
            f"{how_to_go_on(request.customer)}",
        )


def _unsafe(replaced: list[_Renamed], request: PreflightRequest, known: Known) -> Iterator[Problem]:
    """What old and new cannot be there at once, so that the connection would be interrupted."""
    for renamed in replaced:
        if renamed.old == renamed.new:
            yield Problem(
                "aws.iam_path",
                f"IAM cannot move {renamed.kind} {renamed.old} from {known.iam_path} to {request.iam_path}: give it "
                f"another name in the same change (aws.names.{renamed.kind}), so that both can be there until Dataloop "
                "has the new one.",
            )
        elif renamed.old.lower() == renamed.new.lower():
            # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html: case does not tell names apart
            yield Problem(
                f"aws.names.{renamed.kind}",
                f"To IAM {renamed.new} and {renamed.old} are one name: change more than upper and lower case.",
            )
    if {renamed.kind for renamed in replaced} >= {"user"} and known.names.role == request.names.role:
        yield Problem(
            "aws.names.role",
            f"Role {known.names.role} trusts user {known.names.user} alone: give it another name together with the "
            "user, so that the old pair works until Dataloop has the new one.",
        )


def _of_drivers(request: PreflightRequest, known: Known) -> Iterator[Problem]:
    for old in known.names.drivers:
        new = request.names.driver_after(old)
        if new and new.bucket != old.bucket and not confirmed(request.customer):
            yield Problem(
                "drivers[].bucket",
                f"Driver {old.name!r} cannot leave bucket {old.bucket}: it would be deleted, and another one made for "
                f"{new.bucket}. Put the bucket back, and add a second driver, of another name, for {new.bucket}; once "
                f"everything has moved there, take {old.name!r} out of the spec. {how_to_go_on(request.customer)}",
            )


def _of_buckets(request: PreflightRequest, known: Known) -> Iterator[Problem]:
    handed_over = [bucket for bucket in known.names.buckets if bucket in request.needs.existing_buckets]
    for bucket in handed_over if known.on_destroy == "delete" else ():
        yield Problem(
            "drivers[].bucket.existing",
            f"Bucket {bucket} is this stack's, and its end is to be deleted with on_destroy: delete: set on_destroy to "
            "retain, run `pulumi up`, then write it as existing.",
        )

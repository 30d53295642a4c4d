"""What a run is to take over: everything that is there and that the stack does not know."""

from __future__ import annotations

from collections.abc import Iterator

from dataloop_sts.adopted import FORMER_KEY, Adopted, FormerKey, RoleLeftovers
from dataloop_sts.adoption import known as of
from dataloop_sts.adoption.known import Known, Resource
from dataloop_sts.audit.facts import Facts
from dataloop_sts.audit.grants import grants
from dataloop_sts.live import Bucket, Live, LiveDriver, LiveIntegration, Policy, Role, Unseen, User
from dataloop_sts.policies import Document
from dataloop_sts.revocation import REVOCATION_POLICY


def plan(facts: Facts, known: Known) -> Adopted:
    """What a run takes over; its report has no refusal.

    Args:
        facts: the spec and what is live.
        known: what the stack has.
    """
    live, names = facts.live, facts.names
    imports = {resource: id_ for resource, id_ in _found(facts) if not known.has(*resource)}
    former = former_key(live, known)
    if former:
        imports[of.ACCESS_KEY, FORMER_KEY] = former.id
    integration, drivers = live.integration, live.drivers
    there = {
        "user": (names.user, live.user),
        "role": (names.role, live.role),
        "policy": (names.policy, live.policy),
        "integration": (names.integration, integration),
    }
    return Adopted(
        imports=imports,
        names=(
            *(f"{kind} {name}" for kind, (name, found) in there.items() if found),
            *(f"bucket {name}" for name in facts.spec.managed_buckets if live.buckets[name]),
            *(f"driver {name}" for name, found in drivers.items() if found),
        ),
        former_key=former,
        leftovers=leftovers(live),
        integration_id=integration.integration.id
        if isinstance(integration, LiveIntegration) and not known.has(of.INTEGRATION, "integration")
        else None,
        driver_ids={
            name: found.driver.id
            for name, found in drivers.items()
            if isinstance(found, LiveDriver) and not known.has(of.DRIVER, name)
        },
    )


def former_key(live: Live, known: Known) -> FormerKey | None:
    """The one key that is not the stack's."""
    if not isinstance(live.user, User) or isinstance(live.user.keys, Unseen):
        return None
    if FORMER_KEY in known.access_keys.values():
        return None  # the stack has it, and deletes it in this run
    others = [key for key in live.user.keys if key.id not in known.access_keys]
    return FormerKey(others[0].id, others[0].active) if len(others) == 1 else None


def leftovers(live: Live) -> RoleLeftovers | None:
    """Policies on the role that allow something and are not the spec's; what only denies stays."""
    role, policy = live.role, live.policy
    if not isinstance(role, Role):
        return None
    own = policy.arn if isinstance(policy, Policy) else ""
    attached = () if isinstance(role.attached_policies, Unseen) else role.attached_policies
    inline = {} if isinstance(role.inline_policies, Unseen) else role.inline_policies
    found = RoleLeftovers(
        attached=tuple(each.arn for each in attached if each.arn != own and _allows(each.document)),
        inline=tuple(name for name, document in inline.items() if name != REVOCATION_POLICY and _allows(document)),
    )
    return found if found.attached or found.inline else None


def attached_by_hand(live: Live) -> bool:
    """Whether the spec's policy is on the role."""
    role, policy = live.role, live.policy
    if not isinstance(role, Role) or not isinstance(policy, Policy) or isinstance(role.attached_policies, Unseen):
        return False
    return any(each.arn == policy.arn for each in role.attached_policies)


def _allows(document: Document | Unseen) -> bool:
    return not isinstance(document, Unseen) and bool(grants(document))


def _found(facts: Facts) -> Iterator[tuple[Resource, str]]:
    """Every AWS resource that is there, with the id by which it is imported.

    https://www.pulumi.com/registry/packages/aws/api-docs/ tells the ids, at the end of each resource's page.
    """
    live = facts.live
    for name in facts.spec.managed_buckets:
        bucket = live.buckets[name]
        if not isinstance(bucket, Bucket):
            continue
        yield (of.BUCKET, name), name
        settings = {
            (of.PUBLIC_ACCESS, f"{name}-public-access"): bucket.public_access_block,
            (of.OWNERSHIP, f"{name}-ownership"): bucket.ownership,
            (of.ENCRYPTION, f"{name}-encryption"): bucket.encryption,
            (of.BUCKET_POLICY, f"{name}-tls-only"): bucket.policy,
        }
        yield from ((resource, name) for resource, found in settings.items() if found is not None)
    if isinstance(live.user, User):
        yield (of.USER, "user"), live.user.name
    if isinstance(live.policy, Policy):
        yield (of.POLICY, "policy"), live.policy.arn
    if isinstance(live.role, Role):
        yield (of.ROLE, "role"), live.role.name
    if attached_by_hand(live) and isinstance(live.role, Role) and isinstance(live.policy, Policy):
        yield (of.ATTACHMENT, "role-policy"), f"{live.role.name}/{live.policy.arn}"

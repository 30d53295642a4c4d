"""The rows of a report: each thing of the connection, how it differs from the spec, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from dataloop_sts import policies
from dataloop_sts.adopted import FORMER_KEY
from dataloop_sts.adoption import known as of
from dataloop_sts.adoption.known import Known
from dataloop_sts.adoption.plan import attached_by_hand, former_key, leftovers
from dataloop_sts.adoption.report import Row
from dataloop_sts.audit.facts import Facts
from dataloop_sts.audit.grants import conditions, grants, principals, statements, uncovered
from dataloop_sts.live import AccessKey, Bucket, LastUse, LiveDriver, LiveIntegration, Policy, Role, Unseen, User
from dataloop_sts.policies import Document
from dataloop_sts.spec_parts import DriverSpec
from dataloop_sts.values import ACCESS_KEY_TAG_PREFIX

_DEFAULT_SESSION_SECONDS = 3600
MADE = "is made"


def rows(facts: Facts, known: Known) -> Iterator[Row]:
    """Every row of a report, in the order in which people make the things."""
    for name in facts.spec.bucket_names:
        yield from _bucket_rows(facts, known, name)
    yield _policy_row(facts, known)
    yield _user_row(facts, known)
    yield from _key_rows(facts, known)
    yield _role_row(facts, known)
    yield _trust_row(facts, known)
    yield from _attachment_rows(facts, known)
    yield _integration_row(facts, known)
    for driver in facts.spec.drivers:
        yield _driver_row(facts, known, driver)


def _row(kind: str, name: str, there: object, differences: list[str], is_known: bool) -> Row:
    if isinstance(there, Unseen):
        return Row(kind=kind, name=name, found=False, differences=(there.reason,), becomes="could not be looked at")
    if there is None:
        return Row(kind=kind, name=name, found=False, becomes=MADE)
    becomes = "is the stack's already" if is_known else "is imported"
    if differences:
        becomes += ", and brought to the spec"
    return Row(kind=kind, name=name, found=True, differences=tuple(differences), becomes=becomes)


def _bucket_rows(facts: Facts, known: Known, name: str) -> Iterator[Row]:
    found = facts.live.buckets[name]
    if name not in facts.spec.managed_buckets:
        yield Row(kind="existing bucket", name=name, found=found is not None, becomes="stays as it is")
        return
    if not isinstance(found, Bucket):
        reason = found.reason if isinstance(found, Unseen) else "It belongs to another account." if found else ""
        row = Row(kind="bucket", name=name, found=False, differences=(reason,) if reason else (), becomes=MADE)
        yield row.model_copy(update={"becomes": "cannot be adopted"}) if reason else row
        return
    differences = _tags(facts, found.tags)
    if isinstance(found.region, str) and found.region != facts.spec.aws.region:
        differences.append(f"It is in {found.region}; the spec says {facts.spec.aws.region}.")
    yield _row("bucket", name, found, differences, known.has(of.BUCKET, name))
    block = found.public_access_block
    off = [] if isinstance(block, Unseen) or block is None else [k for k, on in block.model_dump().items() if not on]
    differences = [f"Off: {', '.join(off)}."] if off else []
    yield _row("public access block", name, block, differences, known.has(of.PUBLIC_ACCESS, f"{name}-public-access"))
    differences = (
        []
        if found.ownership == "BucketOwnerEnforced"
        else [f"It is {found.ownership}; the spec's: BucketOwnerEnforced."]
    )
    yield _row("ownership", name, found.ownership, differences, known.has(of.OWNERSHIP, f"{name}-ownership"))
    yield _encryption_row(facts, known, found)
    document = policies.bucket_document(facts.spec.aws.partition, name)
    differences = [] if found.policy == document else ["It says something else than the spec's."]
    yield _row("bucket policy", name, found.policy, differences, known.has(of.BUCKET_POLICY, f"{name}-tls-only"))


def _encryption_row(facts: Facts, known: Known, bucket: Bucket) -> Row:
    wanted, found = facts.spec.kms_key_arn(bucket.name), bucket.encryption
    differences = []
    if found is not None and not isinstance(found, Unseen):
        is_so, should = found.kms_key or found.algorithm, wanted or "AES256"
        same = is_so in (should, should.rpartition("/")[2])  # AWS gives a key as it was written: by ARN or by id
        differences = [] if same else [f"It is {is_so}; the spec says {should}."]
    name = f"{bucket.name}-encryption"
    return _row("encryption", bucket.name, found, differences, known.has(of.ENCRYPTION, name))


def _policy_row(facts: Facts, known: Known) -> Row:
    found = facts.live.policy
    differences: list[str] = []
    if isinstance(found, Policy):
        if not isinstance(found.document, Unseen):
            differences += _permission(found.document, policies.permission_document(facts.spec))
        differences += _tags(facts, found.tags)
    return _row("policy", facts.names.policy, found, differences, known.has(of.POLICY, "policy"))


def _permission(found: Document, wanted: Document) -> list[str]:
    says, should = grants(found), grants(wanted)
    more, less = uncovered(says, should), uncovered(should, says)
    denies = grants(found, "Deny")
    differences = [f"It allows {grant} beyond the spec." for grant in more]
    differences += [f"It does not allow {grant}." for grant in less]
    differences += [f"It denies {grant}." for grant in denies]
    return differences


def _user_row(facts: Facts, known: Known) -> Row:
    found = facts.live.user
    differences = _tags(facts, found.tags) + _boundary(facts, found) if isinstance(found, User) else []
    return _row("user", facts.names.user, found, differences, known.has(of.USER, "user"))


def _key_rows(facts: Facts, known: Known) -> Iterator[Row]:
    user, generation = facts.live.user, facts.spec.access_key.generation
    keys = user.keys if isinstance(user, User) and not isinstance(user.keys, Unseen) else ()
    former = former_key(facts.live, known)
    for key in keys:
        name = known.access_keys.get(key.id)
        if name is not None and name != FORMER_KEY:
            yield Row(kind="access key", name=key.id, found=True, becomes="is the stack's already")
            continue
        goes = name == FORMER_KEY or (former is not None and former.id == key.id)
        becomes = "is imported as generation 0, and deleted once the new key has proved itself"
        yield Row(
            kind="access key",
            name=key.id,
            found=True,
            differences=(f"It was {in_words(facts, key)}; its secret is not known.",),
            becomes=becomes if goes else "cannot be adopted",
        )
    if not any(name != FORMER_KEY for name in known.access_keys.values()):
        yield Row(
            kind="access key", name=f"of generation {generation}", found=False, becomes="is made, and handed over"
        )


def in_words(facts: Facts, key: AccessKey) -> str:
    """When a key was made, and its last use."""
    use = "of unknown use"
    if key.last_used is None:
        use = "never used"
    elif isinstance(key.last_used, LastUse):
        use = f"last used on {_day(key.last_used.at)} for {key.last_used.service}"
    state = "" if key.active else ", switched off"
    age = (facts.now - key.created).days
    return f"made on {_day(key.created)}, {age} days ago, {use}{state}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _role_row(facts: Facts, known: Known) -> Row:
    found = facts.live.role
    differences: list[str] = []
    if isinstance(found, Role):
        differences = _tags(facts, found.tags) + _boundary(facts, found)
        if found.max_session_seconds != _DEFAULT_SESSION_SECONDS:
            differences.append(f"Its sessions last {found.max_session_seconds} s; then {_DEFAULT_SESSION_SECONDS} s.")
    return _row("role", facts.names.role, found, differences, known.has(of.ROLE, "role"))


def _trust_row(facts: Facts, known: Known) -> Row:
    role = facts.live.role
    if not isinstance(role, Role):
        return _row("trust", facts.names.role, role, [], False)
    named = [(kind, name, statement) for statement in statements(role.trust) for kind, name in principals(statement)]
    differences = [
        f"It {'names' if statement.get('Effect') == 'Allow' else 'denies'} {kind} {name}."
        for kind, name, statement in named
        if (kind, name) != ("AWS", facts.user_arn) or statement.get("Effect") != "Allow"
    ]
    ours = [statement for kind, name, statement in named if (kind, name) == ("AWS", facts.user_arn)]
    wanted = policies.trust_document(facts.user_arn, source_ips=facts.spec.aws.trust_source_ips)["Statement"][0]
    if not ours:
        differences.append(f"It does not name {facts.user_arn}.")
    elif any(set(conditions(statement)) != set(conditions(wanted)) for statement in ours):
        differences.append("Its condition is another than the spec's.")
    becomes = "names the user alone then" if differences else "is bound to the user's unique id"
    if known.has(of.ROLE, "role") and not differences:
        becomes = "is the stack's already"
    return Row(kind="trust", name=role.name, found=True, differences=tuple(differences), becomes=becomes)


def _attachment_rows(facts: Facts, known: Known) -> Iterator[Row]:
    role, attached = facts.live.role, attached_by_hand(facts.live)
    there = f"{facts.names.policy} on {facts.names.role}"
    yield _row("attachment", there, attached or None, [], known.has(of.ATTACHMENT, "role-policy"))
    others = leftovers(facts.live)
    if others is None or not isinstance(role, Role):
        return
    documents: dict[str, Document | Unseen] = {}
    if not isinstance(role.attached_policies, Unseen):
        documents |= {policy.arn: policy.document for policy in role.attached_policies}
    if not isinstance(role.inline_policies, Unseen):
        documents |= role.inline_policies
    for name in (*others.attached, *others.inline):
        yield Row(
            kind="further policy of the role",
            name=name,
            found=True,
            differences=_says(documents[name]),
            becomes="is detached" if name in others.attached else "is deleted",
        )


def _says(document: Document | Unseen) -> tuple[str, ...]:
    return () if isinstance(document, Unseen) else (f"It says {policies.canonical(document)}",)


def _integration_row(facts: Facts, known: Known) -> Row:
    found, name = facts.live.integration, facts.names.integration
    row = _row("integration", name, found, [], known.has(of.INTEGRATION, "integration"))
    if isinstance(found, LiveIntegration) and not known.has(of.INTEGRATION, "integration"):
        return row.model_copy(update={"becomes": "is taken over, with the new key once that has passed TEST"})
    return row


def _driver_row(facts: Facts, known: Known, driver: DriverSpec) -> Row:
    found = facts.live.drivers[driver.name]
    if not isinstance(found, LiveDriver):
        return _row("driver", driver.name, found, [], False)
    live, wanted = found.driver, _wanted(facts, driver)
    is_so = {"bucket": live.bucket, "region": live.region, "folder": live.path, "deletion flag": live.allow_delete}
    differences = [
        f"Its {name} is {_shown(is_so[name])}; the spec says {_shown(value)}."
        for name, value in wanted.items()
        if is_so[name] != value
    ]
    datasets = () if isinstance(found.datasets, Unseen) else found.datasets
    is_known = known.has(of.DRIVER, driver.name)
    becomes = "is the stack's already" if is_known else "is taken over"
    becomes += ", and brought to the spec" if differences else ""
    becomes += f"; keeps its id and {len(datasets)} dataset{'' if len(datasets) == 1 else 's'}"
    return Row(kind="driver", name=driver.name, found=True, differences=tuple(differences), becomes=becomes)


def _wanted(facts: Facts, driver: DriverSpec) -> dict[str, str | bool]:
    return {
        "bucket": driver.bucket_name,
        "region": facts.spec.aws.region,
        "folder": driver.prefix or "",
        "deletion flag": driver.allow_delete,
    }


def _shown(value: str | bool | None) -> str:
    return {True: "on", False: "off", None: "not told", "": "the whole bucket"}.get(value, str(value))


def _boundary(facts: Facts, one: User | Role) -> list[str]:
    wanted = facts.spec.aws.permissions_boundary
    if one.boundary == wanted:
        return []
    return [f"Its permissions boundary is {one.boundary or 'missing'}; the spec says {wanted or 'none'}."]


def _tags(facts: Facts, tags: Mapping[str, str] | Unseen) -> list[str]:
    """Those that go, and those of the spec that are lacking; our own marks lack on everything made by hand."""
    if isinstance(tags, Unseen):
        return []
    wanted = facts.spec.tags(facts.environment)
    going = [key for key in tags if key not in wanted and not key.startswith((ACCESS_KEY_TAG_PREFIX, "aws:"))]
    lacking = [key for key, value in facts.spec.aws.tags.items() if tags.get(key) != value]
    gone = [f"It has the tag {key}={tags[key]}, which goes: write it into aws.tags to keep it." for key in going]
    return [*gone, *([f"It lacks the spec's tags {', '.join(lacking)}."] if lacking else [])]

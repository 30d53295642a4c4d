"""The repair itself: the lock, then what the state says was under way, then the user's keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from automation import engine
from automation.backend import Backend
from automation.files import write_whole
from automation.repair.in_aws import BUCKET, POLICY, ROLE, USER, Foreign, Leftovers, Made, utc, window
from automation.repair.locks import LockFiles, lock_files, release
from automation.stack import Stack
from automation.workspace import PROJECT
from dataloop_sts.aws import Aws, require_account
from dataloop_sts.live import AccessKey, LastUse

_CREATING = "creating"
_UNDER_WAY = {_CREATING: "made", "updating": "changed", "deleting": "deleted"}
_KEY = "aws:iam/accessKey:AccessKey"
_CALLS_END_S = 5.0
"""How long after a kill the plugins that it left may still finish a call."""


@dataclass(frozen=True)
class Finding:
    """One thing that was broken.

    Attributes:
        text: what it was, and what was done.
        left: it is for a person to judge, and was not touched.
        adoption: the killed run was an adoption, which has to be gone on with as such.
    """

    text: str
    left: bool = False
    adoption: bool = False


def repair(connection: Stack) -> Iterator[Finding]:
    """Mends a stack after a killed run; yields each thing when it is done, and nothing where nothing is broken.

    Touches only what that run left beyond doubt: a lock whose process is dead, operations that the state notes as
    under way, AWS objects of this connection's names and tags, and a key whose secret died with the run.

    Args:
        connection: whose stack it is.

    Raises:
        StackLocked: a run lives, or may live on another machine; nothing was touched.
        NoSuchStack: no run ever began.
        NoCredentials: there are none for Dataloop; nothing was touched.
        StackError, AwsError: the state cannot be read or written, AWS cannot be looked at.
    """
    connection.variables()  # or it would end half-way
    Backend.of(connection.environment).require_room()
    begun: datetime | None = None
    backend = _backend(connection)
    files = lock_files(backend, PROJECT, connection.stack)
    if files is None:
        yield Finding(
            f"The locks of {backend} are not looked at: where `up` says that another update runs, look there, and end "
            "a dead one with `pulumi cancel`."
        )
    for lock in release(files) if files else ():
        begun = min(lock.timestamp, begun or lock.timestamp)
        yield Finding(f"The lock of {lock}, which is dead, was removed.")
    yield from _mend_files(files, connection.stack) if files else ()
    exported = json.loads(connection.command(["stack", "export"]))
    deployed = exported.get("deployment") or {}
    if deployed:
        deployed.setdefault("resources", [])
        yield from _mend_state(connection, exported, deployed, begun)


def _mend_files(files: LockFiles, stack: str) -> Iterator[Finding]:
    """What the engine cannot read since a kill has cut it short; no run of the stack lives, so nobody writes it."""
    for path in Backend(files.store).cut_short(stack):
        files.store.remove(path)
        name = path.rpartition("/")[2]
        yield Finding(f"{name} was cut short by a kill or a full disk, and was removed: the stack does without it.")


def _mend_state(
    connection: Stack, exported: dict[str, Any], deployed: dict[str, Any], begun: datetime | None
) -> Iterator[Finding]:
    pending = deployed.get("pending_operations") or []
    last_word = utc(deployed["manifest"]["time"])
    leftovers = _leftovers(connection, deployed, begun, last_word)
    if begun and any(_is_creating(each, kind) for each in pending for kind in (_KEY, *leftovers.looks)):
        time.sleep(max(0.0, _CALLS_END_S - (datetime.now(UTC) - last_word).total_seconds()))
    found = [_look(operation, deployed, leftovers) for operation in pending]
    wanted = _wanted(connection)
    foreign = [
        made
        for operation, made in zip(pending, found, strict=True)
        if isinstance(made, Foreign) and (operation["resource"]["type"], _name(operation)) in wanted
    ]
    if foreign:
        # the state is mended as a whole: an import of it forgets all that it notes as under way
        for each in foreign:
            yield Finding(
                f"A killed run was to make what is there: {each.why}. Remove it where nobody needs it, or else give "
                "another name in the spec.",
                left=True,
            )
        yield Finding("The rest of the repair waits for that: run it again.", left=True)
        return
    yield from _keys(deployed, leftovers, keys_begun=any(_is_creating(each, _KEY) for each in pending))
    if pending:
        taken = [_taken(each, made) for each, made in zip(pending, found, strict=True) if isinstance(made, Made)]
        _write(connection, exported, deployed, taken)
        yield from map(_told, pending, found)


def _leftovers(
    connection: Stack, deployed: Mapping[str, Any], begun: datetime | None, last_word: datetime
) -> Leftovers:
    spec = connection.spec
    preflight: dict[str, Any] = next(
        (each for each in deployed["resources"] if each["urn"].endswith("::preflight")), {}
    )
    account_id = spec.aws.account_id or (preflight.get("inputs") or {}).get("seen_account_id") or ""
    aws = Aws(spec.aws.region, deploy_role=spec.aws.deploy_role)
    if account_id:
        require_account(aws, account_id)
    return Leftovers(aws, spec, connection.environment.name, account_id, window(begun, last_word))


def _look(operation: dict[str, Any], deployed: Mapping[str, Any], leftovers: Leftovers) -> Made | Foreign | None:
    """What an operation that was under way has made; None for one that can be done again."""
    resource = operation["resource"]
    look = leftovers.looks.get(resource["type"])
    if look is None or operation["type"] != _CREATING:
        return None
    name = _name(operation)
    known = next((str(each["id"]) for each in deployed["resources"] if each["urn"] == resource["urn"]), None)
    if known in (None, name) or str(known).endswith(f"/{name}"):
        return None if known else look(resource["inputs"])
    found = look(resource["inputs"])
    return Foreign(f"{found.id}, in the place of {known}") if isinstance(found, Made) else found


def _name(operation: Mapping[str, Any]) -> str:
    inputs = operation["resource"]["inputs"]
    return str(inputs.get("name") or inputs.get("bucket"))


def _wanted(connection: Stack) -> set[tuple[str, str]]:
    """The types and names that the spec asks for."""
    names = connection.spec.names(connection.environment.name)
    iam = {(USER, names.user), (ROLE, names.role), (POLICY, names.policy)}
    return iam | {(BUCKET, bucket) for bucket in connection.spec.managed_buckets}


def _taken(operation: dict[str, Any], made: Made) -> dict[str, Any]:
    """The resource of an operation, with what others need of it, should nobody get to read the rest."""
    inputs = {key: value for key, value in operation["resource"]["inputs"].items() if not key.startswith("__")}
    return {**operation["resource"], "id": made.id, "outputs": {**inputs, "id": made.id, **made.outputs}}


def _told(operation: dict[str, Any], made: Made | Foreign | None) -> Finding:
    resource = operation["resource"]
    name = f"{resource['type'].rpartition(':')[2]} {resource['urn'].rpartition('::')[2]}"
    if isinstance(made, Made):
        return Finding(f"{name} was made, and is in the stack now: {made.id}")
    return Finding(f"{name} was being {_UNDER_WAY.get(operation['type'], 'read')}: the next run does it again")


def _keys(deployed: Mapping[str, Any], leftovers: Leftovers, keys_begun: bool) -> Iterator[Finding]:
    """The user's keys that the stack does not know: one that a killed run made is of use to nobody."""
    known = frozenset(str(each["id"]) for each in deployed["resources"] if each["type"] == _KEY)
    for user in sorted({str(each["inputs"]["name"]) for each in deployed["resources"] if each["type"] == USER}):
        for key in leftovers.unknown_keys(user, known):
            if keys_begun and leftovers.is_orphan(key):
                leftovers.delete_key(user, key.id)
                yield Finding(f"Access key {key.id} was made and its secret is lost with the run: it was deleted.")
            elif _was_adopting(deployed):
                yield Finding(
                    f"Access key {key.id} of user {user} ({_in_words(key)}) was there before the adoption: going on "
                    "with that replaces it.",
                    adoption=True,
                )
            else:
                yield Finding(
                    f"Access key {key.id} of user {user} ({_in_words(key)}) is not this stack's, and was left alone: "
                    "delete it where nobody needs it.",
                    left=True,
                )


def _was_adopting(deployed: Mapping[str, Any]) -> bool:
    """Whether the last run was an adoption: the preflight's inputs name what it was to take over."""
    preflights = (each for each in deployed["resources"] if each["urn"].endswith("::preflight"))
    return any((each.get("inputs") or {}).get("adopting") for each in preflights)


def _write(connection: Stack, exported: dict[str, Any], deployed: dict[str, Any], taken: list[dict[str, Any]]) -> None:
    """Writes the state, and lets the provider read what was taken up.

    The flag that `pulumi refresh` has for it, --import-pending-creates, only forgets the operations (engine 3.274).
    """
    deployed["pending_operations"] = []
    deployed["resources"] += taken
    folder = connection.environment.work_dir(connection.stack).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "repaired-state.json"  # its secrets are encrypted; one that a kill left is replaced
    try:
        write_whole(file, json.dumps(exported), mode=0o600)
        connection.command(["stack", "import", "--file", str(file)])
    finally:
        file.unlink(missing_ok=True)
    if taken:
        targets = [f"--target={resource['urn']}" for resource in taken]
        connection.command(
            ["refresh", "--yes", "--skip-preview", "--color", "never", *targets], variables=connection.variables()
        )


def _is_creating(operation: Mapping[str, Any], kind: str) -> bool:
    return bool(operation["type"] == _CREATING and operation["resource"]["type"] == kind)


def _backend(connection: Stack) -> str:
    said = engine.run(["whoami", "--json"], connection.environment.project_dir, connection.environment.variables())
    return str(json.loads(said)["url"])


def _in_words(key: AccessKey) -> str:
    used = f"last used on {key.last_used.at:%Y-%m-%d}" if isinstance(key.last_used, LastUse) else "never used"
    described = f"described as {key.description!r}" if key.description else "without a description"
    return f"made on {key.created:%Y-%m-%d %H:%M} UTC, {used}, {described}"

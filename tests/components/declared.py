"""What a connection declares: each registration as the engine would get it, by Pulumi's own mock of the engine."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc

from dataloop_sts.components import Connection, ConnectionArgs
from tests.unit.spec_examples import spec

UNIQUE_ID = "AIDAEXAMPLEUNIQUEID1"
SEEN_ACCOUNT_ID = "123456789012"
SECRET = "made-by-the-mock-0123456789/secret"


@dataclass(frozen=True)
class Registered:
    """One resource's registration."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: dict[str, Any]
    secret_inputs: frozenset[str]
    parent: str
    provider: str
    dependencies: frozenset[str]
    additional_secret_outputs: tuple[str, ...]
    retain_on_delete: bool
    protect: bool
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    deleted_with: str
    delete_before_replace: bool | None
    """None where the provider decides."""
    former_names: tuple[str, ...]

    @property
    def stdin(self) -> Any:
        """The request of a step."""
        return json.loads(self.inputs["stdin"])


@dataclass
class Declared:
    """All registrations, and the component's outputs."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)

    def one(self, type_: str, name: str = "") -> Registered:
        """The only one of a type, or of a type and a name."""
        (found,) = [r for r in self.resources if r.type == type_ and name in ("", r.name)]
        return found

    def of(self, type_: str) -> list[Registered]:
        """All of a type."""
        return [r for r in self.resources if r.type == type_]

    def retained(self) -> set[str]:
        """The names of what stays when it leaves the stack; the engine lets children inherit that from their parent.

        https://www.pulumi.com/docs/iac/concepts/resources/options/retainondelete/
        """
        urns: set[str] = set()
        for resource in self.resources:  # a parent is registered before its children
            if resource.retain_on_delete or resource.parent in urns:
                urns.add(resource.urn)
        return {resource.name for resource in self.resources if resource.urn in urns}

    def needed_by(self, resource: Registered) -> set[str]:
        """The URNs of all that has to exist before a resource, near or far."""
        by_urn = {r.urn: r for r in self.resources}
        found: set[str] = set()
        waiting = [resource]
        while waiting:
            current = waiting.pop()
            direct = {*current.dependencies, current.provider.rpartition("::")[0]} & by_urn.keys()
            waiting += [by_urn[urn] for urn in direct - found]
            found |= direct
        return found


class _Monitor(pulumi_mocks.MockMonitor):
    def __init__(self, mocks: pulumi_mocks.Mocks, declared: Declared) -> None:
        super().__init__(mocks)
        self._declared = declared

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        answer = super().RegisterResource(request)
        if request.type == "pulumi:pulumi:Stack":
            return answer
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        plain = {name: rpc.unwrap_rpc_secret(value) for name, value in inputs.items()}
        self._declared.resources.append(
            Registered(
                urn=answer.urn,
                type=request.type,
                name=request.name,
                custom=request.custom,
                inputs=plain,
                secret_inputs=frozenset(name for name, value in inputs.items() if rpc.is_rpc_secret(value)),
                parent=request.parent,
                provider=request.provider,
                dependencies=frozenset(request.dependencies),
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                retain_on_delete=request.retainOnDelete,
                protect=request.protect,
                ignore_changes=tuple(request.ignoreChanges),
                replace_on_changes=tuple(request.replaceOnChanges),
                deleted_with=request.deletedWith,
                delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
                former_names=tuple(alias.spec.name for alias in request.aliases),
            )
        )
        return answer


class _World(pulumi_mocks.Mocks):
    """Gives back what was put in, and what AWS would add to it."""

    def call(self, args: pulumi_mocks.MockCallArgs) -> Any:
        raise AssertionError(f"the program asks the provider for {args.token}")

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind = args.typ.rpartition(":")[2]
        made = {
            "User": {"arn": f"arn:aws:iam::123456789012:user/{args.inputs.get('name')}", "uniqueId": UNIQUE_ID},
            "Role": {"arn": f"arn:aws:iam::123456789012:role/{args.inputs.get('name')}"},
            "Policy": {"arn": f"arn:aws:iam::123456789012:policy/{args.inputs.get('name')}"},
            "Bucket": {"arn": f"arn:aws:s3:::{args.inputs.get('bucket')}"},
            "AccessKey": {"secret": pulumi.Output.secret(SECRET), "createDate": "2026-01-02T03:04:05Z"},
            "Preflight": {"seen_account_id": SEEN_ACCOUNT_ID, "seen_folders": _folders(args.inputs)},
            "Command": {"stdout": '{"ok": true, "checks": []}'},
        }.get(kind, {})
        id_ = "AKIAIOSFODNN7EXAMPLE" if kind == "AccessKey" else f"{args.name}-id"
        return id_, {**args.inputs, **made}


def _folders(preflight: dict[str, Any]) -> dict[str, list[str]]:
    """What the preflight sees on a new stack."""
    folders: dict[str, list[str]] = {}
    for driver in preflight.get("names", {}).get("drivers", []):
        folders.setdefault(driver["bucket"], []).append(driver["path"])
    return folders


_loop = asyncio.new_event_loop()


def declare(environment: str = "dev", sandbox_endpoint: str | None = None, **changes: Any) -> Declared:
    """Declares the connection of the smallest spec with changes."""
    asyncio.set_event_loop(_loop)  # `asyncio.run` of another test leaves the thread without one
    declared = Declared()
    world = _World()
    pulumi_mocks.set_mocks(world, project="dataloop-sts", stack=environment, monitor=_Monitor(world, declared))

    async def resolve(outputs: dict[str, pulumi.Output[Any]]) -> None:
        for name, output in outputs.items():
            declared.outputs[name] = await output.future()
            if await output.is_secret():
                declared.secret_outputs.add(name)

    @pulumi_mocks.test
    def program() -> Any:
        args = ConnectionArgs(spec(**changes), environment, sandbox_endpoint)
        return resolve(Connection("acme", args).outputs)

    program()
    return declared

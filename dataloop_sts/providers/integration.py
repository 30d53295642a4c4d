"""The Dataloop integration of type ``aws-sts`` as a Pulumi resource."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult
from pydantic import SecretStr

from dataloop_sts import dataloop
from dataloop_sts.dataloop import INTEGRATION_TYPE, DataloopClient, StsCredentials
from dataloop_sts.errors import Conflict, DataloopError, DataloopStsError, DriverTestFailed, NotFound
from dataloop_sts.losses import counted, in_words
from dataloop_sts.providers.adoption import IntegrationToAdopt, adopt_integration
from dataloop_sts.providers.base import DataloopProvider, Props, changed, is_unknown, one_line_errors
from dataloop_sts.providers.testing import require_working, working_drivers

_CREDENTIALS = ("access_key_id", "secret_access_key", "role_arn")
_INPUTS = ("organization_id", "name", "generation", *_CREDENTIALS)
_CLOCKS_DIFFER_MS = 10 * 60 * 1000


class IntegrationProvider(DataloopProvider):
    """Adapts Pulumi's calls to the integrations of the Dataloop API.

    ``updated_at`` of the last write is kept in the state. Any other value on the platform says that somebody else
    wrote, so the credentials there may not be ours: they are written and tested again before an old key is deleted.
    """

    @one_line_errors
    def check(self, olds: Props, news: Props) -> CheckResult:
        """Lets the key's generation stay, or go on by one."""
        failures: list[CheckFailure] = []
        old, new = olds.get("generation"), news.get("generation")
        if old is not None and new is not None and new not in (old, old + 1):
            reason = (
                f"access_key.generation: the last applied generation is {old:.0f}, so it can be {old:.0f} or "
                f"{old + 1:.0f}, not {new:.0f}."
            )
            failures.append(CheckFailure("", reason))
        return CheckResult(news, failures)

    @one_line_errors
    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """Compares with the state, and the state with the platform."""
        replaces = [name for name in changed(olds, news, ["organization_id"]) if not is_unknown(news.get(name))]
        differs = bool(changed(olds, news, _INPUTS))
        if not replaces:
            try:
                live = self.client.integration(olds["organization_id"], id_)
            except NotFound:
                replaces = ["name"]  # it is gone: made anew, and the drivers moved to it
            else:
                differs = differs or bool(olds.get("changed_outside_at")) or _mark(live) != olds.get("updated_at")
        return DiffResult(changes=differs or bool(replaces), replaces=replaces, delete_before_replace=False)

    @one_line_errors
    def create(self, props: Props) -> CreateResult:
        """Creates it, or takes over: one that is to be adopted, or one that an interrupted run of ours left."""
        client, organization_id, name = self.client, props["organization_id"], props["name"]
        if props.get("adopt"):
            adopted = IntegrationToAdopt.model_validate(props["adopt"])
            adopt_integration(client, organization_id, adopted, name, _credentials(props))
            return CreateResult(adopted.id, _outs(props, client.integration(organization_id, adopted.id)))
        made = _named(client, organization_id, name)
        if made:
            _take_over(client, organization_id, made, props)
        else:
            try:
                made = client.create_integration(organization_id, name, _credentials(props))
            except DataloopError as error:
                # where the answer was lost it may be there all the same
                made = _named(client, organization_id, name) if error.maybe_applied else None
                if not made:
                    raise
                _take_over(client, organization_id, made, props)
        return CreateResult(made.id, _outs(props, client.integration(organization_id, made.id)))

    @one_line_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """What the platform says; gone only where it says 404."""
        try:
            live = self.client.integration(props["organization_id"], id_)
        except NotFound:
            return ReadResult("", {})
        outside = "" if _mark(live) == props.get("updated_at") else _mark(live) or "unknown"
        outs = {**props, "name": live.name, "changed_outside_at": outside}
        return ReadResult(id_, outs)

    @one_line_errors
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Writes name and credentials, and TESTs what worked before; where that fails the old ones are put back."""
        client, organization_id = self.client, news["organization_id"]
        working = working_drivers(client, id_)
        client.update_integration(organization_id, id_, name=news["name"], credentials=_credentials(news))
        try:
            require_working(client, working)
        except DriverTestFailed as error:
            if not changed(olds, news, _CREDENTIALS):
                raise
            client.update_integration(organization_id, id_, credentials=_credentials(olds))
            raise DataloopStsError(f"{error} The former credentials were put back; their key stays.") from None
        return UpdateResult(_outs(news, client.integration(organization_id, id_)))

    @one_line_errors
    def delete(self, id_: str, props: Props) -> None:
        """Deletes it; what is gone already is fine, what drivers use is not."""
        client, organization_id = self.client, props["organization_id"]
        try:
            users = [driver.name or driver.id for driver in client.drivers(integration_id=id_)]
            count = client.driver_count(id_)
            if users or count:
                used_by = (
                    in_words(users, "driver")
                    if users
                    else f"{counted(count, 'driver')} that the token's user may not see"
                )
                raise Conflict(
                    what=f"Integration {props['name']!r} is still used by {used_by}",
                    next_step="Remove those drivers, or move them to another integration, then run again.",
                )
            client.delete_integration(organization_id, id_)
        except NotFound:
            return


class Integration(Resource, module="dataloop", name="Integration"):
    """A Dataloop integration that holds an access key and the role to assume with it.

    Args:
        name: the resource's name in the stack.
        organization_id: id of the Dataloop organization.
        integration_name: the name on Dataloop.
        access_key_id, secret_access_key: of the IAM user.
        role_arn: the role that the user may assume.
        generation: counts the key's rotations, from 1.
        stack_since: when the stack was begun, in milliseconds; what is older was not made by it.
        adopt: the integration of that name that exists and is taken over; it counts for a creation alone.
    """

    organization_id: pulumi.Output[str]
    name: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    generation: pulumi.Output[int]
    stack_since: pulumi.Output[int]
    creator: pulumi.Output[str]
    updated_at: pulumi.Output[str]
    changed_outside_at: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        organization_id: pulumi.Input[str],
        integration_name: pulumi.Input[str],
        access_key_id: pulumi.Input[str],
        secret_access_key: pulumi.Input[str],
        role_arn: pulumi.Input[str],
        generation: pulumi.Input[int],
        stack_since: pulumi.Input[int],
        adopt: IntegrationToAdopt | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: Props = {
            "organization_id": organization_id,
            "name": integration_name,
            "access_key_id": access_key_id,
            "secret_access_key": pulumi.Output.secret(secret_access_key),
            "role_arn": role_arn,
            "generation": generation,
            "stack_since": stack_since,
            "adopt": adopt.model_dump() if adopt else None,
            "creator": None,
            "updated_at": None,
            "changed_outside_at": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["secret_access_key"])
        super().__init__(IntegrationProvider(), name, props, pulumi.ResourceOptions.merge(secret, opts))


def _credentials(props: Props) -> StsCredentials:
    return StsCredentials(
        access_key_id=props["access_key_id"],
        secret_access_key=SecretStr(props["secret_access_key"]),
        role_arn=props["role_arn"],
    )


def _named(client: DataloopClient, organization_id: str, name: str) -> dataloop.Integration | None:
    return next((i for i in client.integrations(organization_id) if i.name == name), None)


def _take_over(client: DataloopClient, organization_id: str, found: dataloop.Integration, props: Props) -> None:
    """Gives our credentials to an integration that only an interrupted run of ours can have made.

    Such a one is of our type, made by our user, after the stack was begun, and used by no driver.
    """
    mine = found.type == INTEGRATION_TYPE and client.me().made(found) and _made_since(found, props["stack_since"])
    if not mine or client.driver_count(found.id):
        raise Conflict(
            what=f"The organization has an integration named {found.name!r} already, which is not this stack's",
            next_step="Choose another integration.name, or take it over with `dataloop-sts adopt`.",
        )
    client.update_integration(organization_id, found.id, credentials=_credentials(props))


def _made_since(found: dataloop.Integration, moment_ms: float) -> bool:
    """False as well where the platform does not tell the time in milliseconds, as it is documented to."""
    created = found.created_at or ""
    return created.isdigit() and int(created) >= moment_ms - _CLOCKS_DIFFER_MS


def _mark(live: dataloop.Integration) -> str:
    """What tells one write from the next; empty, and so no difference, on a platform that does not say."""
    return live.updated_at or ""


def _outs(props: Props, live: dataloop.Integration) -> Props:
    return {
        **{name: props[name] for name in _INPUTS},
        "stack_since": props["stack_since"],
        "creator": live.creator or "",
        "updated_at": _mark(live),
        "changed_outside_at": "",
    }

"""The Dataloop storage driver as a Pulumi resource, TESTed before and after it is made."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from dataloop_sts import dataloop
from dataloop_sts.dataloop import DataloopClient, NewDriver
from dataloop_sts.errors import Conflict, DataloopError, DataloopStsError, DriverTestFailed, NotFound
from dataloop_sts.losses import confirmed, datasets_lost, how_to_confirm
from dataloop_sts.providers.base import DataloopProvider, Props, changed, is_unknown, one_line_errors
from dataloop_sts.providers.testing import settled_test

_REPLACED_BY = ("project_id", "bucket", "region")
_WRITABLE = ("name", "path", "allow_delete", "integration_id")
_KEPT_BY_ADOPTION = (*_REPLACED_BY, "name", "integration_id")
_INPUTS = ("customer", *_REPLACED_BY, *_WRITABLE)


class StorageDriverProvider(DataloopProvider):
    """Adapts Pulumi's calls to the drivers of the Dataloop API."""

    @one_line_errors
    def check(self, olds: Props, news: Props) -> CheckResult:
        """Nothing to check: the spec did."""
        return CheckResult(news, [])

    @one_line_errors
    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        """A replacement only where the platform cannot change the property in place."""
        replaces = [name for name in changed(olds, news, _REPLACED_BY) if not is_unknown(news.get(name))]
        # its name is unique in the project, so the old one has to go first
        return DiffResult(changes=bool(changed(olds, news, _INPUTS)), replaces=replaces, delete_before_replace=True)

    @one_line_errors
    def create(self, props: Props) -> CreateResult:
        """TESTs what it is to be, creates it (or takes over an equal one, or one to adopt), and TESTs it."""
        client = self.client
        if props.get("adopt"):
            return self._adopted(client, props["adopt"], props)
        wanted = _new_driver(props, client.me().email)
        driver = _equal_one(client, wanted)
        taken_over = driver is not None
        if driver is None:
            settled_test(lambda: client.test_new_driver(wanted), "before its creation")
            try:
                driver = client.create_driver(wanted)
            except DataloopError as error:
                # where the answer was lost it may be there all the same
                driver = _equal_one(client, wanted) if error.maybe_applied else None
                if driver is None:
                    raise
        id_ = driver.id
        try:
            settled_test(lambda: client.test_driver(id_), "after its creation")
        except DriverTestFailed:
            if not taken_over:
                client.delete_driver(id_)
            raise
        return CreateResult(id_, _outs(props, client.driver(id_)))

    def _adopted(self, client: DataloopClient, id_: str, props: Props) -> CreateResult:
        """Brings a driver that exists to what is wanted; it keeps its id, and so its datasets."""
        live = client.driver(id_)
        if moved := changed(_live_props(live), props, _KEPT_BY_ADOPTION):
            raise Conflict(
                what=f"Driver {props['name']!r} exists and differs in {', '.join(moved)}, so it cannot be taken over",
                next_step="Run `dataloop-sts adopt` again; it says what can be done.",
            )
        if changed(_live_props(live), props, _WRITABLE):
            return CreateResult(id_, self.update(id_, _live_props(live), props).outs)
        settled_test(lambda: client.test_driver(id_), "after its adoption")
        return CreateResult(id_, _outs(props, live))

    @one_line_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """What the platform says; gone only where it says 404."""
        try:
            live = self.client.driver(id_)
        except NotFound:
            return ReadResult("", {})
        return ReadResult(id_, _outs({**props, **_live_props(live)}, live))

    @one_line_errors
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Changes it in place, looks whether the change took, and TESTs it; where that fails it is changed back."""
        client = self.client
        try:
            live = _write(client, id_, news)
        except NotFound as error:
            raise DataloopStsError(f"{error} It was deleted elsewhere: run `pulumi up --refresh`.") from None
        kept = changed(_live_props(live), news, _WRITABLE)
        if kept:
            raise DataloopStsError(
                f"Dataloop answered that driver {news['name']!r} was updated, but kept the old {', '.join(kept)}. "
                "Change it in the console, then run again."
            )
        try:
            settled_test(lambda: client.test_driver(id_), "after its update")
        except DriverTestFailed as error:
            _write(client, id_, olds)
            raise DataloopStsError(f"{error} The driver was changed back.") from None
        return UpdateResult(_outs(news, live))

    @one_line_errors
    def delete(self, id_: str, props: Props) -> None:
        """Deletes it; what is gone already is fine, what datasets use is not."""
        client, customer = self.client, props["customer"]
        try:
            lost = datasets_lost(client, props["project_id"], id_, props["name"])
            if lost and not confirmed(customer):
                raise Conflict(
                    what=f"{lost[0].upper()}{lost[1:]}, which would lose access to the storage",
                    next_step=how_to_confirm(customer),
                )
            client.delete_driver(id_)
        except NotFound:
            return


class StorageDriver(Resource, module="dataloop", name="StorageDriver"):
    """A Dataloop storage driver over an S3 bucket or a folder of it.

    Args:
        name: the resource's name in the stack.
        customer: who has to be named to confirm a deletion that datasets would feel.
        driver_name: the name on Dataloop.
        project_id: id of the Dataloop project.
        integration_id: the integration whose credentials it uses.
        bucket, region: the bucket and where it is.
        path: the folder, such as ``raw/``; empty for the whole bucket.
        allow_delete: whether Dataloop may delete objects.
        adopt: id of the driver that exists and is taken over; it counts for a creation alone.
    """

    customer: pulumi.Output[str]
    name: pulumi.Output[str]
    project_id: pulumi.Output[str]
    integration_id: pulumi.Output[str]
    bucket: pulumi.Output[str]
    region: pulumi.Output[str]
    path: pulumi.Output[str]
    allow_delete: pulumi.Output[bool]
    creator: pulumi.Output[str]
    created_at: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        customer: str,
        driver_name: pulumi.Input[str],
        project_id: pulumi.Input[str],
        integration_id: pulumi.Input[str],
        bucket: pulumi.Input[str],
        region: pulumi.Input[str],
        path: pulumi.Input[str],
        allow_delete: pulumi.Input[bool],
        adopt: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: Props = {
            "customer": customer,
            "name": driver_name,
            "project_id": project_id,
            "integration_id": integration_id,
            "bucket": bucket,
            "region": region,
            "path": path,
            "allow_delete": allow_delete,
            "adopt": adopt,
            "creator": None,
            "created_at": None,
        }
        super().__init__(StorageDriverProvider(), name, props, opts)


def _new_driver(props: Props, creator: str) -> NewDriver:
    return NewDriver(
        name=props["name"],
        project_id=props["project_id"],
        integration_id=props["integration_id"],
        bucket=props["bucket"],
        region=props["region"],
        path=props["path"],
        allow_delete=props["allow_delete"],
        creator=creator,
    )


def _equal_one(client: DataloopClient, wanted: NewDriver) -> dataloop.Driver | None:
    """The driver of that name, where it is just what is wanted: then an interrupted run of ours made it.

    Raises:
        Conflict: there is another driver of that name.
    """
    found = next((d for d in client.drivers(project_id=wanted.project_id) if d.name == wanted.name), None)
    if found is None:
        return None
    # a flag that the platform does not tell is not taken for false: the vendor's default is true
    properties = ("integration_id", "bucket", "region", "allow_delete")
    differing = [name for name in properties if getattr(found, name) != getattr(wanted, name)]
    differing += ["path"] if found.path != (wanted.path or "") else []
    if differing:
        raise Conflict(
            what=f"The project has a driver named {wanted.name!r} already, which differs in {', '.join(differing)}",
            next_step="Choose another driver name, or take it over with `dataloop-sts adopt`.",
        )
    return found


def _write(client: DataloopClient, id_: str, props: Props) -> dataloop.Driver:
    client.update_driver(
        id_,
        name=props["name"],
        path=props["path"],
        allow_delete=props["allow_delete"],
        integration_id=props["integration_id"],
    )
    return client.driver(id_)


def _live_props(live: dataloop.Driver) -> Props:
    return {
        "name": live.name,
        "project_id": live.project_id,
        "integration_id": live.integration_id,
        "bucket": live.bucket,
        "region": live.region,
        "path": live.path,
        "allow_delete": live.allow_delete,
    }


def _outs(props: Props, live: dataloop.Driver) -> Props:
    return {
        **{name: props[name] for name in _INPUTS},
        "creator": live.creator or "",
        "created_at": live.created_at or "",
    }

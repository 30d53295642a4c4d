"""The integration and the drivers: there, as the spec says, and nobody else's matter."""

from __future__ import annotations

from collections.abc import Iterable

from dataloop_sts.audit.facts import NO_STATE, Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.dataloop import INTEGRATION_TYPE, Driver
from dataloop_sts.live import LiveDriver, LiveIntegration, Unseen
from dataloop_sts.losses import counted
from dataloop_sts.spec_parts import DriverSpec

NO_INTEGRATION = Check("integration-missing", "critical", "The integration is not there.", "Run `{up}`.")
TYPE = Check(
    "integration-type",
    "high",
    "The integration is of another type than aws-sts, which holds permanent credentials.",
    "Rename or remove it in the console, then run `{up}`.",
)
CHANGED = Check(
    "integration-changed",
    "high",
    "Somebody else has written to the integration since the stack did: it may hold other credentials.",
    "Run `{up}`, which writes the stack's credentials again and tests them.",
)
OTHER_DRIVERS = Check(
    "integration-other-drivers",
    "medium",
    "Drivers that the spec does not have use the integration, and so reach the customer's buckets.",
    "Remove them in the console, or write them into the spec.",
)
NO_DRIVER = Check("driver-missing", "critical", "A driver is not in its project.", "Run `{up}`.")
DELETES = Check(
    "driver-allow-delete",
    "high",
    "A driver's flag for deletions is not as the spec says.",
    "Run `{up}`, or correct allow_delete.",
)
SETTINGS = Check(
    "driver-settings",
    "high",
    "A driver leads to another bucket, region or folder, or uses another integration.",
    "Run `{up}`. Where datasets use the driver, the preview says what they would lose.",
)


def _integration_presence(facts: Facts, _: Facts) -> Said:
    if isinstance(facts.live.integration, Unseen):
        yield facts.live.integration
    elif facts.live.integration is None:
        name = facts.names.integration
        what = f"Organization {facts.spec.organization_id} has no integration of that name."
        yield facts.found(NO_INTEGRATION, f"integration {name}", what)


def _type(facts: Facts, found: LiveIntegration) -> Said:
    if found.integration.type != INTEGRATION_TYPE:
        what = f"Its type is {found.integration.type or 'unknown'}."
        yield facts.found(TYPE, f"integration {found.integration.name}", what)


def _changed(facts: Facts, found: LiveIntegration) -> Said:
    recorded, live = facts.recorded, found.integration
    if recorded is None:
        yield NO_STATE
    elif recorded.integration_id == live.id and recorded.integration_updated_at != live.updated_at:
        what = f"It was written at {live.updated_at}; the stack's last write was at {recorded.integration_updated_at}."
        yield facts.found(CHANGED, f"integration {live.name}", what)


def _users(facts: Facts, found: LiveIntegration) -> Said:
    subject = f"integration {found.integration.name}"
    if isinstance(found.drivers, Unseen):
        yield found.drivers
        return
    ours = {(driver.project_id, driver.name) for driver in facts.spec.drivers}
    others = [each for each in found.drivers if (each.project_id, each.name) not in ours]
    if others:
        what = f"It is used by {listed(f'driver {each.name} of project {each.project_id}' for each in others)}."
        yield facts.found(OTHER_DRIVERS, subject, what)
    if isinstance(found.driver_count, Unseen):
        yield found.driver_count
        return
    # the spec's own drivers may be among those that may not be seen; their project is told as such
    ours_unseen = sum(isinstance(each, Unseen) for each in facts.live.drivers.values())
    more = found.driver_count - len(found.drivers) - ours_unseen
    if more > 0:
        what = f"It is used by {counted(more, 'driver')} that the token's user may not see."
        yield facts.found(OTHER_DRIVERS, subject, what)


def _driver_presence(facts: Facts, _: Facts) -> Said:
    for driver in facts.spec.drivers:
        live = facts.live.drivers.get(driver.name)
        if isinstance(live, Unseen):
            yield live
        elif live is None:
            what = f"Project {driver.project_id} has no driver of that name."
            yield facts.found(NO_DRIVER, f"driver {driver.name}", what)


def _deletes(facts: Facts, found: LiveDriver) -> Said:
    driver, wanted = found.driver, _spec_of(facts, found)
    if driver.allow_delete is None:
        what, needs = f"the deletion flag of driver {driver.name}", "an answer of Dataloop that has it"
        yield Unseen(unseen=what, needs=needs, reason="Dataloop does not tell it.")
    elif driver.allow_delete != wanted.allow_delete:
        what = f"Its flag is {_flag(driver.allow_delete)}; the spec says {_flag(wanted.allow_delete)}."
        yield facts.found(DELETES, f"driver {driver.name}", what)


def _settings(facts: Facts, found: LiveDriver) -> Said:
    wanted, live = _wanted(facts, _spec_of(facts, found)), _settings_of(found.driver)
    differing = [
        f"{name} is {live[name] or 'empty'}, not {value or 'empty'}"
        for name, value in wanted.items()
        if live[name] != value
    ]
    if differing:
        yield facts.found(SETTINGS, f"driver {found.driver.name}", f"Its {'; its '.join(differing)}.")


def _wanted(facts: Facts, driver: DriverSpec) -> dict[str, str]:
    settings = {"bucket": driver.bucket_name, "region": facts.spec.aws.region, "folder": driver.prefix or ""}
    integration = facts.live.integration
    return settings | ({"integration": integration.integration.id} if isinstance(integration, LiveIntegration) else {})


def _settings_of(driver: Driver) -> dict[str, str]:
    return {
        "bucket": driver.bucket or "",
        "region": driver.region or "",
        "folder": driver.path,
        "integration": driver.integration_id or "",
    }


def _spec_of(facts: Facts, found: LiveDriver) -> DriverSpec:
    return next(each for each in facts.spec.drivers if each.name == found.driver.name)


def _flag(value: bool) -> str:
    return "on" if value else "off"


def _integrations(facts: Facts) -> Iterable[LiveIntegration | Unseen | None]:
    return [facts.live.integration]


def _drivers(facts: Facts) -> Iterable[LiveDriver | Unseen | None]:
    return facts.live.drivers.values()


RULES = (
    Rule((NO_INTEGRATION,), lambda facts: [facts], _integration_presence),
    Rule((TYPE,), _integrations, _type),
    Rule((CHANGED,), _integrations, _changed),
    Rule((OTHER_DRIVERS,), _integrations, _users),
    Rule((NO_DRIVER,), lambda facts: [facts], _driver_presence),
    Rule((DELETES,), _drivers, _deletes),
    Rule((SETTINGS,), _drivers, _settings),
)

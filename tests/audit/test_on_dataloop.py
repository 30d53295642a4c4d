"""Every deviation on Dataloop, of the account and of the stack's memory is found, with evidence and mend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataloop_sts.audit import audit
from dataloop_sts.live import LiveIntegration, Unseen
from tests.audit.audited import Audited, ids, remember


def test_an_integration_that_is_gone_is_found(audited: Audited) -> None:
    world = audited.world
    world.client.delete_driver(audited.driver_id)
    world.client.delete_integration(audited.spec.organization_id, audited.integration_id)
    findings = audited.findings()
    assert ids(findings) == ["integration-missing", "driver-missing"]
    assert [finding.subject for finding in findings] == [
        f"integration {audited.spec.names('dev').integration}",
        f"driver {audited.spec.drivers[0].name}",
    ]
    assert audited.spec.organization_id in findings[0].what
    assert audited.spec.drivers[0].project_id in findings[1].what


def test_an_integration_of_another_type_is_found(audited: Audited) -> None:
    audited.without_state()
    world, name = audited.world, f"plain-{audited.user}"
    options = {"key": audited.key, "secret": audited.connected.secret}
    body = {"type": "s3", "name": name, "options": options}
    world.call("POST", f"/orgs/{audited.spec.organization_id}/integrations", json=body)
    audited.respec(integration={"name": name})
    found = {finding.check: finding for finding in audited.findings()}
    assert set(found) == {"integration-type", "driver-settings"}  # the driver uses the former one
    assert found["integration-type"].what == "Its type is s3."


def test_a_write_by_somebody_else_is_found(audited: Audited) -> None:
    client, organization = audited.world.client, audited.spec.organization_id
    client.update_integration(organization, audited.integration_id, credentials=audited.connected.credentials)
    (finding,) = audited.findings()
    assert audited.recorded
    assert finding.check == "integration-changed"
    assert f"the stack's last write was at {audited.recorded.integration_updated_at}." in finding.what


def test_drivers_that_the_spec_does_not_have_are_found(audited: Audited) -> None:
    audited.world.make_driver(audited.integration_id, audited.connected, f"theirs-{audited.world.tag}")
    (finding,) = audited.findings()
    assert finding.check == "integration-other-drivers"
    assert (
        finding.what
        == f"It is used by driver theirs-{audited.world.tag} of project {audited.spec.drivers[0].project_id}."
    )


@pytest.mark.parametrize(("count", "others"), [(1, 0), (3, 2)])
def test_of_drivers_that_the_tokens_user_may_not_see_the_specs_own_are_no_finding(
    count: int, others: int, audited: Audited
) -> None:
    facts = audited.facts()
    live, name = facts.live, audited.spec.drivers[0].name
    hidden = Unseen(unseen="the drivers of project p", needs="membership of project p", reason="")
    assert isinstance(live.integration, LiveIntegration)
    integration = live.integration.model_copy(update={"driver_count": count, "drivers": ()})
    live = live.model_copy(update={"integration": integration, "drivers": {name: hidden}})
    report = audit(replace(facts, live=live), audited.world.client)
    told = [f"It is used by {others} drivers that the token's user may not see."] if others else []
    assert [finding.what for finding in report.findings] == told
    assert report.hidden == (hidden,)


def test_a_flag_for_deletions_that_the_spec_denies_is_found(audited: Audited) -> None:
    audited.calling = True
    audited.world.client.update_driver(audited.driver_id, allow_delete=True)
    found = {finding.check: finding for finding in audited.findings()}
    assert found["driver-allow-delete"].what == "Its flag is on; the spec says off."
    assert set(found) == {
        "driver-allow-delete",
        "driver-test",
    }  # TEST deletes where the flag lets it, the role does not


@pytest.mark.parametrize(
    ("changes", "evidence"),
    [
        ({"bucket": "other"}, "Its bucket is other-{tag}, not bucket-{tag}."),
        ({"region": "eu-central-1"}, "Its region is eu-central-1, not eu-west-1."),
        ({"path": "raw/"}, "Its folder is raw/, not empty."),
    ],
)
def test_a_driver_that_leads_elsewhere_is_found(changes: dict[str, Any], evidence: str, audited: Audited) -> None:
    audited.without_state()
    world, name = audited.world, audited.spec.drivers[0].name
    if "bucket" in changes:
        changes = {"bucket": world.make_bucket(f"other-{world.tag}")}
    world.client.delete_driver(audited.driver_id)
    world.make_driver(audited.integration_id, audited.connected, name, **changes)
    (finding,) = audited.findings()
    assert (finding.check, finding.what) == ("driver-settings", evidence.format(tag=world.tag))


def test_a_driver_on_another_integration_is_found(audited: Audited) -> None:
    world, organization = audited.world, audited.spec.organization_id
    other = world.client.create_integration(organization, f"other-{world.tag}", audited.connected.credentials)
    world.client.update_driver(audited.driver_id, integration_id=other.id)
    (finding,) = audited.findings()
    assert finding.check == "driver-settings"
    assert finding.what == f"Its integration is {other.id}, not {audited.integration_id}."


def test_a_test_that_fails_now_is_found_although_all_looks_right(audited: Audited) -> None:
    audited.calling = True
    audited.world.fault("GET", "/drivers/.*/test$", status=400)
    (finding,) = audited.findings()
    assert (finding.check, finding.severity) == ("driver-test", "critical")
    assert finding.subject == f"driver {audited.spec.drivers[0].name}"
    assert f"dataloop-sts -e dev verify {audited.spec.customer}" in finding.mend


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"role_unique_id": "AROAOLD"}, "role "),
        ({"user_unique_id": "AIDAOLD"}, "user "),
        ({"integration_id": "old"}, "integration "),
        ({"driver_ids": None}, "driver "),
    ],
)
def test_what_is_live_under_another_id_than_the_stack_knows_is_found(
    changes: dict[str, Any], subject: str, audited: Audited
) -> None:
    if "driver_ids" in changes:
        changes = {"driver_ids": {audited.spec.drivers[0].name: "old"}}
    remember(audited, **changes)
    (finding,) = audited.findings()
    assert finding.check == "state-other-id"
    assert finding.subject.startswith(subject)
    assert finding.what.lower().startswith("the stack knows it as ")


def test_credentials_of_another_account_end_the_look_at_aws_and_not_that_at_dataloop(audited: Audited) -> None:
    audited.respec(aws={"account_id": "999999999999"})
    audited.world.client.update_driver(audited.driver_id, allow_delete=True)
    report = audited.report()
    assert ids(report.findings) == ["account-other", "driver-allow-delete"]
    assert report.findings[0].what == "They are of account 123456789012; the spec says 999999999999."
    (hidden,) = report.hidden
    assert (hidden.unseen, hidden.needs) == ("the AWS side", "credentials of account 999999999999")
    results = {result.check: result.result for result in report.checks}
    assert results["user-missing"] == results["role-wildcard"] == results["bucket-public"] == "not looked at"
    assert results["integration-missing"] == "clean"

"""The step that takes further policies off an adopted role."""

from __future__ import annotations

import io

import pytest

from dataloop_sts.steps import frame
from dataloop_sts.steps.role_leftovers import LeftoversRequest, remove
from tests.adoption.by_hand import REGION, Hand


def test_only_what_is_named_goes_and_doing_it_again_is_fine(hand: Hand) -> None:
    hand.deviates()
    request = LeftoversRequest(region=REGION, role=hand.role, attached=(hand.more_arn,), inline=("by-hand",))
    for _ in range(2):
        remove(request)
        attached = hand.iam.list_attached_role_policies(RoleName=hand.role)["AttachedPolicies"]
        assert [policy["PolicyArn"] for policy in attached] == [hand.policy_arn]
        assert hand.iam.list_role_policies(RoleName=hand.role)["PolicyNames"] == []


def test_what_may_not_be_done_is_one_line(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hand.deviates()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    request = LeftoversRequest(region=REGION, role=hand.role, attached=(hand.more_arn,))
    monkeypatch.setattr("sys.stdin", io.StringIO(request.model_dump_json()))
    assert frame.run(LeftoversRequest, remove) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Cannot detach policy {hand.more_arn} from role {hand.role}: ")
    assert said.count("\n") == 1

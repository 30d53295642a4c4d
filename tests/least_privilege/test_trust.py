"""Exactly one user may assume the role, from where the spec says."""

from __future__ import annotations

import pytest

from dataloop_sts import policies, regions
from sandbox.aws.evaluator import Access, Policies, evaluate
from sandbox.aws.principals import Principal, bind
from tests.least_privilege.combinations import ACCOUNT, REGIONS
from tests.least_privilege.reference import may_assume
from tests.least_privilege.requests import actions

OTHER_ACCOUNT = "999999999999"
RANGES = ("203.0.113.0/24", "2001:db8::/32")
ADDRESSES = {"203.0.113.7": True, "2001:db8::1": True, "203.0.114.7": False, "2001:db9::1": False, None: False}


def _user(account: str, name: str, unique_id: str, partition: str) -> Principal:
    arn = regions.user_arn(partition, account, name)
    return Principal("user", account, arn, arn, unique_id, unique_id)


def _session(account: str, role: str, unique_id: str, partition: str) -> Principal:
    arn = f"arn:{partition}:sts::{account}:assumed-role/{role}/s"
    return Principal("session", account, arn, regions.role_arn(partition, account, role), unique_id, f"{unique_id}:s")


def _others(partition: str) -> dict[str, Principal]:
    return {
        "another user": _user(ACCOUNT, "other", "AIDAOTHER", partition),
        "a user whose name begins so": _user(ACCOUNT, "dataloop-acme-dev2", "AIDALONGER", partition),
        "the user, made anew under its name": _user(ACCOUNT, "dataloop-acme-dev", "AIDANEW", partition),
        "the user of that name in another account": _user(
            OTHER_ACCOUNT, "dataloop-acme-dev", "AIDAELSEWHERE", partition
        ),
        "a session of another role": _session(ACCOUNT, "other", "AROAOTHER", partition),
        "a session of the role itself": _session(ACCOUNT, "dataloop-acme-dev", "AROAROLE", partition),
        "a session in another account": _session(OTHER_ACCOUNT, "dataloop-acme-dev", "AROAELSEWHERE", partition),
        "nobody that AWS knows": Principal("anonymous"),
    }


@pytest.mark.parametrize("ranges", [(), RANGES])
@pytest.mark.parametrize("region", REGIONS)
def test_the_user_alone_may_assume_the_role_and_do_nothing_else_to_it(region: str, ranges: tuple[str, ...]) -> None:
    partition = REGIONS[region]
    user = _user(ACCOUNT, "dataloop-acme-dev", "AIDAUSER", partition)
    role = regions.role_arn(partition, ACCOUNT, "dataloop-acme-dev")
    document = policies.trust_document(user.arn, user.unique_id, ranges)
    bound = bind(document, partition, {user.arn: user.unique_id}.get)  # as AWS keeps it from when it is saved
    # whatever their own policies allow them
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    sts = [action for action in actions() if action.startswith("sts:")]
    assert "sts:AssumeRole" in sts
    for address, inside in ADDRESSES.items():
        context = {"aws:sourceip": address} if address else {}
        expected = inside or not ranges
        for principal in (user, *_others(partition).values()):
            assert may_assume(bound, principal.unique_id, context) is (expected and principal is user)
            for action in sts:
                access = Access(principal, action, role, ACCOUNT, {key: (value,) for key, value in context.items()})
                decision = evaluate(access, Policies((everything,), resource=bound, is_trust=True))
                right = expected and principal is user and action == "sts:AssumeRole"
                assert decision.allowed is right, (principal, action, address)


def test_no_policy_of_the_users_own_is_needed_and_a_boundary_or_deny_of_it_still_holds() -> None:
    user = _user(ACCOUNT, "dataloop-acme-dev", "AIDAUSER", "aws")
    bound = bind(policies.trust_document(user.arn, user.unique_id), "aws", {user.arn: user.unique_id}.get)
    access = Access(user, "sts:AssumeRole", regions.role_arn("aws", ACCOUNT, "dataloop-acme-dev"), ACCOUNT)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    assert evaluate(access, Policies(resource=bound, is_trust=True)).allowed
    assert not evaluate(access, Policies((deny,), resource=bound, is_trust=True)).allowed
    assert not evaluate(access, Policies(boundary=deny, resource=bound, is_trust=True)).allowed

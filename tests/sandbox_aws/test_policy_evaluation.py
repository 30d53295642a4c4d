"""The evaluator against AWS's documented logic, as a table of cases.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from typing import Any

import pytest

from sandbox.aws.evaluator import Access, Policies, evaluate
from sandbox.aws.principals import ANONYMOUS, Principal

ACCOUNT, OTHER = "111111111111", "222222222222"
USER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/u", f"arn:aws:iam::{ACCOUNT}:user/u", "AIDAU", "AIDAU")
SESSION = Principal(
    "session",
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s",
    f"arn:aws:iam::{ACCOUNT}:role/r",
    "AROAR",
    "AROAR:s",
)
BUCKET = "arn:aws:s3:::bucket"


def doc(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def st(
    effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = f"{BUCKET}/*", **more: Any
) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def to(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return st(effect, Principal=principal, **more)


ALLOW, DENY = doc(st()), doc(st("Deny"))
ELSEWHERE = doc(st(action="s3:PutObject"))
BY_USER, BY_ROLE = doc(to({"AWS": "AIDAU"})), doc(to({"AWS": "AROAR"}))
BY_SESSION, BY_ALL = doc(to({"AWS": SESSION.arn})), doc(to("*"))
BY_ACCOUNT = doc(to({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
DENY_ALL = doc(to("*", "Deny"))

CASES = [
    # what, principal, owner of the resource, policies, allowed
    ("nothing allows: implicit deny", USER, ACCOUNT, Policies(), False),
    ("an identity policy allows", USER, ACCOUNT, Policies((ALLOW,)), True),
    ("an identity policy for another action", USER, ACCOUNT, Policies((ELSEWHERE,)), False),
    ("an explicit deny beats an allow", USER, ACCOUNT, Policies((ALLOW, DENY)), False),
    ("the order of statements does not matter", USER, ACCOUNT, Policies((doc(st("Deny"), st()),)), False),
    ("boundary and identity policy allow", USER, ACCOUNT, Policies((ALLOW,), boundary=ALLOW), True),
    ("a boundary alone grants nothing", USER, ACCOUNT, Policies((), boundary=ALLOW), False),
    ("the boundary does not allow", USER, ACCOUNT, Policies((ALLOW,), boundary=ELSEWHERE), False),
    ("an empty boundary allows nothing", USER, ACCOUNT, Policies((ALLOW,), boundary={}), False),
    ("the boundary denies", USER, ACCOUNT, Policies((ALLOW,), boundary=doc(st(), st("Deny"))), False),
    ("session policy and identity policy allow", SESSION, ACCOUNT, Policies((ALLOW,), session=ALLOW), True),
    ("a session policy alone grants nothing", SESSION, ACCOUNT, Policies((), session=ALLOW), False),
    ("the session policy does not allow", SESSION, ACCOUNT, Policies((ALLOW,), session=ELSEWHERE), False),
    ("same account: a resource policy for the user is enough", USER, ACCOUNT, Policies(resource=BY_USER), True),
    ("same account: a resource policy for everyone is enough", USER, ACCOUNT, Policies(resource=BY_ALL), True),
    ("same account: the account's root only delegates", USER, ACCOUNT, Policies(resource=BY_ACCOUNT), False),
    ("delegated and allowed by identity", USER, ACCOUNT, Policies((ALLOW,), resource=BY_ACCOUNT), True),
    ("identity alone, beside a policy for others", USER, ACCOUNT, Policies((ALLOW,), resource=BY_ROLE), True),
    ("a resource policy for another user", USER, ACCOUNT, Policies(resource=doc(to({"AWS": "AIDAX"}))), False),
    ("the resource policy denies", USER, ACCOUNT, Policies((ALLOW,), resource=DENY_ALL), False),
    ("naming the user outdoes the boundary's silence", USER, ACCOUNT, Policies((), ELSEWHERE, None, BY_USER), True),
    ("but not the boundary's explicit deny", USER, ACCOUNT, Policies((), DENY, None, BY_USER), False),
    ("naming the role: the boundary still limits", SESSION, ACCOUNT, Policies((), ELSEWHERE, None, BY_ROLE), False),
    (
        "naming the role: the session policy still limits",
        SESSION,
        ACCOUNT,
        Policies((), None, ELSEWHERE, BY_ROLE),
        False,
    ),
    ("naming the role is enough without them", SESSION, ACCOUNT, Policies(resource=BY_ROLE), True),
    ("naming the session: not limited", SESSION, ACCOUNT, Policies((), ELSEWHERE, ELSEWHERE, BY_SESSION), True),
    ("another session's name", SESSION, ACCOUNT, Policies(resource=doc(to({"AWS": SESSION.arn + "x"}))), False),
    ("cross-account: identity alone", USER, OTHER, Policies((ALLOW,)), False),
    ("cross-account: resource policy alone", USER, OTHER, Policies(resource=BY_USER), False),
    ("cross-account: both", USER, OTHER, Policies((ALLOW,), resource=BY_USER), True),
    ("cross-account: both, by account", USER, OTHER, Policies((ALLOW,), resource=BY_ACCOUNT), True),
    ("cross-account: the boundary limits", USER, OTHER, Policies((ALLOW,), ELSEWHERE, None, BY_USER), False),
    ("anonymous: nothing", ANONYMOUS, ACCOUNT, Policies(), False),
    ("anonymous: everyone is allowed", ANONYMOUS, ACCOUNT, Policies(resource=BY_ALL), True),
    ("anonymous: AWS * is everyone too", ANONYMOUS, ACCOUNT, Policies(resource=doc(to({"AWS": "*"}))), True),
    ("anonymous: a policy for an account", ANONYMOUS, ACCOUNT, Policies(resource=BY_ACCOUNT), False),
    ("anonymous: denied", ANONYMOUS, ACCOUNT, Policies(resource=doc(to("*"), to("*", "Deny"))), False),
    # what cannot be evaluated is refused
    ("unknown element", USER, ACCOUNT, Policies((doc(st(Extra=1)),)), False),
    ("unknown effect", USER, ACCOUNT, Policies((ALLOW, doc(st("allow")))), False),
    ("NotPrincipal", USER, ACCOUNT, Policies((ALLOW,), resource=doc(st("Deny", NotPrincipal="*"))), False),
    ("principal in an identity policy", USER, ACCOUNT, Policies((doc(to("*")),)), False),
    ("no principal in a resource policy", USER, ACCOUNT, Policies((ALLOW,), resource=doc(st())), False),
    ("no resource in an identity policy", USER, ACCOUNT, Policies((doc({"Effect": "Allow", "Action": "*"}),)), False),
    ("unknown operator", USER, ACCOUNT, Policies((doc(st(Condition={"StringIs": {"aws:userid": "x"}})),)), False),
    ("unknown key", USER, ACCOUNT, Policies((doc(st(Condition={"StringNotEquals": {"aws:Colour": "x"}})),)), False),
    (
        "unknown key in a deny",
        USER,
        ACCOUNT,
        Policies((ALLOW, doc(st("Deny", Condition={"Bool": {"x:y": "true"}})))),
        False,
    ),
]


@pytest.mark.parametrize(
    ("principal", "owner", "policies", "allowed"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_decision_follows_the_documented_logic(
    principal: Principal, owner: str, policies: Policies, allowed: bool
) -> None:
    decision = evaluate(Access(principal, "s3:GetObject", f"{BUCKET}/key", owner), policies)
    assert decision.allowed is allowed, decision.reason
    assert bool(decision.reason) is not allowed


def trust(*names: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    principal = {"AWS": list(names)}
    return doc({"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more})


ASSUME = doc(st(action="sts:AssumeRole", resource="*"))
EXTERNAL_ID = {"StringEquals": {"sts:ExternalId": "secret"}}
TRUST_CASES = [
    ("the user named in the trust needs no policy", USER, ACCOUNT, (), trust("AIDAU"), {}, True),
    ("another user", USER, ACCOUNT, (), trust("AIDAX"), {}, False),
    ("a re-created user has another id than the one bound", USER, ACCOUNT, (), trust("AIDAOLD"), {}, False),
    ("an identity policy without the trust", USER, ACCOUNT, (ASSUME,), trust("AIDAX"), {}, False),
    ("no trust policy at all", USER, ACCOUNT, (ASSUME,), {}, {}, False),
    (
        "trust in the account needs an identity policy",
        USER,
        ACCOUNT,
        (),
        trust(f"arn:aws:iam::{ACCOUNT}:root"),
        {},
        False,
    ),
    ("trust in the account and one", USER, ACCOUNT, (ASSUME,), trust(f"arn:aws:iam::{ACCOUNT}:root"), {}, True),
    ("trust that denies", USER, ACCOUNT, (ASSUME,), trust("AIDAU", effect="Deny"), {}, False),
    ("cross-account: trust alone", USER, OTHER, (), trust("AIDAU"), {}, False),
    ("cross-account: both", USER, OTHER, (ASSUME,), trust("AIDAU"), {}, True),
    (
        "external id given",
        USER,
        ACCOUNT,
        (),
        trust("AIDAU", Condition=EXTERNAL_ID),
        {"sts:externalid": ("secret",)},
        True,
    ),
    ("external id wrong", USER, ACCOUNT, (), trust("AIDAU", Condition=EXTERNAL_ID), {"sts:externalid": ("x",)}, False),
    ("external id missing", USER, ACCOUNT, (), trust("AIDAU", Condition=EXTERNAL_ID), {}, False),
    (
        "a service is not a user",
        USER,
        ACCOUNT,
        (ASSUME,),
        doc(to({"Service": "ec2.amazonaws.com"}, action="*")),
        {},
        False,
    ),
]


@pytest.mark.parametrize(
    ("principal", "owner", "identity", "trusted", "context", "allowed"),
    [case[1:] for case in TRUST_CASES],
    ids=[case[0] for case in TRUST_CASES],
)
def test_role_is_assumed_only_with_its_trust(
    principal: Principal, owner: str, identity: Any, trusted: Any, context: Any, allowed: bool
) -> None:
    access = Access(principal, "sts:AssumeRole", f"arn:aws:iam::{owner}:role/r", owner, context)
    assert evaluate(access, Policies(identity, resource=trusted, is_trust=True)).allowed is allowed


BY_OTHER = doc(to({"AWS": f"arn:aws:iam::{OTHER}:root"}))
KEY_CASES = [
    ("the key policy hands over to IAM, which allows", USER, ACCOUNT, (ALLOW,), BY_ACCOUNT, True),
    ("the key policy hands over to IAM, which says nothing", USER, ACCOUNT, (), BY_ACCOUNT, False),
    ("IAM alone opens no key", USER, ACCOUNT, (ALLOW,), BY_OTHER, False),
    ("an empty key policy opens no key", USER, ACCOUNT, (ALLOW,), {}, False),
    ("a key policy that names the user is enough", USER, ACCOUNT, (), BY_USER, True),
    ("a key policy that names the role is enough", SESSION, ACCOUNT, (), BY_ROLE, True),
    ("a key policy for another user", USER, ACCOUNT, (ALLOW,), doc(to({"AWS": "AIDAX"})), False),
    ("a key policy that denies", USER, ACCOUNT, (ALLOW,), doc(to("*", "Deny"), to("*")), False),
    ("a key of another account, key policy alone", USER, OTHER, (), BY_ACCOUNT, False),
    ("a key of another account, IAM alone", USER, OTHER, (ALLOW,), BY_OTHER, False),
    ("a key of another account, both", USER, OTHER, (ALLOW,), BY_ACCOUNT, True),
]


@pytest.mark.parametrize(
    ("principal", "owner", "identity", "key_policy", "allowed"),
    [case[1:] for case in KEY_CASES],
    ids=[case[0] for case in KEY_CASES],
)
def test_key_is_used_only_with_its_policy(
    principal: Principal, owner: str, identity: Any, key_policy: Any, allowed: bool
) -> None:
    access = Access(principal, "s3:GetObject", f"{BUCKET}/key", owner)
    assert evaluate(access, Policies(identity, resource=key_policy, is_key=True)).allowed is allowed


@pytest.mark.parametrize(
    ("element", "action", "resource", "allowed"),
    [
        ({"Action": "s3:*", "Resource": "*"}, "s3:GetObject", f"{BUCKET}/k", True),
        ({"Action": "S3:getobject", "Resource": "*"}, "s3:GetObject", f"{BUCKET}/k", True),
        ({"Action": "s3:Get*", "Resource": "*"}, "s3:PutObject", f"{BUCKET}/k", False),
        ({"Action": "s3:?etObject", "Resource": "*"}, "s3:GetObject", f"{BUCKET}/k", True),
        ({"Action": ["s3:PutObject", "s3:GetObject"], "Resource": "*"}, "s3:GetObject", f"{BUCKET}/k", True),
        ({"NotAction": "s3:GetObject", "Resource": "*"}, "s3:GetObject", f"{BUCKET}/k", False),
        ({"NotAction": "s3:GetObject", "Resource": "*"}, "s3:PutObject", f"{BUCKET}/k", True),
        ({"Action": "*", "Resource": f"{BUCKET}/*"}, "s3:ListBucket", BUCKET, False),
        ({"Action": "*", "Resource": BUCKET}, "s3:GetObject", f"{BUCKET}/k", False),
        ({"Action": "*", "Resource": f"{BUCKET}/raw/*"}, "s3:GetObject", f"{BUCKET}/rawx", False),
        ({"Action": "*", "Resource": f"{BUCKET}/RAW/*"}, "s3:GetObject", f"{BUCKET}/raw/k", False),
        ({"Action": "*", "Resource": f"{BUCKET}/a.b"}, "s3:GetObject", f"{BUCKET}/axb", False),
        ({"Action": "*", "Resource": f"{BUCKET}/[k]"}, "s3:GetObject", f"{BUCKET}/k", False),
        ({"Action": "*", "Resource": f"{BUCKET}/*"}, "s3:GetObject", f"{BUCKET}/a\nb", True),
        ({"Action": "*", "NotResource": f"{BUCKET}/secret/*"}, "s3:GetObject", f"{BUCKET}/secret/k", False),
        ({"Action": "*", "NotResource": f"{BUCKET}/secret/*"}, "s3:GetObject", f"{BUCKET}/k", True),
        ({"Action": "*", "Resource": BUCKET + "/${aws:username}/*"}, "s3:GetObject", f"{BUCKET}/u/k", True),
        ({"Action": "*", "Resource": BUCKET + "/${aws:username}/*"}, "s3:GetObject", f"{BUCKET}/v/k", False),
        ({"Action": "*", "Resource": BUCKET + "/${aws:Colour}/*"}, "s3:GetObject", f"{BUCKET}/u/k", False),
        ({"Action": "*", "NotAction": "*", "Resource": "*"}, "s3:GetObject", f"{BUCKET}/k", False),
    ],
)
def test_action_and_resource_match(element: Any, action: str, resource: str, allowed: bool) -> None:
    access = Access(USER, action, resource, ACCOUNT, {"aws:username": ("u",)})
    assert evaluate(access, Policies((doc({"Effect": "Allow", **element}),))).allowed is allowed


CONTEXT = {
    "aws:sourceip": ("10.0.0.7",),
    "aws:securetransport": ("true",),
    "aws:principalarn": (f"arn:aws:iam::{ACCOUNT}:role/path/r",),
    "aws:principalaccount": (ACCOUNT,),
    "aws:tokenissuetime": ("2026-01-01T00:00:00+00:00",),
    "s3:prefix": ("raw/a/",),
    "s3:delimiter": ("/",),
    "s3:max-keys": ("10",),
    "aws:username": ("u*",),
}
CONDITIONS = [
    ("StringEquals", "s3:prefix", "raw/a/", True),
    ("StringEquals", "s3:prefix", "raw/*", False),
    ("StringEquals", "S3:Prefix", ["x", "raw/a/"], True),
    ("StringEquals", "sts:ExternalId", "x", False),
    ("StringEqualsIfExists", "sts:ExternalId", "x", True),
    ("StringEqualsIfExists", "s3:prefix", "x", False),
    ("StringEqualsIgnoreCase", "s3:prefix", "RAW/A/", True),
    ("StringEquals", "aws:username", "${aws:username}", True),
    ("StringNotEquals", "s3:prefix", ["x", "raw/a/"], False),
    ("StringNotEquals", "s3:prefix", ["x", "y"], True),
    ("StringNotEquals", "sts:ExternalId", "x", True),
    ("StringLike", "s3:prefix", "raw/*", True),
    ("StringLike", "s3:prefix", "raw", False),
    ("StringLike", "s3:prefix", "raw/?/", True),
    ("StringLike", "aws:username", "${*}", False),
    ("StringLike", "aws:username", "?${*}", True),
    ("StringNotLike", "s3:prefix", "raw/*", False),
    ("StringNotLike", "s3:prefix", "other/*", True),
    ("IpAddress", "aws:SourceIp", "10.0.0.0/24", True),
    ("IpAddress", "aws:SourceIp", ["192.168.0.0/16", "10.0.0.7"], True),
    ("IpAddress", "aws:SourceIp", "10.0.1.0/24", False),
    ("IpAddress", "aws:SourceIp", "2001:db8::/32", False),
    ("IpAddress", "aws:SourceIp", "nonsense", False),
    ("NotIpAddress", "aws:SourceIp", "10.0.0.0/24", False),
    ("NotIpAddress", "aws:SourceIp", "10.0.1.0/24", True),
    ("Bool", "aws:SecureTransport", "true", True),
    ("Bool", "aws:SecureTransport", True, True),
    ("Bool", "aws:SecureTransport", "false", False),
    ("Bool", "aws:MultiFactorAuthPresent", "false", False),
    ("BoolIfExists", "aws:MultiFactorAuthPresent", "true", True),
    ("Null", "sts:ExternalId", "true", True),
    ("Null", "sts:ExternalId", "false", False),
    ("Null", "s3:prefix", "false", True),
    ("ArnEquals", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*", True),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/path/r", True),
    ("ArnLike", "aws:PrincipalArn", "arn:*:role/path/r", False),
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/path/r", False),
    ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::*:user/r", True),
    ("DateLessThan", "aws:TokenIssueTime", "2026-01-02T00:00:00Z", True),
    ("DateLessThan", "aws:TokenIssueTime", "2025-12-31T00:00:00Z", False),
    ("DateGreaterThan", "aws:TokenIssueTime", "1767139200", True),
    ("NumericLessThanEquals", "s3:max-keys", "10", True),
    ("NumericLessThan", "s3:max-keys", 10, False),
    ("ForAllValues:StringEquals", "sts:ExternalId", "x", True),
    ("ForAnyValue:StringEquals", "sts:ExternalId", "x", False),
    ("ForAnyValue:StringLike", "s3:prefix", "raw/*", True),
    ("stringequals", "s3:prefix", "raw/a/", False),
    ("ForSomeValues:StringEquals", "s3:prefix", "raw/a/", False),
]


@pytest.mark.parametrize(("operator", "key", "value", "allowed"), CONDITIONS)
def test_condition_holds(operator: str, key: str, value: Any, allowed: bool) -> None:
    access = Access(USER, "s3:ListBucket", BUCKET, ACCOUNT, CONTEXT)
    statement = st(action="s3:ListBucket", resource=BUCKET, Condition={operator: {key: value}})
    assert evaluate(access, Policies((doc(statement),))).allowed is allowed


def test_all_operators_and_keys_of_a_condition_must_hold() -> None:
    access = Access(USER, "s3:ListBucket", BUCKET, ACCOUNT, CONTEXT)
    both = {"StringLike": {"s3:prefix": "raw/*", "s3:delimiter": "/"}, "Bool": {"aws:SecureTransport": "true"}}
    one_fails = {**both, "Bool": {"aws:SecureTransport": "false"}}
    statements = [st(action="s3:ListBucket", resource=BUCKET, Condition=condition) for condition in (both, one_fails)]
    assert [evaluate(access, Policies((doc(statement),))).allowed for statement in statements] == [True, False]


def test_variables_are_plain_text_in_policies_of_the_older_version() -> None:
    statement = st(resource=BUCKET + "/${aws:username}/k")
    context = {"aws:username": ("u",)}
    access = Access(USER, "s3:GetObject", f"{BUCKET}/u/k", ACCOUNT, context)
    old = {"Version": "2008-10-17", "Statement": statement}
    assert [evaluate(access, Policies((document,))).allowed for document in (doc(statement), old)] == [True, False]

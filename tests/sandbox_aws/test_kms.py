"""KMS keys: who may use them, by key policy and IAM together, and what their state does.

https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
"""

import json
from typing import Any

import pytest

EVERYTHING = "kms:*"


def owner(world: Any, account: str | None = None, **more: Any) -> dict[str, Any]:
    """The statement that hands the decision to the account's IAM."""
    root = f"arn:aws:iam::{account or world.server.account_id}:root"
    return world.allow(EVERYTHING, "*", Principal={"AWS": root}, **more)


def allowed(world: Any, actions: Any, resources: Any = "*", **more: Any) -> dict[str, str]:
    """A user with just this in its inline policy; the arguments of `client`."""
    _, user = world.user()
    document = world.policy(world.allow(actions, resources, **more))
    world.client("iam").put_user_policy(UserName=f"user-{world.tag}", PolicyName="own", PolicyDocument=document)
    return user


def test_key_goes_through_its_life(world: Any) -> None:
    kms = world.client("kms")
    made = kms.create_key(Description="images", Tags=[{"TagKey": "team", "TagValue": "data"}])["KeyMetadata"]
    arn, key_id = made["Arn"], made["KeyId"]
    assert arn == f"arn:aws:kms:us-east-1:{world.server.account_id}:key/{key_id}"
    kms.create_alias(AliasName=f"alias/images-{world.tag}", TargetKeyId=key_id)
    assert {"KeyId": key_id, "KeyArn": arn} in kms.list_keys()["Keys"]
    aliases = {entry["AliasName"]: entry["TargetKeyId"] for entry in kms.list_aliases()["Aliases"]}
    assert aliases[f"alias/images-{world.tag}"] == key_id
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "team", "TagValue": "data"}]
    names = [key_id, arn, f"alias/images-{world.tag}", f"{arn.split(':key/')[0]}:alias/images-{world.tag}"]
    for name in names:
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == arn
        sealed = kms.encrypt(KeyId=name, Plaintext=b"secret", EncryptionContext={"a": "b"})
        opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"a": "b"})
        assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", arn)
        assert len(kms.generate_data_key(KeyId=name, KeySpec="AES_256")["Plaintext"]) == 32
    other = world.key()
    wrong = world.refused(lambda: kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], KeyId=other))
    assert wrong == ("IncorrectKeyException", 400)
    assert world.refused(lambda: kms.decrypt(CiphertextBlob=b"nonsense \xff"))[0] == "InvalidCiphertextException"


def test_disabled_and_condemned_keys_do_not_encrypt(world: Any) -> None:
    kms, arn = world.client("kms"), world.key()
    key_id = arn.rsplit("/", 1)[-1]
    sealed = kms.encrypt(KeyId=arn, Plaintext=b"secret")["CiphertextBlob"]
    kms.disable_key(KeyId=arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"
    for call in (lambda: kms.encrypt(KeyId=arn, Plaintext=b"s"), lambda: kms.decrypt(CiphertextBlob=sealed)):
        assert world.refusal(call) == ("DisabledException", f"{arn} is disabled.")
    kms.enable_key(KeyId=arn)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    pending = ("KMSInvalidStateException", f"{arn} is pending deletion.")
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["DeletionDate"]
    assert world.refusal(lambda: kms.generate_data_key(KeyId=arn, KeySpec="AES_256")) == pending
    assert world.refusal(lambda: kms.enable_key(KeyId=arn)) == pending
    kms.cancel_key_deletion(KeyId=arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"


def test_unknown_keys_are_not_found_by_who_might_use_them(world: Any) -> None:
    kms, unknown = world.client("kms"), "11111111-2222-3333-4444-555555555555"
    home = f"arn:aws:kms:us-east-1:{world.server.account_id}"
    cases = [
        (unknown, f"Key '{home}:key/{unknown}' does not exist"),
        ("alias/none", f"Alias {home}:alias/none is not found."),
        ("no-key", "Invalid keyId no-key"),
        (f"arn:aws:kms:eu-west-1:{world.server.account_id}:key/{unknown}", "Invalid arn eu-west-1"),
    ]
    for name, message in cases:
        assert world.refusal(lambda name=name: kms.describe_key(KeyId=name)) == ("NotFoundException", message)
    code, message = world.refusal(lambda: kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:999999999999:key/{unknown}"))
    assert code == "AccessDeniedException"
    assert "on this resource because the resource does not exist in this Region, no resource-based" in message
    nobody = world.client("kms", **world.user()[1])
    code, message = world.refusal(lambda: nobody.describe_key(KeyId=unknown))
    assert code == "AccessDeniedException"
    assert message.endswith("because no identity-based policy allows the kms:DescribeKey action")


def test_root_in_the_key_policy_hands_the_decision_to_iam(world: Any) -> None:
    arn, (user_arn, nobody) = world.key(), world.user("nobody")
    refused = world.refusal(lambda: world.client("kms", **nobody).encrypt(KeyId=arn, Plaintext=b"s"))
    assert refused == (
        "AccessDeniedException",
        f"User: {user_arn} is not authorized to perform: kms:Encrypt on resource: {arn} "
        "because no identity-based policy allows the kms:Encrypt action",
    )
    kms = world.client("kms", **allowed(world, ["kms:Encrypt"], arn))
    kms.encrypt(KeyId=arn, Plaintext=b"s")
    assert world.refused(lambda: kms.describe_key(KeyId=arn))[0] == "AccessDeniedException"
    other = world.key()
    assert world.refused(lambda: kms.encrypt(KeyId=other, Plaintext=b"s"))[0] == "AccessDeniedException"


def test_without_the_key_policy_iam_alone_does_not_open_a_key(world: Any) -> None:
    user = allowed(world, EVERYTHING)
    administrator = f"arn:aws:iam::{world.server.account_id}:user/sandbox/sandbox-administrator"
    arn = world.key(world.allow(EVERYTHING, "*", Principal={"AWS": administrator}))
    code, message = world.refusal(lambda: world.client("kms", **user).encrypt(KeyId=arn, Plaintext=b"s"))
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    world.client("kms").encrypt(KeyId=arn, Plaintext=b"s")


def test_the_key_policy_alone_opens_a_key_for_whom_it_names(world: Any) -> None:
    user_arn, user = world.user()
    role = world.role(user_arn)
    named = world.allow(["kms:Encrypt"], "*", Principal={"AWS": [user_arn, role]})
    arn = world.key(owner(world), named)
    for keys in (user, world.session(user, role)):
        kms = world.client("kms", **keys)
        kms.encrypt(KeyId=arn, Plaintext=b"s")
        assert world.refused(lambda kms=kms: kms.describe_key(KeyId=arn))[0] == "AccessDeniedException"
    denied = {**named, "Effect": "Deny"}
    world.client("kms").put_key_policy(KeyId=arn, Policy=world.policy(owner(world), named, denied))
    code, message = world.refusal(lambda: world.client("kms", **user).encrypt(KeyId=arn, Plaintext=b"s"))
    assert code == "AccessDeniedException"
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_boundary_limits_the_use_of_a_key(world: Any) -> None:
    arn, user, iam = world.key(), allowed(world, EVERYTHING), world.client("iam")
    document = world.policy(world.allow("s3:*", "*"))
    boundary = iam.create_policy(PolicyName=f"b-{world.tag}", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=f"user-{world.tag}", PermissionsBoundary=boundary)
    _, message = world.refusal(lambda: world.client("kms", **user).encrypt(KeyId=arn, Plaintext=b"s"))
    assert message.endswith("because no permissions boundary allows the kms:Encrypt action")


def test_a_key_of_another_account_needs_both_sides(world: Any) -> None:
    mine, theirs = world.server.account_id, world.server.other_account_id
    elsewhere = world.other_account("kms")
    kms = world.client("kms", **allowed(world, EVERYTHING))
    closed = world.key(account=elsewhere)
    _, message = world.refusal(lambda: kms.encrypt(KeyId=closed, Plaintext=b"s"))
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    opened = world.key(owner(world, theirs), owner(world, mine), account=elsewhere)
    sealed = kms.encrypt(KeyId=opened, Plaintext=b"s")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"s"
    nobody = world.client("kms", **world.user("nobody")[1])
    _, message = world.refusal(lambda: nobody.encrypt(KeyId=opened, Plaintext=b"s"))
    assert message.endswith("because no identity-based policy allows the kms:Encrypt action")
    assert world.refused(lambda: kms.put_key_policy(KeyId=opened, Policy="{}"))[0] == "AccessDeniedException"
    by_id = opened.rsplit("/", 1)[-1]
    assert world.refused(lambda: kms.encrypt(KeyId=by_id, Plaintext=b"s"))[0] == "NotFoundException"


@pytest.mark.parametrize(
    ("condition", "works"),
    [
        ({"StringEquals": {"kms:CallerAccount": "{account}"}}, True),
        ({"StringEquals": {"kms:CallerAccount": "999999999999"}}, False),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, False),
        ({"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, True),
        ({"StringEquals": {"kms:EncryptionContext:purpose": "images"}}, True),
        ({"StringEquals": {"kms:EncryptionContext:purpose": "other"}}, False),
    ],
)
def test_conditions_of_a_key_policy_hold(world: Any, condition: Any, works: bool) -> None:
    administrator = f"arn:aws:iam::{world.server.account_id}:user/sandbox/sandbox-administrator"
    keep = world.allow("kms:PutKeyPolicy", "*", Principal={"AWS": administrator})
    condition = json.loads(json.dumps(condition).replace("{account}", world.server.account_id))
    arn = world.key(keep, owner(world, Condition=condition))
    kms, context = world.client("kms"), {"purpose": "images"}
    if works:
        kms.encrypt(KeyId=arn, Plaintext=b"s", EncryptionContext=context)
    else:
        refused = world.refused(lambda: kms.encrypt(KeyId=arn, Plaintext=b"s", EncryptionContext=context))
        assert refused == ("AccessDeniedException", 400)


def test_key_policy_is_kept_bound_and_shown_and_a_bad_one_refused(world: Any) -> None:
    user_arn, user = world.user()
    kms, iam = world.client("kms"), world.client("iam")
    arn = world.key(owner(world), world.allow("kms:Decrypt", "*", Principal={"AWS": user_arn}))
    shown = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    assert shown["Statement"][1]["Principal"]["AWS"] == user_arn
    user_id = iam.get_user(UserName=f"user-{world.tag}")["User"]["UserId"]
    iam.delete_access_key(UserName=f"user-{world.tag}", AccessKeyId=user["key"])
    iam.delete_user(UserName=f"user-{world.tag}")
    shown = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    assert shown["Statement"][1]["Principal"]["AWS"] == user_id
    gone = world.policy(owner(world), world.allow("kms:Decrypt", "*", Principal={"AWS": user_arn}))
    for policy in (gone, world.policy(), "nonsense"):
        refused = world.refused(lambda policy=policy: kms.put_key_policy(KeyId=arn, Policy=policy))
        assert refused == ("MalformedPolicyDocumentException", 400)
    shut = world.policy(world.allow("kms:Decrypt", "*", Principal={"AWS": "999999999999"}))
    for call in (
        lambda: kms.put_key_policy(KeyId=arn, Policy=shut),
        lambda: kms.create_key(Policy=shut),
    ):
        code, message = world.refusal(call)
        assert code == "MalformedPolicyDocumentException"
        assert message == "The new key policy will not allow you to update the key policy in the future."


def test_each_call_is_authorised_by_its_own_action(world: Any) -> None:
    kms = world.client("kms", **allowed(world, ["kms:CreateKey", "kms:ListKeys"]))
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.list_keys()
    calls = [
        lambda: kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}]),
        kms.list_aliases,
        lambda: kms.describe_key(KeyId=arn),
        lambda: kms.get_key_policy(KeyId=arn, PolicyName="default"),
        lambda: kms.put_key_policy(KeyId=arn, Policy=world.policy(owner(world))),
        lambda: kms.disable_key(KeyId=arn),
        lambda: kms.enable_key(KeyId=arn),
        lambda: kms.schedule_key_deletion(KeyId=arn),
        lambda: kms.create_alias(AliasName=f"alias/{world.tag}", TargetKeyId=arn),
        lambda: kms.generate_data_key(KeyId=arn, KeySpec="AES_256"),
    ]
    assert {world.refused(call) for call in calls} == {("AccessDeniedException", 400)}


def test_alias_needs_the_permission_on_the_key_and_on_itself(world: Any) -> None:
    arn, alias = world.key(), f"alias/{world.tag}"
    itself = f"arn:aws:kms:us-east-1:{world.server.account_id}:{alias}"
    _, user = world.user()
    for resources, works in (([arn], False), ([itself], False), ([arn, itself], True)):
        document = world.policy(world.allow("kms:CreateAlias", resources))
        world.client("iam").put_user_policy(UserName=f"user-{world.tag}", PolicyName="own", PolicyDocument=document)
        kms = world.client("kms", **user)
        if works:
            kms.create_alias(AliasName=alias, TargetKeyId=arn)
        else:
            refused = world.refused(lambda kms=kms: kms.create_alias(AliasName=alias, TargetKeyId=arn))
            assert refused == ("AccessDeniedException", 400)


def test_unknown_caller_and_unserved_call_are_told_in_the_words_of_kms(world: Any) -> None:
    _, user = world.user()
    cases = [
        ({**user, "key": "AKIAUNKNOWNUNKNOWNUN"}, "UnrecognizedClientException"),
        ({**user, "secret": "x" * 40}, "InvalidSignatureException"),
    ]
    for keys, code in cases:
        assert world.refused(lambda keys=keys: world.client("kms", **keys).list_keys()) == (code, 400)
    assert world.refused(lambda: world.client("kms").list_grants(KeyId=world.key()))[0] == "NotImplemented"

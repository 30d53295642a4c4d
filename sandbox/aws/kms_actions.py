"""Which IAM action a KMS call needs, on which key.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html. What is not mapped is
refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.aws import kms_keys
from sandbox.aws.errors import RefusedError
from sandbox.aws.http_request import HttpRequest

_TARGET = "TrentService."
_ON_NOTHING = {"CreateKey", "ListAliases", "ListKeys"}
_CRYPTOGRAPHIC = {"Decrypt", "Encrypt", "GenerateDataKey"}
_ON_KEY = _CRYPTOGRAPHIC | {
    "CancelKeyDeletion",
    "CreateAlias",
    "DescribeKey",
    "DisableKey",
    "EnableKey",
    "GetKeyPolicy",
    "ListResourceTags",
    "PutKeyPolicy",
    "ScheduleKeyDeletion",
    "TagResource",
}
_ACROSS_ACCOUNTS = _CRYPTOGRAPHIC | {"DescribeKey"}
# In the state "pending deletion" these are refused beside the cryptographic ones.
_NOT_WHILE_PENDING = {"CreateAlias", "DisableKey", "EnableKey", "ScheduleKeyDeletion", "TagResource"}


@dataclass(frozen=True)
class KmsCall:
    """One call of KMS.

    key: the id, ARN or alias of the key that it is about, None where it is about none. encrypted_by: of a Decrypt, the
    ARN of the key that made the ciphertext.
    """

    operation: str
    parameters: Mapping[str, Any]
    key: str | None = None
    encrypted_by: str | None = None

    @property
    def action(self) -> str:
        """The IAM action."""
        return f"kms:{self.operation}"

    def also(self, home: str) -> tuple[tuple[str, str], ...]:
        """Return other actions that the call needs, each with its resource. home: the ARN up to the account's id."""
        if self.operation == "CreateAlias":
            return ((self.action, f"{home}:{self.parameters.get('AliasName', '')}"),)
        if self.operation == "CreateKey" and self.parameters.get("Tags"):
            return (("kms:TagResource", f"{home}:key/*"),)
        return ()

    @property
    def new_policy(self) -> str | None:
        """The key policy that the call sets; None where it sets none, or is told not to look whom it locks out."""
        sets = self.operation in ("CreateKey", "PutKeyPolicy") and "Policy" in self.parameters
        bypasses = bool(self.parameters.get("BypassPolicyLockoutSafetyCheck"))
        return str(self.parameters["Policy"]) if sets and not bypasses else None

    @property
    def context(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that the call itself brings."""
        given = self.parameters.get("EncryptionContext") or {}
        return {f"kms:encryptioncontext:{str(name).lower()}": (str(value),) for name, value in given.items()}

    def body(self, key_id: str | None) -> bytes:
        """Return the call's body for moto, which knows a key best by its id, and asks for the policy's only name."""
        known = {} if key_id is None else {_key_parameter(self.operation): key_id}
        return json.dumps({"PolicyName": "default", **self.parameters, **known}).encode()


def map_call(request: HttpRequest, region: str) -> KmsCall:
    """Map a call. Raises RefusedError for one that is not served, or whose parameters are not KMS's."""
    target = request.headers.get("x-amz-target", "")
    operation = target.removeprefix(_TARGET)
    if not target.startswith(_TARGET) or operation not in _ON_NOTHING | _ON_KEY:
        raise RefusedError(501, "NotImplemented", f"The sandbox does not serve this call of KMS: {target}")
    try:
        parameters = json.loads(request.body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise RefusedError(400, "SerializationException", "The body is not a JSON object.")
    if operation in _ON_NOTHING:
        return KmsCall(operation, parameters)
    if operation == "Decrypt":
        encrypted_by = _encrypting_key(parameters, region)
        return KmsCall(operation, parameters, str(parameters.get("KeyId") or encrypted_by), encrypted_by)
    name = _key_parameter(operation)
    if not parameters.get(name):
        raise RefusedError(400, "ValidationException", f"Value null at '{name}' failed to satisfy constraint")
    return KmsCall(operation, parameters, str(parameters[name]))


def check_key(call: KmsCall, key: Any, account: str) -> None:
    """Raise RefusedError where moto's key, which `account` may use, does not serve the call."""
    if key.account_id != account and call.operation not in _ACROSS_ACCOUNTS:
        raise RefusedError(403, "AccessDenied", f"{call.action} is not possible with a key of another account")
    if call.encrypted_by not in (None, key.arn):
        raise RefusedError(
            400,
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    if call.operation in _CRYPTOGRAPHIC:
        kms_keys.check_usable(key)
    elif call.operation in _NOT_WHILE_PENDING:
        kms_keys.check_not_pending(key)


def _key_parameter(operation: str) -> str:
    return "TargetKeyId" if operation == "CreateAlias" else "KeyId"


def _encrypting_key(parameters: Mapping[str, Any], region: str) -> str:
    try:
        encrypted_by = kms_keys.of_ciphertext(str(parameters.get("CiphertextBlob", "")), region)
    except ValueError:
        raise RefusedError(400, "InvalidCiphertextException", "The ciphertext is not one of this KMS.") from None
    if encrypted_by is None:
        raise RefusedError(
            400,
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access.",
        )
    return encrypted_by

"""The KMS keys that moto holds: found by id, ARN or alias; whether they can be used now.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

import base64
import re
from typing import Any

from moto.kms.models import kms_backends
from moto.kms.utils import KEY_ID_LEN

from sandbox.aws.directory import PARTITION
from sandbox.aws.errors import RefusedError

# The key that S3 uses where none is named; AWS makes it at its first use: see patch_kms.
S3_ALIAS = "alias/aws/s3"
_ARN = re.compile(r"arn:[a-z-]+:kms:(?P<region>[a-z0-9-]*):(?P<account>\d{12}):(?P<name>(?:key|alias)/.+)")
_ID = re.compile(r"(mrk-)?[0-9a-f-]{32,36}", re.IGNORECASE)


class UnknownKeyError(Exception):
    """There is no such key. arn: where it would be, in `account`; the message is KMS's."""

    def __init__(self, arn: str, account: str, message: str) -> None:
        super().__init__(message)
        self.arn = arn
        self.account = account


def find(reference: str, account: str, region: str) -> Any:
    """Return moto's key, of any account. Raises UnknownKeyError.

    reference: an ARN, a key id or an alias; the last two mean a key of `account` in `region`.
    """
    found = _ARN.fullmatch(reference)
    owner = found["account"] if found else account
    name = found["name"] if found else reference if reference.startswith("alias/") else f"key/{reference}"
    arn = f"arn:{PARTITION}:kms:{region}:{owner}:{name}"
    if found and found["region"] != region:
        raise UnknownKeyError(arn, owner, f"Invalid arn {found['region']}")
    key_id = name.removeprefix("key/")
    if name.startswith("key/") and not _ID.fullmatch(key_id):
        raise UnknownKeyError(arn, owner, f"Invalid keyId {reference}")
    backend = kms_backends[owner][region]
    if name.startswith("alias/"):
        key_id = backend.get_key_id_from_alias(name)
        if key_id is None:
            raise UnknownKeyError(arn, owner, f"Alias {arn} is not found.")
    key = backend.keys.get(key_id)
    if key is None:
        raise UnknownKeyError(arn, owner, f"Key '{arn}' does not exist")
    return key


def of_ciphertext(blob: str, region: str) -> str | None:
    """Return the ARN of the key that made a ciphertext (base64), of any account; None where it is gone.

    Raises ValueError for what is no ciphertext.
    """
    key_id = base64.b64decode(blob, validate=True)[:KEY_ID_LEN].decode("ascii")
    keys = (kms_backends[account][region].keys.get(key_id) for account in list(kms_backends))
    return next((str(key.arn) for key in keys if key is not None), None)


def check_usable(key: Any) -> None:
    """Raise RefusedError, with KMS's code, for a key that neither encrypts nor decrypts now."""
    check_not_pending(key)
    if key.key_state != "Enabled":
        raise RefusedError(400, "DisabledException", f"{key.arn} is disabled.")


def check_not_pending(key: Any) -> None:
    """Raise RefusedError, with KMS's code, for a key that waits for its deletion."""
    if key.key_state == "PendingDeletion":
        raise RefusedError(400, "KMSInvalidStateException", f"{key.arn} is pending deletion.")

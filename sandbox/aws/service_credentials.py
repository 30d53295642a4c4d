"""Service-specific credentials of IAM users, which moto does not know: made, listed, deleted; they open nothing here.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
"""

import secrets
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iam.responses import IamResponse


def install() -> None:
    """Give moto's IAM the three actions."""
    added: Any = IamResponse
    added.create_service_specific_credential = _create
    added.list_service_specific_credentials = _list
    added.delete_service_specific_credential = _delete


def _create(response: Any) -> ActionResult:
    credentials = _of_user(response)
    made = {
        "UserName": response._get_param("UserName"),
        "ServiceName": response._get_param("ServiceName"),
        "ServiceSpecificCredentialId": f"ACCA{secrets.token_hex(8).upper()}",
        "Status": "Active",
        "CreateDate": utcnow(),
    }
    credentials.append(made)
    return ActionResult({"ServiceSpecificCredential": made | {"ServicePassword": secrets.token_urlsafe(24)}})


def _list(response: Any) -> ActionResult:
    return ActionResult({"ServiceSpecificCredentials": list(_of_user(response))})


def _delete(response: Any) -> EmptyResult:
    credential_id = response._get_param("ServiceSpecificCredentialId")
    credentials = _of_user(response)
    credentials[:] = [each for each in credentials if each["ServiceSpecificCredentialId"] != credential_id]
    return EmptyResult()


def _of_user(response: Any) -> list[dict[str, Any]]:
    user = response.backend.get_user(response._get_param("UserName"))
    listed: list[dict[str, Any]] = vars(user).setdefault("service_credentials", [])
    return listed

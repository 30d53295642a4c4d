"""aws:iam/user:User, aws:iam/userPolicy:UserPolicy and aws:iam/accessKey:AccessKey.

https://www.pulumi.com/registry/packages/aws/api-docs/iam/user/, .../iam/userpolicy/ and .../iam/accesskey/. No user of
a connection has a policy: it is served so that a program that gives one can be refused by a policy pack.
"""

from __future__ import annotations

import base64
import functools
import hmac
import json
from typing import Any

from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.aws.handler import TAGS, Handler, unless_missing
from sandbox.plugins.aws.tags import from_list, to_list
from sandbox.plugins.schema import Property, ResourceType
from sandbox.plugins.values import Properties, Secret

MISSING = "NoSuchEntity"


class User(Handler):
    """An IAM user; its id is its name.

    It can be renamed in place, but the engine then still records the first name as the id, by which nothing is found
    any more: a refresh drops the user, and a deletion of it succeeds and deletes nothing
    (https://github.com/pulumi/pulumi-aws/issues/1610,
    https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/iam/user.go).
    """

    label = "IAM user"
    write_only = ("forceDestroy",)
    type = ResourceType(
        "aws:iam/user:User",
        {
            "name": Property(autonamed=True),
            "path": Property(default="/"),
            "permissionsBoundary": Property(),
            "forceDestroy": Property("boolean", default=False),
            "tags": TAGS,
        },
        computed=("arn", "tagsAll", "uniqueId"),
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        request: dict[str, Any] = {"UserName": inputs["name"], "Path": inputs["path"]}
        if boundary := inputs.get("permissionsBoundary"):
            request["PermissionsBoundary"] = boundary
        if tags := clients.config.tags.merged(inputs.get("tags")):
            request["Tags"] = to_list(tags)
        return clients.iam.create_user(**request)["User"]["UserName"], {}

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        answer: Any = unless_missing(lambda: clients.iam.get_user(UserName=resource_id), MISSING)
        if answer is None:
            return None
        user = answer["User"]
        return {
            "arn": user["Arn"],
            "name": user["UserName"],
            "path": user["Path"],
            "permissionsBoundary": user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "uniqueId": user["UserId"],
            "tags": from_list(user.get("Tags", [])),
        }

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        iam = clients.iam
        write, remove = clients.config.tags.updates(olds.get("tagsAll") or {}, news["tagsAll"])
        # The official provider writes tags before it renames
        # (https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/provider/sdkv2/tags_interceptor.go).
        if remove:
            iam.untag_user(UserName=resource_id, TagKeys=remove)
        if write:
            iam.tag_user(UserName=resource_id, Tags=to_list(write))
        if _moved(olds, news):
            iam.update_user(UserName=olds["name"], NewUserName=news["name"], NewPath=news["path"])
        name = self.updated_id(resource_id, olds, news)
        if (boundary := news.get("permissionsBoundary")) != olds.get("permissionsBoundary"):
            if boundary:
                iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
            else:
                iam.delete_user_permissions_boundary(UserName=name)

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        iam = clients.iam

        def delete() -> None:
            for group in iam.list_groups_for_user(UserName=resource_id)["Groups"]:
                iam.remove_user_from_group(UserName=resource_id, GroupName=group["GroupName"])
            if state.get("forceDestroy"):
                _delete_credentials(iam, resource_id)
            iam.delete_user(UserName=resource_id)

        unless_missing(delete, MISSING)

    def updated_id(self, resource_id: str, olds: Properties, news: Properties) -> str:
        return str(news["name"]) if _moved(olds, news) else resource_id


class UserPolicy(Handler):
    """A policy of a user's own; its id is USER:NAME."""

    label = "policy of an IAM user"
    type = ResourceType(
        "aws:iam/userPolicy:UserPolicy",
        {
            "name": Property(autonamed=True, replaces=True),
            "user": Property(required=True, replaces=True),
            "policy": Property("document", required=True),
        },
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        self.update(clients, "", {}, inputs)
        return f"{inputs['user']}:{inputs['name']}", {}

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        user, _, name = resource_id.partition(":")
        found: Any = unless_missing(lambda: clients.iam.get_user_policy(UserName=user, PolicyName=name), MISSING)
        return {"user": user, "name": name, "policy": json.dumps(found["PolicyDocument"])} if found else None

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        clients.iam.put_user_policy(UserName=news["user"], PolicyName=news["name"], PolicyDocument=news["policy"])

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        user, _, name = resource_id.partition(":")
        unless_missing(lambda: clients.iam.delete_user_policy(UserName=user, PolicyName=name), MISSING)


class AccessKey(Handler):
    """An access key of an IAM user; its id is the access key id. Only creating it tells the secret."""

    label = "IAM access key"
    settled = ("status",)
    type = ResourceType(
        "aws:iam/accessKey:AccessKey",
        {
            "user": Property(required=True, replaces=True),
            "status": Property(default="Active", choices=("Active", "Inactive")),
        },
        computed=("createDate", "secret", "sesSmtpPasswordV4"),
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        key = clients.iam.create_access_key(UserName=inputs["user"])["AccessKey"]
        secret = key["SecretAccessKey"]
        return key["AccessKeyId"], {
            "secret": Secret(secret),
            "sesSmtpPasswordV4": Secret(ses_smtp_password(secret, clients.config.region)),
        }

    def settle(self, clients: Clients, resource_id: str, inputs: Properties) -> None:
        if inputs["status"] != "Active":
            clients.iam.update_access_key(UserName=inputs["user"], AccessKeyId=resource_id, Status=inputs["status"])

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        iam = clients.iam
        # At an import. The official provider fails here as well if there is no such key; other types tell the engine
        # (https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/iam/access_key.go).
        user = recorded.get("user") or iam.get_access_key_last_used(AccessKeyId=resource_id)["UserName"]
        answer: Any = unless_missing(lambda: iam.list_access_keys(UserName=user), MISSING)
        keys = answer["AccessKeyMetadata"] if answer else []
        for key in keys:
            if key["AccessKeyId"] == resource_id:
                return {
                    "user": key["UserName"],
                    "status": key["Status"],
                    "createDate": key["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
                    **{name: Secret(recorded[name]) for name in ("secret", "sesSmtpPasswordV4") if recorded.get(name)},
                }
        return None

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        if news["status"] != olds.get("status"):
            clients.iam.update_access_key(UserName=news["user"], AccessKeyId=resource_id, Status=news["status"])

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        iam = clients.iam
        unless_missing(lambda: iam.delete_access_key(UserName=state["user"], AccessKeyId=resource_id), MISSING)


def ses_smtp_password(secret: str, region: str) -> str:
    """The SMTP password that belongs to a secret access key
    (https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html#smtp-credentials-convert)."""
    signature = ("AWS4" + secret).encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.digest(signature, part.encode(), "sha256")
    return base64.b64encode(b"\x04" + signature).decode()


def _moved(olds: Properties, news: Properties) -> bool:
    return any(olds.get(key) != news.get(key) for key in ("name", "path"))


def _delete_credentials(iam: Any, user: str) -> None:
    """Removes what belongs to a user and was made outside the program, so that the user can be deleted."""
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    for key in iam.list_ssh_public_keys(UserName=user)["SSHPublicKeys"]:
        iam.delete_ssh_public_key(UserName=user, SSHPublicKeyId=key["SSHPublicKeyId"])
    for device in iam.list_mfa_devices(UserName=user)["MFADevices"]:
        serial = {"SerialNumber": device["SerialNumber"]}
        iam.deactivate_mfa_device(UserName=user, **serial)
        unless_missing(functools.partial(iam.delete_virtual_mfa_device, **serial), MISSING)
    unless_missing(lambda: iam.delete_login_profile(UserName=user), MISSING)
    for certificate in iam.list_signing_certificates(UserName=user)["Certificates"]:
        iam.delete_signing_certificate(UserName=user, CertificateId=certificate["CertificateId"])

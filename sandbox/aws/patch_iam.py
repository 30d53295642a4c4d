"""Users, boundaries and uses of policies in moto's IAM, as AWS has them; what is still in use is not deleted."""

from functools import wraps
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam import models as iam_models
from moto.iam.exceptions import DeleteConflictException, EntityAlreadyExists, NotFoundException
from moto.iam.responses import IamResponse
from moto.iam.utils import generate_access_key_id_from_account_id

_backend: Any = iam_models.IAMBackend
_response: Any = IamResponse
# What of a user has to go before it -> AWS's word for it.
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
_KEEPS_A_USER = {
    "access_keys": "delete access keys",
    "password": "delete login profile",
    "mfa_devices": "delete MFA device",
    "signing_certificates": "delete signing certificates",
    "ssh_public_keys": "delete SSH public keys",
    "service_credentials": "delete service specific credentials",
    "group_list": "remove users from group",
}


def install() -> None:
    """Put the changes into moto's IAM."""
    _give_users_an_aws_id_and_a_boundary()
    _refuse_a_boundary_that_does_not_exist()
    _keep_what_a_renamed_user_has()
    _refuse_deletes_that_aws_refuses()
    _response.list_entities_for_policy = _list_entities_for_policy
    _response.get_access_key_last_used = _get_access_key_last_used
    # Who used what is told by last_use; moto counts what was allowed only, and a session's use for the role's name.
    patched_models: Any = iam_models
    patched_models.mark_account_as_visited = lambda **kwargs: None


def _give_users_an_aws_id_and_a_boundary() -> None:
    user: Any = iam_models.User
    create, create_user = user.__init__, _response.create_user

    @wraps(create)
    def create_as_aws(self: Any, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        self.id = generate_access_key_id_from_account_id(self.account_id, prefix="AIDA", total_length=21)
        self.permissions_boundary_arn = None

    @wraps(create_user)
    def create_user_with_boundary(self: Any) -> ActionResult:
        boundary = self._get_param("PermissionsBoundary")
        if boundary:
            self.backend.get_policy(boundary)
        result: ActionResult = create_user(self)
        self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = boundary
        return result

    def put_user_permissions_boundary(self: Any) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        boundary = self._get_param("PermissionsBoundary")
        self.backend.get_policy(boundary)
        user.permissions_boundary_arn = boundary
        return EmptyResult()

    def delete_user_permissions_boundary(self: Any) -> ActionResult:
        self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = None
        return EmptyResult()

    user.__init__ = create_as_aws
    user.permissions_boundary = iam_models.Role.permissions_boundary
    _response.create_user = create_user_with_boundary
    _response.put_user_permissions_boundary = put_user_permissions_boundary
    _response.delete_user_permissions_boundary = delete_user_permissions_boundary


def _refuse_a_boundary_that_does_not_exist() -> None:
    put_role_boundary, create_role = _backend.put_role_permissions_boundary, _backend.create_role

    @wraps(put_role_boundary)
    def put_existing_boundary(self: Any, role_name: str, permissions_boundary: str) -> None:
        self.get_policy(permissions_boundary)
        put_role_boundary(self, role_name, permissions_boundary)

    @wraps(create_role)
    def create_role_with_boundary(
        self: Any, name: str, trust: str, path: str, permissions_boundary: str | None, *args: Any, **kwargs: Any
    ) -> Any:
        if permissions_boundary:
            self.get_policy(permissions_boundary)
        return create_role(self, name, trust, path, permissions_boundary, *args, **kwargs)

    _backend.put_role_permissions_boundary = put_existing_boundary
    _backend.create_role = create_role_with_boundary


def _keep_what_a_renamed_user_has() -> None:
    update_user = _backend.update_user

    @wraps(update_user)
    def update_user_with_all(self: Any, user_name: str, new_path: str | None, new_user_name: str | None) -> None:
        user = self.get_user(user_name)
        if new_user_name and new_user_name != user_name and new_user_name in self.users:
            raise EntityAlreadyExists(f"User with name {new_user_name} already exists.")
        tags, old_arn = self.tagger.list_tags_for_resource(user.arn)["Tags"], user.arn
        update_user(self, user_name, new_path, new_user_name)
        self.tagger.delete_all_tags_for_resource(old_arn)
        self.tagger.tag_resource(user.arn, tags)
        for key in user.access_keys:
            key.user_name = user.name

    _backend.update_user = update_user_with_all


def _refuse_deletes_that_aws_refuses() -> None:
    delete_user, delete_policy, delete_group = _backend.delete_user, _backend.delete_policy, _backend.delete_group

    @wraps(delete_user)
    def delete_unused_user(self: Any, user_name: str) -> None:
        user = self.get_user(user_name)
        for attribute, word in _KEEPS_A_USER.items():
            if getattr(user, attribute, None):
                raise DeleteConflictException(f"Cannot delete entity, must {word} first.")
        delete_user(self, user_name)

    @wraps(delete_policy)
    def delete_unused_policy(self: Any, policy_arn: str) -> None:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
        bearers = [*self.users.values(), *self.roles.values(), *self.groups.values()]
        if any(policy_arn in (*bearer.managed_policies, _boundary(bearer)) for bearer in bearers):
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        if len(self.get_policy(policy_arn).versions) > 1:
            raise DeleteConflictException(
                "This policy has more than one version. "
                "Before you delete a policy, you must delete the policy's versions."
            )
        delete_policy(self, policy_arn)

    @wraps(delete_group)
    def delete_unused_group(self: Any, group_name: str) -> None:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html
        group = self.get_group(group_name)
        for held, word in ((group.users, "remove users from group"), (group.policies, "delete policies")):
            if held:
                raise DeleteConflictException(f"Cannot delete entity, must {word} first.")
        if group.managed_policies:
            raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
        delete_group(self, group_name)

    _backend.delete_user = delete_unused_user
    _backend.delete_policy = delete_unused_policy
    _backend.delete_group = delete_unused_group


def _list_entities_for_policy(response: Any) -> ActionResult:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html
    arn, kind = response._get_param("PolicyArn"), response._get_param("EntityFilter")
    usage, prefix = response._get_param("PolicyUsageFilter"), response._get_param("PathPrefix") or "/"
    response.backend.get_policy(arn)

    def using(wanted: str, bearers: Any) -> list[Any]:
        return [
            bearer
            for bearer in bearers.values()
            if kind in (None, wanted, "LocalManagedPolicy", "AWSManagedPolicy")
            and bearer.path.startswith(prefix)
            and (
                (usage != "PermissionsBoundary" and arn in bearer.managed_policies)
                or (usage != "PermissionsPolicy" and arn == _boundary(bearer))
            )
        ]

    backend = response.backend
    return ActionResult(
        {
            "PolicyUsers": using("User", backend.users),
            "PolicyRoles": using("Role", backend.roles),
            "PolicyGroups": using("Group", backend.groups),
            "IsTruncated": False,
        }
    )


def _get_access_key_last_used(response: Any) -> ActionResult:
    key_id = response._get_param("AccessKeyId")
    key = response.backend.access_keys.get(key_id)  # of this account alone: moto's own looks into every one
    if key is None or key.user_name is None:
        raise NotFoundException(f"The Access Key with id {key_id} cannot be found")
    used = key.last_used
    told = {"Region": used.region if used else "N/A", "ServiceName": used.service if used else "N/A"}
    if used:
        told["LastUsedDate"] = used.timestamp
    return ActionResult({"UserName": key.user_name, "AccessKeyLastUsed": told})


def _boundary(bearer: Any) -> str | None:
    return getattr(bearer, "permissions_boundary_arn", None)

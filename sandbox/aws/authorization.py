"""Whether a caller may do something, by all the policies that bear on it; the refusals have AWS's words."""

from typing import Any

from sandbox.aws import directory, kms_keys
from sandbox.aws.authentication import Caller
from sandbox.aws.conditions import Context, PolicyError
from sandbox.aws.directory import PARTITION, Directory
from sandbox.aws.errors import RefusedError
from sandbox.aws.evaluator import Access, Decision, Policies, evaluate
from sandbox.aws.kms_keys import UnknownKeyError
from sandbox.aws.patch_policies import bind_policy
from sandbox.aws.s3_actions import Need


class Authorization:
    """Decides by what `world` has at the moment of the question."""

    def __init__(self, world: Directory) -> None:
        self._world = world

    def require(self, caller: Caller, action: str, resource: str, context: Context) -> None:
        """Raise RefusedError unless the caller's own policies allow an action on a resource of the caller's account."""
        access = _access(caller, action, resource, caller.principal.account, context)
        _require(access, evaluate(access, self._own(caller)))

    def require_role(self, caller: Caller, arn: str, role: Any | None, context: Context) -> None:
        """Raise RefusedError unless the caller may assume the role (moto's; None: there is none of this ARN)."""
        own = self._own(caller)
        trust = self._world.trust_of(role) if role else {}
        owner = role.account_id if role else caller.principal.account
        access = _access(caller, "sts:AssumeRole", arn, owner, context)
        _require(access, evaluate(access, Policies(own.identity, own.boundary, own.session, trust, is_trust=True)))

    def require_in_s3(self, caller: Caller, need: Need, context: Context) -> None:
        """Raise RefusedError unless the caller may do what an S3 request needs."""
        _require(*self._in_s3(caller, need, context))

    def allows_in_s3(self, caller: Caller, need: Need, context: Context) -> bool:
        """Tell whether the caller may do what an S3 request needs."""
        return self._in_s3(caller, need, context)[1].allowed

    def require_key(self, caller: Caller, action: str, reference: str, region: str, context: Context) -> Any:
        """Return moto's key once the caller may do `action` with it. Raises RefusedError, with KMS's code."""
        if caller.credential is None:
            raise denied_anonymous()
        own, account = self._own(caller), caller.principal.account
        context = {**context, "kms:calleraccount": (account,)}
        try:
            key = kms_keys.find(reference, account, region)
        except UnknownKeyError as unknown:
            access = _access(caller, action, unknown.arn, unknown.account, context)
            if unknown.account != account:
                raise _denied_unknown_key(access) from None
            _require(access, evaluate(access, own))
            raise RefusedError(400, "NotFoundException", str(unknown)) from None
        access = _access(caller, action, key.arn, key.account_id, context)
        policy = key.stored_policy.bound
        _require(access, evaluate(access, Policies(own.identity, own.boundary, own.session, policy, is_key=True)))
        return key

    def check_lockout(self, caller: Caller, policy: str, home: str, context: Context) -> None:
        """Raise RefusedError for a key policy that KMS does not save, as its setter could never change it again.

        home: the ARN up to the account's id. https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
        """
        own, account = self._own(caller), caller.principal.account
        access = _access(
            caller, "kms:PutKeyPolicy", f"{home}:key/new", account, {**context, "kms:calleraccount": (account,)}
        )
        try:
            bound = bind_policy(policy, is_trust=False)
        except PolicyError as problem:
            raise RefusedError(400, "MalformedPolicyDocumentException", str(problem)) from None
        if not evaluate(access, Policies(own.identity, own.boundary, own.session, bound, is_key=True)).allowed:
            raise RefusedError(
                400,
                "MalformedPolicyDocumentException",
                "The new key policy will not allow you to update the key policy in the future.",
            )

    def _in_s3(self, caller: Caller, need: Need, context: Context) -> tuple[Access, Decision]:
        own = self._own(caller)
        owner = None if need.action == "s3:CreateBucket" else directory.bucket_owner(need.bucket)
        bucket_policy = self._world.bucket_policy(need.bucket) if owner else None
        access = _access(caller, need.action, need.resource(PARTITION), owner or caller.principal.account, context)
        return access, evaluate(access, Policies(own.identity, own.boundary, own.session, bucket_policy))

    def _own(self, caller: Caller) -> Policies:
        session_policy = caller.credential.session_policy if caller.credential else None
        return self._world.policies_of(caller.principal, session_policy)


def denied_anonymous() -> RefusedError:
    """Return the refusal of an unsigned request that no policy allows.

    S3 answers 404 where the bucket does not exist; here it is always a 403.
    """
    return RefusedError(403, "AccessDenied", "Access Denied")


def _access(caller: Caller, action: str, resource: str, owner: str, context: Context) -> Access:
    return Access(caller.principal, action, resource, owner, {**context, "aws:resourceaccount": (owner,)})


def _require(access: Access, decision: Decision) -> None:
    if decision.allowed:
        return
    if access.principal.kind == "anonymous":
        raise denied_anonymous()
    raise RefusedError(
        403,
        "AccessDenied",
        f"User: {access.principal.arn} is not authorized to perform: {access.action} "
        f"on resource: {access.resource} {decision.reason}",
    )


def _denied_unknown_key(access: Access) -> RefusedError:
    return RefusedError(
        403,
        "AccessDenied",
        f"User: {access.principal.arn} is not authorized to perform: {access.action} on this resource because the "
        "resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy "
        "explicitly denies access",
    )

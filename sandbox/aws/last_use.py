"""When an access key, or a role, was last used: what GetAccessKeyLastUsed and GetRole tell.

Every correctly signed request counts, also one that is then refused. A session's request counts for its role, and not
for the key that assumed the role.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html
"""

from moto.core.utils import utcnow
from moto.iam.models import AccessKeyLastUsed

from sandbox.aws import directory
from sandbox.aws.authentication import Caller


def record(caller: Caller, service: str) -> None:
    """Note a request to "s3", "iam", "sts" or "kms", made just now; an unsigned one leaves no trace."""
    principal = caller.principal
    if principal.kind == "user":
        user = directory.user_of_key(principal.account, caller.access_key_id)
        if user is not None:
            key = user.get_access_key_by_id(caller.access_key_id)
            key.last_used = AccessKeyLastUsed(utcnow(), service, caller.region)
    elif principal.kind == "session":
        role = directory.bearer_of(principal)
        if role is not None:
            role.last_used, role.last_used_region = utcnow(), caller.region

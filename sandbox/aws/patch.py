"""What the sandbox changes in moto, where moto does not behave as AWS does. `install` puts it in, once a process.

Access control is not among it: the gateway decides before moto sees a request; moto's own check stays switched off.
"""

from functools import cache

from sandbox.aws import patch_iam, patch_kms, patch_policies, patch_s3, patch_sts, service_credentials


@cache
def install() -> None:
    """Put the changes into moto; a second call does nothing."""
    patch_policies.install()
    patch_iam.install()
    patch_kms.install()
    patch_s3.install()
    patch_sts.install()
    service_credentials.install()

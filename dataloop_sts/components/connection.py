"""The whole connection: preflight, storage, identity, verification, integration, drivers, guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi_command import local

from dataloop_sts import policies, regions
from dataloop_sts.adopted import NOTHING, Adopted
from dataloop_sts.components.identity import Identity, IdentityArgs
from dataloop_sts.components.storage import ManagedBucket, ManagedBucketArgs
from dataloop_sts.providers import DriverToTry, Integration, IntegrationToAdopt, Preflight, StorageDriver
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.spec_parts import DeployRoleSpec
from dataloop_sts.steps import frame
from dataloop_sts.values import ACCESS_KEY_TAG_PREFIX


@dataclass(frozen=True)
class ConnectionArgs:
    """Arguments of :class:`Connection`.

    Attributes:
        spec: the connection.
        environment: the environment's name.
        sandbox_endpoint: the AWS endpoint of the sandbox on a sandbox stack, else None.
        adopted: what exists already and is taken over in this run.
    """

    spec: ConnectionSpec
    environment: str
    sandbox_endpoint: str | None = None
    adopted: Adopted = NOTHING


class Connection(pulumi.ComponentResource):
    """One customer's AWS storage connected to Dataloop over STS.

    Creates, in this order:
        - the preflight, which looks before anything is made,
        - the AWS provider, limited to the spec's account,
        - each managed bucket (:class:`ManagedBucket`),
        - user, key, policy and role (:class:`Identity`),
        - the verification: a real AssumeRole, what must work, and what must be refused,
        - the Dataloop integration,
        - each storage driver, TESTed by Dataloop,
        - the guard, which is deleted first and so can refuse a destroy.
    """

    outputs: dict[str, pulumi.Output[Any]]
    done: pulumi.Output[str]
    """Known once every resource is what the spec says; never in a run in which one failed."""

    def __init__(self, name: str, args: ConnectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        spec = args.spec
        # first of all, since they may refuse the spec
        permission = policies.permission_document(spec)
        policies.check_trust_length(spec, args.environment)
        super().__init__("dataloop-sts:connection:Connection", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        preflight = Preflight(
            "preflight",
            spec=spec,
            environment=args.environment,
            sandbox=args.sandbox_endpoint is not None,
            adopting=args.adopted.names,
            opts=child,
        )
        provider = self._aws_provider(args, preflight)
        with_provider = pulumi.ResourceOptions(parent=self, providers=[provider], depends_on=[preflight])

        buckets = {
            bucket: ManagedBucket(
                bucket,
                ManagedBucketArgs(
                    customer=spec.customer,
                    bucket=bucket,
                    partition=spec.aws.partition,
                    region=spec.aws.region,
                    account_id=preflight.seen_account_id,
                    folders=_folders(preflight, bucket),
                    on_destroy=spec.on_destroy,
                    deploy_role=spec.aws.deploy_role,
                    kms_key_arn=spec.kms_key_arn(bucket),
                ),
                with_provider,
            )
            for bucket in spec.managed_buckets
        }
        bucket_names = {bucket: buckets[bucket].name if bucket in buckets else bucket for bucket in spec.bucket_names}
        identity = Identity(
            "identity",
            IdentityArgs(
                names=spec.names(args.environment),
                aws=spec.aws,
                permission=permission,
                generation=spec.access_key.generation,
                key_description=spec.access_key.description,
                former_key=args.adopted.former_key,
                leftovers=args.adopted.leftovers,
            ),
            with_provider,
        )
        verification = self._verification(spec, identity, bucket_names, permission)
        integration = Integration(
            "integration",
            organization_id=spec.organization_id,
            integration_name=spec.names(args.environment).integration,
            access_key_id=identity.access_key_id,
            secret_access_key=identity.secret_access_key,
            role_arn=identity.role_arn,
            generation=spec.access_key.generation,
            stack_since=preflight.stack_since,
            adopt=_adopt(args.adopted, spec),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[verification]),
        )
        drivers = {
            driver.name: StorageDriver(
                driver.name,
                customer=spec.customer,
                driver_name=driver.name,
                project_id=driver.project_id,
                integration_id=integration.id,
                bucket=bucket_names[driver.bucket_name],
                region=spec.aws.region,
                path=driver.prefix or "",
                allow_delete=driver.allow_delete,
                adopt=args.adopted.driver_ids.get(driver.name),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[verification, *_if_managed(buckets, driver.bucket_name)],
                    aliases=[pulumi.Alias(name=driver.former_name)] if driver.former_name else None,
                ),
            )
            for driver in spec.drivers
        }
        if spec.access_key.retiring:
            identity.keep_inactive(spec.access_key.retiring, after=integration)
        self.done = self._guard(args, preflight, identity, integration, drivers, [*buckets.values()]).id

        report = pulumi.Output.json_loads(pulumi.Output.unsecret(verification.stdout))
        self.outputs = {
            "bucket_names": pulumi.Output.all(*bucket_names.values()),
            "bucket_arns": pulumi.Output.all(
                *(
                    buckets[bucket].arn if bucket in buckets else regions.bucket_arn(spec.aws.partition, bucket)
                    for bucket in spec.bucket_names
                )
            ),
            "user_arn": identity.user_arn,
            "role_arn": identity.role_arn,
            "access_key_id": integration.access_key_id,
            "access_key_created_at": pulumi.Output.all(integration.id, identity.access_key_created_at).apply(
                lambda v: v[1]
            ),
            "access_key_generation": integration.generation.apply(int),
            "integration_id": integration.id,
            "driver_ids": pulumi.Output.all(**{name: driver.id for name, driver in drivers.items()}),
            "verification": report,
        }
        self.register_outputs(self.outputs)

    def _aws_provider(self, args: ConnectionArgs, preflight: Preflight) -> aws.Provider:
        spec, endpoint = args.spec, args.sandbox_endpoint
        sandbox: dict[str, Any] = (
            {
                "endpoints": [aws.ProviderEndpointArgs(iam=endpoint, s3=endpoint, s3control=endpoint, sts=endpoint)],
                # calls of S3 Control go to ACCOUNT.HOST, a name that only a proxy can lead to this machine
                "http_proxy": endpoint,
                "s3_use_path_style": True,
                "skip_metadata_api_check": True,
            }
            if endpoint
            else {}
        )
        return aws.Provider(
            "aws",
            region=spec.aws.region,
            # without one in the spec, the account of the first run: elsewhere everything would look as if it were gone
            allowed_account_ids=[spec.aws.account_id or preflight.seen_account_id],
            default_tags=aws.ProviderDefaultTagsArgs(tags=spec.tags(args.environment)),
            assume_roles=_assume_roles(spec.aws.deploy_role),
            ignore_tags=aws.ProviderIgnoreTagsArgs(key_prefixes=[ACCESS_KEY_TAG_PREFIX]),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[preflight]),
            **sandbox,
        )

    def _verification(
        self,
        spec: ConnectionSpec,
        identity: Identity,
        bucket_names: Mapping[str, pulumi.Input[str]],
        permission: policies.Document,
    ) -> local.Command:
        targets = [
            {
                "driver": driver.name,
                "bucket": bucket_names[driver.bucket_name],
                "prefix": driver.prefix or "",
                "allow_delete": driver.allow_delete,
                "alone": all(other.prefix for other in spec.drivers if other.bucket_name == driver.bucket_name),
            }
            for driver in spec.drivers
        ]
        request = {
            "region": spec.aws.region,
            "access_key_id": identity.access_key_id,
            "secret_access_key": identity.secret_access_key,
            "role_arn": identity.role_arn,
            "targets": targets,
            **({"source_ips": spec.aws.trust_source_ips} if spec.aws.trust_source_ips else {}),
            "documents": pulumi.Output.concat(
                policies.digest(permission), " ", identity.trust.apply(policies.text_digest)
            ),
        }
        return local.Command(
            "verification",
            create=frame.command("verify"),
            stdin=pulumi.Output.json_dumps(request),
            logging=local.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _guard(
        self,
        args: ConnectionArgs,
        preflight: Preflight,
        identity: Identity,
        integration: Integration,
        drivers: dict[str, StorageDriver],
        buckets: list[pulumi.Resource],
    ) -> local.Command:
        """Depends on everything, a retiring key too, so that it is deleted first and made or updated last."""
        spec, names = args.spec, args.spec.names(args.environment)
        request = {
            "customer": spec.customer,
            "on_destroy": spec.on_destroy,
            "region": spec.aws.region,
            "account_id": preflight.seen_account_id,
            "buckets": {bucket: _folders(preflight, bucket) for bucket in spec.managed_buckets},
            "integration_id": integration.id,
            "drivers": [
                {"id": drivers[driver.name].id, "name": driver.name, "project_id": driver.project_id}
                for driver in spec.drivers
            ],
            "identity": {
                "user": names.user,
                "role": names.role,
                "policy": names.policy,
                "path": spec.aws.iam_path,
                "access_key_ids": identity.access_key_ids,
                "key_description": spec.access_key.description,
            },
            **frame.deploying(spec.aws.deploy_role),
        }
        return local.Command(
            "guard",
            delete=frame.command("guard"),
            stdin=pulumi.Output.json_dumps(request),
            logging=local.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[identity, integration, *drivers.values(), *buckets]),
        )


def _adopt(adopted: Adopted, spec: ConnectionSpec) -> IntegrationToAdopt | None:
    """The integration that is taken over, and the drivers with which its new key is tried before."""
    if adopted.integration_id is None:
        return None
    tried = [
        DriverToTry(
            name=driver.name,
            project_id=driver.project_id,
            bucket=driver.bucket_name,
            region=spec.aws.region,
            path=driver.prefix or "",
            allow_delete=driver.allow_delete,
        )
        for driver in spec.drivers
    ]
    return IntegrationToAdopt(id=adopted.integration_id, drivers=tried)


def _assume_roles(role: DeployRoleSpec | None) -> list[aws.ProviderAssumeRoleArgs] | None:
    if role is None:
        return None
    return [aws.ProviderAssumeRoleArgs(role_arn=role.arn, external_id=role.external_id, session_name="dataloop-sts")]


def _folders(preflight: Preflight, bucket: str) -> pulumi.Output[list[str]]:
    return preflight.seen_folders.apply(lambda folders: folders.get(bucket, []))


def _if_managed(buckets: Mapping[str, ManagedBucket], bucket: str) -> list[pulumi.Resource]:
    return [buckets[bucket]] if bucket in buckets else []

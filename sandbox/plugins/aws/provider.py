"""The provider protocol over the AWS resource types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from sandbox.plugins import differences
from sandbox.plugins.aws import config as configuration
from sandbox.plugins.aws import recorded
from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.aws.failures import explained
from sandbox.plugins.aws.handler import Handler, wait_for
from sandbox.plugins.aws.iam_roles import Policy, Role, RolePolicyAttachment
from sandbox.plugins.aws.iam_users import AccessKey, User, UserPolicy
from sandbox.plugins.aws.s3_bucket import Bucket
from sandbox.plugins.aws.s3_settings import (
    BucketOwnershipControls,
    BucketPolicy,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
)
from sandbox.plugins.errors import InitializationError, ProviderError
from sandbox.plugins.schema import DEFAULTS, check
from sandbox.plugins.servicer import BaseServicer, answering
from sandbox.plugins.values import UNKNOWN, Properties, has_unknown, marshal, plain, unmarshal

_HANDLERS: Final[Mapping[str, Handler]] = {
    handler.type.token: handler
    for handler in (
        Bucket(),
        BucketPublicAccessBlock(),
        BucketOwnershipControls(),
        BucketServerSideEncryptionConfiguration(),
        BucketPolicy(),
        User(),
        UserPolicy(),
        AccessKey(),
        Role(),
        Policy(),
        RolePolicyAttachment(),
    )
}
_DNS_SUFFIXES: Final = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


class AwsProvider(BaseServicer):
    """The stand-in provider. The engine runs one plugin process per provider resource and configures it once."""

    def __init__(self) -> None:
        super().__init__(configuration.VERSION, accept_secrets=False)
        self._configured: Clients | None = None

    @property
    def _clients(self) -> Clients:
        if self._configured is None:
            raise ProviderError(f"{configuration.STAND_IN} is not configured")
        return self._configured

    def explain(self, error: Exception) -> ProviderError:
        """One line for what botocore raises; no request, and so no secret, is quoted."""
        return self._explained(error, "")

    def _explained(self, error: Exception, doing: str) -> ProviderError:
        return explained(error, doing, "none" if self._configured is None else self._configured.signer)

    # --- configuration

    @answering
    def CheckConfig(self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        failures = [
            provider_pb2.CheckFailure(property=name, reason=reason)
            for name, reason in configuration.problems(unmarshal(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @answering
    def DiffConfig(self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        olds, news = unmarshal(request.old_inputs or request.olds), unmarshal(request.news)
        found = [
            change
            for key in sorted({*olds, *news} - {"version"})
            for change in differences.changes(key, olds.get(key), news.get(key))
        ]
        return differences.response(found, of_inputs=True)

    @answering
    def Configure(self, request: provider_pb2.ConfigureRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        values = unmarshal(request.args)
        if found := configuration.problems(values):
            raise ProviderError("; ".join(reason for _, reason in found), grpc.StatusCode.INVALID_ARGUMENT)
        if has_unknown(values):
            return self.configured()
        try:
            clients = Clients(configuration.parse(values))
        except ValueError as error:
            raise ProviderError(str(error), grpc.StatusCode.UNAUTHENTICATED) from None
        clients.sign_in()
        self._configured = clients
        self._validate(clients)
        return self.configured()

    def _validate(self, clients: Clients) -> None:
        """Asks for the account as far as the settings say so, and holds it to the allowed ones."""
        settings = clients.config
        asked = not (settings.skip_credentials_validation and settings.skip_requesting_account_id)
        if not asked and not settings.allowed_account_ids:
            return
        if not asked:
            raise ProviderError(
                "allowedAccountIds cannot be checked while both skipCredentialsValidation and "
                "skipRequestingAccountId are set; leave one of them out",
                grpc.StatusCode.INVALID_ARGUMENT,
            )
        try:
            account = clients.account_id
        except Exception as error:
            raise self._explained(error, "finding the AWS account: ") from None
        if settings.allowed_account_ids and account not in settings.allowed_account_ids:
            raise ProviderError(
                f"AWS account ID not allowed: the credentials belong to account {account}, and the provider allows "
                f"{', '.join(settings.allowed_account_ids)} only (allowedAccountIds)"
            )

    @answering
    def Invoke(self, request: provider_pb2.InvokeRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        if request.tok == "aws:index/getCallerIdentity:getCallerIdentity":
            identity = self._clients.sts.get_caller_identity()
            account = identity["Account"]
            answer = {"accountId": account, "arn": identity["Arn"], "id": account, "userId": identity["UserId"]}
        elif request.tok == "aws:index/getPartition:getPartition":
            partition = configuration.partition(self._clients.config.region)
            suffix = _DNS_SUFFIXES[partition]
            answer = {
                "dnsSuffix": suffix,
                "id": partition,
                "partition": partition,
                "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
            }
        else:
            raise ProviderError(f"the function {request.tok} is not served by {configuration.STAND_IN}")
        return provider_pb2.InvokeResponse(**{"return": marshal(answer)})

    # --- resources

    @answering
    def Check(self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        handler, news = _handler(request.urn), unmarshal(request.news)
        if "region" in handler.type.properties and self._configured is not None:
            # The official provider does the same, and so does not list it among the defaults
            # (https://github.com/pulumi/pulumi-aws/blob/master/provider/region.go).
            news.setdefault("region", self._configured.config.region)
        checked = check(
            handler.type,
            request.urn.rsplit("::", maxsplit=1)[1],
            unmarshal(request.olds),
            news,
            stand_in=configuration.STAND_IN,
        )
        return provider_pb2.CheckResponse(inputs=marshal(checked.inputs), failures=checked.failures)

    @answering
    def Diff(self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        handler = _handler(request.urn)
        olds, news = plain(unmarshal(request.olds)), plain(unmarshal(request.news))
        found = differences.not_ignored(recorded.changes(handler, olds, news), request.ignoreChanges)
        if handler.tagged and not any(differences.root(path) == "tags" for path, _ in found):
            tags = differences.changes(
                "tagsAll", olds.get("tagsAll") or {}, self._wanted_tags(handler, news)["tagsAll"]
            )
            found += differences.not_ignored(tags, request.ignoreChanges)
        named = any(
            prop.autonamed and name not in news.get(DEFAULTS, []) for name, prop in handler.type.properties.items()
        )
        return differences.response(
            found,
            {name for name, prop in handler.type.properties.items() if prop.replaces},
            delete_before_replace=handler.type.delete_before_replace or named,
        )

    @answering
    def Create(self, request: provider_pb2.CreateRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        handler, inputs = _handler(request.urn), _inputs(request.properties)
        if request.preview:
            outputs = {**inputs, **dict.fromkeys(handler.type.computed, UNKNOWN), **self._wanted_tags(handler, inputs)}
            return provider_pb2.CreateResponse(properties=marshal(outputs))
        clients = self._clients
        doing = f"creating {handler.label} ({_subject(inputs)}): "
        try:
            resource_id, told = handler.create(clients, inputs)
        except ProviderError:
            raise
        except Exception as error:
            raise self._explained(error, doing) from None
        try:
            handler.settle(clients, resource_id, inputs)
            live = wait_for(lambda: handler.read(clients, resource_id, {**inputs, **plain(told)}))
        except Exception as error:
            reason = f"{doing}it was created, but: {self._explained(error, '')}"
            raise InitializationError(resource_id, recorded.unsettled(handler, inputs, told), reason) from None
        if live is None:
            reason = f"{doing}it was created, but could not be read back"
            raise InitializationError(resource_id, recorded.unsettled(handler, inputs, told), reason)
        outputs = {**self._outputs(handler, live, inputs), **told}
        return provider_pb2.CreateResponse(id=resource_id, properties=marshal(outputs))

    @answering
    def Read(self, request: provider_pb2.ReadRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        handler = _handler(request.urn)
        state, known = plain(unmarshal(request.properties)), plain(unmarshal(request.inputs))
        try:
            live = handler.read(self._clients, request.id, {**known, **state})
        except ProviderError:
            raise
        except Exception as error:
            raise self._explained(error, f"reading {handler.label} ({request.id}): ") from None
        if live is None:
            return provider_pb2.ReadResponse()
        outputs = self._outputs(handler, live, {**known, **recorded.carried(handler, state or handler.imported)})
        return provider_pb2.ReadResponse(
            id=request.id, properties=marshal(outputs), inputs=marshal(recorded.inputs_of(handler, known, outputs))
        )

    @answering
    def Update(self, request: provider_pb2.UpdateRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        handler, olds, news = _handler(request.urn), plain(unmarshal(request.olds)), _inputs(request.news)
        news |= self._wanted_tags(handler, news)
        news |= {path: olds.get(path) for path in request.ignoreChanges if path in news}
        if request.preview:
            # No computed output is marked as new by the official provider, not even the ARN of a user that moves.
            computed = {name: olds.get(name, UNKNOWN) for name in handler.type.computed}
            outputs = {**computed, **news}
            return provider_pb2.UpdateResponse(properties=marshal(outputs))
        clients = self._clients
        doing = f"updating {handler.label} ({request.id}): "
        try:
            handler.update(clients, request.id, olds, news)
            # Only what was just created is waited for, as in the official provider.
            live = handler.read(clients, handler.updated_id(request.id, olds, news), {**olds, **news})
        except ProviderError:
            raise
        except Exception as error:
            raise self._explained(error, doing) from None
        if live is None:
            raise ProviderError(f"{doing}it is gone; run `pulumi refresh`, then the update again")
        return provider_pb2.UpdateResponse(properties=marshal(self._outputs(handler, live, news)))

    @answering
    def Delete(self, request: provider_pb2.DeleteRequest, _context: grpc.ServicerContext) -> Any:  # noqa: N802
        handler = _handler(request.urn)
        try:
            handler.delete(self._clients, request.id, plain(unmarshal(request.properties)))
        except ProviderError:
            raise
        except Exception as error:
            raise self._explained(error, f"deleting {handler.label} ({request.id}): ") from None
        return empty_pb2.Empty()

    # --- outputs

    def _wanted_tags(self, handler: Handler, inputs: Properties) -> Properties:
        return {"tagsAll": self._clients.config.tags.merged(inputs.get("tags"))} if handler.tagged else {}

    def _outputs(self, handler: Handler, live: Properties, inputs: Properties) -> Properties:
        """The outputs of a resource: what is live, its tags told apart, and the inputs that no call tells."""
        tags = self._clients.config.tags.outputs(live["tags"], inputs.get("tags")) if handler.tagged else {}
        return {**live, **tags, **recorded.carried(handler, inputs)}


def _handler(urn: str) -> Handler:
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    try:
        return _HANDLERS[token]
    except KeyError:
        raise ProviderError(
            f"the resource type {token} is not served by {configuration.STAND_IN}", grpc.StatusCode.UNIMPLEMENTED
        ) from None


def _inputs(struct: Any) -> Properties:
    values: Properties = plain(unmarshal(struct))
    values.pop(DEFAULTS, None)
    return values


def _subject(inputs: Properties) -> Any:
    return next((inputs[name] for name in ("name", "bucket", "user", "role") if name in inputs), "?")

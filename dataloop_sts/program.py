"""The Pulumi program: the stack's config becomes a spec, the spec resources, the resources stack outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pulumi

from dataloop_sts import digest, naming, self_check
from dataloop_sts.adopted import NOTHING, Adopted
from dataloop_sts.components import Connection, ConnectionArgs
from dataloop_sts.errors import DataloopStsError, SpecError
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.steps import frame

CONFIG_NAMESPACE = "dataloop-sts"


def run() -> None:
    """The program of ``pulumi up``: declares the connection that the stack's config describes.

    Raises:
        pulumi.RunError: the config or the environment is not as it must be; the message says what to mend.
    """
    if problem := frame.python_problem(os.environ.get("PATH", "")):
        raise pulumi.RunError(problem)
    declare_configured()


def declare_configured(adopted: Adopted = NOTHING, *, variables: Mapping[str, str] = os.environ) -> None:
    """Declares the connection that the stack's config describes; the engine's PATH begins with this Python.

    Args:
        adopted: what exists already and is taken over in this run.
        variables: the environment variables of this connection; a process may run many.

    Raises:
        pulumi.RunError: the config or the environment is not as it must be; the message says what to mend.
    """
    config = pulumi.Config(CONFIG_NAMESPACE)
    stack = pulumi.get_stack()
    data = config.get_object("connection")
    if data is None:
        raise pulumi.RunError(
            f"Stack {stack} has no connection spec: write one under {CONFIG_NAMESPACE}:connection in "
            f"Pulumi.{stack}.yaml. The README shows an example."
        )
    try:
        declare(
            ConnectionSpec.parse(data, environment=naming.environment_of(stack)),
            environment=naming.environment_of(stack),
            sandbox=config.get_bool("sandbox") or False,
            adopted=adopted,
            variables=variables,
        )
    except SpecError as error:
        mistakes = "\n".join(
            f"  {CONFIG_NAMESPACE}:connection{'.' if problem.path else ': '}{problem}" for problem in error.problems
        )
        raise pulumi.RunError(f"The connection spec in Pulumi.{stack}.yaml is not valid:\n{mistakes}") from None
    except DataloopStsError as error:
        raise pulumi.RunError(str(error)) from None


def declare(
    spec: ConnectionSpec,
    *,
    environment: str,
    sandbox: bool,
    adopted: Adopted = NOTHING,
    variables: Mapping[str, str] = os.environ,
) -> None:
    """Declares one connection's resources and exports its outputs.

    Args:
        spec: the connection.
        environment: the environment's name.
        sandbox: whether the AWS side is the sandbox, at ``AWS_ENDPOINT_URL``.
        adopted: what exists already and is taken over in this run.
        variables: the environment variables of this connection.

    Raises:
        DataloopStsError: nothing was declared; the message says what to mend.
    """
    self_check.check(spec, environment)
    endpoint = _sandbox_endpoint(variables) if sandbox else None
    if adopted.imports:
        _import(adopted)
    connection = Connection(spec.customer, ConnectionArgs(spec, environment, endpoint, adopted))
    for name, output in connection.outputs.items():
        pulumi.export(name, output)
    if adopted == NOTHING:  # a run that takes over declares more than the next one
        applied = digest.digest(spec, environment=environment, sandbox=sandbox)
        pulumi.export(digest.OUTPUT, connection.done.apply(lambda _: applied))


def _import(adopted: Adopted) -> None:
    """Lets the engine take over what exists, and then bring it to what the program declares, in the same update.

    An import never replaces: where that would be needed, the engine refuses
    (https://www.pulumi.com/docs/iac/guides/migration/import/).
    """

    def importing(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        id_ = adopted.imports.get((args.type_, args.name))
        if id_ is None:
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(import_=id_))
        return pulumi.ResourceTransformationResult(args.props, opts)

    pulumi.runtime.register_stack_transformation(importing)


def _sandbox_endpoint(variables: Mapping[str, str]) -> str:
    endpoint = variables.get("AWS_ENDPOINT_URL", "")
    if not endpoint:
        raise DataloopStsError(
            "This is a sandbox stack and AWS_ENDPOINT_URL is not set. Start the sandbox with `python -m sandbox up` "
            'and take its settings into this shell with: eval "$(python -m sandbox env)"'
        )
    return endpoint

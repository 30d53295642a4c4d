"""Rules as policies: what the engine hands over becomes what a rule is about, and what a rule finds a violation.

In a preview of what is yet to be made some values are not known. A rule on one resource that looks at one is silent: it
decides in the update, before the resource is made. A rule on the stack goes by what is known, and who depends on whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from dataloop_sts.rules import resources, stack
from dataloop_sts.rules.declared import Declared, ResourceRule, StackRule


def _policy_of_resource(rule: ResourceRule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        provider = args.provider.props if args.provider else {}
        resource = Declared(args.urn, args.resource_type, args.name, args.props, provider)
        try:
            for what in rule.check(resource, args.get_config()):
                report(what, None)
        except UnknownValueError:
            return

    schema = PolicyConfigSchema({name: dict(each) for name, each in rule.settings.items()}) if rule.settings else None
    return ResourceValidationPolicy(rule.name, rule.description, validate, EnforcementLevel.MANDATORY, schema)


def _policy_of_stack(rule: StackRule) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for resource, what in rule.check([_declared(each) for each in args.resources]):
            report(f"{resource.name}: {what}", resource.urn)

    return StackValidationPolicy(rule.name, rule.description, validate, EnforcementLevel.MANDATORY)


def _declared(resource: PolicyResource) -> Declared:
    return Declared(
        resource.urn,
        resource.resource_type,
        resource.name,
        _known(resource.props),
        depends_on=_urns(resource.dependencies),
        made_of={name: _urns(sources) for name, sources in resource.property_dependencies.items()},
    )


def _urns(resources: Iterable[PolicyResource]) -> frozenset[str]:
    return frozenset(each.urn for each in resources)


def _known(value: Any) -> Any:
    """The same without what is not known yet."""
    if isinstance(value, Mapping):
        return {key: _known(each) for key in value if (each := _look(lambda: value[key])) is not None}  # noqa: B023
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = [_look(lambda: value[index]) for index in range(len(value))]  # noqa: B023
        return [_known(each) for each in found if each is not None]
    return value


def _look(at: Callable[[], Any]) -> Any:
    try:
        return at()
    except UnknownValueError:
        return None


POLICIES = [
    *(_policy_of_resource(rule) for rule in resources.RULES),
    *(_policy_of_stack(rule) for rule in stack.RULES),
]

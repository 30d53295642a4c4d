"""Whether a statement's Condition block holds for the context of a request.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html. What is not evaluated here (an
operator, a context key) raises PolicyError: a condition is never passed over.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

# Keys are lower case (AWS compares them without regard to case). A key that is absent from the request is absent here.
Context = Mapping[str, tuple[str, ...]]

# The keys the gateway fills in, and those that never exist here, so that "absent" is the right answer for them.
CONTEXT_KEYS = frozenset(
    {
        "aws:currenttime",
        "aws:epochtime",
        "aws:multifactorauthpresent",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalorgid",
        "aws:principaltype",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:tokenissuetime",
        "aws:useragent",
        "aws:userid",
        "aws:username",
        "aws:viaawsservice",
        "iam:passedtoservice",
        "iam:permissionsboundary",
        "iam:policyarn",
        "kms:calleraccount",
        "kms:grantisforawsresource",
        "kms:viaservice",
        "s3:authtype",
        "s3:delimiter",
        "s3:max-keys",
        "s3:prefix",
        "s3:signatureversion",
        "s3:versionid",
        "s3:x-amz-acl",
        "s3:x-amz-content-sha256",
        "s3:x-amz-copy-source",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-storage-class",
        "sts:externalid",
        "sts:rolesessionname",
    }
)

# KMS has a key of its own for each entry of an encryption context.
_CONTEXT_KEY_FAMILIES = ("kms:encryptioncontext:",)

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


class PolicyError(ValueError):
    """A policy holds something that is not valid, or that is not evaluated here; what it applies to is refused."""


def matches(pattern: str, value: str, context: Context, *, variables: bool, ignore_case: bool = False) -> bool:
    """Tell whether `value` matches `pattern`, in which * and ? are wildcards and ${key} stands for a context value.

    variables: whether ${...} is a policy variable (policies of version 2012-10-17) or plain text.
    """
    expression, position = "", 0
    for variable in _VARIABLE.finditer(pattern) if variables else ():
        expression += _wildcards(pattern[position : variable.start()])
        replacement = _variable_value(variable[1], context)
        if replacement is None:
            return False
        expression += re.escape(replacement)
        position = variable.end()
    expression += _wildcards(pattern[position:])
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.fullmatch(expression, value, flags) is not None


def holds(block: object, context: Context, *, variables: bool) -> bool:
    """Tell whether every operator and key of a Condition block holds. Raises PolicyError for what is not evaluated."""
    return all(
        _operator_holds(str(operator), str(key), _as_strings(values), context, variables)
        for operator, keys in _as_mapping("block", block).items()
        for key, values in _as_mapping(operator, keys).items()
    )


def check(block: object) -> None:
    """Raise PolicyError for an operator or a key, in a Condition block, that is not evaluated here."""
    for operator, keys in _as_mapping("block", block).items():
        for key, values in _as_mapping(operator, keys).items():
            _parse(str(operator), str(key))
            _as_strings(values)


def _parse(operator: str, key: str) -> tuple[str, str, bool]:
    """Return the quantifier, the bare operator and whether it ends in IfExists."""
    if not _is_known(key.lower()):
        raise PolicyError(f"the condition key {key} is not known")
    quantifier, _, name = operator.rpartition(":")
    bare = name.removesuffix("IfExists")
    if operator != "Null" and (bare not in _OPERATORS or quantifier not in ("", "ForAllValues", "ForAnyValue")):
        raise PolicyError(f"the condition operator {operator} is not known")
    return quantifier, bare, bare != name


def _is_known(key: str) -> bool:
    return key in CONTEXT_KEYS or key.startswith(_CONTEXT_KEY_FAMILIES)


def _operator_holds(operator: str, key: str, expected: list[str], context: Context, variables: bool) -> bool:
    quantifier, name, if_exists = _parse(operator, key)
    actual = context.get(key.lower(), ())
    if name == "Null":
        return any(_as_bool(value) != bool(actual) for value in expected)
    test, negated = _OPERATORS[name]

    def agrees(value: str) -> bool:
        return any(test(wanted, value, context, variables) for wanted in expected) is not negated

    if quantifier == "ForAllValues":
        return all(agrees(value) for value in actual)
    if not actual:
        return if_exists or (negated and not quantifier)
    if quantifier == "ForAnyValue":
        return any(agrees(value) for value in actual)
    if len(actual) > 1:
        raise PolicyError(f"{operator} on {key}, which has several values, needs ForAllValues or ForAnyValue")
    return agrees(actual[0])


def _variable_value(text: str, context: Context) -> str | None:
    name, _, default = text.partition(",")
    name = name.strip()
    if name in _LITERALS:
        return _LITERALS[name]
    if not _is_known(name.lower()):
        raise PolicyError(f"the policy variable {name} is not known")
    values = context.get(name.lower(), ())
    if len(values) == 1:
        return values[0]
    default = default.strip()
    return default[1:-1] if len(default) >= 2 and default[0] == default[-1] == "'" else None


def _wildcards(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _equals(wanted: str, value: str, context: Context, variables: bool) -> bool:
    # Wildcards mean nothing to StringEquals: they are escaped as policy variables, where those exist.
    if not variables or not _VARIABLE.search(wanted):
        return wanted == value
    literal = re.sub(r"[*?](?![^{]*\})", lambda found: "${" + found[0] + "}", wanted)
    return matches(literal, value, context, variables=True)


def _equals_ignoring_case(wanted: str, value: str, context: Context, variables: bool) -> bool:
    return _equals(wanted.lower(), value.lower(), context, variables)


def _like(wanted: str, value: str, context: Context, variables: bool) -> bool:
    return matches(wanted, value, context, variables=variables)


def _arn_like(wanted: str, value: str, context: Context, variables: bool) -> bool:
    # Each of the six components is compared by itself; ArnEquals and ArnLike behave identically.
    wanted_parts, value_parts = _arn_parts(wanted), value.split(":", 5)
    return len(wanted_parts) == len(value_parts) and all(
        matches(one, other, context, variables=variables) for one, other in zip(wanted_parts, value_parts, strict=True)
    )


def _arn_parts(text: str) -> list[str]:
    parts = re.split(r":(?![^{]*\})", text, maxsplit=5)
    if len(parts) != 6:
        raise PolicyError(f"{text} is not an ARN")
    return parts


def _in_network(wanted: str, value: str, _context: Context, _variables: bool) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError as problem:
        raise PolicyError(f"not an IP address range: {wanted}") from problem


def _same_bool(wanted: str, value: str, _context: Context, _variables: bool) -> bool:
    return _as_bool(wanted) == _as_bool(value)


def _as_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise PolicyError(f"not true or false: {text}")
    return text.lower() == "true"


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError as problem:
        raise PolicyError(f"not a number: {text}") from problem


def _as_time(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise PolicyError(f"not a date: {text}") from problem
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _as_strings(values: object) -> list[str]:
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str | bool | int | float) for value in listed):
        raise PolicyError("a condition's value is neither text, number nor true/false")
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in listed]


def _as_mapping(operator: object, keys: object) -> Mapping[object, object]:
    if not isinstance(keys, Mapping):
        raise PolicyError(f"the condition {operator} is not an object")
    return keys


_Test = Callable[[str, str, Context, bool], bool]


def _ordered(convert: Callable[[str], float], compare: Callable[[float, float], bool]) -> _Test:
    return lambda wanted, value, _context, _variables: compare(convert(value), convert(wanted))


_OPERATORS: dict[str, tuple[_Test, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "Bool": (_same_bool, False),
}
for _kind, _convert in (("Numeric", _as_number), ("Date", _as_time)):
    _OPERATORS[f"{_kind}Equals"] = (_ordered(_convert, lambda value, wanted: value == wanted), False)
    _OPERATORS[f"{_kind}NotEquals"] = (_ordered(_convert, lambda value, wanted: value == wanted), True)
    _OPERATORS[f"{_kind}LessThan"] = (_ordered(_convert, lambda value, wanted: value < wanted), False)
    _OPERATORS[f"{_kind}LessThanEquals"] = (_ordered(_convert, lambda value, wanted: value <= wanted), False)
    _OPERATORS[f"{_kind}GreaterThan"] = (_ordered(_convert, lambda value, wanted: value > wanted), False)
    _OPERATORS[f"{_kind}GreaterThanEquals"] = (_ordered(_convert, lambda value, wanted: value >= wanted), False)

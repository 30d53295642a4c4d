"""What AWS's refusals say, in a few words: which action, and which kind of policy stands in its way.

AWS's own text names callers and resources at length; only its fixed words, the action and a key's ARN are taken over.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import re

_REFUSAL = re.compile(
    r"not authorized to perform: (?P<action>(?P<service>[a-z0-9-]+):[A-Za-z0-9]+)"
    r'(?: on resource: "?(?P<resource>arn:[^\s"]+)"?| on this resource)?'
    r"(?: because no (?P<lacking>[A-Za-z -]+ (policy|boundary)) allows"
    r"| with an explicit deny in an? (?P<denying>[A-Za-z -]+ (policy|boundary)))?"
)
_BOUNDARY, _OF_RESOURCE, _OF_IDENTITY = "permissions boundary", "resource-based policy", "identity-based policy"


def reason(message: str) -> str:
    """Why AWS refused a call, with the place of the mend where it is ours to name; empty where AWS does not say.

    Args:
        message: the message of an AccessDenied.

    For example ``no permissions boundary allows s3:PutObject (aws.permissions_boundary)``.
    """
    found = _REFUSAL.search(message)
    if not found:
        return ""
    what = found["action"]
    if found["service"] == "kms" and found["resource"]:
        what += f" on key {found['resource']}"
    if found["lacking"]:
        said = f"no {found['lacking']} allows {what}"
    elif found["denying"]:
        article = "an" if found["denying"][0] in "aeiou" else "a"
        said = f"explicit deny in {article} {found['denying']} for {what}"
    else:
        said = f"{what} is not allowed"
    place = _place(found["lacking"] or found["denying"] or "", found["service"])
    return f"{said} ({place})" if place else said


def _place(kind: str, service: str) -> str:
    if kind == _BOUNDARY:
        return "aws.permissions_boundary"
    if service == "kms":
        return "drivers[].bucket.kms_key_arn" if kind == _OF_IDENTITY else "the key's own policy"
    return "the bucket's policy" if kind == _OF_RESOURCE and service == "s3" else ""

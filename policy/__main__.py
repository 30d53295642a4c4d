"""The policy pack: the rules of ``dataloop_sts.rules`` as mandatory policies of Pulumi; see docs/policies.md."""

import sys
from pathlib import Path

from pulumi_policy import PolicyPack

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the rules are those of the checkout it stands in

from policies import POLICIES

PolicyPack("dataloop-sts", POLICIES)

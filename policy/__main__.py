"""The policy pack: the rules of ``dataloop_sts.rules`` as mandatory policies of Pulumi; see docs/policies.md."""

import sys
from pathlib import Path

from pulumi_policy import PolicyPack
from settings import hold_settings_to

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the rules are those of the checkout it stands in

from policies import POLICIES

hold_settings_to(POLICIES)
PolicyPack("dataloop-sts", POLICIES)

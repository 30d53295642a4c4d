"""The step that describes an access key: :mod:`dataloop_sts.steps.key_description`."""

import sys

from dataloop_sts.steps.entry import enter

if __name__ == "__main__":
    sys.exit(enter("key_description"))

"""The step that takes off an adopted role what is not the connection's: :mod:`dataloop_sts.steps.role_leftovers`."""

import sys

from dataloop_sts.steps.entry import enter

if __name__ == "__main__":
    sys.exit(enter("role_leftovers"))

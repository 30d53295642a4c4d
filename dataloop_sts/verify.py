"""The step that proves a connection: :mod:`dataloop_sts.steps.verify`."""

import sys

from dataloop_sts.steps.entry import enter

if __name__ == "__main__":
    sys.exit(enter("verify"))

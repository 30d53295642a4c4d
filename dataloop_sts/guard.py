"""The step that refuses a destroy before anything is touched: :mod:`dataloop_sts.steps.guard`."""

import sys

from dataloop_sts.steps.entry import enter

if __name__ == "__main__":
    sys.exit(enter("guard"))

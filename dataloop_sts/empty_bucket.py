"""The step that empties a managed bucket before its deletion: :mod:`dataloop_sts.steps.empty_bucket`."""

import sys

from dataloop_sts.steps.entry import enter

if __name__ == "__main__":
    sys.exit(enter("empty_bucket"))

"""`python -m stylecam.training`: the same as `stylecam train`, for `torchrun -m`."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())

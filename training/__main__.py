"""`python -m stylecam.training`: the same as `stylecam train`, for `torchrun -m`."""

import os
import sys

from .command import main

if __name__ == "__main__":
    code = main()
    if os.environ.get("RANK", "0") != "0":
        # Of several processes only the first has results. Threads of torch's once aborted another
        # at its very end, and torchrun called the whole run failed; so that end is left out.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

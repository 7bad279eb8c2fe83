"""`python -m stylecam.realtime.cli`: the `stylecam` command."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())

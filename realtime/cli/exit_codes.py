"""What the command's exit codes mean; 0: it did what it was asked for."""

from typing import Final

FAILED: Final = 1
USAGE: Final = 2
SIGNAL: Final = 128
"""To which the number of the signal is added."""

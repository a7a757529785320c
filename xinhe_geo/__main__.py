"""`python -m xinhe_geo`: the command line."""

import gc
import sys

from .cli import main

if __name__ == "__main__":
    # What was imported stays to the end; to look through it for garbage, again and again, took a twentieth of a report.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.exit(main())

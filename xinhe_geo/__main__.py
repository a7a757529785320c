"""`python -m xinhe_geo`, and the command `xinhe-geo`: the command line."""

import gc
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line, and end with what it says."""
    # To look for garbage five times as often takes half a second of a report and saves 20 MB; the imports take another fifth.
    gc.set_threshold(1_000_000, 20, 50)
    try:
        from .app.cli import main
    except KeyboardInterrupt:  # the imports take a second or two: nothing has begun
        sys.stderr.write("已中断；原有输出没有改动\n")
        sys.exit(130)
    gc.freeze()  # what was imported stays to the end
    sys.exit(main())


if __name__ == "__main__":
    run()

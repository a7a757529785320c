"""`python -m xinhe_geo`: the command line."""

import gc
import sys

if __name__ == "__main__":
    try:
        from .app.cli import main
    except KeyboardInterrupt:  # the imports take a second or two: nothing has begun
        sys.stderr.write("已中断；原有输出没有改动\n")
        sys.exit(130)
    # What was imported stays to the end; to look through it for garbage, again and again, took a twentieth of a report.
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    sys.exit(main())

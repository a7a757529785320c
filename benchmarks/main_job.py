"""
The main job on the bundled district beside the bare import of what it is made of, in fresh processes that take turns.

`python benchmarks/main_job.py` prints what the analysis alone takes, by the clock and in processor time, imports not counted.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = "import geopandas, osmnx, folium"


def analysis() -> dict[str, float]:
    """Load, every kind by every method, profile and tier of the plan; then every rule of every set for every profile."""
    sys.path.insert(0, str(ROOT))
    from numba.core.registry import cpu_target

    import xinhe_geo as xh

    before = (time.perf_counter(), time.process_time())
    # What Numba imports only when it is given its first function: 80 modules. Told apart, because it is no analysis, and because
    # who runs the command waits for it all the same.
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    gc.freeze()  # as the command does
    gc.set_threshold(50_000, 20, 50)
    start = (time.perf_counter(), time.process_time())
    district = xh.District.load()
    xh.coverage(district)
    plan = (time.perf_counter(), time.process_time())
    for profile in district.profiles.index:
        xh.coverage(district, rules=list(district.rules.index), profile=profile)
    end = (time.perf_counter(), time.process_time())
    return {
        "numba": start[0] - before[0],
        "numba_processor": start[1] - before[1],
        "plan": plan[0] - start[0],
        "plan_processor": plan[1] - start[1],
        "all": end[0] - start[0],
        "all_processor": end[1] - start[1],
    }


def measure(python: str, rounds: int, timed: Callable[[list[str], Path], tuple[float, float]]) -> dict[str, Any]:
    """Run imports, analysis and report in turn; each once beforehand, so that caches are warm."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its byte code: nobody waits for it twice
    found: dict[str, list[Any]] = {"imports": [], "analysis": [], "report": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            imports = timed([python, "-c", IMPORTS], ROOT)
            alone = json.loads(subprocess.check_output([python, __file__], cwd=ROOT))
            report = timed([python, "-m", "xinhe_geo", "report", "--out", str(Path(folder) / "out")], ROOT)
            if turn:
                for name, value in (("imports", imports), ("analysis", alone), ("report", report)):
                    found[name].append(value)
    return found


if __name__ == "__main__":
    print(json.dumps(analysis()))

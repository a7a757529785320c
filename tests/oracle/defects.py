"""
Defects that somebody could have written into the engine, and which test finds each.

`python tests/oracle/defects.py` plants them one by one in a copy of the library, runs the second engine's tests and the unit
tests of the package, and prints the table of docs/correctness.md. It takes a while: minutes on an idle machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
#: Of the second engine's tests, those that take seconds and differ most.
QUICK = [
    "test_the_toy_district",
    "test_random_districts[0]",
    "test_random_districts[6]",
    "test_random_districts[3]",
]
QUICK += ["test_random_districts[5]", "test_planned_facilities[1]", "test_best_sites[1]", "test_best_sites[5]"]
ORACLE = [f"tests/oracle/test_oracle.py::{name}" for name in QUICK]
ACCESS, NETWORK = (
    "tests/access/test_od_table.py tests/access/test_coverage.py",
    "tests/network/test_lanes.py tests/network/test_network.py",
)
DISTRICT, SITING = "tests/district/test_district.py", "tests/siting/test_siting.py -k promised"


class Defect(NamedTuple):
    """What is wrong, where it stands, what stands there and what is planted; the unit tests of that place."""

    what: str
    file: str
    old: str
    new: str
    tests: str


DEFECTS = [
    Defect(
        "lanes are open to everybody",
        "network/streets.py",
        "if self.private.any():",
        "if False:",
        NETWORK,
    ),
    Defect(
        "metres along a lane are not counted",
        "network/snap.py",
        '"access_m": leg + metres,',
        '"access_m": leg,',
        ACCESS,
    ),
    Defect(
        "waits are dropped",
        "network/streets.py",
        "edge = self.length * unit + waiting",
        "edge = self.length * unit",
        NETWORK,
    ),
    Defect(
        "a wait counts sixty times too little",
        "network/streets.py",
        "(profile.waits / 60.0)",
        "(profile.waits / 3600.0)",
        NETWORK,
    ),
    Defect(
        "stairs carry everybody",
        "network/streets.py",
        "edge = np.where(self.steps, np.inf, edge)",
        "edge = np.where(self.steps, edge, edge)",
        NETWORK,
    ),
    Defect(
        "places go to the nearer end of the street",
        "network/nearest_edges.py",
        "at[on], foot[on] = part_at, part_foot",
        "at[on], foot[on] = np.round(part_at / streets.length[edge[on]]) * streets.length[edge[on]], part_foot",
        NETWORK,
    ),
    Defect(
        "barriers are ignored",
        "access/walls.py",
        "return None if barriers is None or barriers.empty else barriers.geometry",
        "return None",
        ACCESS,
    ),
    Defect(
        "of a home's gates only the first counts",
        "access/walls.py",
        "own = at_home[home]",
        "own = at_home[home][:1]",
        ACCESS,
    ),
    Defect(
        "closed gates are open",
        "access/walls.py",
        'open_now = None if gates is None else gates[(gates["state"].fillna("open") == "open").to_numpy()]',
        "open_now = gates",
        ACCESS,
    ),
    Defect(
        "sample points are shifted",
        "access/entrances.py",
        "x = west + (np.arange(nx) + 0.5) * (east - west) / nx",
        "x = west + (np.arange(nx) + 0.4) * (east - west) / nx",
        ACCESS,
    ),
    Defect(
        "people walk through the corners of walls",
        "access/walls.py",
        "if hidden.any():",
        "if False:",
        ACCESS,
    ),
    Defect(
        "a facility in a compound is entered over the wall",
        "access/entrances.py",
        "walled = np.array([home in district.walled_homes for home in inside.tolist()], dtype=bool)",
        "walled = np.zeros(len(inside), np.bool_)",
        ACCESS,
    ),
    Defect(
        "residents leave their compound to reach what is in it",
        "access/entrances.py",
        'return walks[np.isfinite(walks["metres"].to_numpy())]',
        "return walks[:0]",
        ACCESS,
    ),
    Defect(
        "a park is entered from one place of its edge",
        "access/entrances.py",
        "leg <= np.maximum(least(leg), EDGE_TO_STREET_M)",
        "leg <= least(leg)",
        ACCESS,
    ),
    Defect(
        "inside means everywhere",
        "access/entrances.py",
        "return facilities[shapely.intersects(outline, facilities.geometry.array)]",
        "return facilities",
        ACCESS,
    ),
    Defect(
        "of equally near facilities the last by id",
        "access/od_table.py",
        "(len(near.names) + 1) + code[best]",
        "(len(near.names) + 1) - code[best]",
        ACCESS,
    ),
    Defect(
        "of several kinds only the first counts",
        "access/coverage.py",
        "frames = [tables[kind] for kind in kinds]",
        "frames = [tables[kind] for kind in kinds[:1]]",
        ACCESS,
    ),
    Defect(
        "everybody walks as an adult",
        "access/coverage.py",
        "who = profile if isinstance(profile, Profile) else district.profile(walker)",
        'who = profile if isinstance(profile, Profile) else district.profile("adult")',
        ACCESS,
    ),
    Defect(
        "old people are counted as people",
        "access/coverage.py",
        'own = table["denominator"].replace({"community": "communities"})',
        'own = table["denominator"].replace({"community": "communities", "people_60plus": "people"})',
        ACCESS,
    ),
    Defect(
        "the limit is a minute too small",
        "access/home_shares.py",
        "<= rule.minutes + TOLERANCE_MIN",
        "<= rule.minutes - 1.0 + TOLERANCE_MIN",
        ACCESS,
    ),
    Defect(
        "the limit itself is outside",
        "access/home_shares.py",
        "<= rule.metres + TOLERANCE_M",
        "< rule.metres - TOLERANCE_M",
        ACCESS,
    ),
    Defect(
        "closed facilities serve",
        "district/district.py",
        'frame[frame["state"].fillna("open") == "open"]',
        'frame[frame["state"].fillna("open") != "planned"]',
        DISTRICT,
    ),
    Defect(
        "planned facilities serve unasked",
        "district/district.py",
        'if name in ("facilities", "own_facilities") and self.with_planned:',
        'if name in ("facilities", "own_facilities"):',
        DISTRICT,
    ),
    Defect(
        "a typed community is ignored",
        "district/district.py",
        "return typed.where(typed.notna(), position)",
        "return position.where(position.notna(), typed)",
        DISTRICT,
    ),
    Defect(
        "siting weighs every point alike",
        "siting/sites.py",
        'values = homes.reindex(points["home"]).to_numpy(dtype=float) * points["weight"].to_numpy()\n    return',
        'values = np.ones(len(points)) * points["weight"].to_numpy()\n    return',
        SITING,
    ),
    Defect(
        "whom a facility serves by the books is ignored",
        "district/district.py",
        'if "serves_community" in frame:',
        "if not len(frame):",
        f"{DISTRICT} tests/access/test_serving.py",
    ),
]


def planted(package: Path, defect: Defect) -> str:
    """Return the text of the defect's file with the defect in it; it must stand there once."""
    text = (package / defect.file).read_text(encoding="utf-8")
    if text.count(defect.old) != 1:
        raise LookupError(f"{defect.what}: {defect.file} has {text.count(defect.old)} times: {defect.old}")
    return text.replace(defect.old, defect.new)


def _first_failure(folder: Path, tests: list[str]) -> str:
    """Run tests up to the first that fails; return its name, or nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not browser and not matrix"]
    where = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([*command, *tests], cwd=folder, env=where, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) \S+?/(\w+\.py::\S+)", done.stdout, re.MULTILINE)
    return found.group(1) if found else f"({done.returncode}) {done.stdout[-300:]}{done.stderr[-300:]}"


def rows(only: list[int]) -> Iterator[str]:
    """Plant each defect in turn and say which tests fail."""
    with tempfile.TemporaryDirectory() as room:
        copy = Path(room) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "output", "notebooks"))
        for tests in [ORACLE, *(unit.split() for unit in sorted({defect.tests for defect in DEFECTS}))]:
            if failed := _first_failure(copy, tests):
                raise SystemExit(f"without any defect: {failed}")
        for number in only or range(1, len(DEFECTS) + 1):
            defect = DEFECTS[number - 1]
            file, kept = copy / "xinhe_geo" / defect.file, copy / "xinhe_geo" / f"{defect.file}.kept"
            text = planted(copy / "xinhe_geo", defect)
            file.rename(kept)  # with its time, by which compiled loops are found again
            file.write_text(text, encoding="utf-8")
            oracle, unit = (_first_failure(copy, tests) for tests in (ORACLE, defect.tests.split()))
            file.unlink()
            kept.rename(file)
            yield f"| {number} | {defect.what} | `{defect.file}` | {_told(oracle.removeprefix('test_oracle.py::'))} | {_told(unit)} |"


def _told(failed: str) -> str:
    return f"`{failed.replace('.py::', ' ').removeprefix('test_oracle ')}`" if failed else "-"


if __name__ == "__main__":
    for line in rows([int(number) for number in sys.argv[1:]]):
        print(line, flush=True)

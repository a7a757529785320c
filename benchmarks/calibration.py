"""
How well the ranges of `robustness` hold, and whether the list to check is worth following: on extracts of real towns.

An extract is what somebody has listed. The truth of a trial is that list without the places that are not there (each is with `THERE`), without
the streets and gates that nobody can pass (`WALKABLE`, `OPEN`), with the people there are; what is observed is the whole list, every place off
by `RMS_M`, all gates open, and people counted wrong (`PEOPLE_OFF`). These are the models that are declared to the district as its doubts,
read from a source. The range is worked out from what is observed alone and held against the share of the truth. Windows (`HALVINGS` of
a town's homes, with what can be walked to from there) are the clusters: rules and trials of one window share streets and homes. Then
places are checked one fact after the other, by the list, at random, and nearest first from the middle of the homes, and the error that is left is measured.

The extracts know no gates and no people: a home has `GATES` on its outline, and as many people as its floor. Streets in doubt are `STREETS` long
ones near homes, as many as can be drawn in all their states.

    python benchmarks/calibration.py FOLDER [--trials 18] [--lists 1] [--keep FILE] [--write]

FOLDER: where the extracts are. `--keep`: trials are kept there, and those that are kept are not made again, so that it goes on where it was
stopped. `--write`: into docs/correctness.md, with as many trials as there are.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

import xinhe_geo as xh
from xinhe_geo.access import facts_in_doubt, worth_checking
from xinhe_geo.core import LAYERS
from xinhe_geo.io.osm_import import import_osm

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "correctness.md"
BEGIN, END = "<!-- calibration -->\n", "<!-- /calibration -->\n"
#: Each listed place is there with this probability, and lies off by this root mean square, metres.
THERE, RMS_M = 0.85, 30.0
#: A street in doubt can be walked, a gate is open with this probability; people are counted wrong by this standard deviation, as a share.
WALKABLE, OPEN, PEOPLE_OFF = 0.7, 0.8, 0.2
#: Gates of a home, and streets in doubt of a window: from these lengths on, this near to homes, metres.
GATES, STREETS, LONG_M, NEAR_M = 3, 2, 150.0, 60.0
#: Of streets and places, what lies this near to the homes of a window is kept, metres for every minute and some more: nobody walks further.
METRES_A_MINUTE, MORE_M = 90.0, 150.0
#: So often the homes of a town are halved, across the longer side; a town is parted into windows.
HALVINGS = 3
#: The towns, and the kinds that are asked for there with their minutes: at these neither nobody nor everybody is served.
TOWNS: Mapping[str, Mapping[str, float]] = {
    "helsinki": {"salon": 2, "supermarket": 4, "pharmacy": 4, "convenience": 3, "library": 4},
    "legazpi": {"clinic_station": 12, "primary_school": 8, "pharmacy": 12, "convenience": 10, "supermarket": 15},
}
#: Shares that differ by less are one number.
EVEN = 1e-9
#: After so many checks the error is measured.
CHECKS = (10, 20, 50)
#: Homes of a window, at most: a town of street blocks has more than the question needs.
MOST_HOMES = 12


class Trial(NamedTuple):
    """What came of one rule in one trial."""

    town: str
    window: int
    trial: int
    kind: str
    truth: float
    value: float
    low: float
    high: float
    low_80: float
    high_80: float


class Check(NamedTuple):
    """The error that is left in one trial, over its rules, after so many checks in some order."""

    window: str
    trial: int
    order: str
    checks: int
    error: float


def town(places: Path, name: str, room: Path) -> xh.District:
    """Return a town whose map is taken for a complete list."""
    folder = room / name
    import_osm(places / f"{name}.osm.pbf", folder)
    manifest = folder / "district.toml"
    text = re.sub(r"(?ms)^mapped_kinds\s*=\s*\[.*?\]\n", "", manifest.read_text("utf-8"))
    kinds = ", ".join(f'"{kind}"' for kind in TOWNS[name])
    text = re.sub(r"(?ms)^surveyed_kinds\s*=\s*\[.*?\]", f"surveyed_kinds = [{kinds}]", text)
    manifest.write_text(text, "utf-8")
    return xh.District.load(folder)


def parted(at: np.ndarray, halvings: int) -> np.ndarray:
    """Return in which window each point is: halved so often, across the longer side."""
    if not halvings:
        return np.zeros(len(at), np.int64)
    axis = int(np.argmax(np.ptp(at, axis=0)))
    beyond, window = at[:, axis] > np.median(at[:, axis]), np.empty(len(at), np.int64)
    for half in (False, True):
        own = beyond == half
        window[own] = 2 * parted(at[own], halvings - 1) + half
    return window


def windows(district: xh.District, name: str, rng: np.random.Generator) -> Iterator[xh.District]:
    """Yield the windows of a town by its homes, with the places of the kinds that are asked for, as far as anybody walks."""
    homes, listed, streets = (district.rows[layer] for layer in ("homes", "facilities", "streets"))
    listed = listed[listed["kind"].isin(TOWNS[name])].assign(state="open", checked_by=None)
    window = parted(shapely.get_coordinates(shapely.point_on_surface(homes.geometry.array)), HALVINGS)
    for number in range(2**HALVINGS):
        some = homes[window == number]
        some = some.iloc[np.sort(rng.permutation(len(some))[:MOST_HOMES])]
        some = some.assign(people=some.geometry.area.round(0))
        far = max(TOWNS[name].values()) * METRES_A_MINUTE + MORE_M
        around = shapely.union_all(shapely.buffer(some.geometry.array, far))
        own, ways = (frame[frame.intersects(around).to_numpy()] for frame in (listed, streets))
        close = shapely.union_all(shapely.buffer(some.geometry.array, NEAR_M))
        long = ways[((ways.length > LONG_M) & ways["home"].isna() & ways.intersects(close)).to_numpy()]
        unsure = long.index[np.sort(rng.permutation(len(long))[:STREETS])]
        rows = {"homes": some, "facilities": own, "gates": gates_of(some), "streets": ways, "doubts": doubts(unsure)}
        yield district.with_rows({**district.rows, **rows})


def gates_of(homes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return gates on the outlines of homes, evenly spread; homes that are points have none."""
    drawn = homes[homes.geom_type.str.contains("Polygon")]
    lines = shapely.boundary(drawn.geometry.array)
    lines = np.array([max(shapely.get_parts(line), key=shapely.length) for line in lines], dtype=object)
    spots = shapely.line_interpolate_point(
        np.repeat(lines, GATES), np.tile(np.arange(GATES) / GATES, len(lines)), normalized=True
    )
    columns = [column for column in LAYERS["gates"].names if column != "gate"]
    name = [f"{home} gate {number}" for home in drawn.index for number in range(GATES)]
    said = {"home": np.repeat(drawn.index.to_numpy(object), GATES), "basis": "osm"}
    frame = gpd.GeoDataFrame(said, geometry=spots, crs=homes.crs, index=pd.Index(name, name="gate", dtype="str"))
    return frame.reindex(columns=[*columns, "geometry"]).astype({"home": "str", "state": "str", "basis": "str"})


def doubts(streets: pd.Index) -> pd.DataFrame:
    """Return the table of doubts that declares how the lists are wrong."""
    columns = [column.name for column in LAYERS["doubts"].columns if column.name != "doubt"]
    said = {"layer": "facilities", "basis": "osm", "confidence": "read", "source": "benchmarks/calibration.py"}
    rows = {
        "there": {**said, "what": "existence", "probability": THERE},
        "place": {**said, "what": "position", "metres": RMS_M},
        "gate": {**said, "layer": "gates", "what": "gate", "probability": OPEN},
        "people": {**said, "layer": "homes", "what": "people", "spread": PEOPLE_OFF},
    }
    if len(streets):
        named = {"basis": None, "ids": ";".join(map(str, streets)), "probability": WALKABLE}
        rows["street"] = {**said, "layer": "streets", "what": "street", **named}
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    numbers = ["metres", "spread", "probability", "share"]
    return table.astype({c: "float64" if c in numbers else "str" for c in columns}).rename_axis("doubt")


def with_places(district: xh.District, places: gpd.GeoDataFrame) -> xh.District:
    """Return a district with other facilities."""
    return district.with_rows({**district.rows, "facilities": places})


def shares(district: xh.District, rules: Sequence[xh.Rule]) -> np.ndarray:
    """Return the share of the people that each rule serves."""
    cover = xh.coverage(district, rules=list(rules))
    return np.array([float(xh.summary(cover).loc[rule.name, "people_share"]) for rule in rules])


class Truth(NamedTuple):
    """What is so: the places there are, the streets that cannot be walked, the gates that are shut, the people of each home."""

    places: gpd.GeoDataFrame
    shut_streets: tuple[str, ...]
    shut_gates: frozenset[str]
    people: pd.Series

    @staticmethod
    def of(district: xh.District, facts: pd.DataFrame, rng: np.random.Generator) -> Truth:
        """Draw it."""
        listed, gates, homes = (district.rows[layer] for layer in ("facilities", "gates", "homes"))
        places = listed[rng.random(len(listed)) < THERE]
        unsure = facts["id"][(facts["what"] == "street").to_numpy()]
        shut = gates.index[rng.random(len(gates)) >= OPEN]
        let_out = gates.index[~gates["home"].isin(gates["home"][~gates.index.isin(shut)]) & ~gates["home"].duplicated()]
        people = homes["people"] * np.maximum(1.0 + PEOPLE_OFF * rng.normal(size=len(homes)), 0.0)
        streets = unsure[rng.random(len(unsure)) >= WALKABLE]
        return Truth(places, tuple(streets), frozenset(shut.difference(let_out)), people)


def as_known(
    district: xh.District,
    places: gpd.GeoDataFrame,
    truth: Truth,
    facts: pd.DataFrame,
    known: Sequence[str] | None = None,
) -> xh.District:
    """Return a district with some places in which some facts (None: all) have been found out, those of gates, streets and people."""
    own = facts if known is None else facts.loc[list(known)]
    ids = {what: own["id"][(own["what"] == what).to_numpy()] for what in ("gate", "street", "people")}
    gates, homes = district.rows["gates"], district.rows["homes"]
    shut = gates.index.isin(truth.shut_gates) & gates.index.isin(ids["gate"])
    people = homes["people"].mask(homes.index.isin(ids["people"]), truth.people)
    closed = [
        xh.core.Edit("close_street", {"street": street})
        for street in truth.shut_streets
        if street in set(ids["street"])
    ]
    rows = {"facilities": places, "gates": gates.assign(state=gates["state"].mask(shut, "closed"))}
    made = district.with_rows({**district.rows, **rows, "homes": homes.assign(people=people)})
    return xh.Scenario("known", edits=tuple(closed)).on(made, with_conflicts=True) if closed else made


def moved(places: gpd.GeoDataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Return places that lie off, each by itself."""
    east, north = rng.normal(0.0, RMS_M / np.sqrt(2.0), (2, len(places)))
    shapes = [shapely.affinity.translate(s, e, n) for s, e, n in zip(places.geometry, east, north, strict=True)]
    return places.set_geometry(gpd.GeoSeries(shapes, index=places.index, crs=places.crs))


def nearest_first(district: xh.District, facts: pd.DataFrame) -> list[str]:
    """Return facts as somebody would who starts in the middle of the homes and always goes to the nearest place."""
    shapes = [district.rows[layer].geometry.loc[key] for layer, key in zip(facts["layer"], facts["id"], strict=True)]
    at = shapely.get_coordinates(shapely.point_on_surface(np.array(shapes, dtype=object)))
    here = shapely.get_coordinates(shapely.point_on_surface(district.rows["homes"].geometry.array)).mean(axis=0)
    left, order = list(range(len(facts))), list[int]()
    while left:
        nearest = min(left, key=lambda i: (float(np.hypot(*(at[i] - here))), i))
        left.remove(nearest)
        order.append(nearest)
        here = at[nearest]
    return facts.index[order].tolist()


def checked(
    observed: gpd.GeoDataFrame, true: gpd.GeoDataFrame, facts: pd.DataFrame, known: Sequence[str]
) -> gpd.GeoDataFrame:
    """Return what is recorded once some facts have been looked at."""
    seen = facts.loc[list(known)]
    right = seen.loc[(seen["what"] == "position").to_numpy(), "id"]
    right = right[right.isin(true.index).to_numpy()]
    gone = seen.loc[(seen["what"] == "existence").to_numpy(), "id"]
    shapes = observed.geometry.copy()
    shapes.loc[right] = true.geometry.loc[right]
    return observed.set_geometry(shapes).drop(index=[key for key in gone if key not in true.index])


def tried(district: xh.District, where: tuple[str, int, int], *, listed: bool) -> tuple[list[Trial], list[Check]]:
    """Corrupt a list, work out the ranges, hold them against the truth; `listed`: check it fact by fact in three orders too."""
    name, window, trial = where
    rng = np.random.default_rng([sum(name.encode()), window, trial])
    base = district.rule("plan_clinic_15")
    rules = [
        replace(base, name=f"calibration_{kind}", kinds=(kind,), minutes=float(minutes), denominator="people")
        for kind, minutes in TOWNS[name].items()
    ]
    observed = moved(district.rows["facilities"], rng)
    seen = with_places(district, observed)
    facts = facts_in_doubt(seen)
    true = Truth.of(district, facts, rng)
    truth = shares(as_known(district, true.places, true, facts), rules)
    table = xh.robustness(seen, rules, seed=trial).droplevel("group")
    ends = ["value", "low", "high", "low_80", "high_80"]
    found = [
        Trial(name, window, trial, rule.kinds[0], t, *map(float, table.loc[rule.name, ends]))
        for rule, t in zip(rules, truth, strict=True)
        if np.isfinite(table.loc[rule.name, "value"])
    ]
    if not listed:
        return found, []
    listed_first = worth_checking(seen, rules, most=max(CHECKS), seed=trial).index.tolist()
    rest = [fact for fact in rng.permutation(facts.index).tolist() if fact not in set(listed_first)]
    orders = {
        "the list": [*listed_first, *rest],
        "at random": rng.permutation(facts.index).tolist(),
        "nearest first": nearest_first(seen, facts),
    }
    errors = [Check(f"{name} {window}", trial, "", 0, float(np.abs(shares(seen, rules) - truth).mean()))]
    for order, path in orders.items():
        for count in CHECKS:
            places = checked(observed, true.places, facts, path[:count])
            state = as_known(district, places, true, facts, path[:count])
            errors.append(
                Check(f"{name} {window}", trial, order, count, float(np.abs(shares(state, rules) - truth).mean()))
            )
    return found, errors


def score(low: pd.Series, high: pd.Series, truth: pd.Series, level: float) -> pd.Series:
    """Return the interval score: the width, and for what lies outside its distance times 2 / (1 - level)."""
    outside = (low - truth).clip(lower=0.0) + (truth - high).clip(lower=0.0)
    return high - low + 2.0 / (1.0 - level) * outside


def clustered(values: pd.Series, cluster: pd.Series) -> tuple[float, float]:
    """Return a mean and its standard error, windows as clusters."""
    mean, own = float(values.mean()), values.groupby(cluster.to_numpy())
    apart = (own.sum() - mean * own.count()).to_numpy()
    count = len(apart)
    return mean, float(np.sqrt((apart**2).sum() * count / max(count - 1, 1)) / len(values))


def lines(trials: pd.DataFrame, checks: pd.DataFrame) -> Iterator[str]:
    """Yield the tables of the page."""
    ends = ["value", "low", "high", "low_80", "high_80"]
    firm = (
        trials[ends].sub(trials["truth"], axis=0).abs().max(axis=1) <= EVEN
    )  # nothing in doubt touches it: no test of anything
    trials, all_of_them = trials[~firm], len(trials)
    cluster = trials["town"] + trials["window"].astype(str)
    yield (
        f"{all_of_them} trials of rules in {cluster.nunique()} windows; {int(firm.sum())} of them, where range and truth are one number, are left out."
    )
    yield ""
    yield "| range | trials | truth inside | nominal | mean width | interval score | of the recorded share alone |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    off = (trials["value"] - trials["truth"]).abs()
    for level, low, high in ((0.95, "low", "high"), (0.8, "low_80", "high_80")):
        inside = ((trials[low] - EVEN <= trials["truth"]) & (trials["truth"] <= trials[high] + EVEN)).astype(float)
        mean, error = clustered(inside, cluster)
        width = (trials[high] - trials[low]).mean()
        alone = (2.0 / (1.0 - level) * off).mean()
        own = score(trials[low], trials[high], trials["truth"], level).mean()
        yield f"| {level:.0%} | {len(trials)} | {mean:.1%} ± {2 * error:.1%} | {level:.0%} | {100 * width:.1f} points | {own:.3f} | {alone:.3f} |"
    yield ""
    yield "| kind | places around a window | trials | inside 95 % | inside 80 % | mean width of 95 % | mean error of the recorded share |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for (name, kind), own in trials.groupby(["town", "kind"]):
        parts = [
            ((own[low] - EVEN <= own["truth"]) & (own["truth"] <= own[high] + EVEN)).mean()
            for low, high in (("low", "high"), ("low_80", "high_80"))
        ]
        error = (own["value"] - own["truth"]).abs().mean()
        width = (own["high"] - own["low"]).mean()
        known = f"| {name}: {kind} | {own['places'].mean():.0f} | {len(own)} | {parts[0]:.0%} | {parts[1]:.0%}"
        yield f"{known} | {100 * width:.1f} points | {100 * error:.1f} points |"
    yield ""
    start = checks.loc[checks["checks"] == 0, "error"].mean()
    yield f"| order | {' | '.join(f'after {count} checks' for count in CHECKS)} |"
    yield f"|---|{'--:|' * len(CHECKS)}"
    for order in ("the list", "nearest first", "at random"):
        own = checks[checks["order"] == order]
        cells = []
        for count in CHECKS:
            some = own[own["checks"] == count]
            mean, error = clustered(some["error"], some["window"])
            cells.append(f"{100 * mean:.2f} ± {200 * error:.2f}")
        yield f"| {order} | {' | '.join(cells)} |"
    yield ""
    yield f"Mean error of a share, points; before any check {100 * start:.2f}."


class Kept:
    """What was tried: in a file, a line of each trial and window, so that nothing is tried twice."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text("utf-8").splitlines() if path is not None and path.is_file() else []
        self.rows = [json.loads(line) for line in lines]
        self.done = {tuple(row["where"]) for row in self.rows}

    def add(
        self, where: tuple[str, int, int], places: Mapping[str, int], found: tuple[list[Trial], list[Check]]
    ) -> None:
        """Keep what came of one."""
        trials = [{**row._asdict(), "places": places[row.kind]} for row in found[0]]
        row = {"where": where, "trials": trials, "checks": [check._asdict() for check in found[1]]}
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(row) + "\n")

    def table(self, name: str) -> pd.DataFrame:
        """Return all `trials`, or all `checks`."""
        return pd.DataFrame([part for row in self.rows for part in row[name]])


def main() -> None:
    """Run the trials and print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("places", type=Path)
    parser.add_argument("--trials", type=int, default=18)
    parser.add_argument("--lists", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    kept, begun = Kept(asked.keep), time.process_time()
    with tempfile.TemporaryDirectory() as room:
        left = [
            where
            for trial in range(asked.trials)
            for name in TOWNS
            for window in range(2**HALVINGS)
            if (where := (name, window, trial)) not in kept.done
        ]
        towns = {name: town(asked.places, name, Path(room)) for name in dict.fromkeys(name for name, *_ in left)}
        own = {name: list(windows(towns[name], name, np.random.default_rng(1))) for name in towns}
        for name, window, trial in left:
            district = own[name][window]
            counts = district.rows["facilities"]["kind"].value_counts().to_dict()
            kept.add(
                (name, window, trial),
                {**dict.fromkeys(TOWNS[name], 0), **counts},
                tried(district, (name, window, trial), listed=trial < asked.lists),
            )
            print(name, window, trial, f"{time.process_time() - begun:.0f} s", flush=True)
    made = "\n".join(lines(kept.table("trials"), kept.table("checks"))) + "\n"
    print(made)
    if asked.write:
        text = PAGE.read_text("utf-8")
        head, rest = text.split(BEGIN)
        PAGE.write_text(head + BEGIN + made + END + rest.split(END)[1], "utf-8", newline="\n")


if __name__ == "__main__":
    main()

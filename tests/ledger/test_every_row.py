"""
Every row of the bundled `measures.csv` means its sentence: some input brings it to 达标 and another to 未达标, and more of what was
promised never makes it worse.

The rows are read from the table, and taken to small districts (the toy, and random ones): codes of places become codes that stand
there, layers that a small district lacks are cut out of its communities. What brings a row up or down follows from its own cells.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import seeds
from ledger_toy import folder_with, read, write
from oracle import districts
from shapely import affinity

import xinhe_geo as xh
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.ledger.ledger import MET, NO_DATA, PARTLY, REPORTED, TO_FILL, UNMET, beyond, judged
from xinhe_geo.ledger.metrics.base import METRICS, Found, Lacks, kinds_of, listed, measure_rows, target_of
from xinhe_geo.ledger.metrics.registry import evaluate

ROOT = Path(__file__).resolve().parents[2]
with (ROOT / "data" / "standards" / "measures.csv").open(encoding="utf-8-sig", newline="") as _lines:
    ROWS = list(csv.DictReader(_lines))
#: Rows that are measured by walks take a while, and so does what has changed of one.
WALKS = {"change", *(name for name, record in METRICS.items() if "streets" in record.layers)}
NAMES = [
    pytest.param(m["measure"], marks=pytest.mark.slow)
    if m["metric"] in WALKS or (m["metric"] == "kinds_present" and m["minutes"])
    else m["measure"]
    for m in ROWS
]
PARTS = {"zone": "zones", "area": "areas", "community": "communities", "parcel": "parcels", "home": "homes", "line": ""}


def taken(row: Mapping[str, str], places: Mapping[str, list[str]]) -> dict[str, str]:
    """Return a row of the bundled table whose codes are those of a small district, and whose standards were read."""
    m = {**row, "commitment": "T1", "confidence": "read" if row["confidence"] else ""}
    layer = m["lines"] if m["scope"] == "line" else PARTS.get(m["scope"], "")
    if layer:
        m["codes"] = ";".join(places[layer][: len(listed(m["codes"]))])
    elif m["codes"] and m["metric"] == "difference":
        m["codes"] = ";".join(places[PARTS[m["group"]]][:2])
    elif m["codes"]:
        m["codes"] = places[m["layer"]][0]
    if m["other_codes"]:
        m["other_codes"] = places[m["other_layer"]][0]
    return m


def empty(layer: str, crs: object) -> gpd.GeoDataFrame:
    columns = [c for c in LAYERS[layer].names if c != LAYERS[layer].key]
    return gpd.GeoDataFrame({c: pd.Series(dtype="object") for c in columns}, geometry=gpd.GeoSeries([], crs=crs))


def shapes(layer: str, parts: list[Any], crs: object, **cells: list[Any]) -> gpd.GeoDataFrame:
    """Return rows of a layer with some shapes, called by number."""
    keys = [f"{layer}-{i}" for i in range(len(parts))]
    plain = {c: [None] * len(parts) for c in LAYERS[layer].names if c != LAYERS[layer].key}
    plain |= {"name": list(keys), "basis": ["surveyed"] * len(parts)}
    plain |= {"use": [f"use {i}" for i in range(len(parts))], "kind": ["wall"] * len(parts), **cells}
    own = {c: values for c, values in plain.items() if c in LAYERS[layer].names}
    frame = gpd.GeoDataFrame(own, geometry=parts, crs=crs, index=pd.Index(keys, name=LAYERS[layer].key))
    for column in ("since", "until"):
        if column in frame:
            frame[column] = pd.array([pd.NA] * len(parts), dtype="Int64")
    return frame


class Small:
    """A small district with every layer that the bundled rows ask for, all of it surveyed, and no facilities."""

    def __init__(self, district: xh.District) -> None:
        assert district.communities is not None
        kinds = list(district.kinds.index)
        said = {**district.manifest, "surveyed_kinds": kinds, "mapped_kinds": [], "schema": 2, "without": []}
        self.rows = dict(district.rows)
        self.areas = list(district.communities.geometry)
        whole = shapely.union_all(self.areas)
        x0, y0, x1, y1 = self.box = whole.bounds
        self.line = shapely.LineString([(x0 - 50, (y0 + y1) / 2 + 13), (x1 + 50, (y0 + y1) / 2 + 13)])
        crs = district.crs
        asked = {m[c] for m in ROWS for c in ("layer", "other_layer", "lines")} | set(PARTS.values()) | {"district"}
        for name in asked - {"", *self.rows} | ({"entrances"} - set(self.rows)):
            line = "Polygon" not in (LAYERS[name].geometry or ())
            point = LAYERS[name].geometry == ("Point",)
            parts = [] if point else [self.line] * 2 if line else self.areas[:2]
            self.rows[name] = shapes(name, parts, crs) if parts else empty(name, crs)
        if "zones" not in district.rows:  # a home lies in one of them
            self.rows["zones"] = shapes("zones", self.areas[:2], crs)
        self.rows["rules"] = self.rows["rules"].assign(confidence="read")
        self.rows["facilities"] = self.rows["facilities"].iloc[:0]
        self.places = {name: [str(key) for key in frame.index] for name, frame in self.rows.items() if len(frame)}
        measures = [taken(row, self.places) for row in ROWS]
        self.rows["measures"] = read("measures", measures)
        self.crs, self.kinds, self.spots = crs, kinds, self._spots(district)
        self.district = replace(district, manifest=MappingProxyType(said))
        self.bare = self.district.with_rows(self.rows)
        self.measures = {str(m["measure"]): m for m in measure_rows(self.bare)}

    def _spots(self, district: xh.District) -> list[shapely.Point]:
        """Return where everybody has everything: by each home, in each community, on each parcel, along the line."""
        frames = [
            district.rows["homes"],
            self.rows["communities"],
            self.rows["parcels"],
            self.rows["areas"],
            self.rows["zones"],
        ]
        inner = [p for f in frames for p in shapely.point_on_surface(f.geometry.array)]
        return [*inner, self.line.interpolate(0.5, normalized=True)]

    def with_(self, **layers: pd.DataFrame) -> xh.District:
        return self.district.with_rows({**self.rows, **layers})

    def facilities(
        self, spots: list[Any], kinds: list[str], names: tuple[str, ...] = (), **cells: Any
    ) -> gpd.GeoDataFrame:
        """Return an open facility of every kind at every spot, called by each of the names once."""
        rows = [(kind, spot) for kind in kinds for spot in spots]
        called = [*names, *[f"n{i}" for i in range(len(rows))]][: len(rows)]
        frame = gpd.GeoDataFrame(
            {
                "kind": [k for k, _ in rows],
                "name": called,
                "capacity": 5000.0,
                "floor_area_m2": 9e4,
                "basis": "surveyed",
            },
            geometry=[s for _, s in rows],
            crs=self.crs,
            index=pd.Index([f"X{i}" for i in range(len(rows))], name="facility"),
        ).reindex(columns=self.rows["facilities"].columns)
        for column in ("since", "until"):
            frame[column] = pd.array([cells.get(column, pd.NA)] * len(rows), dtype="Int64")
        return frame.astype(dict.fromkeys(("state", "community", "serves_community", "note", "checked_by"), "object"))


def of_kinds(m: Mapping[str, Any], district: xh.District) -> list[str]:
    rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"])) if name]
    return list(dict.fromkeys([*kinds_of(m), *listed(m["near_kinds"]), *(k for r in rules for k in r.kinds)]))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = folder_with(tmp_path_factory.mktemp("every") / "toy", [])
    (folder / "scenarios").mkdir()
    for name in {row["scenario"] for row in ROWS} - {""}:
        (folder / "scenarios" / f"{name}.toml").write_text(f'name = "{name}"\nyear = 2025\nplanned = true\n', "utf-8")
    write(folder / "ledger" / "series.csv", "series", [])
    return Small(xh.District.load(folder))


@pytest.fixture(scope="module")
def rich(toy: Small) -> xh.District:
    """Everybody has everything, since 2021."""
    return toy.with_(facilities=toy.facilities(toy.spots, toy.kinds, since=2021))


def typed(m: Mapping[str, Any], value: float) -> pd.DataFrame:
    """Return the yearly figures that bring a row of metric series to a value."""
    years = range(int(m["since"]), int(m["until"]) + 1)
    part = value / len(years) if m["aggregate"] == "sum" else value
    rows = [{"indicator": m["series"], "year": y, "value": part} for y in years]
    rows += [{"indicator": m["target_series"], "year": int(m["until"]), "value": 50}] if m["target_series"] else []
    return read("series", rows)


Pair = tuple[xh.District, xh.District]
M2 = {"km²": 1e6, "公顷": 1e4}


def scope_of(small: Small, m: Mapping[str, Any]) -> shapely.Geometry:
    """Return the first place of a row's scope."""
    rows = small.rows[PARTS.get(str(m["scope"]), "") or "district"]
    return rows.geometry[listed(m["codes"])[0]] if m["codes"] else shapely.union_all(rows.geometry.array)


def by_figures(small: Small, m: Mapping[str, Any]) -> Pair:
    goal = target_of(m) if np.isfinite(target_of(m)) else 50.0
    worse = goal + 1 if m["operator"] == "<=" else 0.0
    return small.with_(series=typed(m, goal)), small.with_(series=typed(m, worse))


def by_catching_up(small: Small, m: Mapping[str, Any]) -> Pair:
    """One group gets everything later than the other; or nothing changes."""
    kinds = kinds_of(m["changed"])

    def late(zone: shapely.Geometry | None) -> xh.District:
        then = [p for p in small.spots if zone is not None and zone.covers(p)]
        parts = [small.facilities([p for p in small.spots if p not in then], kinds)]
        parts.append(small.facilities(then, kinds, since=2021).rename(index=lambda key: f"late-{key}"))
        return small.with_(facilities=pd.concat([part for part in parts if len(part)]))

    tried = [late(zone) for zone in small.rows["zones"].geometry]
    return min(tried, key=lambda district: evaluate(district, m).value), late(None)


def by_size(small: Small, m: Mapping[str, Any]) -> Pair:
    layer, unit = str(m["layer"]), M2.get(str(m["unit"]), 1.0)
    goal = (m["low"] + m["high"]) / 2 if m["operator"] == "between" else target_of(m)

    def sized(area: float) -> xh.District:
        side = math.sqrt(area * unit)
        square = shapely.box(*small.box[:2], small.box[0] + side, small.box[1] + side)
        if m["field"]:
            dated = {LAYERS[layer].names[str(m["field"])].dated_by: [int(m["until"])], str(m["field"]): [area * unit]}
            return small.with_(**{layer: shapes(layer, small.areas[:1], small.crs, **dated)})
        frame = shapes(layer, [square], small.crs)
        return small.with_(**{layer: frame.set_axis(pd.Index(small.places[layer][:1], name=LAYERS[layer].key))})

    return sized(goal), sized(0.0 if m["field"] else goal / 2)


def by_name(small: Small, m: Mapping[str, Any]) -> Pair:
    layer, names, spot = str(m["layer"]), listed(m["named"]), shapely.point_on_surface(scope_of(small, m))
    if layer:
        frame = shapes(layer, [spot.buffer(1.0)] * len(names), small.crs, name=names)
        return small.with_(**{layer: frame}), small.with_(**{layer: frame.assign(name="another")})
    named = small.facilities([spot] * len(names), kinds_of(m)[:1], tuple(names))
    others = small.facilities([spot] * len(names), kinds_of(m)[:1], ("another",) * len(names))
    return small.with_(facilities=named), small.with_(facilities=others)


def by_number(small: Small, m: Mapping[str, Any]) -> Pair:
    layer, spot = str(m["layer"]), shapely.point_on_surface(scope_of(small, m))
    frame = shapes(layer, [spot.buffer(1.0)] * int(target_of(m)), small.crs)
    return small.with_(**{layer: frame}), small.with_(**{layer: frame.iloc[1:]})


def by_attribute(small: Small, m: Mapping[str, Any]) -> Pair:
    spot, field = shapely.point_on_surface(scope_of(small, m)), str(m["field"])
    one = small.facilities([spot], kinds_of(m)[:1])
    return tuple(small.with_(facilities=one.assign(**{field: value})) for value in (target_of(m), 0.0))


def by_lying(small: Small, m: Mapping[str, Any]) -> Pair:
    layer, other, (x0, y0, x1, y1) = str(m["layer"]), str(m["other_layer"]), small.box
    if m["relation"] == "north_of":
        lines = [shapely.LineString([(x0 - 9, y), (x1 + 9, y)]) for y in (y0 - 10, y1 + 10)]
        below, above = (small.rows[other].assign(geometry=[line] * len(small.rows[other])) for line in lines)
        return small.with_(**{other: below}), small.with_(**{other: above})
    parts = [g for g in small.rows[other].geometry if g.area > 0]
    aside = [affinity.translate(g, (x1 - x0) * 0.4, (y1 - y0) * 0.4) for g in parts]

    def laid(parts: list[Any]) -> xh.District:
        frame = shapes(layer, parts, small.crs)
        keys = [*small.places[layer][:1], *frame.index[1:]] if m["codes"] else list(frame.index)
        return small.with_(**{layer: frame.set_axis(pd.Index(keys, name=LAYERS[layer].key))})

    whole = [[shapely.union_all(parts)], [shapely.union_all(aside)]]
    return (laid(whole[0]), laid(whole[1])) if m["codes"] else (laid(parts), laid([*aside, *aside]))


def up_and_down(small: Small, rich: xh.District, m: Mapping[str, Any]) -> Pair:
    """Return two states of a district: one that keeps what a row asks, and one that does not."""
    metric = m["metric"]
    if metric == "change" and m["changed"]["metric"] == "difference":
        return by_catching_up(small, m)
    if metric == "area" and m["operator"]:
        return by_size(small, m)
    if metric == "count" and m["layer"]:
        return by_number(small, m)
    if metric == "attribute" and m["operator"]:
        return by_attribute(small, m)
    levers = {"series": by_figures, "named": by_name, "topology": by_lying}
    return levers[metric](small, m) if metric in levers else (rich, small.bare)


def verdict_of(m: Mapping[str, Any], district: xh.District) -> tuple[str, Found | None]:
    """Return what is said of a row: what it lacks is 数据不足, what has to be typed in 待填."""
    try:
        found = evaluate(district, m)
    except Lacks:
        return NO_DATA, None
    if found.waits:
        return TO_FILL, found
    if not np.isfinite(found.value):
        return NO_DATA, found
    target = found.target if np.isfinite(found.target) else target_of(m)
    if not m["operator"] or m["target_from"] == "reference" or (not np.isfinite(target) and m["operator"] != "between"):
        return (REPORTED if not np.isfinite(found.target) else judged(m, found.value, target)), found
    return judged(m, found.value, target), found


@pytest.mark.parametrize(
    ("operator", "low", "high"), [(">=", 0.5, np.inf), ("<=", -np.inf, 0.5), ("between", 0.25, 0.75)]
)
def test_a_target_is_met_up_to_the_last_bits_of_a_share(operator: str, low: float, high: float) -> None:
    """A billionth beside a bound is met, that much included; three are not."""
    m = {"metric": "attribute", "field": "", "operator": operator, "low": low, "high": high, "aggregate": ""}
    for value in (low - 1e-9, low, 0.5, high, high + 1e-9):
        assert judged(m, value) == MET
    for value in {low - 3e-9, high + 3e-9} - {-np.inf, np.inf}:
        assert judged(m, value) == UNMET


#: Of these nothing can be said where nothing is there: a ratio to nothing, the middle of no places.
NEEDS_SOME = ("near", "attribute", "ratio", "along", "theil", "gini")


@pytest.mark.parametrize("name", NAMES)
def test_some_input_meets_it_and_some_does_not(toy: Small, rich: xh.District, name: str) -> None:
    m = toy.measures[name]
    up, down = up_and_down(toy, rich, m)
    (best, _), (worst, found) = verdict_of(m, up), verdict_of(m, down)
    judging = bool(m["operator"]) and m["target_from"] != "reference"
    if judging or m["target_series"]:
        assert (best, worst) == (MET, UNMET), found
    else:
        assert best == REPORTED
        assert worst == REPORTED or m["metric"] in NEEDS_SOME


def test_no_row_waits_for_what_cannot_be_given() -> None:
    """What nothing measures is typed in: the bundled table of yearly figures has its rows, every year of them."""
    assert not [m["measure"] for m in ROWS if m["metric"] == "missing"]
    series = pd.read_csv(ROOT / "data" / "ledger" / "series.csv", dtype={"indicator": str})
    years = {key: set(own) for key, own in series.groupby("indicator")["year"]}
    for m in ROWS:
        if m["series"]:
            assert set(range(int(m["since"]), int(m["until"]) + 1)) <= years[m["series"]], m["measure"]
        if m["target_series"]:
            assert int(m["until"]) in years[m["target_series"]], m["measure"]


# --- more of what was promised, and more of what is bad --------------------------------------------------------------------

#: What is better where it is less.
LESS = ("communities_without", "in_gap")
#: How unequal it is, how it changed, what would help most: more of everything may move these either way.
EITHER_WAY = ("difference", "gini", "theil", "change", "best_use", "mix", "series", "topology", "area")


def values(small: Small, district: xh.District) -> dict[str, float]:
    """Return the value of every row that rests on facilities; what it cannot say is missing."""
    found = {}
    for name, m in small.measures.items():
        if (
            m["metric"] in EITHER_WAY
            or (m["metric"] == "along" and m["relation"] != "facilities")
            or not of_kinds(m, district)
        ):
            continue
        try:
            found[name] = evaluate(district, m).value
        except Lacks:
            found[name] = math.nan
    return found


def not_worse(small: Small, before: Mapping[str, float], after: Mapping[str, float], only: str = "") -> list[str]:
    worse = []
    for name, value in before.items():
        sign = -1.0 if small.measures[name]["metric"] in LESS else 1.0
        if only and small.measures[name]["metric"] != only:
            continue
        if np.isfinite(value) and not sign * after[name] >= sign * value - 1e-9:
            worse.append(f"{name}: {value} -> {after[name]}")
    return worse


def grows(small: Small, seed: int) -> None:
    """Open facilities one after the other, of all kinds, somewhere: no row gets worse; take them away again: none gets better."""
    rng = np.random.default_rng(seed)
    x0, y0, x1, y1 = small.box

    def somewhere() -> shapely.Point:
        return shapely.Point(rng.uniform(x0 - 60, x1 + 60), rng.uniform(y0 - 60, y1 + 60))

    beside = {k for m in ROWS if m["metric"] == "ratio" for k in listed(m["near_kinds"])}  # what a ratio is taken to
    kinds = [kind for kind in small.kinds if kind not in beside]
    every = small.facilities([somewhere()], sorted(beside))
    state = values(small, small.with_(facilities=every))
    for step in range(2):
        more = small.facilities([somewhere()], kinds).rename(index=lambda key, step=step: f"S{step}-{key}")
        every = pd.concat([every, more])
        after = values(small, small.with_(facilities=every))
        assert not_worse(small, state, after) == []
        state = after
    shut = every.assign(state=[("closed", "nominal", "moved")[i % 3] for i in range(len(every))])
    shut.loc[shut["kind"].isin(beside), "state"] = None
    gone = values(small, small.with_(facilities=shut))
    assert not_worse(small, {k: v for k, v in gone.items() if np.isfinite(v)}, state) == []


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_more_of_what_was_promised_is_never_worse(toy: Small, seed: int) -> None:
    grows(toy, seed)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.slow if n < 2 else pytest.mark.matrix) for n in range(24)]
)
def test_nor_is_it_in_random_districts(tmp_path: Path, seed: int) -> None:
    small = Small(xh.District.load(districts.write(tmp_path, seed)))
    grows(small, seed)


#: How good a verdict is.
RANK = {UNMET: 0, PARTLY: 1, MET: 2}
#: What a layer's rows are summed up to, or how much of something else they cover: more rows are never less. How well shapes fit is neither.
GROWING = ("area", "count", "named", "along", "topology")
FITTING = ("inside", "north_of", "tiles", "spacing")


def never_less(m: Mapping[str, Any], before: xh.District, after: xh.District) -> None:
    """Say that a row's number is no less than before; its verdict no worse where more is asked for, no better where less is."""
    (was, old), (now, new) = verdict_of(m, before), verdict_of(m, after)
    if old is None or new is None or not np.isfinite(old.value):
        return
    assert new.value >= old.value - 1e-9, (m["measure"], old.value, new.value)
    if was in RANK and now in RANK and m["operator"] in (">=", "<="):
        rank = RANK[now] - RANK[was]
        assert rank >= 0 if m["operator"] == ">=" else rank <= 0, (m["measure"], old.value, was, new.value, now)


@pytest.mark.matrix
@pytest.mark.parametrize("seed", seeds(0, 0, 40))
def test_more_of_what_is_typed_or_drawn_moves_a_row_one_way(toy: Small, seed: int) -> None:
    """Every row of yearly figures with two random figures; every row that sums up a layer, while its layer grows."""
    rng = np.random.default_rng(seed)
    x0, y0, x1, y1 = toy.box

    def patch() -> shapely.Geometry:
        x, y = rng.uniform(x0 - 50, x1), rng.uniform(y0 - 50, y1)
        return shapely.box(x, y, x + rng.uniform(5, 300), y + rng.uniform(5, 300))

    layers: dict[str, list[gpd.GeoDataFrame]] = {}
    seen = set()
    for name, m in toy.measures.items():
        if m["metric"] == "series":
            goal = max(next(abs(g) for g in (target_of(m), 50.0) if np.isfinite(g)), 1.0)
            less, more = sorted(rng.uniform(0, 2 * goal, 2))
            never_less(m, toy.with_(series=typed(m, less)), toy.with_(series=typed(m, more)))
            seen.add(name)
        elif (
            m["layer"]
            and m["metric"] in GROWING
            and m["relation"] not in FITTING
            and not (m["codes"] and m["metric"] == "area")
        ):
            layer = str(m["layer"])
            if layer not in layers:
                count = 5
                cells = {"covered_m2": rng.uniform(0, 40_000, count), "covered_year": rng.integers(2014, 2023, count)}
                named = [*listed(m["named"]), *"abcde"][:count]
                whole = shapes(
                    layer,
                    [patch() for _ in range(count)],
                    toy.crs,
                    name=named,
                    **{c: list(values) for c, values in cells.items() if c in LAYERS[layer].names},
                )
                layers[layer] = [whole.iloc[: n + 1] for n in range(count)]
            for fewer, rows in pairwise(layers[layer]):
                never_less(m, toy.with_(**{layer: fewer}), toy.with_(**{layer: rows}))
            seen.add(name)
    assert {"series", "area", "topology", "along"} <= {toy.measures[name]["metric"] for name in seen} and len(seen) > 40


@pytest.mark.slow
def test_a_change_says_which_way_it_went(toy: Small, rich: xh.District) -> None:
    """Everybody has everything since 2021: more nursery places than in 2020, and the text has a plus; no change has none."""
    ledger = xh.ledger(rich)
    text = ledger.xs("S24.more", level="measure").iloc[0]["text"]
    assert "：+" in text, text
    still = xh.ledger(toy.bare).xs("S24.more", level="measure").iloc[0]["text"]
    assert "：+" not in still and "：0 个" in still, still


#: What plans do to a layer, one after the other: who lives there and how many, what is open, by which ways one gets there.
TOUCHES: dict[str, tuple[str, Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]]] = {
    "more people": ("homes", lambda f: f.assign(people=f["people"] * 3, people_60plus=f["people_60plus"] * 2)),
    "nobody knows": ("homes", lambda f: f.assign(people=f["people"].where(f.index != f.index[0]))),
    "a home less": ("homes", lambda f: f.iloc[1:]),
    "fewer facilities": ("facilities", lambda f: f.iloc[::3]),
    "closed gates": ("gates", lambda f: f.assign(state="closed")),
    "fewer streets": ("streets", lambda f: f.iloc[1:]),
    "other parcels": ("parcels", lambda f: f.iloc[1:]),
}


@pytest.fixture(scope="module")
def before(toy: Small) -> xh.District:
    """Some have something; what its ledger says is known."""
    state = toy.with_(facilities=toy.facilities(toy.spots[:2], toy.kinds[::2]))
    xh.ledger(state)
    return state


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("touch", TOUCHES)
def test_what_a_plan_leaves_alone_comes_to_the_same_anew(before: xh.District, touch: str) -> None:
    """A row is taken over from the district before a plan only where it reads nothing that the plan touched: in no column it differs."""
    layer, edit = TOUCHES[touch]
    after = before.with_rows({layer: edit(before.rows[layer])}, scenario="a plan")
    taken_over, anew = (pd.concat([xh.ledger(state), beyond(state)]) for state in (after, replace(after)))
    pd.testing.assert_frame_equal(taken_over, anew)


@pytest.mark.slow
@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("homes", ["there", "to come"])
def test_what_another_year_leaves_alone_comes_to_the_same_anew(toy: Small, homes: str, planned: bool) -> None:
    """What was found in one year is taken over to another only where neither what is there nor the year itself is told of it."""
    before = toy.with_(facilities=toy.facilities(toy.spots[:2], toy.kinds[::2]))
    if homes == "to come":
        before = before.with_rows({"homes": before.rows["homes"].assign(since=2199)})
    xh.ledger(before)
    after = before.at(before.year + 7, planned=planned)
    taken_over, anew = (pd.concat([xh.ledger(state), beyond(state)]) for state in (after, replace(after)))
    pd.testing.assert_frame_equal(taken_over, anew)


def test_more_bare_ground_is_no_gain_and_a_drawing_is_no_gap(toy: Small) -> None:
    """60,000 m² covered of 12 patches; twelve more lie bare; drawn 2.12 m² short of a number it is still the number."""
    m = toy.measures["S40.area"]
    patch = shapely.box(0, 0, 100, 50)
    spot = shapely.point_on_surface(toy.areas[0])
    twelve = [affinity.translate(patch, spot.x, spot.y)] * 12

    def ground(parts: list[Any], sizes: list[Any], years: list[Any]) -> Found:
        return evaluate(
            toy.with_(bare_ground=shapes("bare_ground", parts, toy.crs, covered_m2=sizes, covered_year=years)), m
        )

    covered = ground(twelve, [5000.0] * 12, [2016 + i % 5 for i in range(12)])
    assert covered.value == 60_000 and covered.gap == "" and judged(m, covered.value) == MET
    bare = ground(twelve * 2, [5000.0] * 12 + [0.0] * 12, [2018] * 12 + [np.nan] * 12)
    assert bare.value == 60_000
    late = ground(twelve, [5000.0] * 12, [2018] * 11 + [2021])
    assert late.value == 55_000 and late.gap == "还差 5,000 m²" and judged(m, late.value) == PARTLY
    undated = ground(twelve, [5000.0] * 12, [2018] * 11 + [np.nan])
    assert undated.value == 55_000 and "1 处没有填苫盖面积或年份，未计入" in undated.note
    with pytest.raises(Lacks, match="covered_m2"):
        ground(twelve, [np.nan] * 12, [np.nan] * 12)
    drawn = {**m, "field": "", "since": math.nan, "until": math.nan}
    assert judged(drawn, 59_997.88) == MET and judged(drawn, 59_900.0) == PARTLY
    assert judged(m, 59_997.88) == PARTLY, "what is typed in is not drawn"


def test_others_do_not_stand_in_for_those_named(toy: Small) -> None:
    """Five parks are named: four of them and three others are four; a market is no shopping centre."""
    m = toy.measures["S33.count"]
    names = listed(m["named"])
    inside = shapely.point_on_surface(shapely.union_all(toy.rows["district"].geometry.array))
    four = toy.facilities([inside] * 7, ["logistics_park"], (*names[:4], "别处的园"))
    found = evaluate(toy.with_(facilities=four), m)
    assert found.value == 4 and names[4] in found.gap
    shut = four.assign(state=["nominal", *[None] * 6])
    assert evaluate(toy.with_(facilities=shut), m).value == 3
    markets = toy.facilities(toy.spots, ["market"])
    assert evaluate(toy.with_(facilities=markets), toy.measures["S13.mall"]).value == 0

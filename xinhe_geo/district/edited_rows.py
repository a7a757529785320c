"""The rows that a plan edits: its own copies, what it finds contradictory, and who moves where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import LAYERS, ScenarioError, at_year, did_you_mean, layer_name, say
from .doubles import bare_name
from .parcel_facts import fact, home_parcels

Rows = dict[str, pd.DataFrame]


#: Which layer a key of an edit names something of.
LAYER_OF = {
    "facility": "facilities",
    "host": "facilities",
    "homes": "homes",
    "home": "homes",
    "to": "homes",
    "gate": "gates",
    "street": "streets",
    "parcel": "parcels",
}

#: What is told of who comes in from elsewhere.
ARRIVED = ("people", "people_60plus", "households")


# --- carrying out ----------------------------------------------------------------------------------------------------


class DoneAlready(ScenarioError):
    """A step does again what an earlier one has done: it is left out, and the plan contradicts itself."""


class Flow(NamedTuple):
    """
    People who move by one step of a plan.

    `what`: "out" they leave their homes on `parcel` ("" on none), "back" they return to it, "new" they come from elsewhere, "in" homes
    there take in who left others. `home`: the one they come to, where it is one. Numbers are missing where nobody knows.
    """

    step: int
    what: str
    parcel: str
    people: float
    people_60plus: float
    households: float
    registered: float = math.nan
    holder: str = ""
    fate: str = ""
    home: str = ""
    #: Where somebody returns to a part of the parcel that they left: that part.
    landed: str = ""

    @property
    def comes_to(self) -> str:
        """The parcel in whose stock the flow is seen: the one that people left or come to, or return to."""
        return self.landed or self.parcel

    def counted(self, count: str) -> float:
        """Return how many it is of people, people_60plus, households or registered; where nobody moves, and nothing is said of them, none."""
        number = float(getattr(self, count))
        return 0.0 if self.people == 0 and count == "registered" and math.isnan(number) else number


def code_of(said: str, codes: Iterable[object], names: Mapping[object, object] | pd.Series) -> str:
    """Say what to write where no code is called so: the codes of what has that name (brackets may be left out), else the nearest codes."""
    called = [str(code) for code, name in names.items() if bare_name(name) == bare_name(said)]
    return (
        say("方案里写编号：{0}", say("、").join(called))
        if called
        else did_you_mean(said, [str(code) for code in codes])
    )


@dataclass
class EditedRows:
    """The rows an `on` call edits: its own copies, never the district's."""

    rows: Rows
    crs: str
    year: int
    kinds: Mapping[str, str]  # what each is called
    #: What the edit at hand could do but contradicts: it would count people twice, or change nothing.
    clashes: list[str] = field(default_factory=list)
    #: Homes that the plan builds, with the step that builds them; `step` is the one at hand.
    built: dict[str, int] = field(default_factory=dict)
    #: Of these, the ones that it builds with gates.
    walled: set[str] = field(default_factory=set)
    #: And those that it works out from floor area: how many dwellings, for households of which size.
    dwellings: dict[str, tuple[float, float]] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    step: int = 0
    #: The last year of the edit at hand; None where it does not end.
    until: int | None = None
    #: The year before the plan begins: the ledger's figures up to it say who lived there first.
    opening: int | None = None
    #: Steps without a year in a plan of dated ones: what they say was there before.
    assumed: set[int] = field(default_factory=set)
    #: Who moved by the steps so far.
    flows: list[Flow] = field(default_factory=list)
    #: By layer and key: which step has made a row, and which has taken one away.
    made: dict[tuple[str, str], int] = field(default_factory=dict)
    gone: dict[tuple[str, str], int] = field(default_factory=dict)
    #: What steps of the plan call what they make, by its key.
    called: dict[str, str] = field(default_factory=dict)
    #: Parcels that a step has made, by what they were divided from; pieces of homes that it has cut, by what, with their share of it.
    parts: dict[str, str] = field(default_factory=dict)
    cut: dict[str, tuple[str, float]] = field(default_factory=dict)
    #: What the ledger said before a parcel was divided, by that parcel.
    divided: dict[str, pd.DataFrame] = field(default_factory=dict)
    #: Until when the steps that end hold.
    ends: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._given = dict(self.rows)

    @property
    def edited(self) -> Rows:
        """The layers and tables of which an edit has put another frame into `rows`: it changes none in place."""
        return {name: frame for name, frame in self.rows.items() if frame is not self._given.get(name)}

    def standing(self, layer: str) -> gpd.GeoDataFrame:
        """Return the rows of a layer that stand in the year of the plan."""
        return at_year(LAYERS[layer], self.frame(layer), self.year)

    def named(self, key: str, ids: str | Sequence[str]) -> str:
        """Return what an edit's `key` names, by their names where they have one."""
        frame, said = self.frame(LAYER_OF[key]), []
        for one in [ids] if isinstance(ids, str) else ids:
            names = [*frame.loc[frame.index == one, "name"].dropna(), *filter(None, [self.called.get(one)])]
            said.append(say("{0}（{1}）", names[0], one) if names else str(one))
        return say("、").join(said)

    def note_if_absent(self, layer: str, *keys: str) -> None:
        """Note a clash where rows do not stand in the year of the plan."""
        frame = self.frame(layer)
        absent = [] if not LAYERS[layer].dated else [key for key in keys if key not in self.standing(layer).index]
        if not absent:
            return
        said = []
        for key in absent[:6]:
            since, until = frame.loc[key, ["since", "until"]]
            gone = pd.notna(until) and until < self.year
            said.append(say("{0} 到 {1:.0f} 年为止", key, until) if gone else say("{0} {1:.0f} 年才有", key, since))
        more = say("，等 {0} 个", len(absent)) if len(absent) > len(said) else ""
        self.clashes.append(
            say(
                "{0} 年没有这些{1}：{2}{3}；从这一步删去，或改方案的年份",
                self.year,
                layer_name(layer),
                say("、").join(said),
                more,
            )
        )

    def parcel_of(self, home: str) -> str:
        """Return the parcel that a home stands on, "" where on none."""
        homes = self.frame("homes")
        own = homes.take(np.flatnonzero(homes.index == home)[:1])
        return home_parcels(own, self.rows.get("parcels"))[0] if len(own) else ""

    def stock(self, parcel: str, quantity: str, holder: str = "") -> float:
        """Return what the ledger says lived on a parcel before the plan began; missing where it says nothing, or a range."""
        year = self.year if self.opening is None else self.opening
        said = fact(self.divided.get(parcel, self.rows.get("parcel_facts")), parcel, quantity, year, holder)
        return said.low if said.low == said.high else math.nan

    def line_of(self, parcel: str) -> list[str]:
        """Return a parcel, what it was divided from, and so on."""
        found = [parcel]
        while found[-1] in self.parts:
            found.append(self.parts[found[-1]])
        return found

    def held(self, parcel: str, count: str, holder: str = "") -> float:
        """Return how many a parcel began with: what the ledger says of it, or what it has of the parcel that it was divided from."""
        if parcel not in self.parts:
            return self.stock(parcel, count, holder)
        brought = [f for f in self.moved(parcel, holder, "in") if self.made["parcels", parcel] == f.step]
        known = brought and not math.isnan(self.held(self.parts[parcel], count, holder))
        return sum((f.counted(count) for f in brought), 0.0) if known else math.nan

    def in_account(self, parcel: str, count: str, holder: str = "") -> float:
        """Return how many a parcel has by now as ledger and plan say it; missing where they do not say how many it began with."""
        if math.isnan(self.held(parcel, count, holder)):
            return math.nan
        begun = 0.0 if parcel in self.parts else self.stock(parcel, count, holder)
        own = [f for f in self.flows if f.comes_to == parcel and holder in ("", f.holder)]
        return begun + sum(-f.counted(count) if f.what == "out" else f.counted(count) for f in own)

    def moved(self, parcel: str, holder: str, what: str, *fates: str) -> list[Flow]:
        """Return who moved so far on a parcel; without a holder all together, with fates only those of these."""
        own = [f for f in self.flows if f.parcel == parcel and f.what == what and holder in ("", f.holder)]
        return [f for f in own if not fates or f.fate in fates]

    def flow(self, what: str, parcel: str, counts: Mapping[str, float], home: str = "") -> Flow:
        """Return who moves by the step at hand, and to which home: `counts` has people, people_60plus and households."""
        return Flow(self.step, what, parcel, counts["people"], counts["people_60plus"], counts["households"], home=home)

    def moved_in_all(self) -> dict[str, float]:
        """
        Return how many people left, returned and came in all, by `what`; nothing where nobody moves or returns.

        "there": who lived there before, as only the plan says; "there_stay": who of them has not left.
        """
        own = [f for f in self.flows if f.step not in self.assumed]
        if not any(f.what in ("out", "back") for f in own):
            return {}
        before = [f for f in self.flows if f.step in self.assumed and f.what == "new"]
        people = self.standing("homes")["people"]
        still = [(f, list(people.index.intersection(self.pieces(f.home)))) for f in before]
        stay = sum((min(f.people, float(people[own].sum(skipna=False))) for f, own in still if own), 0.0)
        told = {what: sum((f.people for f in own if f.what == what), 0.0) for what in ("out", "back", "new")}
        return {**told, "there": sum((f.people for f in before), 0.0), "there_stay": stay}

    def arrived(self) -> dict[str, dict[str, float]]:
        """
        Return who came in from elsewhere, by the home that the plan builds for them: people, people_60plus, households.

        Who returns to such a home lived there before, and so did whoever lives in one that was there before the plan (none came). Of a
        home that people leave, those leave first who returned to it.
        """
        found: dict[str, dict[str, float]] = {}
        homes = self.standing("homes")
        came = {f.home: f for f in self.flows if f.what == "new"}
        for home in [h for h in dict.fromkeys([*came, *self.cut]) if h in homes.index]:
            whole, share = self.whole_of(home)
            flow = came.get(whole)
            there = homes.loc[home, list(ARRIVED)].astype("float64")
            nobody = flow is None or flow.step in self.assumed
            counts = {c: 0.0 if nobody else float(getattr(flow, c)) * share for c in ARRIVED}
            found[home] = {c: n if there[c] != there[c] else min(n, there[c]) for c, n in counts.items()}
        return found

    def whole_of(self, home: str) -> tuple[str, float]:
        """Return the home that a piece was cut from, be it in several cuts, and which share of it the piece has; a whole one is its own."""
        share = 1.0
        while home in self.cut:
            home, part = self.cut[home]
            share *= part
        return home, share

    def pieces(self, home: str) -> list[str]:
        """Return a home, or what was cut from it."""
        return [home, *(piece for piece in self.cut if self.whole_of(piece)[0] == home)]

    def parted(self) -> dict[tuple[str, str], dict[str, float]]:
        """Return what was divided, by layer and key: into what, each home with its share of people, parcels without."""
        found: dict[tuple[str, str], dict[str, float]] = {}
        for piece, (home, share) in self.cut.items():
            found.setdefault(("homes", home), {})[piece] = share
        for part, parcel in self.parts.items():
            found.setdefault(("parcels", parcel), {})[part] = math.nan
        return found

    def frame(self, layer: str) -> gpd.GeoDataFrame:
        """Return the rows of a layer; empty, with its columns, where the district has none."""
        if layer not in self.rows and LAYERS[layer].geometry is None:
            names = [c for c in LAYERS[layer].names if c != LAYERS[layer].key]
            return pd.DataFrame(columns=names, index=pd.Index([], dtype="str", name=LAYERS[layer].key))
        if layer not in self.rows:
            columns = {c: pd.Series(dtype="object") for c in LAYERS[layer].names if c != LAYERS[layer].key}
            empty = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=self.crs), crs=self.crs)
            empty.index = pd.Index([], dtype="str", name=LAYERS[layer].key)
            return empty
        return self.rows[layer]

    def need(self, layer: str, key: str) -> None:
        """Raise where a layer has no such row, and name the step that has taken it away, or the nearest."""
        known = self.frame(layer).index
        if key not in known:
            if (layer, key) in self.gone:
                raise DoneAlready(
                    say(
                        "{0} {1} 在第 {2} 步已经{3}；删去这一步，或改两步的年份",
                        layer_name(layer),
                        key,
                        self.gone[layer, key],
                        self.how_gone(layer, key),
                    )
                )
            names = self.frame(layer).get("name", pd.Series(dtype="str"))
            raise ScenarioError(say("没有{0} {1}；{2}", layer_name(layer), key, code_of(key, list(known), names)))

    def how_gone(self, layer: str, key: str) -> str:
        """Say what has become of a row that a step has taken away."""
        wholes = {"parcels": self.parts, "homes": {piece: home for piece, (home, _) in self.cut.items()}}.get(layer, {})
        pieces = [piece for piece, whole in wholes.items() if whole == key]
        return say("划分为 {0}", say("、").join(pieces)) if pieces else say("拆除或撤去")

    def add(self, layer: str, key: str, row: Mapping[str, Any], shape: shapely.Geometry) -> None:
        """Add a row of that key and shape; columns that are not given stay unknown."""
        frame = self.frame(layer)
        if key in frame.index:
            if (layer, key) in self.made:
                step = self.made[layer, key]
                raise DoneAlready(
                    say("{0} {1} 在第 {2} 步已经有了；删去这一步，或换一个编号", layer_name(layer), key, step)
                )
            raise ScenarioError(say("{0}编号 {1} 已经有了，换一个", layer_name(layer), key))
        self.made[layer, key] = self.step
        columns = [c for c in LAYERS[layer].names if c != LAYERS[layer].key]
        flags = {c for c in columns if LAYERS[layer].names[c].type == "bool"}
        cells = {c: bool(row.get(c)) if c in flags and len(frame) else row.get(c) for c in columns}
        cells |= {"basis": row.get("basis", "derived"), "source": row.get("source", "方案")}
        types = frame.dtypes.to_dict() if len(frame) else {}
        typed = {c: pd.array([cell], dtype=types[c]) if c in types else [cell] for c, cell in cells.items()}
        new = gpd.GeoDataFrame(typed, geometry=[shape], crs=self.crs, index=pd.Index([key], name=LAYERS[layer].key))
        if len(frame):
            new = pd.concat([frame, new])
        self.rows[layer] = new

    def put(self, layer: str, key: str, column: str, value: object) -> None:
        """Put a value into one cell."""
        self.need(layer, key)
        frame = self.frame(layer).copy()
        frame.loc[key, column] = value
        self.rows[layer] = frame

    def drop(self, layer: str, keys: Sequence[str]) -> None:
        """Take rows out."""
        frame = self.frame(layer)
        self.gone |= {(layer, str(key)): self.step for key in keys}
        self.rows[layer] = frame[~frame.index.isin(keys)]

    def spot(self, e: Mapping[str, Any]) -> shapely.Point:
        """Return where an edit puts something: `at` (longitude, latitude) or `xy` (metres in the district's CRS)."""
        if ("at" in e) == ("xy" in e):
            raise ScenarioError(say("位置写一个：at = [经度, 纬度]，或 xy = [东, 北]（米，本街道计算用的坐标系）"))
        return self.place(e["at"]) if "at" in e else shapely.Point(*map(float, e["xy"]))

    def place(self, at: Sequence[float]) -> shapely.Point:
        """Return a longitude and latitude as a point in the district's CRS."""
        spot = gpd.GeoSeries([shapely.Point(*map(float, at))], crs="EPSG:4326").to_crs(self.crs).iloc[0]
        if not math.isfinite(spot.x):
            raise ScenarioError(say("位置不是经纬度：{0}", list(at)))
        return spot

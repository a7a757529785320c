"""
Named edits to a District, and what they change for whom.

A scenario is pure data: a name, a year, an ordered list of edits, read from and written to TOML. `Scenario.on` returns a new
District; the old one is untouched. Positions are longitude and latitude (WGS84), as a map shows them, or metres in the
district's own CRS, as the live map exports them.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
import tomli_w

from .coverage import coverage, summary
from .district import District, join_ends
from .errors import ScenarioError
from .layers import LAYERS
from .values import Edit

Rows = dict[str, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A plan: what is opened, closed, built, demolished, in which order and for which year.

    Parameters
    ----------
    name, label
        Key (its file is `scenarios/NAME.toml`) and what planners read.
    edits
        In order; later edits see what earlier ones did.
    year
        The year it stands for; None keeps the district's.
    planned
        Whether planned facilities whose year has come count as open.
    note
        What it assumes, for the record.
    """

    name: str
    label: str = ""
    edits: tuple[Edit, ...] = ()
    year: int | None = None
    planned: bool = False
    note: str = ""

    @staticmethod
    def read(path: str | Path) -> Scenario:
        """
        Read a scenario from TOML; everything that is wrong is reported at once.

        Raises
        ------
        ScenarioError
            Unreadable, or with unknown or missing keys (each with the nearest known one).
        """
        path = Path(path)
        try:
            data = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            raise ScenarioError(f"方案文件读不出来：{path.name}（{error.strerror}）") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ScenarioError(f"方案文件 {path.name} 读不懂：{error}") from error
        wrong = list(_unknown(data, {f.name for f in fields(Scenario)} - {"edits"} | {"edit"}, path.name))
        edits = data.get("edit", [])
        for number, entry in enumerate(edits, 1):
            wrong += _wrong_edit(entry, f"{path.name} 第 {number} 步")
        if wrong:
            raise ScenarioError("\n".join(wrong))
        return Scenario(
            name=str(data.get("name", path.stem)),
            label=str(data.get("label", "")),
            edits=tuple(Edit(e["do"], {k: v for k, v in e.items() if k != "do"}) for e in edits),
            year=data.get("year"),
            planned=bool(data.get("planned", False)),
            note=str(data.get("note", "")),
        )

    def text(self) -> str:
        """Return the scenario as TOML; `read` gives an equal one back."""
        head: dict[str, Any] = {"name": self.name, "label": self.label}
        if self.year is not None:
            head["year"] = self.year
        if self.planned:
            head["planned"] = True
        if self.note:
            head["note"] = self.note
        return tomli_w.dumps({**head, "edit": [{"do": e.do, **e.what} for e in self.edits]})

    def then(self, other: Scenario) -> Scenario:
        """Return both as one: this one's edits, then the other's, for the other's year where it has one."""
        return replace(
            other,
            name=f"{self.name}+{other.name}",
            label="、".join(x for x in (self.label, other.label) if x),
            edits=self.edits + other.edits,
            year=self.year if other.year is None else other.year,
            planned=self.planned or other.planned,
        )

    def on(self, district: District) -> District:
        """
        Return the district with this plan carried out; `district` stays as it was.

        Raises
        ------
        ScenarioError
            An edit that cannot be carried out: which one, and why.
        """
        year = district.year if self.year is None else self.year
        base = district.at(year, planned=self.planned or district.with_planned)
        rows: Rows = dict(base.rows)
        work = _Work(rows, base.crs, year, set(base.kinds.index))
        for number, edit in enumerate(self.edits, 1):
            try:
                _DO[edit.do].carry_out(work, edit.what)
            except ScenarioError as error:
                raise ScenarioError(f"方案 {self.label or self.name} 第 {number} 步 {edit.do}：{error}") from None
        return base.with_rows(rows, scenario=self.label or self.name)


def scenarios(district: District) -> pd.DataFrame:
    """List the scenarios of a district's folder: index name; columns label, year, edits (how many), note."""
    found = []
    for path in sorted((district.folder / "scenarios").glob("*.toml")):
        plan = Scenario.read(path)
        found.append((path.stem, plan.label, plan.year, len(plan.edits), plan.note))
    return pd.DataFrame(found, columns=["name", "label", "year", "edits", "note"]).set_index("name")


def effects(before: District, after: District, *, rules: str = "plan") -> pd.DataFrame:
    """
    Say, rule by rule, what a plan changes for whom.

    Returns
    -------
    table
        Index rule. `label`, `before`, `after` (shares by the rule's denominator), `change`; `people_gain`, `people_lose`
        (people of homes that exist in both, newly served or no longer), `people_60plus_gain`, `people_60plus_lose`,
        `people_new_served`, `people_new_unserved` (in homes that only exist after), `homes_gain`, `homes_lose` (names, the
        first ten).
    """
    a, b = coverage(before, rules=rules), coverage(after, rules=rules)
    old, new = summary(a), summary(b)
    table = old[["label"]].copy()
    table["before"], table["after"] = old["share"], new["share"].reindex(old.index)
    table["change"] = table["after"] - table["before"]
    both = a[["served", "people", "people_60plus", "name"]].join(b["served"].rename("served_after"), how="inner")
    change = (both["served_after"] - both["served"]).fillna(0.0)
    for people in ("people", "people_60plus"):
        table[f"{people}_gain"] = (change.clip(lower=0) * both[people]).groupby(level="rule").sum()
        table[f"{people}_lose"] = (-change.clip(upper=0) * both[people]).groupby(level="rule").sum()
    fresh = b[~b.index.isin(a.index)]
    table["people_new_served"] = (fresh["served"] * fresh["people"]).groupby(level="rule").sum()
    table["people_new_unserved"] = ((1 - fresh["served"]) * fresh["people"]).groupby(level="rule").sum()
    names = both["name"].fillna(both.index.get_level_values("home").to_series(index=both.index))
    for column, mask in (("homes_gain", change > 1e-9), ("homes_lose", change < -1e-9)):
        table[column] = names[mask].groupby(level="rule").apply(_some)
    counted = [c for c in table.columns if c.startswith("people_")]
    table[counted] = table[counted].fillna(0.0)
    table[["homes_gain", "homes_lose"]] = table[["homes_gain", "homes_lose"]].astype("object").fillna("")
    return table


def _some(names: pd.Series) -> str:
    listed = list(dict.fromkeys(map(str, names)))
    return "、".join(listed[:10]) + (f" 等 {len(listed)} 个" if len(listed) > 10 else "")


# --- carrying out ----------------------------------------------------------------------------------------------------


@dataclass
class _Work:
    """The rows an `on` call edits: its own copies, never the district's."""

    rows: Rows
    crs: str
    year: int
    kinds: set[str]

    def frame(self, layer: str) -> gpd.GeoDataFrame:
        if layer not in self.rows:
            columns = {c: pd.Series(dtype="object") for c in LAYERS[layer].names if c != LAYERS[layer].key}
            empty = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=self.crs), crs=self.crs)
            empty.index = pd.Index([], dtype="str", name=LAYERS[layer].key)
            return empty
        return self.rows[layer]

    def need(self, layer: str, key: str) -> None:
        known = list(self.frame(layer).index)
        if key not in known:
            close = difflib.get_close_matches(key, [str(k) for k in known], n=1)
            hint = f"；是否想写 {close[0]}" if close else ""
            raise ScenarioError(f"没有{LAYERS[layer].label} {key}{hint}")

    def add(self, layer: str, key: str, row: Mapping[str, Any], shape: shapely.Geometry) -> None:
        frame = self.frame(layer)
        if key in frame.index:
            raise ScenarioError(f"{LAYERS[layer].label}编号 {key} 已经有了，换一个")
        columns = [c for c in LAYERS[layer].names if c != LAYERS[layer].key]
        cells: dict[str, list[Any]] = {c: [row.get(c)] for c in columns}
        cells["basis"] = [row.get("basis", "derived")]
        cells["source"] = [row.get("source", "方案")]
        new = gpd.GeoDataFrame(cells, geometry=[shape], crs=self.crs, index=pd.Index([key], name=LAYERS[layer].key))
        if len(frame):
            for column in columns:
                new[column] = new[column].astype(frame[column].dtype) if column != "steps" else bool(row.get("steps"))
            new = pd.concat([frame, new])
        self.rows[layer] = new

    def put(self, layer: str, key: str, column: str, value: Any) -> None:
        self.need(layer, key)
        frame = self.frame(layer).copy()
        frame.loc[key, column] = value
        self.rows[layer] = frame

    def drop(self, layer: str, keys: Sequence[str]) -> None:
        frame = self.frame(layer)
        self.rows[layer] = frame[~frame.index.isin(keys)]

    def spot(self, e: Mapping[str, Any]) -> shapely.Point:
        """Return where an edit puts something: `at` (longitude, latitude) or `xy` (metres in the district's CRS)."""
        if ("at" in e) == ("xy" in e):
            raise ScenarioError("位置写一个：at = [经度, 纬度]，或 xy = [东, 北]（米，本街道计算用的坐标系）")
        return self.place(e["at"]) if "at" in e else shapely.Point(*map(float, e["xy"]))

    def place(self, at: Sequence[float]) -> shapely.Point:
        spot = gpd.GeoSeries([shapely.Point(*map(float, at))], crs="EPSG:4326").to_crs(self.crs).iloc[0]
        if not math.isfinite(spot.x):
            raise ScenarioError(f"位置不是经纬度：{list(at)}")
        return spot


@dataclass(frozen=True, slots=True)
class _Do:
    """One kind of edit: what it needs, what it may have, and how it is carried out."""

    needs: Mapping[str, type | tuple[type, ...]]
    may: Mapping[str, type | tuple[type, ...]]
    carry_out: Callable[[_Work, Mapping[str, Any]], None] = field(repr=False)


_NUMBER = (int, float)


def _open_facility(work: _Work, e: Mapping[str, Any]) -> None:
    if e["kind"] not in work.kinds:
        close = difflib.get_close_matches(e["kind"], work.kinds, n=1)
        raise ScenarioError(f"没有设施类别 {e['kind']}" + (f"；是否想写 {close[0]}" if close else ""))
    row = {"name": e.get("name", e["facility"]), "kind": e["kind"], "state": "open", "capacity": e.get("capacity")}
    work.add("facilities", e["facility"], row, work.spot(e))


def _close_facility(work: _Work, e: Mapping[str, Any]) -> None:
    work.put("facilities", e["facility"], "state", "closed")


def _move_facility(work: _Work, e: Mapping[str, Any]) -> None:
    work.put("facilities", e["facility"], "geometry", work.spot(e))
    # its drawn entrances stand where it was
    entrances = work.frame("entrances")
    if len(entrances):
        work.drop("entrances", list(entrances.index[(entrances["facility"] == e["facility"]).to_numpy()]))


def _resize_facility(work: _Work, e: Mapping[str, Any]) -> None:
    work.put("facilities", e["facility"], "capacity", float(e["capacity"]))


def _open_planned(work: _Work, e: Mapping[str, Any]) -> None:
    work.need("facilities", e["facility"])
    if work.frame("facilities").loc[e["facility"], "state"] != "planned":
        raise ScenarioError(f"{e['facility']} 不是规划中的设施")
    work.put("facilities", e["facility"], "state", "open")
    work.put("facilities", e["facility"], "since", pd.NA)


def _demolish_homes(work: _Work, e: Mapping[str, Any]) -> None:
    gates = work.frame("gates")
    for home in e["homes"]:
        work.need("homes", home)
    work.drop("homes", e["homes"])
    if len(gates):
        work.drop("gates", list(gates.index[gates["home"].isin(e["homes"]).to_numpy()]))
    streets = work.frame("streets")
    if len(streets):
        work.drop("streets", list(streets.index[streets["home"].isin(e["homes"]).to_numpy()]))


def _build_homes(work: _Work, e: Mapping[str, Any]) -> None:
    """People directly, or floor-area ratio x site area / m2 per dwelling x household size."""
    work.need("parcels", e["parcel"])
    site = work.frame("parcels").geometry[e["parcel"]]
    share = float(e.get("site_share", 1.0))
    if not 0 < share <= 1:
        raise ScenarioError(f"site_share 应在 0 和 1 之间：{share}")
    households, people = e.get("households"), e.get("people")
    if people is None:
        missing = [k for k in ("far", "m2_per_dwelling", "household_size") if k not in e]
        if missing:
            raise ScenarioError(
                f"没有写 people，就要写全 far、m2_per_dwelling、household_size（缺 {'、'.join(missing)}）"
            )
        households = round(float(e["far"]) * site.area * share / float(e["m2_per_dwelling"]))
        people = households * float(e["household_size"])
    elderly = e.get("people_60plus", float(people) * float(e["share_60plus"]) if "share_60plus" in e else None)
    row = {
        "name": e.get("name", e["home"]),
        "households": households,
        "people": float(people),
        "people_60plus": elderly,
    }
    work.add("homes", e["home"], row, site)
    for i, at in enumerate(e.get("gates", ()), 1):
        work.add("gates", f"{e['home']}-g{i}", {"home": e["home"], "state": "open"}, work.place(at))


def _open_gate(work: _Work, e: Mapping[str, Any]) -> None:
    if "at" in e:
        if "home" not in e:
            raise ScenarioError("新开出入口要写 home（哪个小区）")
        work.need("homes", e["home"])
        wall = shapely.boundary(work.frame("homes").geometry[e["home"]])
        spot = work.place(e["at"])
        work.add("gates", e["gate"], {"home": e["home"], "state": "open"},
                 wall.interpolate(wall.project(spot)) if not wall.is_empty else spot)  # fmt: skip
        return
    work.put("gates", e["gate"], "state", "open")


def _close_gate(work: _Work, e: Mapping[str, Any]) -> None:
    work.put("gates", e["gate"], "state", "closed")


def _add_street(work: _Work, e: Mapping[str, Any]) -> None:
    if len(e["line"]) < 2:
        raise ScenarioError("街道至少要两个点")
    streets, line = join_ends(work.frame("streets"), shapely.LineString([work.place(at) for at in e["line"]]))
    work.rows["streets"] = streets
    row = {
        "name": e.get("name", e["street"]),
        "class": e.get("class", "footway"),
        "wait_s": e.get("wait_s"),
        "steps": e.get("steps", False),
    }
    work.add("streets", e["street"], row, line)


def _close_street(work: _Work, e: Mapping[str, Any]) -> None:
    work.need("streets", e["street"])
    work.drop("streets", [e["street"]])


def _set_wait(work: _Work, e: Mapping[str, Any]) -> None:
    if not 0 <= float(e["wait_s"]) <= 3600:
        raise ScenarioError(f"等待秒数不合理：{e['wait_s']}")
    work.put("streets", e["street"], "wait_s", float(e["wait_s"]))


_DO: Mapping[str, _Do] = {
    "open_facility": _Do({"facility": str, "kind": str}, {"at": list, "xy": list, "name": str, "capacity": _NUMBER}, _open_facility),
    "close_facility": _Do({"facility": str}, {}, _close_facility),
    "move_facility": _Do({"facility": str}, {"at": list, "xy": list}, _move_facility),
    "resize_facility": _Do({"facility": str, "capacity": _NUMBER}, {}, _resize_facility),
    "open_planned": _Do({"facility": str}, {}, _open_planned),
    "demolish_homes": _Do({"homes": list}, {}, _demolish_homes),
    "build_homes": _Do(
        {"parcel": str, "home": str},
        {
            "name": str, "people": _NUMBER, "people_60plus": _NUMBER, "households": int, "far": _NUMBER, "site_share": _NUMBER,
            "m2_per_dwelling": _NUMBER, "household_size": _NUMBER, "share_60plus": _NUMBER, "gates": list,
        },
        _build_homes,
    ),
    "open_gate": _Do({"gate": str}, {"home": str, "at": list}, _open_gate),
    "close_gate": _Do({"gate": str}, {}, _close_gate),
    "add_street": _Do({"street": str, "line": list}, {"name": str, "class": str, "wait_s": _NUMBER, "steps": bool}, _add_street),
    "close_street": _Do({"street": str}, {}, _close_street),
    "set_wait": _Do({"street": str, "wait_s": _NUMBER}, {}, _set_wait),
}  # fmt: skip


def _unknown(data: Mapping[str, Any], known: set[str], where: str) -> Iterator[str]:
    for key in sorted(set(data) - known):
        close = difflib.get_close_matches(key, sorted(known), n=1)
        yield f"{where}：不认识的项 {key}；" + (
            f"是否想写 {close[0]}" if close else f"可用：{'、'.join(sorted(known))}"
        )


def _wrong_edit(entry: Mapping[str, Any], where: str) -> Iterator[str]:
    do = str(entry.get("do"))
    if do not in _DO:
        close = difflib.get_close_matches(do, list(_DO), n=1)
        yield f"{where}：不认识的动作 {do}；" + (f"是否想写 {close[0]}" if close else f"可用：{'、'.join(_DO)}")
        return
    what = _DO[do]
    yield from _unknown(entry, {"do", *what.needs, *what.may}, f"{where} {do}")
    for key, kind in {**what.needs, **what.may}.items():
        if key not in entry:
            if key in what.needs:
                yield f"{where} {do}：缺少 {key}"
        elif not isinstance(entry[key], kind) or (isinstance(entry[key], bool) and kind is not bool):
            yield f"{where} {do}：{key} 的写法不对（{entry[key]!r}）"

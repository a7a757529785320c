"""
Named edits to a District, and what they change for whom.

A scenario is pure data: a name, a year, an ordered list of edits, read from and written to TOML. `Scenario.on` returns a new
District; the old one is untouched. Positions are longitude and latitude (WGS84), as a map shows them, or metres in the
district's own CRS, as the live map exports them.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd
import shapely
import tomli_w

from .coverage import coverage, summary
from .district import District, join_ends
from .errors import ScenarioError, os_words, text_words
from .layers import LAYERS
from .values import Edit, Rule

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

        Parameters
        ----------
        path
            A .toml file as `text` writes it.

        Returns
        -------
        Scenario
            As it stands in the file: positions (`xy`) in metres in the CRS of the district.

        Raises
        ------
        ScenarioError
            Unreadable, or with unknown or missing keys (each with the nearest known one).
        """
        path = Path(path)
        try:
            data = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            raise ScenarioError(f"方案文件读不出来：{path.name}（{os_words(error)}）") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ScenarioError(f"方案文件 {path.name} 读不懂：{text_words(error)}") from error
        wrong = [f"{path.name}：{text}" for text in (*_unknown(data, [*_HEAD, "edit"]), *_misfits(data, _HEAD))]
        edits = data.pop("edit", [])
        if not isinstance(edits, list) or not all(isinstance(entry, dict) for entry in edits):
            wrong.append(f"{path.name}：每一步写成一个 [[edit]]（两层方括号），下面写 do = …")
            edits = []
        for number, entry in enumerate(edits, 1):
            wrong += [f"{path.name} 第 {number} 步 {entry.get('do', '')}：{text}" for text in _wrong_edit(entry)]
        if wrong:
            raise ScenarioError("\n".join(wrong))
        steps = tuple(Edit(e["do"], {k: v for k, v in e.items() if k != "do"}) for e in edits)
        return Scenario(**{**data, "name": data.get("name") or path.stem}, edits=steps)

    def text(self) -> str:
        """
        Write the scenario as TOML.

        Returns
        -------
        text
            `read` of a file with this text gives an equal scenario.
        """
        head: dict[str, Any] = {"name": self.name, "label": self.label}
        if self.year is not None:
            head["year"] = self.year
        if self.planned:
            head["planned"] = True
        if self.note:
            head["note"] = self.note
        return tomli_w.dumps({**head, "edit": [{"do": e.do, **e.what} for e in self.edits]})

    def then(self, other: Scenario) -> Scenario:
        """
        Put both into one: this one's edits, then the other's.

        Parameters
        ----------
        other
            The scenario that follows; its year counts where it has one.

        Returns
        -------
        Scenario
            A third one; both stay as they were.
        """
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

        Parameters
        ----------
        district
            What `District.load` opened; it stays as it was.

        Returns
        -------
        District
            In the year of the plan, its layers in the same CRS (metres); every number of it names the plan.

        Raises
        ------
        ScenarioError
            An edit that cannot be carried out: which one, and why.
        """
        base, rows, problems = _carried_out(self, district, all_problems=False)
        if problems:
            raise ScenarioError(f"方案 {self.label or self.name} {_where(problems[0])}：{problems[0][2]}") from None
        return base.with_rows(rows, scenario=self.label or self.name)


Trouble = tuple[int, str, str]  # number of the edit from 1, what it does, why it cannot be done


def _where(trouble: Trouble) -> str:
    return f"第 {trouble[0]} 步 {trouble[1]}"


def _carried_out(plan: Scenario, district: District, *, all_problems: bool) -> tuple[District, Rows, list[Trouble]]:
    """Carry out a plan's edits on copies; stop at the first that cannot be done, or note it and go on."""
    year = district.year if plan.year is None else plan.year
    base = district.at(year, planned=plan.planned or district.with_planned)
    work = _Work(dict(base.rows), base.crs, year, set(base.kinds.index))
    problems: list[Trouble] = []
    for number, edit in enumerate(plan.edits, 1):
        try:
            wrong = list(_wrong_edit({"do": edit.do, **edit.what}))
            if wrong:  # edits made in Python have not come in by `read`
                raise ScenarioError("；".join(wrong))
            _DO[edit.do].carry_out(work, edit.what)
        except ScenarioError as error:
            problems.append((number, edit.do, str(error)))
            if not all_problems:
                break
    return base, work.rows, problems


def conflicts(plan: Scenario, district: District) -> pd.DataFrame:
    """
    List every edit of a plan that cannot be carried out on a district, and why.

    Edits are tried in order; one that fails is left out and the rest go on, so that all are named at once.

    Returns
    -------
    table
        Index step (1 is the first edit); columns do, problem (Chinese). Empty where the plan can be carried out.
    """
    _, _, problems = _carried_out(plan, district, all_problems=True)
    return pd.DataFrame(problems, columns=["step", "do", "problem"]).set_index("step")


def steps(plan: Scenario, district: District) -> pd.DataFrame:
    """
    Say in words what each edit does, with everything it assumes.

    Returns
    -------
    table
        Index step (1 is the first edit); columns do, text (Chinese: what is done to what), assumes (Chinese: the numbers it
        rests on, and what follows from them; empty where it assumes nothing).
    """
    year = district.year if plan.year is None else plan.year
    work = _Work(dict(district.at(year, planned=plan.planned).rows), district.crs, year, set(district.kinds.index))
    found = [(number, edit.do, *_in_words(work, district, edit)) for number, edit in enumerate(plan.edits, 1)]
    return pd.DataFrame(found, columns=["step", "do", "text", "assumes"]).set_index("step")


def _in_words(work: _Work, district: District, edit: Edit) -> tuple[str, str]:
    """Return what an edit does and what it assumes."""
    e = edit.what
    names = {
        key: "、".join(_named(work, layer, k) for k in ([e[key]] if isinstance(e[key], str) else e[key]))
        for key, layer in _LAYER_OF.items()
        if key in e
    }
    if edit.do == "open_facility":
        kind = e["kind"] if e["kind"] not in district.kinds.index else district.kinds.loc[e["kind"], "label"]
        size = f"规模 {e['capacity']:g}" if "capacity" in e else ""
        return f"新开{kind}：{e.get('name', e['facility'])}", "；".join(x for x in ("位置为假定", size) if x)
    if edit.do == "build_homes":
        return f"在{names['parcel']}新建住房：{e.get('name', e['home'])}", _built_text(work, e)
    if edit.do == "add_street":
        wait = f"，等待 {e['wait_s']:g} 秒" if "wait_s" in e else ""
        return f"新增步行通道：{e.get('name', e['street'])}", f"走向为假定{wait}" + (
            "，有台阶" if e.get("steps") else ""
        )
    if edit.do == "open_gate" and "at" in e:
        return f"给{names['home']}新开出入口 {e['gate']}", "位置为假定"
    more = {
        "resize_facility": f"规模改为 {e.get('capacity', 0):g}",
        "set_wait": f"每次等待改为 {e.get('wait_s', 0):g} 秒",
    }
    what = names.get("facility") or names.get("homes") or names.get("gate") or names.get("street") or ""
    return f"{_DO_LABELS[edit.do]}：{what}", more.get(edit.do, "新位置为假定" if edit.do == "move_facility" else "")


def _built_text(work: _Work, e: Mapping[str, Any]) -> str:
    """Spell out how many people a new estate has, and what that was worked out from."""
    try:
        homes = _new_home(work, e)
    except ScenarioError as error:
        return str(error)
    older = (
        "60 岁及以上不详" if homes["people_60plus"] is None else f"其中 60 岁及以上 {homes['people_60plus']:,.0f} 人"
    )
    dwellings = "户数不详" if homes["households"] is None else f"{homes['households']:,.0f} 户"
    result = f"{dwellings}，{homes['people']:,.0f} 人，{older}"
    if e.get("people") is not None:
        return f"人口直接给定：{result}"
    area = work.frame("parcels").geometry[e["parcel"]].area
    parts = [f"地块 {area / 1e4:.2f} 公顷", f"住宅用地占 {float(e.get('site_share', 1.0)):.0%}", f"容积率 {float(e['far']):g}",
             f"每户 {float(e['m2_per_dwelling']):g} m²", f"户均 {float(e['household_size']):g} 人"]  # fmt: skip
    if "share_60plus" in e:
        parts.append(f"60 岁及以上占 {float(e['share_60plus']):.0%}")
    return "，".join(parts) + f"；得 {result}"


def _named(work: _Work, layer: str, key: str) -> str:
    frame = work.frame(layer)
    names = list(frame.loc[frame.index == key, "name"].dropna())
    return f"{names[0]}（{key}）" if names else str(key)


def blank(district: District, name: str) -> str:
    """
    Return a commented scenario file ready to be edited: every edit there is, with ids that exist in the district.

    Every edit is commented out, so that the file is a valid plan (nothing is done) from the start.

    Raises
    ------
    ScenarioError
        A name that cannot be a file's.
    """
    if not re.fullmatch(r"[\w-]{1,60}", name):
        raise ScenarioError(f"方案名只用文字、数字、- 和 _：{name}")
    lines = [
        f"# 方案 {name}。一个 [[edit]] 是一步，从上到下做；去掉行首的 # 就生效。",
        "# 位置写 at = [经度, 纬度]（WGS84），或 xy = [东, 北]（米，本街道计算用的坐标系）。",
        f"name = {_toml(name)}",
        'label = ""          # 图表上的名称',
        f"year = {district.year}         # 哪一年；删去这一行就用数据年",
        "planned = false     # true：到期的规划设施也算开放",
        'note = ""           # 假定了什么',
    ]
    for do, what in _DO.items():
        lines += [
            "",
            f"# {_DO_LABELS[do]}" + (f"：{_DO_HELP[do]}" if do in _DO_HELP else ""),
            "# [[edit]]",
            f"# do = {_toml(do)}",
        ]
        lines += [f"# {key} = {_toml(_sample(district, do, key))}" for key in what.needs]
        lines += [f"# {key} = {_toml(_sample(district, do, key))}   # 可不写" for key in what.may]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a text, number, list or truth value as TOML on one line, which JSON's notation is."""
    return json.dumps(value, ensure_ascii=False)


def _sample(district: District, do: str, key: str) -> Any:
    """Return an example value: an id that exists where there is one."""
    spot = gpd.GeoSeries(district.network.edges.geometry.iloc[:1].interpolate(0.5, normalized=True)).to_crs("EPSG:4326")
    at = [round(float(spot.x.iloc[0]), 7), round(float(spot.y.iloc[0]), 7)]
    fresh = {
        ("open_facility", "facility"): "new-1",
        ("build_homes", "home"): "new-home",
        ("add_street", "street"): "new-street",
    }
    if (do, key) in fresh:
        return fresh[do, key]
    if key in _LAYER_OF:
        frame = district.rows.get(_LAYER_OF[key])
        ids = [] if frame is None else list(frame.index[:1])
        if key == "facility" and do == "open_planned" and frame is not None:
            ids = list(frame.index[(frame["state"] == "planned").to_numpy()][:1]) or ids
        first = str(ids[0]) if ids else "编号"
        return [first] if key == "homes" else first
    return {
        "at": at, "line": [at, [round(at[0] + 0.001, 7), at[1]]], "gates": [at], "kind": str(district.kinds.index[0]), "name": "名称",
        "xy": [round(float(v), 2) for v in shapely.get_coordinates(district.network.edges.geometry.iloc[0])[0]],
        "capacity": 100, "people": 2000, "people_60plus": 400, "households": 800, "far": 1.6, "site_share": 0.6,
        "m2_per_dwelling": 95, "household_size": 2.6, "share_60plus": 0.2, "class": "footway", "wait_s": 30, "steps": False,
    }[key]  # fmt: skip


def scenarios(district: District) -> pd.DataFrame:
    """List the scenarios of a district's folder: index name; columns label, year, edits (how many), note."""
    found = []
    for path in sorted((district.folder / "scenarios").glob("*.toml")):
        plan = Scenario.read(path)
        found.append((path.stem, plan.label, plan.year, len(plan.edits), plan.note))
    return pd.DataFrame(found, columns=["name", "label", "year", "edits", "note"]).set_index("name")


#: A place counts as fuller (or emptier) when it has a tenth more (or fewer) users: a convention of this tool.
FULLER = 1.1


def effects(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Say, rule by rule, what a plan changes for whom.

    Returns
    -------
    table
        Index rule. `label`, `before`, `after` (shares by the rule's denominator), `change`; `people_gain`, `people_lose`
        (people of homes that exist in both, newly served or no longer), `people_60plus_gain`, `people_60plus_lose`,
        `people_new_served`, `people_new_unserved` (in homes that only exist after), `people_crowded`, `people_relieved` (people of
        homes in both that are served in both, and now share their facility with a tenth more, or fewer, than before), `homes_gain`, `homes_lose` (names, the
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
    table = table.join(_crowding(a, b))
    names = both["name"].fillna(both.index.get_level_values("home").to_series(index=both.index))
    for column, mask in (("homes_gain", change > 1e-9), ("homes_lose", change < -1e-9)):
        table[column] = names[mask].groupby(level="rule").apply(_some)
    counted = [c for c in table.columns if c.startswith("people_")]
    table[counted] = table[counted].fillna(0.0)
    table[["homes_gain", "homes_lose"]] = table[["homes_gain", "homes_lose"]].astype("object").fillna("")
    return table


def home_changes(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Say home by home what changes between two states: minutes, and who is served.

    Returns
    -------
    table
        MultiIndex (home, rule), every home of either state. `name`, `label`, `people`, `people_60plus` (of `after`, or of
        `before` for homes that are gone), `state` (both, new, gone), `minutes_before`, `minutes_after` (median point, missing
        where unreachable), `minutes_change` (missing where either is), `served_before`, `served_after`, `served_change` (shares
        0-1; missing for homes that are not in both), `facility_before`, `facility_after`. Swapping the states turns the sign of
        every change.
    """
    a, b = coverage(before, rules=rules), coverage(after, rules=rules)
    return _changes(a, b)


def _changes(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    every = b.index.append(a.index[~a.index.isin(b.index)])
    left, right = a.reindex(every), b.reindex(every)
    here, there = every.isin(a.index), every.isin(b.index)
    table = pd.DataFrame(index=every)
    for column in ("name", "label", "people", "people_60plus"):
        table[column] = right[column].where(there, left[column])
    table["state"] = pd.Series("both", index=every).where(here, "new").where(there, "gone")
    for column in ("minutes", "served"):
        table[f"{column}_before"], table[f"{column}_after"] = left[column], right[column]
        table[f"{column}_change"] = right[column] - left[column]
    table["facility_before"], table["facility_after"] = left["facility"], right["facility"]
    return table


def sharing(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Count how many people share each facility in two states: everybody who is served, at the nearest.

    Returns
    -------
    table
        MultiIndex (rule, facility), facilities that anybody uses in either state. `label`, `name`, `users_before`,
        `users_after`, `change` (people); homes whose people are not known do not count.
    """
    covers = coverage(before, rules=rules), coverage(after, rules=rules)
    names: dict[str, Any] = {}
    for district in (before, after):
        frame = district.facilities
        names |= {} if frame is None else dict(zip(frame.index, frame["name"], strict=True))
    return _sharing(*covers, names)


def _sharing(a: pd.DataFrame, b: pd.DataFrame, names: Mapping[str, Any]) -> pd.DataFrame:
    users = [_users(cover) for cover in (a, b)]
    table = pd.DataFrame({"users_before": users[0], "users_after": users[1]}).fillna(0.0).sort_index()
    table["change"] = table["users_after"] - table["users_before"]
    labels = pd.concat([a, b])["label"].groupby(level="rule").first()
    table.insert(0, "label", labels.reindex(table.index.get_level_values("rule")).to_numpy())
    ids = table.index.get_level_values("facility")
    table.insert(1, "name", [names[i] if isinstance(names.get(i), str) else i for i in ids])
    return table


def _users(cover: pd.DataFrame) -> pd.Series:
    """Return the people served at each facility, index (rule, facility)."""
    rows = cover.assign(users=cover["served"] * cover["people"]).reset_index()
    found: pd.Series = rows[rows["users"] > 0].groupby(["rule", "facility"])["users"].sum()
    return found


def _crowding(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """
    Return, per rule, the people whose facility has a tenth more (and fewer) users than theirs had before.

    Of homes that are in both states and served in both; columns people_crowded, people_relieved.
    """
    both = a[["served", "people", "facility"]].join(b[["served", "facility"]].add_suffix("_after"), how="inner")
    rule = both.index.get_level_values("rule")
    counts = []
    for cover, column in ((a, "facility"), (b, "facility_after")):
        keys = pd.MultiIndex.from_arrays([rule, both[column]])
        counts.append(_users(cover).reindex(keys).to_numpy(dtype=float))
    people = both["people"] * both[["served", "served_after"]].min(axis=1)
    more = pd.Series(counts[1] > counts[0] * FULLER, index=both.index)
    fewer = pd.Series(counts[1] * FULLER < counts[0], index=both.index)
    sums = {name: (people * mask).groupby(level="rule").sum() for name, mask in
            (("people_crowded", more), ("people_relieved", fewer))}  # fmt: skip
    return pd.DataFrame(sums)


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


class _Form(NamedTuple):
    """What a value of a plan may be, and how that is said."""

    fits: Callable[[Any], bool]
    text: str


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _is_list(value: Any, fits: Callable[[Any], bool], least: int) -> bool:
    return isinstance(value, list | tuple) and len(value) >= least and all(map(fits, value))


def _is_pair(value: Any) -> bool:
    return _is_list(value, _is_number, 2) and len(value) == 2


def _is_lonlat(value: Any) -> bool:
    return _is_pair(value) and abs(value[0]) <= 180 and abs(value[1]) <= 90


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


_TEXT = _Form(lambda v: isinstance(v, str), "写成文字，加引号")
_ID = _Form(_is_name, "写成编号，加引号")
_IDS = _Form(lambda v: _is_list(v, _is_name, 1), '写成编号的列表：["H001", "H002"]')
_AMOUNT = _Form(lambda v: _is_number(v) and v >= 0, "写成不小于 0 的数")
_WHOLE = _Form(lambda v: _is_number(v) and v >= 0 and float(v).is_integer(), "写成不小于 0 的整数")
_YEAR = _Form(lambda v: _WHOLE.fits(v) and 1900 <= v <= 2200, "写成 1900—2200 之间的整数")
_FLAG = _Form(lambda v: isinstance(v, bool), "写成 true 或 false，不加引号")
_AT = _Form(_is_lonlat, "写成 [经度, 纬度]")
_XY = _Form(_is_pair, "写成 [东, 北]（米）")
_SPOTS = _Form(lambda v: _is_list(v, _is_lonlat, 1), "写成 [经度, 纬度] 的列表：[[117.60, 39.03]]")
_LINE = _Form(
    lambda v: _is_list(v, _is_lonlat, 2) and any(tuple(at) != tuple(v[0]) for at in v),
    "至少两个不同的点：[[117.60, 39.03], [117.61, 39.03]]",
)
#: What stands at the head of a plan's file.
_HEAD = {"name": _TEXT, "label": _TEXT, "year": _YEAR, "planned": _FLAG, "note": _TEXT}


@dataclass(frozen=True, slots=True)
class _Do:
    """One kind of edit: what it needs, what it may have, and how it is carried out."""

    needs: Mapping[str, _Form]
    may: Mapping[str, _Form]
    carry_out: Callable[[_Work, Mapping[str, Any]], None] = field(repr=False)


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


def _new_home(work: _Work, e: Mapping[str, Any]) -> dict[str, Any]:
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
        small = [k for k in ("far", "m2_per_dwelling", "household_size") if not float(e[k]) > 0]
        if small:
            raise ScenarioError(f"{'、'.join(small)} 必须大于 0")
        households = round(float(e["far"]) * site.area * share / float(e["m2_per_dwelling"]))
        people = households * float(e["household_size"])
    older = e.get("people_60plus", float(people) * float(e["share_60plus"]) if "share_60plus" in e else None)
    if float(people) < 0 or (older is not None and not 0 <= float(older) <= float(people)):
        raise ScenarioError(f"人口不能为负，60 岁及以上不能多于常住人口：{people:g}、{older}")
    return {"name": e.get("name", e["home"]), "households": households, "people": float(people), "people_60plus": older}


def _build_homes(work: _Work, e: Mapping[str, Any]) -> None:
    work.add("homes", e["home"], _new_home(work, e), work.frame("parcels").geometry[e["parcel"]])
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
    "open_facility": _Do({"facility": _ID, "kind": _ID}, {"at": _AT, "xy": _XY, "name": _TEXT, "capacity": _AMOUNT}, _open_facility),
    "close_facility": _Do({"facility": _ID}, {}, _close_facility),
    "move_facility": _Do({"facility": _ID}, {"at": _AT, "xy": _XY}, _move_facility),
    "resize_facility": _Do({"facility": _ID, "capacity": _AMOUNT}, {}, _resize_facility),
    "open_planned": _Do({"facility": _ID}, {}, _open_planned),
    "demolish_homes": _Do({"homes": _IDS}, {}, _demolish_homes),
    "build_homes": _Do(
        {"parcel": _ID, "home": _ID},
        {
            "name": _TEXT, "people": _AMOUNT, "people_60plus": _AMOUNT, "households": _WHOLE, "far": _AMOUNT, "site_share": _AMOUNT,
            "m2_per_dwelling": _AMOUNT, "household_size": _AMOUNT, "share_60plus": _AMOUNT, "gates": _SPOTS,
        },
        _build_homes,
    ),
    "open_gate": _Do({"gate": _ID}, {"home": _ID, "at": _AT}, _open_gate),
    "close_gate": _Do({"gate": _ID}, {}, _close_gate),
    "add_street": _Do({"street": _ID, "line": _LINE}, {"name": _TEXT, "class": _TEXT, "wait_s": _AMOUNT, "steps": _FLAG}, _add_street),
    "close_street": _Do({"street": _ID}, {}, _close_street),
    "set_wait": _Do({"street": _ID, "wait_s": _AMOUNT}, {}, _set_wait),
}  # fmt: skip


#: Edits in the words of a planner, and what is to be known about them.
_DO_LABELS = {
    "open_facility": "新开设施", "close_facility": "停用设施", "move_facility": "迁移设施", "resize_facility": "改变规模",
    "open_planned": "规划设施建成", "demolish_homes": "拆除小区", "build_homes": "新建住房", "open_gate": "打开出入口",
    "close_gate": "关闭出入口", "add_street": "新增街道、桥或过街", "close_street": "封闭路段", "set_wait": "改变过街等待",
}  # fmt: skip
_DO_HELP = {
    "open_facility": "at 和 xy 写一个",
    "move_facility": "at 和 xy 写一个",
    "build_homes": "直接写 people，或写全 far、m2_per_dwelling、household_size；两种写法留一种",
    "open_gate": "已有的写编号；新开的再写 home 和 at",
    "add_street": "两端 10 米内的街道会接上",
    "set_wait": "整段多等的秒数",
}
#: Which layer a key of an edit names something of.
_LAYER_OF = {
    "facility": "facilities", "homes": "homes", "home": "homes", "gate": "gates", "street": "streets", "parcel": "parcels",
}  # fmt: skip


def _unknown(data: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    for key in sorted(set(data) - set(known)):
        close = difflib.get_close_matches(key, sorted(known), n=1)
        yield f"不认识的项 {key}；" + (f"是否想写 {close[0]}" if close else f"可用：{'、'.join(sorted(known))}")


def _wrong_edit(edit: Mapping[str, Any]) -> Iterator[str]:
    """Name everything that is wrong with one edit as it is written."""
    do = str(edit.get("do"))
    if do not in _DO:
        close = difflib.get_close_matches(do, list(_DO), n=1)
        yield f"不认识的动作 {do}；" + (f"是否想写 {close[0]}" if close else f"可用：{'、'.join(_DO)}")
        return
    forms = {**_DO[do].needs, **_DO[do].may}
    yield from _unknown(edit, ["do", *forms])
    yield from (f"缺少 {key}" for key in _DO[do].needs if key not in edit)
    yield from _misfits(edit, forms)


def _misfits(entry: Mapping[str, Any], forms: Mapping[str, _Form]) -> Iterator[str]:
    """Name the values that are not what they may be."""
    for key, form in forms.items():
        if key in entry and not form.fits(entry[key]):
            yield f"{key} 的写法不对（{entry[key]!r}）；{form.text}"

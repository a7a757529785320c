"""The edits a plan is made of, as functions on rows: what each needs, how it is checked and carried out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import pandas as pd
import shapely

from ..core import HOLDERS, ScenarioError, amount, did_you_mean, nearest, say
from . import renewal_edits as renewal
from .edited_rows import DoneAlready, EditedRows, code_of
from .parcel_split import SPLIT, is_parts, split_in_words, split_parcel
from .street_edits import join_ends

#: Homes that share more than this part of the smaller one are in each other's place: outlines drawn by hand share edges.
OVERLAP_SHARE = 0.2
#: Two places of one kind this near to each other are one place (metres).
SAME_SPOT_M = 1.0


class _Form(NamedTuple):
    """What a value of a plan may be, how that is said, and one to begin with."""

    fits: Callable[[Any], bool]
    text: str
    sample: object = "编号"
    choices: Sequence[str] = ()

    @property
    def told(self) -> str:
        """How it is written, in the language that is spoken."""
        return say(self.text, say("、").join(self.choices))


def _is_number(value: object) -> TypeGuard[float]:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _is_list(value: object, fits: Callable[[Any], bool], least: int) -> bool:
    return isinstance(value, list | tuple) and len(value) >= least and all(map(fits, value))


def _is_pair(value: object) -> TypeGuard[Sequence[float]]:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))


def _is_lonlat(value: object) -> bool:
    return _is_pair(value) and abs(value[0]) <= 180 and abs(value[1]) <= 90


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


TEXT = _Form(lambda v: isinstance(v, str), "写成文字，加引号", "名称")
_ID = _Form(_is_name, "写成编号，加引号")
_IDS = _Form(lambda v: _is_list(v, _is_name, 1), '写成编号的列表：["H001", "H002"]', ["编号"])
_AMOUNT = _Form(lambda v: _is_number(v) and v >= 0, "写成不小于 0 的数", 100)
_WHOLE = _Form(lambda v: _is_number(v) and v >= 0 and float(v).is_integer(), "写成不小于 0 的整数", 100)
YEAR = _Form(lambda v: _WHOLE.fits(v) and 1900 <= v <= 2200, "写成 1900—2200 之间的整数")
#: What every edit may carry: the first and the last year at whose end it holds.
DATES = {"year": YEAR, "until": YEAR}
FLAG = _Form(lambda v: isinstance(v, bool), "写成 true 或 false，不加引号", False)
_HOLDER = _Form(lambda v: isinstance(v, str) and v in HOLDERS, "写成 {0} 之一；不分口径就不写", "owner", tuple(HOLDERS))
_FATE = _Form(
    lambda v: isinstance(v, str) and v in renewal.FATES,
    "写成 {0} 之一；还不知道就不写",
    "waiting",
    tuple(renewal.FATES),
)
_AT = _Form(_is_lonlat, "写成 [经度, 纬度]")
_XY = _Form(_is_pair, "写成 [东, 北]（米）")
_SPOTS = _Form(lambda v: _is_list(v, _is_lonlat, 1), "写成 [经度, 纬度] 的列表：[[117.60, 39.03]]")
_PARTS = _Form(
    is_parts,
    '写成两块以上，每块 {{ parcel = "编号", outline = [[经度, 纬度], …], share = 0.6 }}；outline 至少三个点，只有一块可以不写（剩下的），'
    "share 大于 0、不大于 1，可以不写",
)
_LINE = _Form(
    lambda v: _is_list(v, _is_lonlat, 2) and any(tuple(at) != tuple(v[0]) for at in v),
    "至少两个不同的点：[[117.60, 39.03], [117.61, 39.03]]",
)


@dataclass(frozen=True, slots=True)
class Action:
    """
    One kind of edit.

    Attributes
    ----------
    label
        What it is called.
    needs, may
        Its keys: those it must have, and those it may have.
    carry_out
        Changes the rows.
    words
        Says what it does ("" for the usual: its label, and what it names) and what it assumes.
    help
        What is to be known when it is written.
    makes
        The keys whose names it makes, each with one to begin with.
    lasting
        Whether it cannot end: what is torn down does not come back by itself.
    serves
        What it can do to those who live there: "places" (one more place to walk to), "ways" (one more way), "less" (a place or a
        way less), "moved" (a place goes elsewhere), "none"; "either" where it may change ways for better or worse.
    """

    label: str
    needs: Mapping[str, _Form]
    may: Mapping[str, _Form]
    carry_out: Callable[[EditedRows, Mapping[str, Any]], None] = field(repr=False)
    words: Callable[[EditedRows, Mapping[str, Any]], tuple[str, str]] | None = field(default=None, repr=False)
    help: str = ""
    makes: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = False
    serves: str = "either"

    def made_by(self, what: Mapping[str, Any]) -> list[str]:
        """Return the keys of what an edit of this kind makes; of parts, each that is a parcel from then on."""
        parts = (part.get("parcel") for part in what.get("parts", ()) if isinstance(part, Mapping))
        return [str(own) for own in (*(what.get(key) for key in self.makes), *parts) if own is not None]


def _open_facility(work: EditedRows, e: Mapping[str, Any]) -> None:
    _open_at(work, e, work.spot(e))


def _open_at(work: EditedRows, e: Mapping[str, Any], spot: shapely.Point) -> None:
    if e["kind"] not in work.kinds:
        raise ScenarioError(say("没有设施类别 {0}；{1}", e["kind"], code_of(e["kind"], work.kinds, work.kinds)))
    row = {"name": e.get("name", e["facility"]), "kind": e["kind"], "state": "open"}
    row |= {"capacity": e.get("capacity"), "floor_area_m2": e.get("floor_area_m2")}
    there = work.standing("facilities")
    same = there[((there["kind"] == e["kind"]) & (there["state"].fillna("open") == "open")).to_numpy(dtype=bool)]
    near = same.index[shapely.dwithin(same.geometry.array, spot, SAME_SPOT_M)] if len(same) else []
    if len(near):
        work.clashes.append(say("这里已有同类设施 {0} 开放，会算成两处；删去这一步，或改位置", near[0]))
    work.add("facilities", e["facility"], row, spot)


def _use_rooms(work: EditedRows, e: Mapping[str, Any]) -> None:
    """Open a facility in rooms that are there; what is in a host is entered by the host's own doors."""
    _open_at(work, e, renewal.rooms_at(work, e))
    entrances = work.frame("entrances")
    own = entrances[(entrances["facility"] == e.get("host")).to_numpy(dtype=bool, na_value=False)]
    for i, (_, door) in enumerate(own.iterrows(), 1):
        work.add("entrances", f"{e['facility']}-{i}", {"facility": e["facility"]}, door.geometry)


def _rooms_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    text, assumed = _opened_in_words(work, e)
    where = next((work.named(key, e[key]) for key in ("host", "home") if key in e), say("所写位置"))
    return say("{0}（用{1}的现有用房）", text, where), assumed


def _opened_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    assumed = [say("位置为假定"), *([say("规模 {0:g}", e["capacity"])] if "capacity" in e else [])]
    kind = work.kinds.get(e["kind"], e["kind"])
    return say("新开{0}：{1}", kind, e.get("name", e["facility"])), say("；").join(assumed)


def _running(work: EditedRows, facility: str) -> None:
    """Need a facility, and note a clash where it does not stand in the plan's year or no longer runs: what is done to it has no effect."""
    work.need("facilities", facility)
    work.note_if_absent("facilities", facility)
    if work.frame("facilities").loc[facility, "state"] != "closed":
        return
    step = work.made.get(("closed", facility))
    work.clashes.append(
        say("{0} 已经停用；删去这一步", facility)
        if step is None
        else say("{0} 在第 {1} 步已经停用；两步删去一步", facility, step)
    )


def _close_facility(work: EditedRows, e: Mapping[str, Any]) -> None:
    _running(work, e["facility"])
    work.made.setdefault(("closed", e["facility"]), work.step)
    work.put("facilities", e["facility"], "state", "closed")


def _move_facility(work: EditedRows, e: Mapping[str, Any]) -> None:
    _running(work, e["facility"])
    work.put("facilities", e["facility"], "geometry", work.spot(e))
    # its drawn entrances stand where it was
    entrances = work.frame("entrances")
    if len(entrances):
        work.drop("entrances", list(entrances.index[(entrances["facility"] == e["facility"]).to_numpy()]))


def _resize_facility(work: EditedRows, e: Mapping[str, Any]) -> None:
    _running(work, e["facility"])
    work.put("facilities", e["facility"], "capacity", float(e["capacity"]))


def _open_planned(work: EditedRows, e: Mapping[str, Any]) -> None:
    work.need("facilities", e["facility"])
    if ("opened", e["facility"]) in work.made:
        raise DoneAlready(say("{0} 在第 {1} 步已经建成；删去这一步", e["facility"], work.made["opened", e["facility"]]))
    if work.frame("facilities").loc[e["facility"], "state"] != "planned":
        raise ScenarioError(say("{0} 不是规划中的设施", e["facility"]))
    work.made["opened", e["facility"]] = work.step
    work.put("facilities", e["facility"], "state", "open")
    work.put("facilities", e["facility"], "since", pd.NA)


def _demolish_homes(work: EditedRows, e: Mapping[str, Any]) -> None:
    gates, homes = work.frame("gates"), [home for home in e["homes"] if ("homes", home) not in work.gone]
    for home in homes or e["homes"]:
        work.need("homes", home)
    for home in e["homes"]:
        if home not in homes:
            work.clashes.append(say("{0} 在第 {1} 步已经拆除；从这一步删去", home, work.gone["homes", home]))
    work.note_if_absent("homes", *homes)
    renewal.leave_demolished(work, homes)
    work.drop("homes", homes)
    if len(gates):
        work.drop("gates", list(gates.index[gates["home"].isin(homes).to_numpy()]))
    streets = work.frame("streets")
    if len(streets):
        work.drop("streets", list(streets.index[streets["home"].isin(homes).to_numpy()]))


def new_home(work: EditedRows, e: Mapping[str, Any]) -> dict[str, Any]:
    """People directly, or floor-area ratio x site area / m2 per dwelling x household size."""
    work.need("parcels", e["parcel"])
    site = work.frame("parcels").geometry[e["parcel"]]
    share = float(e.get("site_share", 1.0))
    if not 0 < share <= 1:
        raise ScenarioError(say("site_share 应在 0 和 1 之间：{0}", share))
    households, people = e.get("households"), e.get("people")
    if people is None:
        missing = [k for k in ("far", "m2_per_dwelling", "household_size") if k not in e]
        if missing:
            raise ScenarioError(
                say("没有写 people，就要写全 far、m2_per_dwelling、household_size（缺 {0}）", say("、").join(missing))
            )
        small = [k for k in ("far", "m2_per_dwelling", "household_size") if not float(e[k]) > 0]
        if small:
            raise ScenarioError(say("{0} 必须大于 0", say("、").join(small)))
        households = round(float(e["far"]) * site.area * share / float(e["m2_per_dwelling"]))
        people = households * float(e["household_size"])
    aged = 0.0 if float(people) == 0 else e.get("share_60plus")  # of nobody, nobody is 60
    older = e.get("people_60plus", None if aged is None else float(people) * float(aged))
    if float(people) < 0 or (older is not None and not 0 <= float(older) <= float(people)):
        raise ScenarioError(say("人口不能为负，60岁及以上不能多于常住人口：{0:g}、{1}", people, older))
    counts = {"households": households, "people": float(people), "people_60plus": older}
    return {"name": e.get("name", e["home"]), **counts, "parking_places": e.get("parking_places")}


def _build_homes(work: EditedRows, e: Mapping[str, Any]) -> None:
    new = new_home(work, e)
    work.add("homes", e["home"], new, work.frame("parcels").geometry[e["parcel"]])
    counts = {c: math.nan if new[c] is None else float(new[c]) for c in ("people", "people_60plus", "households")}
    work.flows.append(work.flow("new", work.parcel_of(e["home"]), counts, str(e["home"])))
    work.built[e["home"]] = work.step
    if e.get("gates"):
        work.walled.add(e["home"])
    for i, at in enumerate(e.get("gates", ()), 1):
        work.add("gates", f"{e['home']}-g{i}", {"home": e["home"], "state": "open"}, work.place(at))


def _built_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    where = work.named("parcel", e["parcel"])
    return say("在{0}新建住房：{1}", where, e.get("name", e["home"])), _built_text(work, e)


def _built_text(work: EditedRows, e: Mapping[str, Any]) -> str:
    """Spell out how many people a new estate has, and what that was worked out from."""
    try:
        homes = new_home(work, e)
    except ScenarioError as error:
        return str(error)
    older, dwellings = homes["people_60plus"], homes["households"]
    result = say("，").join(
        [
            say("户数不详") if dwellings is None else say("{0:,.0f} 户", dwellings),
            say("{0:,.0f} 人", homes["people"]),
            say("60岁及以上不详") if older is None else say("其中60岁及以上 {0:,.0f} 人", older),
            *([say("停车泊位 {0} 个", amount(e["parking_places"]))] if "parking_places" in e else []),
        ]
    )
    if e.get("people") is not None:
        return say("人口直接给定：{0}", result)
    parts = [
        say("地块 {0:.2f} 公顷", work.frame("parcels").geometry[e["parcel"]].area / 1e4),
        say("住宅用地占 {0:.0%}", float(e.get("site_share", 1.0))),
        say("容积率 {0:g}", float(e["far"])),
        say("每户 {0:g} m²", float(e["m2_per_dwelling"])),
        say("户均 {0:g} 人", float(e["household_size"])),
    ]
    if "share_60plus" in e:
        parts.append(say("60岁及以上占 {0:.0%}", float(e["share_60plus"])))
    return say("{0}；得 {1}", say("，").join(parts), result)


def _open_gate(work: EditedRows, e: Mapping[str, Any]) -> None:
    if "at" in e:
        if "home" not in e:
            raise ScenarioError(say("新开出入口要写 home（哪个小区）"))
        work.need("homes", e["home"])
        wall = shapely.boundary(work.frame("homes").geometry[e["home"]])
        spot = work.place(e["at"])
        work.add(
            "gates",
            e["gate"],
            {"home": e["home"], "state": "open"},
            wall.interpolate(wall.project(spot)) if not wall.is_empty else spot,
        )
        return
    _set_gate(work, e["gate"], "open", say("开着"))


def _gate_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    if "at" not in e:
        return "", ""
    return say("给{0}新开出入口 {1}", work.named("home", e["home"]), e["gate"]), say("位置为假定")


def _close_gate(work: EditedRows, e: Mapping[str, Any]) -> None:
    _set_gate(work, e["gate"], "closed", say("关着"))


def _set_gate(work: EditedRows, gate: str, state: str, already: str) -> None:
    work.need("gates", gate)
    work.note_if_absent("gates", gate)
    now = work.frame("gates").loc[gate, "state"]
    if ("open" if pd.isna(now) else now) == state:
        work.clashes.append(say("出入口 {0} 本来就{1}；删去这一步", gate, already))
    work.put("gates", gate, "state", state)


def _add_street(work: EditedRows, e: Mapping[str, Any]) -> None:
    streets, line = join_ends(work.frame("streets"), shapely.LineString([work.place(at) for at in e["line"]]))
    work.rows["streets"] = streets
    row = {
        "name": e.get("name", e["street"]),
        "class": e.get("class", "footway"),
        "wait_s": e.get("wait_s"),
        "steps": e.get("steps", False),
    }
    work.add("streets", e["street"], row, line)


def _street_in_words(_work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    assumes = say("走向为假定") + (say("，等待 {0:g} 秒", e["wait_s"]) if "wait_s" in e else "")
    assumes += say("，有台阶") if e.get("steps") else ""
    return say("新增步行通道：{0}", e.get("name", e["street"])), assumes


def _layer_of_street(work: EditedRows, street: str) -> str:
    """Return where a street is a row: a link that a planner has drawn is a street like any other."""
    own = street in work.frame("extra_links").index and street not in work.frame("streets").index
    return "extra_links" if own else "streets"


def _close_street(work: EditedRows, e: Mapping[str, Any]) -> None:
    layer = _layer_of_street(work, e["street"])
    work.need(layer, e["street"])
    work.drop(layer, [e["street"]])


def _open_lanes(work: EditedRows, e: Mapping[str, Any]) -> None:
    """Let everybody walk the inner lanes of a home; its gates, and all else, stay as they are."""
    work.need("homes", e["home"])
    streets = work.frame("streets").copy()
    own = (streets["home"] == e["home"]).fillna(False).to_numpy(dtype=bool)
    if not own.any():
        raise ScenarioError(say("{0} 没有画内部道路，没有什么可以开放；新开通道用 add_street", e["home"]))
    streets.loc[own, "home"] = pd.NA
    work.rows["streets"] = streets


def _set_wait(work: EditedRows, e: Mapping[str, Any]) -> None:
    if not 0 <= float(e["wait_s"]) <= 3600:
        raise ScenarioError(say("等待秒数不合理：{0}", e["wait_s"]))
    layer = _layer_of_street(work, e["street"])
    work.need(layer, e["street"])
    streets = work.frame(layer)
    if float(e["wait_s"]) > 0 and streets.loc[streets.index == e["street"], "home"].notna().any():
        raise ScenarioError(say("{0} 是小区内部道路，不写等待；等待只写在公共街道上", e["street"]))
    work.put(layer, e["street"], "wait_s", float(e["wait_s"]))


ACTIONS: Mapping[str, Action] = {
    "open_facility": Action(
        "新开设施",
        {"facility": _ID, "kind": _ID},
        {"at": _AT, "xy": _XY, "name": TEXT, "capacity": _AMOUNT},
        _open_facility,
        _opened_in_words,
        "at 和 xy 写一个",
        {"facility": "new-1"},
        serves="places",
    ),
    "close_facility": Action("停用设施", {"facility": _ID}, {}, _close_facility, serves="less"),
    "move_facility": Action(
        "迁移设施",
        {"facility": _ID},
        {"at": _AT, "xy": _XY},
        _move_facility,
        lambda _work, _e: ("", say("新位置为假定")),
        "at 和 xy 写一个",
        serves="moved",
    ),
    "resize_facility": Action(
        "改变规模",
        {"facility": _ID, "capacity": _AMOUNT},
        {},
        _resize_facility,
        lambda _work, e: ("", say("规模改为 {0:g}", e.get("capacity", 0))),
        serves="none",
    ),
    "open_planned": Action("规划设施建成", {"facility": _ID}, {}, _open_planned, serves="places"),
    "use_rooms": Action(
        "用现有用房开设施",
        {"facility": _ID, "kind": _ID},
        {"host": _ID, "home": _ID, "at": _AT, "xy": _XY, "name": TEXT, "capacity": _AMOUNT, "floor_area_m2": _AMOUNT},
        _use_rooms,
        _rooms_in_words,
        "用房在哪里，四种写一种：host（哪处设施）、home（哪个小区）、at、xy",
        {"facility": "new-rooms"},
        serves="places",
    ),
    "move_households": Action(
        "居民搬离",
        {"homes": _IDS},
        {
            "people": _AMOUNT,
            "people_60plus": _AMOUNT,
            "households": _WHOLE,
            "registered": _AMOUNT,
            "holder": _HOLDER,
            "fate": _FATE,
            "to": _ID,
        },
        renewal.move_households,
        renewal.moved_in_words,
        "不写 people 就是全部；fate 是去向：waiting 过渡中、elsewhere 异地安置、cash 货币离开，不写为待填；to 是住到哪个小区",
        serves="less",
    ),
    "demolish_homes": Action(
        "拆除小区",
        {"homes": _IDS},
        {},
        _demolish_homes,
        help="还住在里面的人算搬离，去向待填",
        lasting=True,
        serves="less",
    ),
    "build_homes": Action(
        "新建住房",
        {"parcel": _ID, "home": _ID},
        {
            "name": TEXT,
            "people": _AMOUNT,
            "people_60plus": _AMOUNT,
            "households": _WHOLE,
            "far": _AMOUNT,
            "site_share": _AMOUNT,
            "m2_per_dwelling": _AMOUNT,
            "household_size": _AMOUNT,
            "share_60plus": _AMOUNT,
            "parking_places": _WHOLE,
            "gates": _SPOTS,
        },
        _build_homes,
        _built_in_words,
        "直接写 people，或写全 far、m2_per_dwelling、household_size；两种写法留一种",
        {"home": "new-home"},
        serves="none",
    ),
    "return_households": Action(
        "还迁入住",
        {"parcel": _ID, "home": _ID, "people": _AMOUNT},
        {"people_60plus": _AMOUNT, "households": _WHOLE, "registered": _AMOUNT, "holder": _HOLDER},
        renewal.return_households,
        renewal.returned_in_words,
        "home 在原地块上；新来的人写在 build_homes 的 people，不算还迁",
        lasting=True,
        serves="none",
    ),
    "build_floor_area": Action(
        "新建建筑面积",
        {"parcel": _ID, "quantity": TEXT, "floor_area_m2": _AMOUNT},
        {},
        renewal.build_floor_area,
        renewal.floor_in_words,
        "quantity 是 quantities.csv 里建筑面积的一项；加在地块台账那一年的数上",
        lasting=True,
        serves="none",
    ),
    "change_use": Action(
        "改变用途", {"parcel": _ID, "use": TEXT}, {}, renewal.change_use, renewal.use_in_words, serves="none"
    ),
    SPLIT: Action(
        "划分地块",
        {"parcel": _ID, "parts": _PARTS},
        {},
        split_parcel,
        split_in_words,
        'parts 也可以写成 layer = "文件名.geojson"：放在方案文件旁边，每块一个多边形，属性 parcel、name、share',
        lasting=True,
        serves="none",
    ),
    "retrofit": Action(
        "改造小区",
        {"home": _ID},
        {
            "elevators": _WHOLE,
            "parking_places": _WHOLE,
            "floor_area_m2": _AMOUNT,
            "property_managed": FLAG,
            "gates": _SPOTS,
        },
        renewal.retrofit,
        renewal.retrofit_in_words,
        "写改造以后一共有多少",
        lasting=True,
    ),
    "open_gate": Action(
        "打开出入口",
        {"gate": _ID},
        {"home": _ID, "at": _AT},
        _open_gate,
        _gate_in_words,
        "已有的写编号；新开的再写 home 和 at",
        serves="ways",
    ),
    "close_gate": Action("关闭出入口", {"gate": _ID}, {}, _close_gate, serves="less"),
    "add_street": Action(
        "新增街道、桥或过街",
        {"street": _ID, "line": _LINE},
        {"name": TEXT, "class": TEXT, "wait_s": _AMOUNT, "steps": FLAG},
        _add_street,
        _street_in_words,
        "两端 10 米内的街道会接上",
        {"street": "new-street"},
        serves="ways",
    ),
    "close_street": Action("封闭路段", {"street": _ID}, {}, _close_street, serves="less"),
    "open_lanes": Action(
        "开放内部道路",
        {"home": _ID},
        {},
        _open_lanes,
        help="拆围墙、街区制：这个小区的内部道路谁都可以走；出入口不变",
        serves="ways",
    ),
    "set_wait": Action(
        "改变过街等待",
        {"street": _ID, "wait_s": _AMOUNT},
        {},
        _set_wait,
        lambda _work, e: ("", say("每次等待改为 {0:g} 秒", e.get("wait_s", 0))),
        "整段多等的秒数，只用于公共街道",
    ),
}


def built_over(work: EditedRows) -> Iterator[tuple[int, str]]:
    """
    Name the homes that a plan builds where others are lived in at the end: their people would be counted twice.

    Yields
    ------
    step, problem
        The step that builds them, and over which homes, with how many people, in words.
    """
    homes = work.standing("homes")
    for home, step in work.built.items():
        if home not in homes.index:
            continue
        site, others = homes.geometry[home], homes[homes.index != home]
        found = others.iloc[np.sort(others.sindex.query(site, predicate="intersects"))]
        smaller = np.minimum(found.geometry.area, site.area)
        shared = shapely.area(shapely.intersection(found.geometry.array, site))
        over = found[(shared > OVERLAP_SHARE * smaller) | (smaller == 0).to_numpy()]
        if over.empty:
            continue
        names = say("、").join(over.index[:6]) + (say(" 等") if len(over) > 6 else "")
        people = say("人口不详") if over["people"].isna().any() else say("{0} 人", amount(over["people"].sum()))
        yield (
            step,
            say(
                "建在 {0} 年仍有人住的 {1} 个小区上（{2}，{3}），人口会算两次；先写 demolish_homes 拆除它们，或改年份、换地块",
                work.year,
                len(over),
                names,
                people,
            ),
        )


def unknown_keys(data: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    """Name the keys that nobody knows, each with the nearest that is known."""
    for key in sorted(set(data) - set(known)):
        yield say("不认识的项 {0}；{1}", key, did_you_mean(key, sorted(known)))


def wrong_edit(edit: Mapping[str, Any]) -> Iterator[str]:
    """Name everything that is wrong with one edit as it is written."""
    do = str(edit.get("do"))
    if do not in ACTIONS:
        yield say("不认识的动作 {0}；{1}", do, nearest(do, ACTIONS) or say("能做的：{0}", say("、").join(ACTIONS)))
        return
    forms = {**ACTIONS[do].needs, **ACTIONS[do].may}
    yield from unknown_keys({k: v for k, v in edit.items() if k not in DATES}, ["do", *forms])
    more = ACTIONS[do].help and say("（{0}）", say(ACTIONS[do].help))
    yield from (say("缺少 {0}{1}", key, more) for key in ACTIONS[do].needs if key not in edit)
    wrong = list(misfits(edit, {**forms, **DATES}))
    yield from wrong
    if "until" in edit and ACTIONS[do].lasting:
        yield say("{0} 不能写 until：{1}做了就是做了；以后的变化另写一步", do, say(ACTIONS[do].label))
    elif not wrong and "until" in edit and edit["until"] < edit.get("year", 0):
        yield say("until（{0}）早于 year（{1}）", edit["until"], edit["year"])


def misfits(entry: Mapping[str, Any], forms: Mapping[str, _Form]) -> Iterator[str]:
    """Name the values that are not what they may be."""
    for key, form in forms.items():
        if key in entry and not form.fits(entry[key]):
            yield say("{0} 的写法不对（{1}）；{2}", key, repr(entry[key]), form.told)

"""Plans in words: what each step does and assumes, what cannot be carried out, a commented file to start from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from ..core import Edit, ScenarioError, say
from .district import District
from .edits import ACTIONS, EditedRows, new_home
from .labels import kind_name
from .scenario import Scenario, carried_out


def conflicts(plan: Scenario, district: District) -> pd.DataFrame:
    """
    List every edit of a plan that cannot be carried out on a district, or contradicts it, and why.

    Edits are tried in order; one that fails is left out and the rest go on, so that all are named at once. A conflict is
    an edit that can be carried out and should not be: homes built over homes that are lived in that year, whose people
    would be counted twice; the demolition, closing or moving of what does not stand in that year, or is so already; a
    place opened where one of its kind is open.

    Returns
    -------
    table
        Index step (1 is the first edit; one that has several problems stands several times); columns do, problem
        (Chinese, with what to do), kind ("impossible", "conflict"). Empty where the plan can be carried out.
    """
    _, _, problems = carried_out(plan, district, all_problems=True)
    return pd.DataFrame(problems, columns=["step", "do", "problem", "kind"]).set_index("step")


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
    work = EditedRows(dict(district.at(year, planned=plan.planned).rows), district.crs, year, set(district.kinds.index))
    found = [(number, edit.do, *_in_words(work, district, edit)) for number, edit in enumerate(plan.edits, 1)]
    return pd.DataFrame(found, columns=["step", "do", "text", "assumes"]).set_index("step")


def _in_words(work: EditedRows, district: District, edit: Edit) -> tuple[str, str]:
    """Return what an edit does and what it assumes."""
    e = edit.what
    names = {
        key: say("、").join(_named(work, layer, k) for k in ([e[key]] if isinstance(e[key], str) else e[key]))
        for key, layer in _LAYER_OF.items()
        if key in e
    }
    if edit.do == "open_facility":
        kind = kind_name(district, e["kind"]) if e["kind"] in district.kinds.index else e["kind"]
        assumed = [say("位置为假定"), *([say("规模 {0:g}", e["capacity"])] if "capacity" in e else [])]
        return say("新开{0}：{1}", kind, e.get("name", e["facility"])), say("；").join(assumed)
    if edit.do == "build_homes":
        return say("在{0}新建住房：{1}", names["parcel"], e.get("name", e["home"])), _built_text(work, e)
    if edit.do == "add_street":
        wait = say("，等待 {0:g} 秒", e["wait_s"]) if "wait_s" in e else ""
        assumes = say("走向为假定") + wait + (say("，有台阶") if e.get("steps") else "")
        return say("新增步行通道：{0}", e.get("name", e["street"])), assumes
    if edit.do == "open_gate" and "at" in e:
        return say("给{0}新开出入口 {1}", names["home"], e["gate"]), say("位置为假定")
    more = {
        "resize_facility": say("规模改为 {0:g}", e.get("capacity", 0)),
        "set_wait": say("每次等待改为 {0:g} 秒", e.get("wait_s", 0)),
        "move_facility": say("新位置为假定"),
    }
    what = next((names[key] for key in ("facility", "homes", "gate", "street", "home") if key in names), "")
    return say("{0}：{1}", say(_DO_LABELS[edit.do]), what), more.get(edit.do, "")


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
            say("60 岁及以上不详") if older is None else say("其中 60 岁及以上 {0:,.0f} 人", older),
        ]
    )
    if e.get("people") is not None:
        return say("人口直接给定：{0}", result)
    area = work.frame("parcels").geometry[e["parcel"]].area
    parts = [
        say("地块 {0:.2f} 公顷", area / 1e4),
        say("住宅用地占 {0:.0%}", float(e.get("site_share", 1.0))),
        say("容积率 {0:g}", float(e["far"])),
        say("每户 {0:g} m²", float(e["m2_per_dwelling"])),
        say("户均 {0:g} 人", float(e["household_size"])),
    ]
    if "share_60plus" in e:
        parts.append(say("60 岁及以上占 {0:.0%}", float(e["share_60plus"])))
    return say("{0}；得 {1}", say("，").join(parts), result)


def _named(work: EditedRows, layer: str, key: str) -> str:
    frame = work.frame(layer)
    names = list(frame.loc[frame.index == key, "name"].dropna())
    return say("{0}（{1}）", names[0], key) if names else str(key)


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
    for do, what in ACTIONS.items():
        lines += [
            "",
            f"# {_DO_LABELS[do]}" + (f"：{_DO_HELP[do]}" if do in _DO_HELP else ""),
            "# [[edit]]",
            f"# do = {_toml(do)}",
        ]
        lines += [f"# {key} = {_toml(_sample(district, do, key))}" for key in what.needs]
        lines += [f"# {key} = {_toml(_sample(district, do, key))}   # 可不写" for key in what.may]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Return a text, number, list or truth value as TOML on one line, which JSON's notation is."""
    return json.dumps(value, ensure_ascii=False)


def _sample(district: District, do: str, key: str) -> object:
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
        if do == "open_lanes" and "streets" in district.rows:
            first = str(next(iter(district.rows["streets"]["home"].dropna()), first))
        return [first] if key == "homes" else first
    return {
        "at": at,
        "line": [at, [round(at[0] + 0.001, 7), at[1]]],
        "gates": [at],
        "kind": str(district.kinds.index[0]),
        "name": "名称",
        "xy": [round(float(v), 2) for v in shapely.get_coordinates(district.network.edges.geometry.iloc[0])[0]],
        "capacity": 100,
        "people": 2000,
        "people_60plus": 400,
        "households": 800,
        "far": 1.6,
        "site_share": 0.6,
        "m2_per_dwelling": 95,
        "household_size": 2.6,
        "share_60plus": 0.2,
        "class": "footway",
        "wait_s": 30,
        "steps": False,
    }[key]


def scenarios(district: District) -> pd.DataFrame:
    """List the scenarios of a district's folder: index name; columns label, year, edits (how many), note."""
    found = []
    for path in sorted((district.folder / "scenarios").glob("*.toml")):
        plan = Scenario.read(path)
        found.append((path.stem, plan.label, plan.year, len(plan.edits), plan.note))
    return pd.DataFrame(found, columns=["name", "label", "year", "edits", "note"]).set_index("name")


#: Edits in the words of a planner, and what is to be known about them.
_DO_LABELS = {
    "open_facility": "新开设施",
    "close_facility": "停用设施",
    "move_facility": "迁移设施",
    "resize_facility": "改变规模",
    "open_planned": "规划设施建成",
    "demolish_homes": "拆除小区",
    "build_homes": "新建住房",
    "open_gate": "打开出入口",
    "close_gate": "关闭出入口",
    "add_street": "新增街道、桥或过街",
    "close_street": "封闭路段",
    "open_lanes": "开放内部道路",
    "set_wait": "改变过街等待",
}
_DO_HELP = {
    "open_facility": "at 和 xy 写一个",
    "move_facility": "at 和 xy 写一个",
    "build_homes": "直接写 people，或写全 far、m2_per_dwelling、household_size；两种写法留一种",
    "open_gate": "已有的写编号；新开的再写 home 和 at",
    "add_street": "两端 10 米内的街道会接上",
    "open_lanes": "拆围墙、街区制：这个小区的内部道路谁都可以走；出入口不变",
    "set_wait": "整段多等的秒数，只用于公共街道",
}
#: Which layer a key of an edit names something of.
_LAYER_OF = {
    "facility": "facilities",
    "homes": "homes",
    "home": "homes",
    "gate": "gates",
    "street": "streets",
    "parcel": "parcels",
}

"""Plans in words: what each step does and assumes, what cannot be carried out, a commented file to start from."""

from __future__ import annotations

import json
import re

import geopandas as gpd
import pandas as pd
import shapely

from ..core import Edit, ScenarioError, say
from .district import District
from .edits import ACTIONS, LAYER_OF, EditedRows
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
    kinds = {str(kind): kind_name(district, str(kind)) for kind in district.kinds.index}
    work = EditedRows(dict(district.at(year, planned=plan.planned).rows), district.crs, year, kinds)
    found = [(number, edit.do, *_in_words(work, edit)) for number, edit in enumerate(plan.edits, 1)]
    return pd.DataFrame(found, columns=["step", "do", "text", "assumes"]).set_index("step")


def _in_words(work: EditedRows, edit: Edit) -> tuple[str, str]:
    """Return what an edit does and what it assumes."""
    action, e = ACTIONS[edit.do], edit.what
    names = {key: work.named(key, e[key]) for key in LAYER_OF if key in e}
    text, assumes = ("", "") if action.words is None else action.words(work, e)
    what = next((names[key] for key in ("facility", "homes", "gate", "street", "home") if key in names), "")
    return text or say("{0}：{1}", say(action.label), what), assumes


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
            f"# {what.label}" + (f"：{what.help}" if what.help else ""),
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
    action = ACTIONS[do]
    if key in action.makes:
        return action.makes[key]
    if key in LAYER_OF:
        frame = district.rows.get(LAYER_OF[key])
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
    }.get(key, {**action.needs, **action.may}[key].sample)


def scenarios(district: District) -> pd.DataFrame:
    """List the scenarios of a district's folder: index name; columns label, year, edits (how many), note."""
    found = []
    for path in sorted((district.folder / "scenarios").glob("*.toml")):
        plan = Scenario.read(path)
        found.append((path.stem, plan.label, plan.year, len(plan.edits), plan.note))
    return pd.DataFrame(found, columns=["name", "label", "year", "edits", "note"]).set_index("name")

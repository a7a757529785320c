"""Plans in words: what each step does and assumes, what cannot be carried out, a commented file to start from."""

from __future__ import annotations

import json
import re

import geopandas as gpd
import pandas as pd
import shapely

from ..core import Edit, ScenarioError, refuse_titles, say, thing
from .district import District
from .edited_rows import LAYER_OF, EditedRows
from .edits import ACTIONS, YEAR
from .labels import kind_name
from .parcel_split import SPLIT, halves
from .scenario import Scenario, carried_out, plan_files


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
    found = [(p.step, p.do, p.problem, p.kind) for p in problems]
    return pd.DataFrame(found, columns=["step", "do", "problem", "kind"]).set_index("step")


def steps(plan: Scenario, district: District) -> pd.DataFrame:
    """
    Say in words what each edit does, with everything it assumes.

    Returns
    -------
    table
        Index step (1 is the first edit); columns do, text (Chinese: what is done to what), assumes (Chinese: the numbers it
        rests on, and what follows from them; empty where it assumes nothing).
    """
    year = plan.year_on(district)
    kinds = {str(kind): kind_name(district, str(kind)) for kind in district.kinds.index}
    work = EditedRows(dict(district.at(year, planned=plan.planned).rows), district.crs, year, kinds)
    work.called |= dict(filter(None, map(_called, plan.edits)))
    found = [(number, edit.do, *_in_words(work, edit)) for number, edit in enumerate(plan.edits, 1)]
    return pd.DataFrame(found, columns=["step", "do", "text", "assumes"]).set_index("step")


def _called(edit: Edit) -> tuple[str, str] | None:
    """Return the key and the name of what an edit makes: later steps tell of it by that name."""
    made = next((edit.what[key] for key in _MADE if key in edit.what), None)
    return (str(made), str(edit.what["name"])) if made and edit.what.get("name") else None


#: What an edit makes, if it has a name: the first of these keys (a facility in rooms of a home names its home too).
_MADE = ("facility", "gate", "street", "home")


def _in_words(work: EditedRows, edit: Edit) -> tuple[str, str]:
    """Return what an edit does and what it assumes."""
    action, e = ACTIONS[edit.do], edit.what
    names = {key: work.named(key, e[key]) for key in LAYER_OF if key in e}
    text, assumes = ("", "") if action.words is None else action.words(work, e)
    what = next((names[key] for key in ("facility", "homes", "gate", "street", "home") if key in names), "")
    return _dated(edit) + (text or say("{0}：{1}", say(action.label), what)), assumes


def _dated(edit: Edit) -> str:
    """Return in which years an edit holds, where it says so."""
    year, until = (e if YEAR.fits(e := edit.what.get(key)) else None for key in ("year", "until"))
    if until is not None:
        return say("到 {0} 年为止：", until) if year is None else say("{0}—{1} 年：", year, until)
    return "" if year is None else say("{0} 年：", year)


def divided_by(plan: Scenario, year: int) -> dict[str, tuple[str, int | None]]:
    """Return the parcels that a plan has made by a year, by id: what each was divided from, and when (None: it was so before)."""
    found: dict[str, tuple[str, int | None]] = {}
    for edit in plan.edits:
        since = plan.since(edit)
        if edit.do == SPLIT and (since is None or since <= year):
            found |= {str(part["parcel"]): (str(edit.what["parcel"]), since) for part in edit.what.get("parts", ())}
    return found


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
        raise ScenarioError(say("方案名只用文字、数字、- 和 _：{0}", name))
    lines = [
        say("# 方案 {0}。一个 [[edit]] 是一步，从上到下做；去掉行首的 # 就生效。", name),
        say("# 位置写 at = [经度, 纬度]（WGS84），或 xy = [东, 北]（米，本街道计算用的坐标系）。"),
        f"name = {_toml(name)}",
        say('label = ""          # 图表上的名称'),
        say("year = {0}         # 哪一年；删去这一行就用数据年", district.year),
        say("planned = false     # true：到期的规划设施也算开放"),
        say('note = ""           # 假定了什么'),
        say(
            "# 每一步都可以写 year（从哪一年起）和 until（到哪一年为止；拆除、新建、还迁、改造不写）；没有写的按上面的 year。"
        ),
        say("# 写了年份的方案逐年往下做：删去上面的 year 那一行，看的就是最后一年；没有写年份的步骤算本来就有的。"),
        *_three_phases(district),
    ]
    for do, what in ACTIONS.items():
        about = say("：{0}", say(what.help)) if what.help else ""
        lines += ["", f"# {say(what.label)}{about}", "# [[edit]]", f"# do = {_toml(do)}"]
        lines += [f"# {key} = {_toml(_sample(district, do, key))}" for key in what.needs]
        lines += [say("# {0} = {1}   # 可不写", key, _toml(_sample(district, do, key))) for key in what.may]
    return "\n".join(lines) + "\n"


def _three_phases(district: District) -> list[str]:
    """Return a plan in three phases, commented out: people move away, homes are built, people return."""
    start = district.year + 1
    home, parcel = (str(_sample(district, "return_households", key)) for key in ("home", "parcel"))
    phases: list[tuple[str, list[dict[str, object]]]] = [
        (
            say("第一期 {0} 年：居民搬离，过渡中", start),
            [{"do": "move_households", "year": start, "homes": [home], "fate": "waiting"}],
        ),
        (say("第二期 {0} 年：拆除", start + 1), [{"do": "demolish_homes", "year": start + 1, "homes": [home]}]),
        (
            say("第三期 {0} 年：建成，一部分人还迁，另有新来的人", start + 3),
            [
                {"do": "build_homes", "year": start + 3, "parcel": parcel, "home": "new-estate", "people": 800},
                {"do": "return_households", "year": start + 3, "parcel": parcel, "home": "new-estate", "people": 100},
            ],
        ),
    ]
    lines = ["", say("# 分三期的例子")]
    for title, edits in phases:
        lines += ["", f"# {title}"]
        for edit in edits:
            lines += ["# [[edit]]", *(f"# {key} = {_toml(value)}" for key, value in edit.items())]
    return [*lines, "", say("# 以下是能写的每一种步骤")]


def _toml(value: object) -> str:
    """Return a value as TOML on one line; of texts, numbers and truth values JSON's notation is."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(own)}' for key, own in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
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
        first = str(ids[0]) if ids else thing("编号")
        if do == "open_lanes" and "streets" in district.rows:
            first = str(next(iter(district.rows["streets"]["home"].dropna()), first))
        return [first] if key == "homes" else first
    if key == "parts":
        places = district.rows.get("parcels")
        return halves(None if places is None or places.empty else places.iloc[:1])
    return {
        "at": at,
        "line": [at, [round(at[0] + 0.001, 7), at[1]]],
        "gates": [at],
        "kind": str(district.kinds.index[0]),
        "name": thing("名称"),
        "xy": [round(float(v), 2) for v in shapely.get_coordinates(district.network.edges.geometry.iloc[0])[0]],
        "capacity": 100,
        "people": 2000,
        "people_60plus": 400,
        "registered": 1500,
        "elevators": 6,
        "parking_places": 120,
        "floor_area_m2": 5000,
        "property_managed": True,
        "use": "居住",
        "quantity": "floor_services_m2",
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
    """
    List the scenarios of a district's folder: index name; columns label, year, edits (how many), note.

    Raises
    ------
    ScenarioError
        One cannot be read.
    SourceError
        One leads out of the folder, or is marked as more secret than the district is.
    """
    found = []
    for name, path in plan_files(district.folder).items():
        plan = Scenario.read(path)
        refuse_titles(district.manifest, [name], "方案")
        plan.refuse_marked(district.manifest)
        found.append((name, plan.label, plan.year, len(plan.edits), plan.note))
    return pd.DataFrame(found, columns=["name", "label", "year", "edits", "note"]).set_index("name")

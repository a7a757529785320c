"""A parcel divided into several: its ground, homes, people, figures, stages and promises, so that nothing is lost and nothing counted twice."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import HOLDERS, ScenarioError, SourceError, amount, listed, os_words, per_cent, read_json, say
from .edited_rows import ARRIVED, EditedRows
from .parcel_facts import home_parcels, parcel_number, written

#: How a plan writes it.
SPLIT = "split_parcel"
#: Outlines are drawn by hand: so much of a parcel may be missing, drawn twice or drawn outside it.
DRAWN = 0.01
#: Less ground than this is none (m²).
THREAD_M2 = 0.01
#: More than this many people is a difference; less is rounding.
ROUNDING = 1e-6
#: Shares are written with two digits: thirds come to 0.99.
TYPED = 0.0101
#: A part that holds less than this of a home does not cut it.
SLIVER = 0.05
#: What a part of a home has a part of; everything else (structure, storeys, year ...) is the same in each.
_DIVIDED = (
    "households",
    "people",
    "people_60plus",
    "elevators",
    "stairwells",
    "buildings",
    "stated_homes",
    "parking_places",
)
_BY_AREA = ("floor_area_m2", "footprint_m2")
#: Figures that are so high, so much in a hundred, or a limit: the same on each part.
_SAME_UNITS, _SAME_TOPICS = ("", "%", "m"), ("limit",)
#: The area of the site, which is that of the ground.
SITE = "site_m2"
#: Units of what comes in whole ones.
_COUNTED = ("户", "人", "套", "本", "部", "个")


def is_parts(value: object) -> bool:
    """Whether a value says into what a parcel is divided: two parts at least, each with an id; at most one without an outline."""
    if not isinstance(value, list | tuple) or len(value) < 2 or not all(map(_is_part, value)):
        return False
    return len({part["parcel"] for part in value}) == len(value) and sum("outline" not in part for part in value) <= 1


def _is_part(value: object) -> bool:
    if not isinstance(value, Mapping) or not set(value) <= {"parcel", "name", "share", "outline"}:
        return False
    name, share, ring = value.get("parcel"), value.get("share", 1.0), value.get("outline", [(0, 0), (0, 1), (1, 0)])
    corners = isinstance(ring, list | tuple) and all(isinstance(at, list | tuple) and len(at) == 2 for at in ring)
    numbers = [share, *(n for at in ring for n in at)] if corners else [""]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        return False
    on_earth = all(abs(lon) <= 180 and abs(lat) <= 90 for lon, lat in ring)
    named = isinstance(name, str) and bool(name.strip()) and isinstance(value.get("name", ""), str)
    return named and 0 < share <= 1 and on_earth and len({tuple(at) for at in ring}) >= 3


def parts_of_layer(edit: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """
    Return an edit with the parts that its `layer` names: a GeoJSON file beside the plan, one feature a part. Without a layer as it is.

    Raises
    ------
    ScenarioError
        No such file there, or it is not made of polygons in degrees with an id each.
    """
    name = edit.get("layer")
    if name is None or "parts" in edit:
        return dict(edit)
    if not isinstance(name, str) or Path(name).name != name or not name.lower().endswith((".geojson", ".json")):
        raise ScenarioError(say("layer 写方案文件旁边的一个 GeoJSON 文件的名字，不带文件夹"))
    try:
        told = read_json(folder / name, folder)
        crs = json.dumps(told.get("crs", "CRS84"))
        parts = [_part_of(feature) for feature in told["features"]]
    except SourceError as error:
        raise ScenarioError(str(error)) from error
    except OSError as error:
        raise ScenarioError(say("{0} 读不出来（{1}）；放在方案文件旁边", name, os_words(error))) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ScenarioError(say("{0} 读不懂；写成 GeoJSON：每块一个没有洞的多边形，属性有 parcel", name)) from error
    if "CRS84" not in crs and "4326" not in crs:
        raise ScenarioError(say("{0} 写明的坐标系不是经纬度（WGS84）；在 QGIS 里另存为 EPSG:4326", name))
    return {**{key: value for key, value in edit.items() if key != "layer"}, "parts": parts}


def _part_of(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return a feature as a part: a polygon of one ring, and what is written of it."""
    shape, told = feature["geometry"], feature["properties"]
    rings = shape["coordinates"][0] if shape["type"] == "MultiPolygon" and len(shape["coordinates"]) == 1 else None
    rings = shape["coordinates"] if shape["type"] == "Polygon" else rings
    if rings is None or len(rings) != 1:
        raise ValueError("not a polygon of one ring")
    said = {key: told[key] for key in ("parcel", "name", "share") if told.get(key) is not None}
    return {**said, "outline": [[float(at[0]), float(at[1])] for at in rings[0][:-1]]}


def halves(parcel: gpd.GeoDataFrame | None) -> list[dict[str, Any]]:
    """Return a parcel in two, as an example to begin with: the western half drawn, and what is left; a square where there is none."""
    if parcel is None:
        ring, name = [[117.6, 39.0], [117.61, 39.0], [117.61, 39.01]], "parcel"
    else:
        west, south, east, north = parcel.to_crs("EPSG:4326").total_bounds
        half = shapely.intersection(
            parcel.to_crs("EPSG:4326").geometry.iloc[0], shapely.box(west, south, (west + east) / 2, north)
        )
        largest = max(shapely.get_parts(half), key=lambda part: float(part.area))
        ring, name = [[round(x, 7), round(y, 7)] for x, y in largest.exterior.coords[:-1]], str(parcel.index[0])
    return [{"parcel": f"{name}-1", "share": 0.5, "outline": ring}, {"parcel": f"{name}-2", "share": 0.5}]


def split_parcel(work: EditedRows, e: Mapping[str, Any]) -> None:
    """
    Divide a parcel. Homes go with the part that holds them, and are cut where several do; figures go by the share of each part.

    Who has left before stays in the account of the whole, and may return to any of its parts.
    """
    old, parts = str(e["parcel"]), e["parts"]
    work.need("parcels", old)
    new = [str(part["parcel"]) for part in parts]
    if old in new:
        raise ScenarioError(say("各块要有自己的编号，不能再叫 {0}", old))
    whole = work.frame("parcels").geometry[old]
    if whole.area == 0:
        raise ScenarioError(say("地块 {0} 在图上没有面积，划不开；先画它的轮廓", old))
    shapes = _shapes(work, parts, whole)
    by_area = np.array([shape.area for shape in shapes]) / sum(shape.area for shape in shapes)
    shares = _shares(work, parts, by_area)
    lived = work.standing("homes")
    on = np.array(home_parcels(lived, work.rows.get("parcels")), dtype=object) == old
    before = _Before({count: _sum(lived[count][on]) for count in ARRIVED}, _held(work, old), shares)
    said = dict(zip(new, shares, strict=True)) if any("share" in part for part in parts) else {}
    _cut_homes(work, old, dict(zip(new, shapes, strict=True)), said)
    _note_guests(work)
    row = work.frame("parcels").loc[old]
    work.drop("parcels", [old])
    for part, shape in zip(parts, shapes, strict=True):
        key = str(part["parcel"])
        work.add("parcels", key, {**row, "name": part.get("name", key), "basis": "derived", "source": "方案"}, shape)
        work.parts[key] = old
    _divide_figures(work, old, new, (shares, by_area))
    _copy_rows(work, old, new)
    _move_people(work, old, new, before)


def _note_guests(work: EditedRows) -> None:
    """Note a clash where people are housed for a time in a home that is cut: nobody has said in which piece they are."""
    cut = {home for piece, (home, _) in work.cut.items() if work.made["homes", piece] == work.step}
    for guest in [f for f in work.flows if f.what == "in" and f.home in cut]:
        if work.ends.get(guest.step, work.year - 1) >= work.year:
            work.clashes.append(
                say(
                    "第 {0} 步把 {1} 人临时安置在 {2}，划分会把他们分开；先另行安置他们，或改两步的年份",
                    guest.step,
                    amount(guest.people),
                    guest.home,
                )
            )


def _shapes(work: EditedRows, parts: Sequence[Mapping[str, Any]], whole: shapely.Geometry) -> list[shapely.Geometry]:
    """Return the ground of each part, which together are the parcel; note where the outlines are not."""
    drawn = {
        i: shapely.make_valid(shapely.Polygon([tuple(work.place(at).coords[0]) for at in part["outline"]]))
        for i, part in enumerate(parts)
        if "outline" in part
    }
    inside = {i: _areas_of(shapely.intersection(shape, whole)) for i, shape in drawn.items()}
    together = shapely.union_all(list(inside.values()))
    rest = shapely.difference(whole, together)
    twice = sum(shapely.intersection(a, b).area for a, b in combinations(inside.values(), 2))
    beyond = sum(shape.area for shape in drawn.values()) - sum(shape.area for shape in inside.values())
    wrong = [("画在地块以外的有 {0} m²", beyond), ("画了两次的有 {0} m²", twice)]
    if len(drawn) == len(parts):
        wrong.append(("哪一块也没有画到的有 {0} m²", rest.area))
    found = [words.format(amount(area)) for words, area in wrong if area > DRAWN * whole.area]
    if found:
        work.clashes.append(
            say(
                "各块合起来不是地块（{0} m²）：{1}；改轮廓，或有一块不写 outline",
                amount(whole.area),
                say("，").join(found),
            )
        )
    shapes, taken = [], shapely.Polygon()
    for i, part in enumerate(parts):
        shape = shapely.difference(inside.get(i, rest), taken)
        if shape.area <= DRAWN * SLIVER * whole.area:
            raise ScenarioError(say("{0} 在地块 {1} m² 里没有占到地；改它的轮廓", part["parcel"], amount(whole.area)))
        taken = shapely.union(taken, shape)
        shapes.append(_areas_of(shape))
    missing = shapely.difference(whole, taken)
    gaps = shapely.get_parts(missing) if missing.area <= DRAWN * whole.area else ()
    for scrap in gaps:  # no ground goes astray between two lines
        nearest = int(np.argmin(shapely.distance(shapes, scrap)))
        shapes[nearest] = _areas_of(shapely.union(shapes[nearest], scrap))
    return shapes


def _areas_of(shape: shapely.Geometry) -> shapely.Geometry:
    """Return what of a shape has an area that anybody could stand on: two lines that should be one leave threads between them."""
    return shapely.union_all([p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > THREAD_M2])


def _shares(work: EditedRows, parts: Sequence[Mapping[str, Any]], by_area: np.ndarray) -> np.ndarray:
    """Return which share of the whole each part has, as written, else by its area; together 1. Note where what is written is not."""
    said = np.array([float(part.get("share", math.nan)) for part in parts])
    blank, total = np.isnan(said), float(np.nansum(said))
    if (abs(total - 1) > TYPED and not blank.any()) or (blank.any() and total >= 1):
        work.clashes.append(say("各块的份额合起来是 {0}，应是 100%；改 share，或都不写（按图上面积）", per_cent(total)))
        return np.where(blank, by_area, said) / np.where(blank, by_area, said).sum()
    said[blank] = by_area[blank] / by_area[blank].sum() * (1 - total) if blank.any() else []
    made: np.ndarray = said / said.sum()
    return made


def apportioned(number: float, weights: Sequence[float] | np.ndarray) -> list[float]:
    """
    Divide a whole number into whole numbers in proportion, any other into parts; they add up to it.

    By the method of Sainte-Laguë: of two numbers with the same weights the lesser one nowhere has the greater part.
    """
    shares = np.asarray(weights, dtype=float) / np.sum(weights)
    if not math.isfinite(number):
        return [number] * len(shares)
    if number != round(number):
        return [number * float(share) for share in shares]
    given = np.maximum(np.floor((number - len(shares)) * shares) - 1, 0.0)
    for _ in range(round(number - given.sum())):
        given[int(np.argmax(shares / (2 * given + 1)))] += 1
    return [float(n) for n in given]


# --- homes -----------------------------------------------------------------------------------------------------------


def _cut_homes(work: EditedRows, old: str, parts: Mapping[str, shapely.Geometry], shares: Mapping[str, float]) -> None:
    """
    Cut the homes on a parcel that several of its parts hold; each piece has its share of what the home has.

    By its ground; where the parts have shares of their own, all that is cut together comes to these.
    """
    frame, numbers = work.frame("homes"), {part: i for i, part in enumerate(parts, 1)}
    on = home_parcels(frame, work.rows.get("parcels"))
    found = {at: _pieces(frame.geometry.iloc[at], parts) for at, parcel in enumerate(on) if parcel == old}
    cut = {at: pieces for at, pieces in found.items() if len(pieces) > 1}
    ground = {part: sum(pieces[part].area for pieces in cut.values() if part in pieces) for part in parts}
    made = []
    for at, pieces in cut.items():
        home, row = str(frame.index[at]), frame.iloc[at]
        ids = {f"{home}-{numbers[part]}": shape for part, shape in pieces.items()}
        if taken := [piece for piece in ids if piece in frame.index]:
            raise ScenarioError(say("小区编号 {0} 已经有了，{1} 划不开；先改那个编号", taken[0], home))
        areas = np.array([shape.area for shape in pieces.values()])
        weights = areas * [shares.get(part, 1.0) / (ground[part] if shares else 1.0) for part in pieces]
        values = {c: apportioned(float(row[c]), weights) for c in _DIVIDED if pd.notna(row.get(c))}
        values |= {c: list(float(row[c]) * areas / areas.sum()) for c in _BY_AREA if pd.notna(row.get(c))}
        for i, (piece, shape) in enumerate(ids.items()):
            one = frame.iloc[[at]].set_axis([piece], axis=0).rename_axis(frame.index.name)
            one = one.assign(basis="derived", source="方案", people_parts=pd.NA).set_geometry([shape], crs=work.crs)
            for column, divided in values.items():
                one[column] = pd.Series([divided[i]], index=one.index).astype(frame[column].dtype)
            made.append(one)
            work.cut[piece] = home, float(weights[i] / weights.sum())
            work.made["homes", piece] = work.step
        _hand_over(work, home, ids)
    if made:
        left = frame[~np.isin(np.arange(len(frame)), list(cut))]
        work.gone |= {("homes", str(frame.index[at])): work.step for at in cut if frame.index[at] not in left.index}
        work.rows["homes"] = gpd.GeoDataFrame(pd.concat([left, *made])[list(frame.columns)], crs=work.crs)


def _hand_over(work: EditedRows, home: str, pieces: Mapping[str, shapely.Geometry]) -> None:
    """Give the gates and inner lanes of a home to the pieces that they are at, and whatever the plan has noted of it."""
    ids, shapes = list(pieces), np.array(list(pieces.values()))
    for layer in ("gates", "streets"):
        frame = work.frame(layer)
        own = (frame["home"] == home).to_numpy(dtype=bool, na_value=False) if len(frame) else np.array([], dtype=bool)
        if not own.any():
            continue
        new = frame["home"].copy()
        for at in np.flatnonzero(own):
            spot = frame.geometry.iloc[at]
            most = (-shapely.length(shapely.intersection(shapes, spot)), shapely.distance(shapes, spot))
            new.iloc[at] = ids[int(np.lexsort(most[::-1])[0])]
        work.rows[layer] = frame.assign(home=new)
        if layer == "gates" and (home not in work.built or home in work.walled):
            work.walled |= {piece for piece in ids if (new == piece).any()}
    if home in work.built:
        work.built |= dict.fromkeys(ids, work.built.pop(home))


def _pieces(shape: shapely.Geometry, parts: Mapping[str, shapely.Geometry]) -> dict[str, shapely.Geometry]:
    """Return a home by the parts that hold it: one where the others hold slivers; what lies on none goes with the nearest."""
    inside = {part: _areas_of(shapely.intersection(shape, ground)) for part, ground in parts.items()}
    least = SLIVER * sum(own.area for own in inside.values())
    kept = {part: own for part, own in inside.items() if own.area > least}
    if len(kept) < 2:
        return dict.fromkeys(kept, shape)
    for scrap in shapely.get_parts(shapely.difference(shape, shapely.union_all(list(kept.values())))):
        nearest = min(kept, key=lambda part: float(shapely.distance(kept[part], scrap)))
        kept[nearest] = _areas_of(shapely.union(kept[nearest], scrap))
    return kept


# --- what the ledger says --------------------------------------------------------------------------------------------


def _divide_figures(work: EditedRows, old: str, new: Sequence[str], shares: tuple[np.ndarray, np.ndarray]) -> None:
    """Give each part its share of every figure of the whole: by its share, the site by its ground; what is a limit or a text stands for all."""
    facts = work.rows.get("parcel_facts")
    if facts is None or not (own := (facts["parcel"] == old).to_numpy(dtype=bool, na_value=False)).any():
        return
    work.divided[old] = facts
    quantities, rows = work.frame("quantities"), facts[own]
    made = [rows.assign(parcel=part).rename(index=lambda key, part=part: f"{key}-{part}") for part in new]
    values = [list(rows["value"].astype(object)) for _ in new]
    highs, basis = [list(rows["high"]) for _ in new], list(rows["basis"].astype(object))
    for at, (quantity, value, high) in enumerate(zip(rows["quantity"], rows["value"], rows["high"], strict=True)):
        about = quantities.loc[quantity] if quantity in quantities.index else pd.Series(dtype=object)
        unit = "" if pd.isna(about.get("unit")) else str(about["unit"])
        if pd.isna(value) or about.get("type") != "number" or unit in _SAME_UNITS or about["topic"] in _SAME_TOPICS:
            continue
        weights, whole = shares[1] if quantity == SITE else shares[0], unit in _COUNTED
        ends = [_divided(number, weights, whole=whole) for number in (parcel_number(value), high)]
        for i, _ in enumerate(new):
            values[i][at], highs[i][at] = written(ends[0][i]), ends[1][i]
        basis[at] = "derived"
    told = pd.Series(basis, index=rows.index, dtype=object if facts["basis"].isna().all() else facts["basis"].dtype)
    made = [
        own.assign(value=pd.array(v, dtype=facts["value"].dtype), high=h, basis=told.to_numpy())
        for own, v, h in zip(made, values, highs, strict=True)
    ]
    left = facts[~own]
    blank = [c for c in left if left[c].isna().all()]  # such a column says nothing of what it is to hold
    work.rows["parcel_facts"] = pd.concat([left.astype({c: made[0][c].dtype for c in blank}), *made])


def _divided(number: object, weights: np.ndarray, *, whole: bool) -> list[float]:
    value = math.nan if pd.isna(number) else float(str(number))
    return apportioned(value, weights) if whole else [value * float(share) for share in weights]


def _copy_rows(work: EditedRows, old: str, new: Sequence[str]) -> None:
    """Let each part go through the stages of the whole, and let what was promised on it be promised on its parts together."""
    stages = work.rows.get("stages")
    if stages is not None and (own := (stages["parcel"] == old).to_numpy(dtype=bool, na_value=False)).any():
        parts = [stages[own].assign(parcel=part).rename(index=lambda key, part=part: f"{key}-{part}") for part in new]
        work.rows["stages"] = pd.concat([stages[~own], *parts]).rename_axis(stages.index.name)
    promises = work.rows.get("promises")
    if promises is not None:
        named = promises["parcel"].map(lambda text: _with_parts(text, old, new), na_action="ignore")
        work.rows["promises"] = promises.assign(parcel=named.astype(promises["parcel"].dtype))


def _with_parts(text: str, old: str, new: Sequence[str]) -> str:
    own = listed(str(text))
    return ";".join(part for one in own for part in (new if one == old else [one])) if old in own else str(text)


# --- people ----------------------------------------------------------------------------------------------------------


class _Before(NamedTuple):
    """Who lived on a parcel before it was divided: all together, and what the ledger and the plan say of each 口径."""

    lived: Mapping[str, float]
    held: Mapping[tuple[str, str], float]
    shares: np.ndarray


def _sum(numbers: pd.Series) -> float:
    return float(numbers.astype("float64").sum(skipna=False)) if len(numbers) else 0.0


def _held(work: EditedRows, old: str) -> dict[tuple[str, str], float]:
    """Return how many the account of a parcel has by now, of each 口径 and of those registered; missing where nobody has said."""
    asked = [("registered", ""), *((count, holder) for holder in HOLDERS for count in ("people", "households"))]
    return {(count, holder): work.in_account(old, count, holder) for count, holder in asked}


def _move_people(work: EditedRows, old: str, new: Sequence[str], before: _Before) -> None:
    """Note that who lives on a parcel lives on its parts from now on: as many leave its account as come into theirs."""
    homes = work.standing("homes")
    on = np.array(home_parcels(homes, work.rows.get("parcels")), dtype=object)
    there = {part: {count: _sum(homes[count][on == part]) for count in ARRIVED} for part in new}
    astray = {count: before.lived[count] - sum(own[count] for own in there.values()) for count in ARRIVED}
    people = np.array([own["people"] for own in there.values()])
    weights = people / people.sum() if people.sum() > 0 else before.shares
    known = {key: number for key, number in before.held.items() if number >= 0}
    split = {key: dict(zip(new, apportioned(number, weights), strict=True)) for key, number in known.items()}
    for holder in HOLDERS:
        if ("people", holder) in split:
            for part in new:
                counts = {count: split.get((count, holder), {}).get(part, 0.0) for count in ("people", "households")}
                there[part] = {c: n - counts.get(c, 0.0) for c, n in there[part].items()}
                _from_to(work, (old, part), {**counts, "people_60plus": 0.0}, holder=holder, registered=0.0)
    registered = before.held["registered", ""]
    for part, counts in there.items():
        own = split.get(("registered", ""), {}).get(part, 0.0 if registered == 0 else math.nan)
        _from_to(work, (old, part), counts, registered=own)
    if abs(astray["people"]) > ROUNDING:  # on ground that no part has
        _from_to(work, (old, ""), astray, registered=0.0)


def _from_to(
    work: EditedRows, way: tuple[str, str], counts: Mapping[str, float], *, registered: float, holder: str = ""
) -> None:
    """Note people who go from one account to another without leaving their homes."""
    for parcel, sign in zip(way, (-1.0, 1.0), strict=True):
        flow = work.flow("in", parcel, {c: sign * n for c, n in counts.items()})
        work.flows.append(flow._replace(holder=holder, registered=sign * registered))


def split_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    """Say into what a parcel is divided, and by which shares."""
    parts = [say("{0}（{1}）", part.get("name", part["parcel"]), part["parcel"]) for part in e["parts"]]
    text = say("把{0}划分为 {1} 块：{2}", work.named("parcel", e["parcel"]), len(parts), say("、").join(parts))
    said = [say("{0}（{1}）", p["parcel"], per_cent(float(p["share"]))) for p in e["parts"] if "share" in p]
    assumed = (
        say("户、人、面积和资金按份额分：{0}", say("、").join(said)) if said else say("户、人、面积和资金按图上面积分")
    )
    more = say("此前搬离的人记在原地块，可以还迁到任何一块；被分开的小区，各部分走自己的出入口，没有的走最近的街道")
    return text, say("；").join((assumed, more))

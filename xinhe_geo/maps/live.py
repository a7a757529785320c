"""
The live map of a notebook: facilities are dragged, added and closed, and Python says at once who is served.

The page draws and asks; every number on it is computed here, by the same doors, search and shares as `coverage`. One
question is under way at a time, so that a quick hand never outruns the answers. Needs the extra `lab` (anywidget).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ..access import (
    basis_text,
    coverage,
    facility_entrances,
    home_entrances,
    home_facts,
    home_points,
    is_surveyed,
    limit_text,
    median_by_home,
    most_common,
    points_of_homes,
    same_compound,
    share_within,
    usable_denominator,
    within_limit,
)
from ..core import (
    DEMONSTRATION,
    DENOMINATOR_LABELS,
    DataError,
    Edit,
    EnvironmentProblem,
    Problem,
    Profile,
    ScenarioError,
    UnknownNameError,
    XinheError,
    problems_table,
    web_file,
)
from ..district import District, Scenario
from .html_map import picture
from .meeting import (
    DEMONSTRATION_TEXT,
    badges,
    degree_frame,
    first_view,
    foot_texts,
    frame_bounds,
    id_prefix,
    kind_rows,
    looks,
    names_or_ids,
    numbered_codes,
    packed_areas,
    packed_base,
    packed_homes,
    packed_network,
    packed_parcels,
    profile_rows,
    shown_facilities,
)

COUNTED = ("people", "people_60plus", "area_m2", "homes")
#: How a count is printed: word, factor, digits.
UNITS = {
    "people": ("人", 1.0, 0),
    "people_60plus": ("人", 1.0, 0),
    "area_m2": ("公顷", 1e-4, 1),
    "homes": ("个小区", 1.0, 1),
}
MARK = "演示值（不作结论）"
NO_DATA = "数据不足"
#: Homes listed as gaps and as gaining or losing; the map shows all.
LISTED = 12
#: Shares and people that differ by less are equal.
SAME_SHARE, SAME_PEOPLE = 1e-9, 0.5
#: Steps of undo, and positions whose doors are remembered.
STEPS_KEPT, PLACES_KEPT = 200, 500


def live(
    district: District,
    kind: str | None = None,
    *,
    profile: str | Profile | None = None,
    minutes: float | None = None,
    height: int = 620,
) -> Any:
    """
    Show a map on which facilities can be dragged, added and closed, with the coverage following the hand.

    Parameters
    ----------
    district
        What stands today; every change is counted against it.
    kind
        The kind of facility to begin with (its headline rule of `kinds.csv`); None takes the first that is promised.
    profile
        Who walks, instead of the rule's own profile.
    minutes
        Walking time in minutes, instead of the rule's own limit and method.
    height
        Height of the map in pixels.

    Returns
    -------
    widget
        An `anywidget.AnyWidget`. `widget.selected`: ids of the homes selected on the map (a list; may be set and observed).
        `widget.scenario()`: what was done, as a `Scenario` whose numbers are the same in `coverage` and `compare`.
        `widget.served()`: index home; columns name, people, people_60plus, before and served (shares 0-1), minutes or metres
        (to the nearest facility), facility. `widget.add(kind, xy)`, `.move(facility, xy)`, `.close_facility(facility)`,
        `.restore(facility)`, `.undo()`, `.redo()`, `.reset()` do by program what the hand does; `xy` in metres in the
        district's CRS. Kept as a page, it is a picture without a script.

    Raises
    ------
    EnvironmentProblem
        anywidget is not installed (extra `lab`).
    UnknownNameError
        No such kind (with a rule of its own) or profile.
    DataError
        The district has no homes or no streets.
    ValueError
        `minutes` is not a number above 0.
    """
    widget = _widget_class()
    desk = LiveModel(district)
    desk.ask(desk.first_kind if kind is None else kind, profile, minutes)
    return widget(desk, height)


class _Place(NamedTuple):
    """Where a facility can be entered, the walks to it inside its own wall, and the community it counts in."""

    doors: pd.DataFrame
    same: pd.DataFrame
    community: object


class _Answer(NamedTuple):
    """Per home: the served share, minutes or metres and the nearest facility; and the communities that have one."""

    share: np.ndarray
    cost: np.ndarray
    nearest: np.ndarray
    unserved_cost: np.ndarray
    has: np.ndarray


class LiveModel:
    """What stands behind a live map: the district, the question, the plan with its history, and the searches."""

    def __init__(self, district: District) -> None:
        homes = district.homes
        if homes is None or homes.empty:
            row = Problem(
                "error", "homes", "district.toml", "", "layers.homes", "没有小区，活地图无从计算", "放入小区图层"
            )
            raise DataError(problems_table([row]), district.folder.name)
        self.district = district
        rules = district.kinds["rule"].dropna()
        used = {kind for name in rules.unique() for kind in district.rule(name).kinds}
        self.askable = list(rules.index)
        self.kinds = [kind for kind in district.kinds.index if kind in used]
        shown = shown_facilities(district, self.kinds)
        empty = gpd.GeoDataFrame({"name": [], "kind": [], "state": []}, geometry=[], crs=district.crs)
        self.frame = empty if shown is None else shown
        self.names = dict(zip(self.frame.index, names_or_ids(self.frame["name"], self.frame.index), strict=True))
        rows = district.rows.get("facilities")
        self.movable = frozenset() if rows is None else frozenset(rows.index)
        self.prefix = id_prefix(district)
        self.points, self.doors = home_points(district), home_entrances(district)
        self.homes = points_of_homes(self.points)
        self.facts = home_facts(district, homes).assign(homes=1.0)
        self.areas = [code["id"] for code in numbered_codes(district, "communities")]
        self.zones = numbered_codes(district, "zones")
        self.plan: dict[str, Any] = {"edits": {}, "added": []}
        self.past: list[dict[str, Any]] = []
        self.future: list[dict[str, Any]] = []
        self.grip: object = None
        self.active = ""
        self._placed: dict[tuple[str, str, tuple[float, float]], _Place] = {}
        self._rest: tuple[Any, Any] = (None, None)
        self._standing = self._places_today()

    @property
    def first_kind(self) -> str:
        """The first kind whose rule was read in its source, else the first of all."""
        for kind in self.askable:
            rule = self.district.rule(str(self.district.kinds.loc[kind, "rule"]))
            if rule.confidence == "read" and rule.metric == "reach":
                return str(kind)
        return str(self.askable[0])

    # --- the question

    def ask(self, kind: str, profile: str | Profile | None = None, minutes: float | None = None) -> None:
        """Choose what is counted; the district as it stands is counted once, by `coverage` itself."""
        if kind not in self.askable:
            raise UnknownNameError("设施类别", kind, self.askable)
        if minutes is not None and not (np.isfinite(minutes) and 0 < minutes <= 600):
            raise ValueError(f"minutes 应当是大于 0 的分钟数（600 以内），不是 {minutes!r}")
        rule = self.district.rule(str(self.district.kinds.loc[kind, "rule"]))
        if minutes is not None:
            what = "、".join(str(self.district.kinds.loc[k, "label"]) for k in rule.kinds)
            label = f"{what}步行 {minutes:g} 分钟圈"
            rule = replace(
                rule, label=label, method="walk_min", metric="reach", minutes=float(minutes), confidence="convention"
            )
        walker = self.district.profile(rule.profile if profile is None else profile)
        self.kind, self.walker, self.own_profile = kind, walker, profile is None
        self.asked_minutes = minutes
        self.rule = replace(rule, profile=walker.name)
        cover = coverage(self.district, rules=[self.rule], profile=walker).xs(rule.name, level="rule")
        self.before = cover["served"].reindex(self.homes.names).to_numpy(dtype=float)
        self.weak = bool(cover["basis"].isin(DEMONSTRATION).any())
        self.base = self.count({"edits": {}, "added": []})

    # --- places

    def _places_today(self) -> dict[str, _Place]:
        """Return the place of every facility as it stands."""
        if self.frame.empty:
            return {}
        doors = facility_entrances(self.district, self.frame)
        same = same_compound(self.district, self.points, doors)
        communities = self.district.locate(self.frame)["community"]
        own, walks = dict(tuple(doors.groupby("place"))), dict(tuple(same.groupby("target")))
        return {
            label: _Place(own.get(label, doors[:0]), walks.get(label, same[:0]), communities[label])
            for label in self.frame.index
        }

    def _place(self, label: str, kind: str, xy: tuple[float, float]) -> _Place:
        """Return the place of a facility put somewhere: its drawn entrances stay behind, as a scenario has it."""
        key = (label, kind, xy)
        if key not in self._placed:
            if len(self._placed) > PLACES_KEPT:
                self._placed.clear()
            row = self.frame.loc[[label]].copy() if label in self.frame.index else gpd.GeoDataFrame({"kind": [kind]})
            row = row.set_geometry(gpd.GeoSeries([shapely.Point(xy)], index=row.index, crs=self.district.crs))
            row.index = pd.Index([f"{self.prefix}here"])
            doors = facility_entrances(self.district, row).assign(place=label)
            same = same_compound(self.district, self.points, doors)
            self._placed[key] = _Place(doors, same, self.district.locate(row)["community"].iloc[0])
        return self._placed[key]

    def facilities(self, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the facilities of the rule's kinds under a plan: where they are, whether they serve, what was done."""
        found = []
        own = self.frame[self.frame["kind"].isin(self.rule.kinds).to_numpy()]
        spots = shapely.get_coordinates(shapely.point_on_surface(np.asarray(own.geometry.array)))
        for label, kind, state, spot in zip(own.index, own["kind"], own["state"], spots, strict=True):
            edit = plan["edits"].get(label, {})
            moved = tuple(edit["xy"]) if "xy" in edit else None
            serves = (state == "open" or edit.get("open", False)) and not edit.get("closed", False)
            found.append(
                {
                    "id": label,
                    "name": self.names[label],
                    "kind": kind,
                    "state": state,
                    "from": spot.tolist(),
                    "xy": list(moved or spot.tolist()),
                    "edit": edit or None,
                    "fresh": False,
                    "serves": bool(serves),
                    "place": self._place(label, kind, moved) if moved else self._standing[label],
                }
            )
        for new in plan["added"]:
            if new["kind"] in self.rule.kinds:
                found.append(
                    {
                        "id": new["id"],
                        "name": new["name"],
                        "kind": new["kind"],
                        "state": "open",
                        "from": None,
                        "xy": list(new["xy"]),
                        "edit": {"added": True},
                        "fresh": True,
                        "serves": True,
                        "place": self._place(new["id"], new["kind"], tuple(new["xy"])),
                    }
                )
        return found

    # --- counting

    def count(self, plan: Mapping[str, Any]) -> _Answer:
        """Return who is served under a plan; equal to `coverage` of the plan's scenario."""
        own = self.facilities(plan)
        serving = [f for f in own if f["serves"]]
        rule, homes = self.rule, self.homes
        cost, nearest = self._costs(serving)
        has = np.isin(self.areas, [f["place"].community for f in serving])
        points = pd.DataFrame({"straight_metres": cost, "metres": cost, "minutes": cost})
        within = within_limit(points, rule, rule.method)
        opened = any(f["serves"] and (f["fresh"] or (f["edit"] or {}).get("open")) for f in own)
        if not (opened or is_surveyed(self.district, rule.kinds)):
            share = np.full(len(homes.names), np.nan)
        elif rule.metric == "presence":
            known = dict(zip(self.areas, has.astype(float), strict=True))
            share = self.facts["community"].map(known).to_numpy(dtype=float)
        else:
            share = share_within(homes, within)
        median = median_by_home(homes, cost)
        lacking = np.where(within & (rule.metric == "reach"), -np.inf, cost)
        return _Answer(share, median, most_common(homes, nearest), self._of_unserved(lacking), has)

    def _of_unserved(self, cost: np.ndarray) -> np.ndarray:
        """Return the lower median of each home's unserved points (others: -inf), as `gaps` names it; missing where none."""
        homes = self.homes
        left = cost > -np.inf
        ranked = cost[np.lexsort((cost, homes.code))]
        unserved = np.add.reduceat(left.astype(np.int64), homes.start)
        first = homes.start + homes.size - unserved
        middle = np.minimum(first + np.maximum(unserved - 1, 0) // 2, len(cost) - 1)
        return np.where((unserved > 0) & np.isfinite(ranked[middle]), ranked[middle], np.nan)

    def _costs(self, serving: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, pd.Series]:
        """Return metres or minutes of every point to the nearest facility, and which one; inf and missing where none."""
        n = len(self.points)
        cost, code = np.full(n, np.inf), np.full(n, -1)
        labels = sorted(str(f["id"]) for f in serving)
        if self.rule.method == "buffer":
            doors = [f["place"].doors.assign(place=f["id"]) for f in serving]
            if doors:
                targets = pd.concat(doors, ignore_index=True)
                xy = shapely.get_coordinates(np.asarray(self.points.geometry.array))
                cost, row = cKDTree(targets[["x", "y"]].to_numpy()).query(xy)
                code = np.searchsorted(labels, targets["place"].to_numpy(dtype=object)[row])
        elif serving:
            walker = self.walker if self.rule.method == "walk_min" else None
            found = self._search(serving, walker).at(self.doors)
            place, known = self.doors["place"].to_numpy(), found["target"].notna().to_numpy()
            price = found["cost"].to_numpy(dtype=float)
            target = np.searchsorted(labels, found["target"].to_numpy(dtype=object)[known])
            rows = [(place[known], price[known], target)]
            for f in serving:
                same = f["place"].same
                if len(same):
                    metres = same["metres"].to_numpy(dtype=float)
                    walked = metres if walker is None else metres / walker.speed_m_s / 60.0
                    rows.append((same["place"].to_numpy(), walked, np.full(len(same), labels.index(str(f["id"])))))
            point, price, target = (np.concatenate(part) for part in zip(*rows, strict=True))
            order = np.lexsort((target, price, point))
            first = order[np.unique(point[order], return_index=True)[1]]
            cost[point[first].astype(int)], code[point[first].astype(int)] = price[first], target[first]
        name = np.asarray([*labels, None], dtype=object)[np.where(np.isfinite(cost), code, -1)]
        return cost, pd.Series(name, dtype="str")

    def _search(self, serving: Sequence[Mapping[str, Any]], walker: Profile | None) -> Any:
        """Return the finished search; all but the facility in hand is kept, so that a drag costs one place."""
        rest = [f for f in serving if f["id"] != self.active]
        key = (walker, tuple((f["id"], tuple(f["xy"]), f["place"] is self._standing.get(f["id"])) for f in rest))
        if self._rest[0] != key:
            doors = [f["place"].doors for f in rest]
            targets = pd.concat(doors, ignore_index=True) if doors else serving[0]["place"].doors[:0]
            state = self.district.network.search_state(targets[targets["edge"] >= 0], profile=walker)
            self._rest = (key, state)
        state = self._rest[1]
        for f in serving:
            if f["id"] == self.active:
                doors = f["place"].doors
                state = state.with_place(doors[doors["edge"] >= 0])
        return state

    # --- changing the plan

    def change(self, what: Callable[[dict[str, Any]], None], grip: object = None) -> None:
        """Change the plan as one step of undo; what one grip does is one step."""
        plan = copy.deepcopy(self.plan)
        what(plan)
        plan["edits"] = {label: edit for label, edit in plan["edits"].items() if edit}
        if grip is None or grip != self.grip:
            self.past = [*self.past, self.plan][-STEPS_KEPT:]
            self.future = []
        self.grip, self.plan = grip, plan

    def step_back(self) -> None:
        """Undo."""
        if self.past:
            self.future.append(self.plan)
            self.plan, self.grip = self.past.pop(), None

    def step_forward(self) -> None:
        """Redo."""
        if self.future:
            self.past.append(self.plan)
            self.plan, self.grip = self.future.pop(), None

    def reset(self) -> None:
        """Go back to what stands today, as one step of undo."""
        if self.plan["edits"] or self.plan["added"]:
            self.change(lambda plan: plan.update(edits={}, added=[]))

    def move(self, label: str, xy: Sequence[float], grip: object = None) -> None:
        """Put a facility somewhere, in whole centimetres; a planned one opens there."""
        spot = _spot(xy)
        new = self._added(label)
        self.active = label

        def put(plan: dict[str, Any]) -> None:
            if new is not None:
                plan["added"][new]["xy"] = spot
                return
            edit = plan["edits"].setdefault(label, {})
            edit.pop("closed", None)
            edit["xy"] = spot
            if self.frame.loc[label, "state"] == "planned":
                edit["open"] = True

        self.change(put, grip)

    def add(self, kind: str, xy: Sequence[float], name: str | None = None) -> str:
        """Open a facility; return its id."""
        if kind not in self.kinds:
            raise UnknownNameError("设施类别", kind, self.kinds)
        spot = _spot(xy)
        taken = {new["id"] for plan in (self.plan, *self.past, *self.future) for new in plan["added"]}
        number = next(n for n in range(1, len(taken) + 2) if f"{self.prefix}{n}" not in taken)
        label = f"{self.prefix}{number}"
        same = sum(new["kind"] == kind for new in self.plan["added"]) + 1
        called = name or f"{self.district.kinds.loc[kind, 'label']}{same}（拟设）"
        self.active = label
        self.change(lambda plan: plan["added"].append({"id": label, "kind": kind, "name": called, "xy": spot}))
        return label

    def close(self, label: str) -> None:
        """Close a facility, or open it again; a new one is taken away, a planned one taken in or left out."""
        new = self._added(label)

        def shut(plan: dict[str, Any]) -> None:
            if new is not None:
                del plan["added"][new]
                return
            edit = plan["edits"].setdefault(label, {})
            if self.frame.loc[label, "state"] != "planned":
                edit["closed"] = not edit.get("closed", False)
                if not edit["closed"]:
                    del edit["closed"]
            elif edit.get("open"):
                edit.clear()
            else:
                edit["open"] = True

        self.change(shut)

    def restore(self, label: str) -> None:
        """Put a facility back as it stands today; a new one is taken away."""
        if self._added(label) is not None:
            self.close(label)
        elif label in self.plan["edits"]:
            self.change(lambda plan: plan["edits"].pop(label))

    def _added(self, label: str) -> int | None:
        """Return where a facility stands among the new ones, None for one of today's; others are no facility."""
        for number, new in enumerate(self.plan["added"]):
            if new["id"] == label:
                return number
        if label not in self.frame.index:
            raise UnknownNameError("设施", label, [*map(str, self.frame.index), *(n["id"] for n in self.plan["added"])])
        if label not in self.movable:
            raise ScenarioError(f"{self.names[label]} 来自自行补充的设施图层，不能在方案里改动；请直接改那个文件")
        return None

    def scenario(self, name: str, label: str) -> Scenario:
        """Return the plan as a scenario."""
        steps = []
        for facility, state in self.frame["state"].items():
            edit = self.plan["edits"].get(facility, {})
            if edit.get("closed"):
                steps.append(Edit("close_facility", {"facility": facility}))
                continue
            if edit.get("open") and state == "planned":
                steps.append(Edit("open_planned", {"facility": facility}))
            if "xy" in edit:
                steps.append(Edit("move_facility", {"facility": facility, "xy": list(edit["xy"])}))
        for new in self.plan["added"]:
            what = {"facility": new["id"], "kind": new["kind"], "name": new["name"], "xy": list(new["xy"])}
            steps.append(Edit("open_facility", what))
        year, planned = self.district.year, self.district.with_planned
        return Scenario(name, label, tuple(steps), year, planned, "在笔记本的活地图上做的方案")

    # --- what the page shows

    def state(self, chosen: str = "") -> tuple[dict[str, Any], list[bytes]]:
        """Return everything the page shows, as plain values, and the arrays per home."""
        answer, base = self.count(self.plan), self.base
        facilities = self.facilities(self.plan)
        now, was = self._totals(answer.share), self._totals(self.before)
        denominator = usable_denominator(self.rule.denominator, now["whole"])
        number = {kind: i for i, kind in enumerate(self.kinds)}
        place = {f["id"]: i for i, f in enumerate(facilities)}
        own = next((f for f in facilities if f["id"] == chosen and f["serves"]), None)
        listed = [{k: v for k, v in f.items() if k != "place"} | {"kind": number[f["kind"]]} for f in facilities]
        content = {
            "title": f"{self.district.name}　{self.rule.label}",
            "kind": self.kind,
            "line": self._line(),
            "profile": "" if self.own_profile else self.walker.name,
            "minutes": self.asked_minutes,
            "rule": {
                "metric": self.rule.metric,
                "method": self.rule.method,
                "metres": self.rule.metres,
                "minutes": self.rule.minutes,
                "profile": self.walker.name,
                "kinds": list(self.rule.kinds),
            },
            "unit": "分钟" if self.rule.method == "walk_min" else "米",
            "headline": self._headline(answer, base, now, was, denominator),
            "table": self._table(answer, base, now, was, denominator),
            "effects": self._effects(answer.share),
            "gaps": self._gaps(answer),
            "facilities": listed,
            "key": self._key(),
            "mark": "" if denominator is None or not self.weak else MARK,
            "changes": self._changes(),
            "undo": bool(self.past),
            "redo": bool(self.future),
            "reset": bool(self._changes()),
            "chosen": chosen if chosen in place else "",
            "doors": [] if own is None else _doors(own["place"].doors),
        }
        nearest = np.array([place.get(label, -1) if isinstance(label, str) else -1 for label in answer.nearest])
        arrays = [answer.share, self.before, answer.cost, nearest.astype("<i4"), answer.has.astype("u1")]
        return content, [np.ascontiguousarray(a).tobytes() for a in arrays]

    def _key(self) -> str:
        """Name the question: homes are painted anew when it changes."""
        rule = self.rule
        return "|".join([rule.name, rule.method, rule.metric, self.walker.name, f"{rule.minutes:g}"])

    def _line(self) -> list[str]:
        """Return what every number carries: method, limit, walker, denominator, year, basis."""
        rule = self.rule
        limit = "按社区计（界内有即算）" if rule.metric == "presence" else limit_text(self.district, rule, self.walker)
        words = [f"标准 {limit}", f"分母 {DENOMINATOR_LABELS[rule.denominator]}", f"数据年份 {self.district.year}"]
        if rule.method == "walk_min" and rule.metric == "reach":
            words.insert(1, f"步速 {self.walker.speed_m_s:g} 米/秒")
        if self.district.manifest.get("scenario"):
            words.append(f"在方案“{self.district.manifest['scenario']}”之上")
        return [*words, rule.basis_text, *filter(None, [basis_text(self.district, rule)])]

    def _totals(self, share: np.ndarray) -> dict[str, dict[str, float]]:
        """Return known and served totals and shares: of the whole, and by zone."""
        groups = {"whole": np.ones(len(share), dtype=bool)}
        zone = self.facts["zone"].to_numpy(dtype=object)
        groups |= {code["id"]: zone == code["id"] for code in self.zones}
        found: dict[str, dict[str, float]] = {}
        for group, chosen in groups.items():
            row: dict[str, float] = {}
            for column in COUNTED:
                value = self.facts[column].to_numpy(dtype=float)
                known = chosen & np.isfinite(value) & np.isfinite(share)
                row[column] = float(value[known].sum()) if known.any() else np.nan
                row[f"{column}_served"] = float((value[known] * share[known]).sum()) if known.any() else np.nan
                row[f"{column}_share"] = row[f"{column}_served"] / row[column] if row[column] > 0 else np.nan
            found[group] = row
        return found

    def _headline(
        self, answer: _Answer, base: _Answer, now: Mapping[str, Any], was: Mapping[str, Any], denominator: str | None
    ) -> dict[str, Any]:
        rule = self.rule
        if denominator is None or not np.isfinite(answer.share).any():
            return {
                "what": rule.label,
                "big": NO_DATA,
                "delta": "没有调查过这类设施，或缺人口和用地",
                "note": "",
                "now": 0,
                "was": 0,
            }
        if rule.metric == "presence":
            have, had, of = int(answer.has.sum()), int(base.has.sum()), len(self.areas)
            areas = {code["id"]: code["name"] for code in numbered_codes(self.district, "communities")}
            lacking = [areas[code] for code, there in zip(self.areas, answer.has, strict=True) if not there]
            return {
                "what": f"{of} 个社区（{self.district.list_year} 年名录）中有",
                "big": f"{have} 个",
                "now": have / of if of else 0,
                "was": had / of if of else 0,
                "delta": "与现状相同" if have == had else f"现状 {had} 个，{have - had:+d} 个",
                "note": f"缺：{'、'.join(lacking)}" if lacking else "全部都有",
            }
        row, old = now["whole"], was["whole"]
        share, before = row[f"{denominator}_share"], old[f"{denominator}_share"]
        unit, factor, digits = UNITS[denominator]
        what = DENOMINATOR_LABELS.get(denominator, "小区数")
        served, known = row[f"{denominator}_served"] * factor, row[denominator] * factor
        note = f"可达 {served:,.{digits}f}／{known:,.{digits}f} {unit}，还够不着 {known - served:,.{digits}f} {unit}"
        blank = int(self.facts[denominator].isna().sum())
        note += f"；另有 {blank} 个小区不详，未计入" if blank else ""
        return {
            "what": f"{limit_text(self.district, rule, self.walker)}可达{what}",
            "big": f"{share:.1%}",
            "now": share,
            "was": before if np.isfinite(before) else 0,
            "note": note,
            "delta": "与现状相同"
            if abs(share - before) < 5e-5
            else f"现状 {_percent(before)}，{100 * (share - before):+.1f} 个百分点",
        }

    def _table(
        self, answer: _Answer, base: _Answer, now: Mapping[str, Any], was: Mapping[str, Any], denominator: str | None
    ) -> list[list[str]]:
        """Return the counters: label, today, plan, change."""
        rows = []
        labels = [("people", "常住人口"), ("people_60plus", "60岁及以上"), ("area_m2", "居住用地"), ("homes", "小区")]
        for column, label in labels:
            rows.append(self._counter(label, was["whole"], now["whole"], column))
        if self.areas:
            have, had, of = int(answer.has.sum()), int(base.has.sum()), len(self.areas)
            rows.append(["有设施的社区", f"{had}/{of}", f"{have}/{of}", _signed(have - had, 0, " 个")])
        column = "people_60plus" if denominator == "people_60plus" else "people"
        word = "60+" if column == "people_60plus" else "人口"
        for code in self.zones:
            rows.append(self._counter(f"{code['name']}{word}", was[code["id"]], now[code["id"]], column))
        return rows

    @staticmethod
    def _counter(label: str, was: Mapping[str, float], now: Mapping[str, float], column: str) -> list[str]:
        unit, factor, digits = UNITS[column]
        change = (now[f"{column}_served"] - was[f"{column}_served"]) * factor
        return [
            label,
            _percent(was[f"{column}_share"]),
            _percent(now[f"{column}_share"]),
            _signed(change, digits, f" {unit}"),
        ]

    def _effects(self, share: np.ndarray) -> dict[str, Any]:
        """Return who gains and who loses: people, 60+, and the homes with the most people first."""
        change = np.nan_to_num(share - self.before)
        found: dict[str, Any] = {}
        for side, more in (("gain", change), ("lose", -change)):
            part = np.where(more > SAME_SHARE, more, 0.0)
            people, old = (
                np.nan_to_num(self.facts[c].to_numpy(dtype=float)) * part for c in ("people", "people_60plus")
            )
            homes = np.flatnonzero(part)
            order = homes[np.lexsort((homes, -people[homes]))]
            found[side] = {"people": float(people.sum()), "people_60plus": float(old.sum()), "homes": order.tolist()}
        return found

    def _gaps(self, answer: _Answer) -> dict[str, Any]:
        """Return who is left out: totals, and the homes with the most such people first."""
        column = "people_60plus" if self.rule.denominator == "people_60plus" else "people"
        left = np.where(answer.share < 1 - SAME_SHARE, 1.0 - answer.share, 0.0)
        had = np.where(self.before < 1 - SAME_SHARE, 1.0 - self.before, 0.0)
        people = np.nan_to_num(self.facts[column].to_numpy(dtype=float))
        homes = np.flatnonzero(left > 0)
        order = homes[np.lexsort((homes, -(people * left)[homes]))][:LISTED]
        unit = "分钟" if self.rule.method == "walk_min" else "米"
        rows = []
        for home in order:
            far = answer.unserved_cost[home]
            rows.append(
                {
                    "home": int(home),
                    "people": float(people[home] * left[home]),
                    "far": "走不到"
                    if not np.isfinite(far)
                    else f"{far:,.1f} {unit}"
                    if unit == "分钟"
                    else f"{far:,.0f} {unit}",
                }
            )
        return {
            "people": float((people * left).sum()),
            "people_before": float((people * had).sum()),
            "homes": len(homes),
            "homes_before": int((had > 0).sum()),
            "rows": rows,
            "who": "60岁及以上" if column == "people_60plus" else "",
        }

    def _changes(self) -> list[dict[str, str]]:
        """Return what the plan does, in words."""
        rows = []
        for label, edit in self.plan["edits"].items():
            words = ["纳入规划设施"] if edit.get("open") else []
            if edit.get("closed"):
                words = ["撤除"]
            elif "xy" in edit:
                start = shapely.get_coordinates(shapely.point_on_surface(self.frame.geometry[label]))[0]
                words.append(f"移动 {np.hypot(*(np.array(edit['xy']) - start)):,.0f} 米")
            rows.append({"id": str(label), "name": self.names[label], "what": "，".join(words)})
        return rows + [{"id": new["id"], "name": new["name"], "what": "新增"} for new in self.plan["added"]]


def _spot(xy: Sequence[float]) -> list[float]:
    """Return a position in whole centimetres."""
    if not isinstance(xy, (list, tuple, np.ndarray)) or len(xy) != 2:
        raise ScenarioError(f"位置应当是两个数（东、北，米），不是 {xy!r}")
    if not all(isinstance(v, (int, float, np.number)) and np.isfinite(v) for v in xy):
        raise ScenarioError(f"位置应当是两个数（东、北，米），不是 {xy!r}")
    return [round(float(v), 2) for v in xy]


def _doors(doors: pd.DataFrame) -> list[list[float]]:
    """Return edge, metres along it and metres to it of the doors that lead to a street."""
    own = doors[(doors["edge"] >= 0).to_numpy()]
    return [[int(e), float(a), float(m)] for e, a, m in zip(own["edge"], own["at_m"], own["access_m"], strict=True)]


def _percent(share: float) -> str:
    return f"{share:.1%}" if np.isfinite(share) else NO_DATA


def _signed(value: float, digits: int, unit: str) -> str:
    if not np.isfinite(value):
        return "—"
    return "0" if abs(value) < 0.5 * 10**-digits else f"{value:+,.{digits}f}{unit}".replace("-", "−")


# --- the page --------------------------------------------------------------------------------------------------------


def _drawing(desk: LiveModel) -> str:
    """Return what the page draws and never changes: the base map, streets, homes, communities, kinds, walkers."""
    district = desk.district
    west, south, east, north = frame_bounds(district)
    origin = np.floor(np.array([west, south]))
    outlines = {name: numbered_codes(district, name) for name in ("zones", "communities")}
    homes = packed_homes(district, outlines, origin)
    nowhere = dict.fromkeys(("place", "edge", "at", "access", "x", "y"), "")
    none: dict[str, list[Any]] = {name: [] for name in ("id", "name", "kind", "state", "community", "typed")}
    labels = district.kinds["label"]
    content = {
        "name": district.name,
        "demo": district.is_demonstration,
        "demo_text": DEMONSTRATION_TEXT,
        "badges": badges(district),
        "foot": foot_texts(district),
        "rules": [],
        "kinds": kind_rows(district, desk.kinds),
        "profiles": profile_rows(district),
        "askable": [{"id": str(kind), "label": str(labels[kind])} for kind in desk.askable],
        "origin": origin.tolist(),
        "bounds": [west, south, east, north],
        "first": first_view(district),
        "degrees": degree_frame(district, (west, south, east, north)),
        "net": packed_network(district),
        "walls": {"xy": "", "count": ""},
        "homes": homes,
        "zones": outlines["zones"],
        "communities": outlines["communities"],
        "community_areas": packed_areas(district),
        "facilities": {**none, "xy": "", "doors": nowhere, "inside": {"place": "", "point": "", "metres": ""}},
        "parcels": packed_parcels(district, origin),
        "base": packed_base(district, origin),
        "style": looks(),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Hand:
    """What the widget does, apart from the traits it shares with the page."""

    _desk: LiveModel
    send: Callable[..., None]
    _chosen = ""

    def __repr__(self) -> str:
        return f"<活地图 {self._desk.district.name}：{self._desk.rule.label}，{len(self._desk._changes())} 处改动>"

    def _repr_html_(self) -> str:
        desk = self._desk
        after = self.scenario().on(desk.district) if desk._changes() else desk.district
        cover = coverage(after, rules=[desk.rule], profile=desk.walker)
        note = "<p>这里是活地图的静态图；拖动设施要在 JupyterLab 里运行这个笔记本，或用 python run.py app。</p>"
        return note + picture(after, cover, rule=desk.rule)

    # what the hand does

    def _heard(self, _: Any, message: Any, __: Any) -> None:
        """Answer the page; a request that cannot be carried out comes back as a sentence."""
        said = ""
        try:
            self._act(message)
        except (XinheError, ValueError) as error:
            said = str(error)
        self._tell(said, message.get("seq"), message.get("view"))

    def _act(self, message: Mapping[str, Any]) -> None:
        desk, do = self._desk, message.get("do")
        label = str(message.get("facility", ""))
        if "chosen" in message:
            self._chosen = str(message["chosen"])
        if do == "ask":
            desk.ask(str(message.get("kind")), message.get("profile") or None, message.get("minutes"))
        elif do == "move":
            self._chosen = label
            desk.move(label, message.get("xy"), message.get("grip"))  # type: ignore[arg-type]
        elif do == "add":
            self._chosen = desk.add(str(message.get("kind")), message.get("xy"))  # type: ignore[arg-type]
        elif do in ("close", "restore"):
            getattr(desk, do)(label)
        elif do in ("step_back", "step_forward", "reset"):
            getattr(desk, do)()

    def _tell(self, said: str = "", seq: Any = None, view: Any = None) -> None:
        content, arrays = self._desk.state(self._chosen)
        text = self.scenario().text()
        self.send({"state": content, "toml": text, "say": said, "seq": seq, "view": view}, buffers=arrays)

    # what a program does

    def scenario(self, name: str = "live", label: str = "活地图方案") -> Scenario:
        """Return what was done as a `Scenario`."""
        return self._desk.scenario(name, label)

    def served(self) -> pd.DataFrame:
        """Return index home; name, people, people_60plus, before, served, minutes or metres, facility."""
        desk = self._desk
        answer = desk.count(desk.plan)
        table = desk.facts[["name", "people", "people_60plus"]].copy()
        table["before"], table["served"] = desk.before, answer.share
        table["minutes" if desk.rule.method == "walk_min" else "metres"] = answer.cost
        table["facility"] = pd.array(answer.nearest, dtype="str")
        return table.rename_axis("home")

    def add(self, kind: str, xy: Sequence[float], name: str | None = None) -> str:
        """Open a facility at `xy` (metres in the district's CRS); return its id."""
        self._chosen = self._desk.add(kind, xy, name)
        self._tell()
        return self._chosen

    def move(self, facility: str, xy: Sequence[float]) -> None:
        """Put a facility at `xy` (metres in the district's CRS)."""
        self._desk.move(facility, xy)
        self._tell()

    def close_facility(self, facility: str) -> None:
        """Close a facility; called again, it opens."""
        self._desk.close(facility)
        self._tell()

    def restore(self, facility: str) -> None:
        """Put a facility back as it stands today."""
        self._desk.restore(facility)
        self._tell()

    def undo(self) -> None:
        """Take the last step back."""
        self._desk.step_back()
        self._tell()

    def redo(self) -> None:
        """Take the step that was undone again."""
        self._desk.step_forward()
        self._tell()

    def reset(self) -> None:
        """Go back to what stands today."""
        self._desk.reset()
        self._tell()


@cache
def _widget_class() -> Any:
    """Return the class of the widget; made on first use, so that the library loads without anywidget."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise EnvironmentProblem(
            '活地图需要 anywidget：在程序的文件夹里运行 python run.py lab（会自动装好），或 pip install "xinhe-geo[lab]"'
        ) from error

    class LiveMap(_Hand, anywidget.AnyWidget):
        """The live map; see `live`."""

        _esm = "\n".join(web_file(name) for name in ("maps/meeting-engine.js", "maps/meeting-map.js", "maps/live.js"))
        _css = web_file("maps/live.css")
        _content = traitlets.Unicode().tag(sync=True)
        height = traitlets.Int(620).tag(sync=True)
        selected = traitlets.List(traitlets.Unicode()).tag(sync=True)

        def __init__(self, desk: LiveModel, height: int) -> None:
            self._desk = desk
            super().__init__(_content=_drawing(desk), height=height)
            self.on_msg(self._heard)

        @traitlets.validate("selected")
        def _known_homes(self, proposal: Any) -> list[str]:
            known = set(map(str, self._desk.homes.names))
            wrong = [home for home in proposal["value"] if home not in known]
            if wrong:
                raise UnknownNameError("小区", wrong[0], sorted(known))
            return list(dict.fromkeys(proposal["value"]))

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            bundle = anywidget.AnyWidget._repr_mimebundle_(self, **kwargs)
            if bundle is None:
                return None
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
            return {**data, "text/html": self._repr_html_(), "text/plain": repr(self)}, metadata

    return LiveMap

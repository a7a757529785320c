"""
What a live map counts with: the district, the question, the plan with its history, and the searches that are kept.

Every number is computed by the same doors, search and shares as `coverage`, so that it equals that of the plan's scenario.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ..access import (
    coverage,
    facility_entrances,
    home_entrances,
    home_facts,
    home_points,
    is_surveyed,
    median_by_home,
    most_common,
    points_of_homes,
    same_compound,
    share_within,
    within_limit,
    without_stairs,
)
from ..core import (
    DEMONSTRATION,
    DataError,
    Edit,
    Problem,
    Profile,
    ScenarioError,
    UnknownNameError,
    WrongValueError,
    is_above_zero,
    problems_table,
    say,
)
from ..district import District, Named, Scenario, meant
from ..network import SearchState
from .meeting import id_prefix, names_or_ids, numbered_codes, shown_facilities

#: Steps of undo, and positions whose doors are remembered.
STEPS_KEPT, PLACES_KEPT = 200, 500


class Place(NamedTuple):
    """Where a facility can be entered, the walks to it inside its own wall, and the communities it counts in."""

    doors: pd.DataFrame
    same: pd.DataFrame
    communities: tuple[object, ...]


class Answer(NamedTuple):
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
                "error",
                "homes",
                "district.toml",
                "",
                "layers.homes",
                say("没有小区，活地图无从计算"),
                say("放入小区图层"),
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
        self.points = home_points(district)
        self.homes = points_of_homes(self.points)
        self.facts = home_facts(district, homes).assign(homes=1.0)
        self.areas = [code["id"] for code in numbered_codes(district, "communities")]
        self.zones = numbered_codes(district, "zones")
        self.plan: dict[str, Any] = {"edits": {}, "added": []}
        self.past: list[dict[str, Any]] = []
        self.future: list[dict[str, Any]] = []
        self.grip: object = None
        self.active = ""
        self._placed: dict[tuple[str, str, tuple[float, float], bool], Place] = {}
        self._rest: tuple[object, SearchState] | None = None
        self._standing: dict[bool, dict[str, Place]] = {}

    @property
    def first_kind(self) -> str:
        """The first kind whose rule was read in its source, else the first of all."""
        for kind in self.askable:
            rule = self.district.rule(str(self.district.kinds.loc[kind, "rule"]))
            if rule.confidence == "read" and rule.metric == "reach":
                return str(kind)
        return str(self.askable[0])

    # --- the question

    def ask(self, kind: Named, profile: Named | None = None, minutes: float | None = None) -> None:
        """Choose what is counted; the district as it stands is counted once, by `coverage` itself."""
        kind = self.district.key("kinds", kind)
        if kind not in self.askable:
            raise UnknownNameError("设施类别", kind, self.askable)
        if minutes is not None and not (is_above_zero(minutes) and minutes <= 600):
            raise WrongValueError(say("minutes 应当是大于 0 的分钟数（600 以内），不是 {0!r}", minutes))
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

    @property
    def _level(self) -> Profile | None:
        """Who walks, where doors without stairs are theirs."""
        return without_stairs(self.district, self.walker if self.rule.method == "walk_min" else None)

    def _places_today(self) -> dict[str, Place]:
        """Return the place of every facility as it stands."""
        if self.frame.empty:
            return {}
        level = self._level
        if (level is not None) not in self._standing:
            self._standing[level is not None] = self._found(level)
        return self._standing[level is not None]

    def _found(self, level: Profile | None) -> dict[str, Place]:
        doors = facility_entrances(self.district, self.frame, level)
        same = same_compound(self.district, self.points, doors)
        serving = self.district.serving(self.frame)
        communities = {label: tuple(codes) for label, codes in serving.groupby("facility")["community"]}
        own, walks = dict(tuple(doors.groupby("place"))), dict(tuple(same.groupby("target")))
        return {
            label: Place(own.get(label, doors[:0]), walks.get(label, same[:0]), communities.get(label, ()))
            for label in self.frame.index
        }

    def _place(self, label: str, kind: str, xy: tuple[float, float]) -> Place:
        """Return the place of a facility put somewhere: its drawn entrances stay behind, as a scenario has it."""
        key = (label, kind, xy, self._level is not None)
        if key not in self._placed:
            if len(self._placed) > PLACES_KEPT:
                self._placed.clear()
            row = self.frame.loc[[label]].copy() if label in self.frame.index else gpd.GeoDataFrame({"kind": [kind]})
            row = row.set_geometry(gpd.GeoSeries([shapely.Point(xy)], index=row.index, crs=self.district.crs))
            row.index = pd.Index([f"{self.prefix}here"])
            doors = facility_entrances(self.district, row, self._level).assign(place=label)
            same = same_compound(self.district, self.points, doors)
            self._placed[key] = Place(doors, same, tuple(self.district.serving(row)["community"]))
        return self._placed[key]

    def facilities(self, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the facilities of the rule's kinds under a plan: where they are, whether they serve, what was done."""
        found, standing = [], self._places_today()
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
                    "place": self._place(label, kind, moved) if moved else standing[label],
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

    def count(self, plan: Mapping[str, Any]) -> Answer:
        """Return who is served under a plan; equal to `coverage` of the plan's scenario."""
        own = self.facilities(plan)
        serving = [f for f in own if f["serves"]]
        rule, homes = self.rule, self.homes
        cost, nearest = self._costs(serving)
        has = np.isin(self.areas, [code for f in serving for code in f["place"].communities])
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
        return Answer(share, median, most_common(homes, nearest), self._of_unserved(lacking), has)

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
            doors = home_entrances(self.district, walker)
            found = self._search(serving, walker).at(doors)
            place, known = doors["place"].to_numpy(), found["target"].notna().to_numpy()
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

    def _search(self, serving: Sequence[Mapping[str, Any]], walker: Profile | None) -> SearchState:
        """Return the finished search; all but the facility that moves is kept, so that a drag costs one place."""
        rest = [f for f in serving if f["id"] != self.active]
        standing = self._places_today()
        key = (walker, tuple((f["id"], tuple(f["xy"]), f["place"] is standing.get(f["id"])) for f in rest))
        if self._rest is None or self._rest[0] != key:
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
        kind = self.district.key("kinds", kind)
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

    def known(self, said: Named) -> str:
        """Return the id of a facility, of today or of the plan, that is given by id, name or row."""
        new = pd.DataFrame({"name": {place["id"]: place["name"] for place in self.plan["added"]}}, dtype="str")
        return meant("设施", said, self.frame, new)[1]

    def _added(self, label: str) -> int | None:
        """Return where a facility stands among the new ones, None for one of today's; others are no facility."""
        for number, new in enumerate(self.plan["added"]):
            if new["id"] == label:
                return number
        if label not in self.frame.index:
            raise UnknownNameError("设施", label, [*map(str, self.frame.index), *(n["id"] for n in self.plan["added"])])
        if label not in self.movable:
            raise ScenarioError(
                say("{0} 来自自行补充的设施图层，不能在方案里改动；请直接改那个文件", self.names[label])
            )
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


def _spot(xy: Sequence[float]) -> list[float]:
    """Return a position in whole centimetres."""
    if not isinstance(xy, (list, tuple, np.ndarray)) or len(xy) != 2:
        raise ScenarioError(say("位置应当是两个数（东、北，米），不是 {0!r}", xy))
    if not all(isinstance(v, (int, float, np.number)) and np.isfinite(v) for v in xy):
        raise ScenarioError(say("位置应当是两个数（东、北，米），不是 {0!r}", xy))
    return [round(float(v), 2) for v in xy]

"""
One link (增开出入口效果): which single gate, crossing, bridge or missing link brings most people inside a rule.

A shortest walk uses a new link at most once, so its effect is known from two searches made once: from every place that
offers the service to the ends of all candidates, and from every home to the same ends. Thousands of candidates are
judged so; the best are then carried out one by one on the district and coverage is counted afresh.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..access import (
    TOLERANCE_MIN,
    coverage,
    facility_entrances,
    gaps,
    home_entrances,
    home_points,
    known_sum,
    od_table,
    summary,
    walk_inside,
)
from ..core import (
    BASES,
    DEMONSTRATION,
    TOLERANCE_M,
    Edit,
    Profile,
    Rule,
    SitingError,
    UnknownNameError,
    amount,
    named_by_homes,
    per_cent,
    say,
    told,
)
from ..district import District, Named, Scenario, kind_name, rule_name
from .assumed import assumption, with_assumption

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str], None]

#: Ends of new links are tried along public streets at this spacing, and joined where they lie this near each other.
SAMPLE_M, LINK_M = 30.0, 120.0
#: A link this short that meets nothing but a street between its ends is a crossing.
CROSSING_M = 45.0
#: New gates are tried along a wall at this spacing, where a public street is this near, this far from any open gate.
WALL_M, GATE_TO_STREET_M, GATE_APART_M = 20.0, 30.0, 60.0
#: Two proposals this near each other are one.
APART_M = 120.0
#: How many more than asked for are counted afresh: their order may change.
SPARE = 2

KIND_LABELS = {"gate": "出入口", "crossing": "过街", "bridge": "跨越（桥或地道）", "link": "步行连接"}
WEIGHTS = ("people", "people_60plus")


class Openings(NamedTuple):
    """
    What may be opened: where, of which kinds, and what a crossing costs.

    Attributes
    ----------
    candidates
        Where to try instead of everywhere, any CRS: lines (a walk between two streets) and points (a gate in the wall of the
        nearest home).
    kinds
        Which kinds of links are tried: "gate", "crossing", "bridge", "link".
    wait_s
        What a new crossing makes people wait, in seconds.
    assume_complete
        Take what a map shows of a kind that nobody surveyed for all there is; the answer says so. Otherwise it is refused.
    """

    candidates: gpd.GeoDataFrame | gpd.GeoSeries | None = None
    kinds: Sequence[str] = tuple(KIND_LABELS)
    wait_s: float = 30.0
    assume_complete: bool = False


_EVERYWHERE = Openings()


class Ask(NamedTuple):
    """What is asked, and how things stand."""

    district: District
    openings: Openings
    rule: Rule
    walker: Profile | None  # None: the rule is in metres
    limit: float
    tolerance: float
    speed: float  # metres per unit of cost
    points: gpd.GeoDataFrame
    today: Floats  # per point: cost to the nearest
    targets: pd.DataFrame  # entrances of what serves
    people: Floats  # per point, of the weight asked for; 0 where not known
    home: NDArray[np.object_]  # per point: whose it is, and which part of it
    part: Floats
    weight: str
    assumed: str = ""  # what the answer has to say of facilities only seen on a map
    idle: bool = False  # whether candidates that help nobody by themselves are kept


class Try(NamedTuple):
    """A candidate by itself; what it brings is filled in once it is judged."""

    kind: str
    shape: shapely.Geometry
    home: str = ""
    gate: str = ""
    gained: float = 0.0
    saved: float = 0.0
    homes: Mapping[str, float] = MappingProxyType({})  # home: share of it that comes inside


@told("找通道", 14)
@named_by_homes
def links(
    district: District,
    rule_or_kind: Named,
    *,
    n: int = 10,
    openings: Openings = _EVERYWHERE,
    weight: str | None = None,
    progress: Progress | None = None,
) -> gpd.GeoDataFrame:
    """
    Rank single openings: gates in walls, crossings, bridges over barriers, missing links between streets.

    Parameters
    ----------
    rule_or_kind
        A rule of reach by street metres or walking minutes, or a kind with such a headline rule.
    n
        How many to return.
    openings
        What may be opened: where, of which kinds; everything everywhere by default.
    weight
        "people" or "people_60plus"; by default what the rule counts in.
    progress
        Called with a short line as each step begins.

    Returns
    -------
    ranked
        Index link (L01 is the best). `kind`, `kind_label`, `text` (one sentence), `home` and `name` (of a gate),
        `crosses` (barriers), `length_m`; `people_gained`, `people_60plus_gained` (newly inside, counted afresh with coverage
        on the district with this one link), `people_lost` (the same the other way; a link takes nothing away),
        `minutes_saved` (person-minutes a walk: people x minutes saved at the median point, added over homes), `homes_gained`
        (names), `share_before`, `share_after` (by the rule's denominator), `estimated` (what the fast search said, in the
        weight asked for), `rule`, `weight`, `edit` (`Edit` to put into a scenario), `basis`, `mark`; geometry (line or point)
        in the district's CRS. Empty where no link helps.

    Raises
    ------
    SitingError
        The rule does not depend on streets, the data are not there, or a kind was only seen on a map.
    UnknownNameError
        No such rule, kind, weight or kind of link.
    """
    tell = progress or (lambda _: None)
    ask = asked_for(district, rule_or_kind, weight, openings)
    tries = judged(ask, tell)
    order = apart(tries, best_first(tries), n + SPARE)
    return _counted(ask, [tries[i] for i in order], n, tell)


def judged(ask: Ask, tell: Progress) -> list[Try]:
    """Try every candidate by itself, by the fast search; those that help nobody are left out."""
    tell(say("找候选：围墙、断头路、阻隔两侧"))
    candidates, kinds, *_ = ask.openings
    if candidates is not None:
        lines, gates = _given(ask.district, candidates)
    else:
        lines = _pairs_of_streets(ask) if set(kinds) - {"gate"} else []
        gates = _walls(ask.district) if "gate" in kinds else []
    tell(say("快速估算 {0} 处", len(lines) + len(gates)))
    return [*_judge_lines(ask, lines), *_judge_gates(ask, gates)]


def asked_for(district: District, name: Named, weight: str | None, openings: Openings = _EVERYWHERE) -> Ask:
    """Return what the search is asked: the rule, who is counted, and what stands as the district is."""
    for kind in openings.kinds:
        if kind not in KIND_LABELS:
            raise UnknownNameError("连接种类", kind, list(KIND_LABELS))
    rule = district.rule(name)
    if rule.metric != "reach" or rule.method == "buffer":
        rules = district.rules  # those about the same kinds that do depend on streets
        fits = (rules["metric"] == "reach") & (rules["method"] != "buffer")
        same = np.array([bool(set(str(k).split(";")) & set(rule.kinds)) for k in rules["kinds"]], dtype=bool)
        others = list(rules.index[fits.to_numpy() & same])[:4]
        hint = say("；可以改用：{0}", say("、").join(others)) if others else ""
        raise SitingError(
            say("“{0}”不看怎么走（按社区有无，或直线距离），增开通道不会改变它{1}", rule_name(district, rule), hint)
        )
    if weight is not None and weight not in WEIGHTS:
        raise UnknownNameError("权重", weight, WEIGHTS)
    homes, facilities = district.homes, district.open_facilities
    if homes is None or homes.empty or facilities is None:
        raise SitingError(say("数据不足：要有小区和设施图层"))
    own = facilities[facilities["kind"].isin(rule.kinds).to_numpy()]
    if own.empty:
        labels = say("、").join(kind_name(district, kind) for kind in rule.kinds)
        raise SitingError(say("没有开放的{0}，增开通道帮不上忙；先选址（sites）", labels))
    assumed = assumption(district, rule, openings.assume_complete)
    weight = weight or (rule.denominator if rule.denominator in WEIGHTS else "people")
    walker = district.profile(rule.profile)
    points = home_points(district)
    people = homes[weight].reindex(points["home"]).fillna(0.0).to_numpy(dtype=float) * points["weight"].to_numpy()
    by_time = rule.method == "walk_min"
    column = "minutes" if by_time else "metres"
    today = od_table(district, rule.kinds, profile=walker)[column].groupby(level="point").min().reindex(points.index)
    targets = facility_entrances(district, own, walker if by_time else None)
    return Ask(
        district,
        openings,
        rule,
        walker if by_time else None,
        rule.minutes if by_time else rule.metres,
        TOLERANCE_MIN if by_time else TOLERANCE_M,
        walker.speed_m_s * 60.0 if by_time else 1.0,
        points,
        today.fillna(np.inf).to_numpy(dtype=float),
        targets[(targets["edge"] >= 0).to_numpy()],
        people,
        points["home"].to_numpy(object),
        points["weight"].to_numpy(float),
        weight,
        assumed,
    )


# --- candidates ------------------------------------------------------------------------------------------------------


def _pairs_of_streets(ask: Ask) -> list[shapely.LineString]:
    """Return straight lines between public streets that would shorten somebody's way to what serves."""
    edges = ask.district.network.edges
    edges = edges[edges["home"].isna().to_numpy()]
    count = np.maximum(np.ceil(edges["length_m"].to_numpy() / SAMPLE_M), 1).astype(np.int64)
    number = np.repeat(np.arange(len(edges)), count)
    step = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    along = (step + 0.5) / count[number] * edges["length_m"].to_numpy()[number]
    spots = shapely.line_interpolate_point(np.asarray(edges.geometry.array)[number], along)
    spots_on = pd.DataFrame(
        {"place": np.arange(len(spots)), "edge": np.asarray(edges.index)[number], "at_m": along, "access_m": 0.0}
    )
    away = (
        ask.district.network.search(spots_on, ask.targets, profile=ask.walker)["cost"]
        .fillna(np.inf)
        .to_numpy(dtype=float)
    )
    xy = shapely.get_coordinates(spots)
    near = cKDTree(xy).query_pairs(LINK_M, output_type="ndarray")
    a, b = near[:, 0], near[:, 1]
    metres = np.hypot(*(xy[a] - xy[b]).T)
    swap = away[b] > away[a]  # a is the far end
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    with np.errstate(invalid="ignore"):
        saves = away[a] - away[b] - metres / ask.speed
    helps = (saves > 2 * SAMPLE_M / ask.speed) & (away[b] + metres / ask.speed < ask.limit)
    a, b, saves = a[helps], b[helps], saves[helps]
    order = np.lexsort((b, a, -saves))
    lines = shapely.linestrings(np.stack([xy[a[order]], xy[b[order]]], axis=1))
    return [line for line, free in zip(lines, _free_of_homes(ask.district, lines), strict=True) if free]


def _free_of_homes(district: District, lines: np.ndarray) -> NDArray[np.bool_]:
    """Return which lines do not run through a walled compound, a building plot nobody would cut a path through."""
    free = np.ones(len(lines), dtype=bool)
    if district.homes is not None and len(lines):
        areas = district.homes[(district.homes.geometry.area > 0).to_numpy()]
        through = areas.sindex.query(np.asarray(lines, dtype=object), predicate="intersects")[0]
        free[through] = False
    return free


def _walls(district: District) -> list[tuple[str, str, shapely.Point]]:
    """Return (home, gate, spot): gates that are there but not open, and spots of walls beside a public street."""
    homes, gates = district.homes, district.gates
    if homes is None or gates is None:
        return []
    shut = gates[(gates["state"].fillna("open") != "open").to_numpy()]
    found = [(str(r.home), str(r.Index), r.geometry) for r in shut.itertuples() if r.home in homes.index]
    walled = homes[homes.index.isin(gates["home"]) & (homes.geometry.area > 0).to_numpy()]
    for home, shape in zip(walled.index, walled.geometry, strict=True):
        wall = shapely.boundary(shape)
        spots = shapely.line_interpolate_point(wall, np.arange(WALL_M / 2, wall.length, WALL_M))
        own = gates.geometry[(gates["home"] == home).to_numpy()].array
        if len(own):
            spots = spots[shapely.distance(spots[:, None], np.asarray(own)[None, :]).min(axis=1) > GATE_APART_M]
        found += [(str(home), "", spot) for spot in spots]
    return found


def _given(
    district: District, given: gpd.GeoDataFrame | gpd.GeoSeries
) -> tuple[list[shapely.LineString], list[tuple[str, str, shapely.Point]]]:
    """Sort a layer of candidates into lines and gates."""
    if given.crs is None:
        raise SitingError(say("候选通道没有声明坐标系；先用 set_crs 声明"))
    lines, gates = [], []
    homes = district.homes
    for shape in given.geometry.to_crs(district.crs):
        if shape.geom_type == "LineString":
            lines.append(shape)
        elif shape.geom_type == "Point" and homes is not None and len(homes):
            home = homes.index[int(np.argmin(shapely.distance(homes.geometry.array, shape)))]
            wall = shapely.boundary(homes.geometry[home])
            gates.append((str(home), "", shape if wall.is_empty else wall.interpolate(wall.project(shape))))
        else:
            raise SitingError(say("候选通道只认线（通道）和点（出入口），不认 {0}", shape.geom_type))
    return lines, gates


# --- the fast search -------------------------------------------------------------------------------------------------


class Walk(NamedTuple):
    """How everybody gets to the ends of one candidate, and from there to what serves; costs as the rule counts."""

    number: int
    to: Floats  # (end, point): from each point to each end; inf where out of reach
    price: float  # from end to end
    away: Floats  # per end: to the nearest that serves
    feet: pd.DataFrame  # where the ends meet the street

    @property
    def new(self) -> Floats:
        """Cost of each point by way of the candidate; the single end of a gate is entry and exit in one."""
        new: Floats = (self.to + self.price + self.away[::-1, None]).min(axis=0)
        return new


def _judge_lines(ask: Ask, lines: Sequence[shapely.LineString]) -> Iterator[Try]:
    """Yield the lines that bring somebody inside, or nearer."""
    sorts, _ = sorts_of(ask.district, lines)
    keep = [number for number, sort in enumerate(sorts) if sort in ask.openings.kinds]
    lines, sorts = [lines[i] for i in keep], [sorts[i] for i in keep]
    for walk in line_walks(ask, lines, sorts):
        yield from _judged(ask, Try(sorts[walk.number], lines[walk.number]), walk.new)


def line_walks(ask: Ask, lines: Sequence[shapely.LineString], sorts: Sequence[str]) -> Iterator[Walk]:
    """Find how everybody gets to both ends of each line."""
    if not lines:
        return
    network = ask.district.network
    ends = gpd.GeoSeries(
        [shapely.Point(line.coords[i]) for line in lines for i in (0, -1)],
        index=np.arange(2 * len(lines)),
        crs=ask.district.crs,
    )
    feet = network.alone.attach(ends, profile=ask.walker)
    away = network.search(feet, ask.targets, profile=ask.walker)["cost"].fillna(np.inf).to_numpy(dtype=float)
    found = network.pairs(home_entrances(ask.district, ask.walker), feet, profile=ask.walker, limit=ask.limit).iloc[
        :, 0
    ]
    point, end = (np.asarray(found.index.get_level_values(i)) for i in (0, 1))
    row = ask.points.index.get_indexer(point)
    order = np.argsort(end, kind="stable")
    row, end, cost = row[order], end[order], found.to_numpy(dtype=float)[order]
    first = np.searchsorted(end, np.arange(2 * len(lines) + 1))
    for i, (line, sort) in enumerate(zip(lines, sorts, strict=True)):
        waited = (
            ask.openings.wait_s / 60.0 * (ask.walker.waits if ask.walker is not None else 0.0)
            if sort == "crossing"
            else 0.0
        )
        to = np.full((2, len(ask.today)), np.inf)
        for k in (0, 1):
            own = slice(first[2 * i + k], first[2 * i + k + 1])
            np.minimum.at(to[k], row[own], cost[own])
        both = slice(2 * i, 2 * i + 2)
        yield Walk(i, to, line.length / ask.speed + waited, away[both], feet.iloc[both])


def _judge_gates(ask: Ask, gates: Sequence[tuple[str, str, shapely.Point]]) -> Iterator[Try]:
    """Yield the gates that bring somebody inside, or nearer."""
    for walk in gate_walks(ask, gates):
        home, gate, spot = gates[walk.number]
        yield from _judged(ask, Try("gate", spot, home, gate), walk.new)


def gate_walks(ask: Ask, gates: Sequence[tuple[str, str, shapely.Point]]) -> Iterator[Walk]:
    """Find how residents get out by each gate; nobody else is let in."""
    homes = ask.district.homes
    if not gates or homes is None:
        return
    barriers = ask.district.barriers
    spots = gpd.GeoSeries([spot for _, _, spot in gates], index=np.arange(len(gates)), crs=ask.district.crs)
    walls = None if barriers is None or barriers.empty else barriers.geometry
    feet = ask.district.network.alone.attach(spots, barriers=walls, profile=ask.walker)
    usable = ((feet["edge"] >= 0) & (feet["access_m"] <= GATE_TO_STREET_M)).to_numpy()
    away = (
        ask.district.network.search(feet, ask.targets, profile=ask.walker)["cost"].fillna(np.inf).to_numpy(dtype=float)
    )
    rows = dict(tuple(pd.Series(np.arange(len(ask.points))).groupby(ask.points["home"].to_numpy())))
    by_home: dict[str, list[int]] = {}
    for number in np.flatnonzero(usable).tolist():
        by_home.setdefault(gates[number][0], []).append(number)
    for home, own in by_home.items():
        mine = rows[home].to_numpy()
        inside = walk_inside(homes.geometry[home], ask.points.geometry.iloc[mine].array, [gates[i][2] for i in own])
        for column, i in enumerate(own):
            to = np.full((1, len(ask.today)), np.inf)
            to[0, mine] = inside[:, column] / ask.speed
            yield Walk(i, to, 0.0, away[i : i + 1], feet.iloc[i : i + 1])


def _judged(ask: Ask, one: Try, new: Floats) -> Iterator[Try]:
    """Yield a candidate that helps somebody with what it brings: how many come inside, how much walking it saves."""
    better = new < ask.today - ask.tolerance
    if not better.any() and not ask.idle:
        return
    inside = better & (new <= ask.limit + ask.tolerance) & (ask.today > ask.limit + ask.tolerance)
    known = better & np.isfinite(ask.today)  # whoever gets nowhere today saves nothing that could be counted
    saved = float((ask.people[known] * (ask.today[known] - new[known])).sum())
    if ask.walker is None:
        saved = saved / (ask.district.profile(ask.rule.profile).speed_m_s * 60.0)
    parts: dict[str, list[float]] = {}  # of thousands of candidates each: a frame would take longer than the search
    for home, part in zip(ask.home[inside], ask.part[inside], strict=True):
        parts.setdefault(str(home), []).append(part)
    homes = {home: math.fsum(parts[home]) for home in sorted(parts)}
    yield one._replace(gained=float(ask.people[inside].sum()), saved=saved, homes=homes)


def sorts_of(district: District, lines: Sequence[shapely.LineString]) -> tuple[list[str], list[str]]:
    """Return what each line is, and the names of the barriers it crosses."""
    crossed = [""] * len(lines)
    barriers = district.barriers
    if barriers is not None and len(barriers) and lines:
        names = barriers["name"].fillna(barriers["kind"]).to_numpy()
        line, barrier = barriers.sindex.query(np.asarray(lines, dtype=object), predicate="intersects")
        for i in np.unique(line):
            crossed[i] = say("、").join(dict.fromkeys(str(n) for n in names[np.sort(barrier[line == i])]))
    sorts = [
        "bridge" if text else "crossing" if line.length <= CROSSING_M else "link"
        for text, line in zip(crossed, lines, strict=True)
    ]
    return sorts, crossed


def best_first(tries: Sequence[Try]) -> list[int]:
    """Most people first, then most walking saved, then the shortest, then place."""
    keys = [(-round(t.gained, 6), -round(t.saved, 6), round(t.shape.length, 3), t.shape.wkt) for t in tries]
    return sorted(range(len(keys)), key=keys.__getitem__)


def apart(tries: Sequence[Try], order: Sequence[int], n: int) -> list[int]:
    """Keep the first of those that lie beside each other; one gate per home."""
    kept: list[int] = []
    for i in order:
        one, middle = tries[i], tries[i].shape.centroid
        twin = any(
            (one.home and one.home == other.home)
            or (not one.home and not other.home and other.shape.centroid.distance(middle) < APART_M)
            for other in (tries[j] for j in kept)
        )
        if not twin:
            kept.append(i)
        if len(kept) == n:
            break
    return kept


# --- counted afresh --------------------------------------------------------------------------------------------------


def _counted(ask: Ask, tries: Sequence[Try], n: int, tell: Progress) -> gpd.GeoDataFrame:
    """Carry out each proposal on the district and count again."""
    cover = coverage(ask.district, rules=[ask.rule])
    before, share = cover.droplevel("rule"), float(summary(cover)["share"].iloc[0])
    _, crossed = sorts_of(ask.district, [one.shape for one in tries])
    rows = []
    for k, one in enumerate(tries):
        tell(say("逐处复核 {0}/{1}", k + 1, len(tries)))
        edit = edit_of(ask, one, f"link-{k + 1}")
        after = Scenario("link", edits=(edit,), planned=ask.district.with_planned).on(ask.district)
        row = effect_of(before, coverage(after, rules=[ask.rule]))
        row |= {
            "kind": one.kind,
            "kind_label": say(KIND_LABELS[one.kind]),
            "home": one.home or None,
            "crosses": "" if one.kind == "gate" else crossed[k],
            "length_m": float(one.shape.length),
            "share_before": share,
            "estimated": one.gained,
            "rule": ask.rule.name,
            "edit": edit,
            "geometry": one.shape,
        }
        rows.append(row)
    frame = gpd.GeoDataFrame(rows, columns=list(COLUMNS), geometry="geometry", crs=ask.district.crs)
    frame["weight"] = ask.weight
    frame["name"] = place_names(ask.district, frame)
    frame = frame.sort_values([f"{ask.weight}_gained", "minutes_saved"], ascending=False, kind="stable").head(n)
    helps = (frame["people_gained"] > 0) | (frame["minutes_saved"] > 0) | (frame["homes_gained"] != "")
    frame = frame[helps]
    frame.index = pd.Index([f"L{i + 1:02d}" for i in range(len(frame))], name="link")
    frame["text"] = [_text(row) for row in frame.itertuples()]
    basis = before["basis"].dropna()
    frame["basis"] = max(basis, key=BASES.index) if len(basis) else ""
    mark = say("演示值（不作结论）") if basis.isin(DEMONSTRATION).any() else ""
    frame["mark"] = with_assumption(mark, ask.assumed)
    frame["text"] = [with_assumption(text, ask.assumed) for text in frame["text"]]
    return frame


COLUMNS = (
    "kind",
    "kind_label",
    "text",
    "home",
    "name",
    "crosses",
    "length_m",
    "people_gained",
    "people_60plus_gained",
    "people_lost",
    "minutes_saved",
    "homes_gained",
    "share_before",
    "share_after",
    "estimated",
    "rule",
    "weight",
    "edit",
    "basis",
    "mark",
    "geometry",
)


def edit_of(ask: Ask, one: Try, name: str) -> Edit:
    """Return the edit that makes a candidate real."""
    if one.gate:
        return Edit("open_gate", {"gate": one.gate})
    wait_s = ask.openings.wait_s
    lonlat = gpd.GeoSeries([one.shape], crs=ask.district.crs).to_crs("EPSG:4326").iloc[0]
    at = [[round(x, 8), round(y, 8)] for x, y in lonlat.coords]
    if one.kind == "gate":
        return Edit("open_gate", {"gate": f"{name}-gate", "home": one.home, "at": at[0]})
    what: dict[str, object] = {"street": name, "name": say("新增{0}", say(KIND_LABELS[one.kind])), "line": at}
    return Edit("add_street", what | ({"wait_s": float(wait_s)} if one.kind == "crossing" and wait_s else {}))


def effect_of(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, object]:
    """Return what coverage says of one proposal."""
    whole = float(summary(after)["share"].iloc[0])
    now = after.droplevel("rule").reindex(before.index)
    change = (now["served"] - before["served"]).fillna(0.0)
    nearer = (before["minutes"] - now["minutes"]).fillna(0.0)
    gained = change.clip(lower=0.0)
    names = before["name"].fillna(before.index.to_series())[(change > TOLERANCE_M).to_numpy()]
    return {
        "people_gained": known_sum(gained, before["people"]),
        "people_60plus_gained": known_sum(gained, before["people_60plus"]),
        "people_lost": known_sum(-change.clip(upper=0.0), before["people"]),
        "minutes_saved": float((nearer * before["people"]).sum()) if before["people"].notna().any() else np.nan,
        "homes_gained": say("、").join(str(v) for v in names[:6])
        + (say(" 等 {0} 个", len(names)) if len(names) > 6 else ""),
        "share_after": whole,
    }


def place_names(district: District, frame: gpd.GeoDataFrame) -> list[str]:
    """Name each place: the home of a gate, else the streets at both ends."""
    homes = district.homes
    edges = district.network.edges
    named = edges[edges["name"].notna().to_numpy()]
    texts = []
    for row in frame.itertuples():
        if isinstance(row.home, str) and homes is not None:
            name = homes["name"].get(row.home)
            texts.append(str(name) if isinstance(name, str) else row.home)
            continue
        ends = [shapely.Point(c) for c in row.geometry.coords]
        near = (
            [] if named.empty else [named["name"].iloc[named.sindex.nearest(e, return_all=False)[1][0]] for e in ends]
        )
        texts.append("—".join(dict.fromkeys(str(v) for v in near)) or say("两条街之间"))
    return texts


class _Ranked(Protocol):
    """A row of what `links` returns."""

    kind: str
    name: str
    crosses: str
    length_m: float
    people_gained: float
    people_60plus_gained: float
    minutes_saved: float
    homes_gained: str


def _text(row: _Ranked) -> str:
    """Say in one sentence what a link brings."""
    where = where_text(row.kind, row.name, row.crosses, row.length_m)
    saved = "" if np.isnan(row.minutes_saved) else say("；每趟共省 {0} 人·分钟", amount(row.minutes_saved))
    if row.people_gained < 0.5:
        return say("{0}：没有新增可达居民{1}", where, saved)
    return say("{0}：{1}{2}", where, gained_text(row.people_gained, row.people_60plus_gained, row.homes_gained), saved)


def gained_text(people: float, older: float, homes: str) -> str:
    """Say who is newly in reach; where their number is not known, only which homes."""
    if np.isnan(people):
        return say("新增可达：{0}（人口不详）", homes)
    aged = say("，其中60岁及以上 {0} 人", amount(older)) if older > 0 else ""
    return say("新增 {0} 人可达{1}（{2}）", amount(people), aged, homes)


def where_text(kind: str, name: str, crosses: str, length_m: float) -> str:
    """Say in words where a link lies."""
    return {
        "gate": say("{0}增开一处出入口", name),
        "crossing": say("{0}加一处过街（{1:.0f} 米）", name, length_m),
        "bridge": say("{0}跨{1}加一处桥或地道（{2:.0f} 米）", name, crosses, length_m),
        "link": say("{0}打通 {1:.0f} 米", name, length_m),
    }[kind]


def links_plan(ranked: gpd.GeoDataFrame, chosen: Sequence[str] | None = None, *, name: str = "links") -> Scenario:
    """
    Return a scenario of proposed links.

    Parameters
    ----------
    ranked
        Result of `links`.
    chosen
        Ids of it; None: the best alone.
    name
        The scenario's name.

    Raises
    ------
    UnknownNameError
        No such link.
    """
    wanted = list(ranked.index[:1]) if chosen is None else list(chosen)
    missing = [c for c in wanted if c not in ranked.index]
    if missing or not wanted:
        raise UnknownNameError("通道", missing[0] if missing else "", list(ranked.index))
    edits = tuple(ranked.loc[c, "edit"] for c in wanted)
    note = say("；").join(str(ranked.loc[c, "text"]) for c in wanted)
    return Scenario(name, say("增开通道"), edits, note=say("位置为推算：{0}", note))


@named_by_homes
def fixes(district: District, rule_or_kind: Named, *, wait_s: float = 30.0) -> gpd.GeoDataFrame:
    """
    Explain the gap home by home: the parts of its walk, and what would bring it inside.

    Parameters
    ----------
    rule_or_kind, wait_s
        As in `links`.

    Returns
    -------
    places
        What `access.gaps` returns (index home: minutes to the gate, waiting, walking, detour, reason …), and `link` (in words:
        the one gate, crossing, bridge or link that brings most of the home inside; empty where none does), `link_share`
        (share of the home it brings inside, 0-1), `facility_metres` (a new facility this near the gate, along the street,
        would do; missing where the way to the gate alone takes too long), `fix` (both in one sentence). Empty, as `gaps` is, where
        a kind was only seen on a map.

    Raises
    ------
    SitingError, UnknownNameError
        As in `links`.
    """
    # of a kind only seen on a map there are no gaps to explain: nothing here rests on the assumption
    ask = asked_for(district, rule_or_kind, None, Openings(wait_s=wait_s, assume_complete=True))
    places = gaps(district, coverage(district, rules=[ask.rule]), ask.rule.name)
    if places.empty:
        return places.assign(link="", link_share=0.0, facility_metres=np.nan, fix="")
    tries = [*_judge_lines(ask, _pairs_of_streets(ask)), *_judge_gates(ask, _walls(district))]
    best: dict[str, tuple[float, int]] = {}
    for i in best_first(tries):
        for home, share in tries[i].homes.items():
            if share > best.get(home, (0.0, 0))[0] + 1e-9:
                best[home] = (share, i)
    chosen = [best[h][1] for h in places.index if h in best]
    shown = gpd.GeoDataFrame(
        {"home": [tries[i].home or None for i in chosen]}, geometry=[tries[i].shape for i in chosen], crs=district.crs
    )
    _, crossed = sorts_of(district, [tries[i].shape for i in chosen])
    texts = {
        i: where_text(tries[i].kind, name, over, tries[i].shape.length)
        for i, name, over in zip(chosen, place_names(district, shown) if chosen else [], crossed, strict=True)
    }
    places["link"] = [texts[best[h][1]] if h in best else "" for h in places.index]
    places["link_share"] = [best[h][0] if h in best else 0.0 for h in places.index]
    speed = district.profile(ask.rule.profile).speed_m_s * 60.0
    left = (ask.limit - places["gate_minutes"].fillna(0.0) * (1.0 if ask.walker is not None else speed)) * ask.speed
    places["facility_metres"] = left.where(left > 0)
    places["fix"] = [_fix_text(row) for row in places.itertuples()]
    return places


class _Fixed(Protocol):
    """A row of what `fixes` returns."""

    link: str
    link_share: float
    facility_metres: float


def _fix_text(row: _Fixed) -> str:
    parts = []
    if row.link:
        parts.append(say("{0}可使其 {1} 可达", row.link, per_cent(row.link_share, 0)))
    if np.isfinite(row.facility_metres):
        parts.append(
            say("或在出入口沿街 {0} 米内设一处", amount(row.facility_metres))
            if parts
            else say("在出入口沿街 {0} 米内设一处；单开一处通道不够", amount(row.facility_metres))
        )
    return say("，").join(parts) or say("走到出入口已超过限值：要在小区内设一处，或先增开出入口")

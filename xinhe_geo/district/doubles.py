"""What would be added wrongly in a district: people counted twice, people of two kinds, and facilities that look like one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import chain, islice
from typing import NamedTuple, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import LAYERS, PEOPLE_KINDS, RESIDENT, Problem, amount, at_year, per_cent, say, without_brackets

#: Homes that share more than this part of the smaller one are one place told twice. Outlines that touch, and slivers
#: between outlines drawn from different maps, share less.
SHARED = 0.2
#: A point this near to another one stands on the same spot (as far as anybody writes coordinates).
SPOT_M = 1.0
#: Facilities of one kind with names alike within this distance look like one; further off they may be the two platforms
#: of a stop or the two ends of a park.
NEAR_M = 30.0
#: Names this alike are one name (`difflib`), unless numbers or points of the compass in them differ.
ALIKE = 0.85
#: Where a square of `NEAR_M` holds more facilities of one kind than this, only equal names are told: pairs grow as its square.
DENSE = 60
#: More pairs of a kind than this are told in one line: the kind is there twice, or its places come in pairs (platforms).
MANY = 5

#: Longer names are one name only where they are equal: how alike others are takes as long as the square of their length.
_LONGEST = 200
#: So many pairs of homes are told. Rows that are held against all others at once: whoever draws one outline many times over has as
#: many pairs as the square of that.
MOST_PAIRS, _AT_ONCE = 6_000, 64
#: So many near pairs are looked at for figures that are the same, of so many homes at once.
_MOST_LOOKED, _FEW_AT_ONCE = 20_000_000, 8

#: What tells one place from the next that is called like it: 一站 and 二站, 东门 and 西门, A座 and B座.
_MARKS = re.compile(r"\d+|[一二三四五六七八九十百东西南北上下左右前后男女甲乙丙丁戊己庚辛]|(?<![a-z])[a-z](?![a-z])")
_HEADS = ("people", "people_60plus", "households")


class Pair(NamedTuple):
    """Two rows (by position, the earlier first), what they share, and how far apart they are."""

    first: int
    second: int
    area_m2: float = 0.0
    share: float = 0.0  # of the smaller one
    metres: float = 0.0


def moved_m(before: shapely.Geometry, now: shapely.Geometry) -> float:
    """Return how far something has moved (metres): a point, or whatever of an outline lies furthest from where it was."""
    alike = (before.geom_type == "Point") == (now.geom_type == "Point")
    return float(shapely.hausdorff_distance(before, now) if alike else shapely.distance(before, now))


def plain_name(name: object) -> str:
    """Return a name without what writing habits differ in: width, case, blanks, brackets, 小区 at its end; "" where there is none."""
    if not isinstance(name, str):
        return ""
    said = "".join(c for c in unicodedata.normalize("NFKC", name).lower() if c.isalnum())
    return re.sub("(?<=..)(住宅)?小区$", "", said)


def bare_name(text: object) -> str:
    """Return a name without what stands in brackets."""
    return without_brackets(str(text)).strip()


def alike(one: object, other: object) -> bool:
    """Whether two names can be one place's: equal, one within the other, or nearly equal, and the same numbers in both."""
    a, b = plain_name(one), plain_name(other)
    if not a or not b:
        return False
    if a == b or max(len(a), len(b)) > _LONGEST:
        return a == b
    if sorted(_marks(one)) != sorted(_marks(other)):
        return False
    short, long = sorted((a, b), key=len)
    return (len(short) > 2 and short in long) or SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE


def _marks(name: object) -> list[str]:
    return _MARKS.findall(unicodedata.normalize("NFKC", str(name)).lower())


class Counted(NamedTuple):
    """What a row of homes is called, and how many live there (in the order of `_HEADS`): missing is NaN."""

    name: object
    figures: tuple[float, ...]

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Self:
        """Return what a row says of itself."""
        return cls(row.get("name"), tuple(_number(row.get(head)) for head in _HEADS))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return np.nan


def typed_twice(one: Counted, other: Counted) -> bool:
    """
    Whether two homes that stand near each other can be one, typed twice.

    No figure of one may contradict the other's: phases with figures of their own are two. Then either name lies within the other
    (柳河新村 in 柳河新村（一期）), or two figures are equal and no number or point of the compass tells the names apart.
    """
    both = [(a, b) for a, b in zip(one.figures, other.figures, strict=True) if pd.notna(a) and pd.notna(b)]
    if any(a != b for a, b in both):
        return False
    short, long = sorted((plain_name(one.name), plain_name(other.name)), key=len)
    if len(short) > 1 and len(long) <= _LONGEST and short in long:
        return True
    marks = _marks(one.name), _marks(other.name)
    told_apart = all(marks) and sorted(marks[0]) != sorted(marks[1])
    return sum(a > 0 for a, _ in both) > 1 and not told_apart


# --- homes ----------------------------------------------------------------------------------------------------------


def shared_homes(homes: gpd.GeoDataFrame) -> list[Pair]:
    """
    Return the homes that are there twice in the same year.

    Parameters
    ----------
    homes
        Homes in a metric CRS, with `name`, `since`, `until`.

    Returns
    -------
    pairs
        Outlines that share more than `SHARED` of the smaller one; points on one spot, or on an outline, of the same name.
    """
    shapes = np.asarray(homes.geometry.array)
    names = np.array([plain_name(name) for name in homes["name"]], dtype=object)
    flat = np.flatnonzero(shapely.get_dimensions(shapes) == 2)
    spots = np.flatnonzero(shapely.get_dimensions(shapes) == 0)
    found = chain(_outlines(shapes, flat), _on_outlines(shapes, names, flat, spots), _spots(shapes, names, spots))
    together = filter(_together(homes), found)  # pairs of different years, however many, hide none of one year
    return sorted(set(islice(together, MOST_PAIRS)))


def _outlines(shapes: np.ndarray, flat: np.ndarray) -> Iterator[Pair]:
    some = shapes[flat]
    tree, areas, box = shapely.STRtree(some), shapely.area(some), shapely.bounds(some)
    for start in range(0, len(some), _AT_ONCE):
        a, b = tree.query(some[start : start + _AT_ONCE])
        a, b = a[a + start < b] + start, b[a + start < b]
        smaller = np.minimum(areas[a], areas[b])
        # boxes first: what neighbours share is mostly nothing, and cutting outlines is what takes time
        width = np.minimum(box[a, 2], box[b, 2]) - np.maximum(box[a, 0], box[b, 0])
        height = np.minimum(box[a, 3], box[b, 3]) - np.maximum(box[a, 1], box[b, 1])
        near = np.flatnonzero(width * height > SHARED * smaller)
        for part in range(0, len(near), MOST_PAIRS):
            own = near[part : part + MOST_PAIRS]
            common = shapely.area(shapely.intersection(some[a[own]], some[b[own]]))
            for k in np.flatnonzero(common > SHARED * smaller[own]):
                share = float(common[k] / smaller[own[k]])
                yield Pair(int(flat[a[own[k]]]), int(flat[b[own[k]]]), float(common[k]), share)


def _on_outlines(shapes: np.ndarray, names: np.ndarray, flat: np.ndarray, spots: np.ndarray) -> Iterator[Pair]:
    tree, spots = shapely.STRtree(shapes[flat]), spots[names[spots] != ""]
    for start in range(0, len(spots), _AT_ONCE):
        some = spots[start : start + _AT_ONCE]
        at, on = tree.query(shapes[some], predicate="dwithin", distance=SPOT_M)
        same = names[some[at]] == names[flat[on]]
        for p, q in zip(some[at[same]], flat[on[same]], strict=True):
            yield Pair(min(int(p), int(q)), max(int(p), int(q)))


def _spots(shapes: np.ndarray, names: np.ndarray, spots: np.ndarray) -> Iterator[Pair]:
    """Yield points of one name on one spot. Of four grids shifted by half a cell, one has any two near points in one cell."""
    spots = spots[names[spots] != ""]
    xy = shapely.get_coordinates(shapes[spots])
    for east, north in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cell = np.floor((xy + SPOT_M * np.array([east, north])) / (2 * SPOT_M))
        squares = pd.DataFrame({"name": names[spots], "x": cell[:, 0], "y": cell[:, 1]})
        group = squares.groupby(["name", "x", "y"], sort=False).ngroup().to_numpy()
        first = np.unique(group, return_index=True)[1][group]
        later = np.flatnonzero(first != np.arange(len(first)))
        near = np.hypot(*(xy[later] - xy[first[later]]).T) <= SPOT_M
        for i in later[near]:
            yield Pair(int(spots[first[i]]), int(spots[i]))


def _together(rows: pd.DataFrame) -> Callable[[Pair], bool]:
    """Return what tells of two rows whether there is a year in which both live."""
    since = rows["since"].to_numpy(float, na_value=-np.inf).tolist()
    until = rows["until"].to_numpy(float, na_value=np.inf).tolist()
    return lambda pair: max(since[pair[0]], since[pair[1]]) <= min(until[pair[0]], until[pair[1]])


def copied_homes(homes: gpd.GeoDataFrame) -> list[Pair]:
    """
    Return the homes that can be one typed twice: the same people within `NEAR_M` (`typed_twice`), in the same year.

    Parameters
    ----------
    homes
        Homes in a metric CRS, with `name`, `people`, `people_60plus`, `households`, `since`, `until`.
    """
    figures = homes[list(_HEADS)].to_numpy("float64", na_value=np.nan)
    rows = np.flatnonzero((figures > 0).any(axis=1) & ~shapely.is_missing(np.asarray(homes.geometry.array)))
    shapes, figures = np.asarray(homes.geometry.array)[rows], figures[rows]
    names = homes["name"].to_numpy(object)[rows]
    live = _together(homes)
    found: list[Pair] = []
    for i, j in islice(_same_figures(shapes, figures), 10 * MOST_PAIRS):
        one, other = (Counted(names[k], tuple(figures[k].tolist())) for k in (i, j))
        pair = Pair(int(rows[i]), int(rows[j]), metres=float(shapely.distance(shapes[i], shapes[j])))
        if typed_twice(one, other) and moved_m(shapes[i], shapes[j]) <= NEAR_M and live(pair):
            found.append(pair)
    return found[:MOST_PAIRS]


def _same_figures(shapes: np.ndarray, figures: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield near rows (the earlier first) of which a figure is the same and none differs."""
    tree, looked = shapely.STRtree(shapes), 0
    for start in range(0, len(shapes), _FEW_AT_ONCE):
        a, b = tree.query(shapes[start : start + _FEW_AT_ONCE], predicate="dwithin", distance=NEAR_M)
        a, b = a[a + start < b] + start, b[a + start < b]
        one, other = figures[a], figures[b]
        equal = ((one == other) & (one > 0)).any(axis=1)
        differ = ((one != other) & ~np.isnan(one) & ~np.isnan(other)).any(axis=1)
        yield from zip(a[equal & ~differ].tolist(), b[equal & ~differ].tolist(), strict=True)
        looked += len(a)
        if (
            looked > _MOST_LOOKED
        ):  # a heap on one spot has as many pairs as the square of its homes; a city has some for each
            return


# --- facilities -----------------------------------------------------------------------------------------------------


def near_facilities(facilities: gpd.GeoDataFrame) -> list[Pair]:
    """
    Return the facilities that look like one: one kind and state, names alike, at most `NEAR_M` apart, in the same year.

    Parameters
    ----------
    facilities
        Facilities in a metric CRS, with `name`, `kind`, `state`, `since`, `until`.

    Returns
    -------
    pairs
        Rows without a name are never among them: two basketball courts side by side are two.
    """
    shapes = np.asarray(facilities.geometry.array)
    said = facilities["name"].to_numpy(object)
    names = np.array([plain_name(name) for name in said], dtype=object)
    sort = (facilities["kind"].fillna("") + "|" + facilities["state"].fillna("open")).to_numpy(object)
    named = np.flatnonzero(names != "")
    if len(named) < 2:
        return []
    spots = shapely.get_coordinates(shapely.centroid(shapes[named]))
    cell = np.floor(spots / NEAR_M)
    squares = pd.DataFrame({"sort": sort[named], "x": cell[:, 0], "y": cell[:, 1]})
    many = squares.groupby(["sort", "x", "y"], sort=False)["x"].transform("size").to_numpy()
    found = {pair for kept in _kept(named, many, names, sort) for pair in _near(shapes, kept, said, sort)}
    return sorted(filter(_together(facilities), found))


def _kept(named: np.ndarray, many: np.ndarray, names: np.ndarray, sort: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows to be held against each other: all where few lie together, else those of one kind and name."""
    yield named[many <= DENSE]
    crowd = named[many > DENSE]
    together = pd.Series(crowd).groupby([names[crowd], sort[crowd]], sort=False)
    for _, rows in together:
        if len(rows) > 1:
            # the first of a crowd are enough to say so: a check that lists millions of pairs helps nobody
            yield rows.to_numpy()[:DENSE]


def _near(shapes: np.ndarray, rows: np.ndarray, said: np.ndarray, sort: np.ndarray) -> Iterator[Pair]:
    for _, same in pd.Series(rows).groupby(sort[rows], sort=False):
        own = same.to_numpy()
        a, b = shapely.STRtree(shapes[own]).query(shapes[own], predicate="dwithin", distance=NEAR_M)
        for i, j in zip(own[a[a < b]], own[b[a < b]], strict=True):
            if alike(said[i], said[j]):
                yield Pair(int(i), int(j), metres=float(shapely.distance(shapes[i], shapes[j])))


# --- told -----------------------------------------------------------------------------------------------------------


def doubled(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Mapping[str, object]]) -> Iterator[Problem]:
    """Yield a problem for each row that is there already under another id: the later one of a pair is told."""
    if "homes" in rows and len(rows["homes"]) > 1:
        yield from _doubled_homes(rows["homes"], str(declared["homes"]["file"]))
        yield from _mixed_people(rows["homes"], str(declared["homes"]["file"]))
        yield from _people_of_several_years(rows["homes"], str(declared["homes"]["file"]))
    for layer in ("facilities", "own_facilities"):
        if layer in rows and len(rows[layer]) > 1:
            yield from _doubled_facilities(rows[layer], layer, str(declared[layer]["file"]))


def counts_people(homes: pd.DataFrame, pair: Pair) -> bool:
    """Whether both rows of a pair bring a number of people, of old people or of households, so that it counts twice."""
    return any(bool((homes[head].iloc[[*pair[:2]]] > 0).fillna(False).all()) for head in _HEADS)


def _doubled_homes(homes: gpd.GeoDataFrame, file: str) -> Iterator[Problem]:
    shared = shared_homes(homes)
    told = {pair[:2] for pair in shared}
    for pair in copied_homes(homes):
        if pair[:2] in told:
            continue
        first, second = _called(homes, pair.first), _called(homes, pair.second)
        yield Problem(
            "warning",
            "homes",
            file,
            str(homes.index[pair.second]),
            "people",
            say(
                "{0} 和 {1} 相距 {2} 米，人数、户数没有不同，可能是同一处：同一批人会算两次",
                second,
                first,
                amount(pair.metres),
            ),
            say("和 {0} 是同一处就删去一处；不是就核对各自的人数", homes.index[pair.first]),
        )
    for pair in shared:
        first, second = _called(homes, pair.first), _called(homes, pair.second)
        where = (
            say("重叠 {0} m²（较小一处的 {1}）", amount(pair.area_m2), per_cent(pair.share, 0))
            if pair.area_m2
            else say("在同一处，名称相同")
        )
        people = say("、").join(_people(homes["people"].iloc[i]) for i in pair[:2])
        counted = counts_people(homes, pair)
        twice = say("：同一批人会算两次") if counted else ""
        yield Problem(
            "error" if counted else "warning",
            "homes",
            file,
            str(homes.index[pair.second]),
            "geometry",
            say("{0} 和 {1} {2}，分别写了 {3}{4}", second, first, where, people, twice),
            say("和 {0} 是同一处就删去一处；不是就改边界，或写各自的起始年和截止年", homes.index[pair.first]),
        )


def _mixed_people(homes: pd.DataFrame, file: str) -> Iterator[Problem]:
    """Yield a problem where residents, registered and present people live in one year: their numbers would be added."""
    counted = homes[(homes[["people", "people_60plus"]].notna()).any(axis=1).to_numpy()]
    kinds = counted["people_kind"].fillna(RESIDENT)
    if kinds.nunique() < 2:
        return
    layer = LAYERS["homes"]
    years = sorted({int(v) for name in ("since", "until") for v in counted[name].dropna()} | {0})
    for year in years:
        found = {kind: at_year(layer, counted[(kinds == kind).to_numpy()], year).index for kind in PEOPLE_KINDS}
        some = {say(PEOPLE_KINDS[kind]): ids for kind, ids in found.items() if len(ids)}
        if len(some) > 1:
            said = say("、").join(
                say(
                    "{0} {1:,} 处（{2}{3}）",
                    label,
                    len(ids),
                    say("、").join(map(str, ids[:3])),
                    say(" 等") if len(ids) > 3 else "",
                )
                for label, ids in some.items()
            )
            fewest = min(some.values(), key=len)
            yield Problem(
                "error",
                "homes",
                file,
                str(fewest[0]),
                "people_kind",
                say("人口有几种口径，不能相加：{0}", said),
                say("只留一种口径的数；没有这一种的留空（数据不足），或换成这一种再填。口径留空的是常住"),
            )
            return


def _people_of_several_years(homes: pd.DataFrame, file: str) -> Iterator[Problem]:
    """Yield a warning where the people of homes were counted in different years: their total is true of none."""
    counted = homes[homes["people"].notna()]
    years = counted["people_year"].value_counts().sort_index()
    if len(years) < 2:
        return
    told = say("、").join(say("{0} 年 {1:,} 处", year, count) for year, count in years.items())
    yield Problem(
        "warning",
        "homes",
        file,
        "",
        "people_year",
        say("人口统计年份不一：{0}，合计不是任何一年的人数", told),
        say("换成同一年的人数；换不了的，在文件里写明合计跨哪几年"),
    )


def _doubled_facilities(facilities: gpd.GeoDataFrame, layer: str, file: str) -> Iterator[Problem]:
    by_kind: dict[str, list[Pair]] = {}
    for pair in near_facilities(facilities):
        by_kind.setdefault(str(facilities["kind"].iloc[pair.first]), []).append(pair)
    for kind, pairs in by_kind.items():
        if len(pairs) > MANY:
            named = [(_called(facilities, p.first), _called(facilities, p.second)) for p in pairs[:3]]
            some = say("；").join(say("{0} 和 {1}", *both) for both in named)
            said = say(
                "{0} 有 {1:,} 对名称相近、相距 {2:g} 米以内，可能导入了两次：{3} 等", kind, len(pairs), NEAR_M, some
            )
            yield Problem("warning", layer, file, "", "geometry", said, say("重复的删去；本来成对的（如站台）不必改"))
            continue
        for pair in pairs:
            first, second = _called(facilities, pair.first), _called(facilities, pair.second)
            yield Problem(
                "warning",
                layer,
                file,
                str(facilities.index[pair.second]),
                "geometry",
                say("{0} 和 {1} 类别相同、名称相近、相距 {2:.0f} 米，可能是同一处", second, first, pair.metres),
                say("和 {0} 是同一处就删去一处；不是就在名称里写出区别", facilities.index[pair.first]),
            )


def _called(rows: pd.DataFrame, i: int) -> str:
    name = rows["name"].iloc[i]
    return say("{0}（{1}）", rows.index[i], name) if isinstance(name, str) else str(rows.index[i])


def _people(value: float) -> str:
    return say("数据不足") if pd.isna(value) else say("{0} 人", amount(value))

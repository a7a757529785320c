"""
Whether a row of a file is there already under another id: told by shape, name and distance, before anything is written.

A row is *the same* as one that is there where shape and name agree, or one of them is beyond doubt; it updates that row.
Where it could be, it is *unclear*: it is not written until somebody says what it is (`Wishes`). Whatever is like nothing
is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import shapely

from ..core import SourceError, amount, per_cent, say
from ..district import NEAR_M, SHARED, SPOT_M, Counted, alike, is_missing, moved_m, plain_name, typed_twice
from .cells import printable
from .current_layer import CurrentLayer
from .file_rows import FileRows, Refusal, Unclear
from .matching import Matched
from .positions import Placed

#: Outlines that have this much of their union in common are one outline, whatever it is called.
ONE_OUTLINE = 0.8
#: Outlines that share this part of the smaller one are one place, if their names do not speak against it.
MOST = 0.5
#: A name that only one row has on either side is the same place, moved, up to here; beyond it is unclear.
MOVED_M = 300.0
#: Two candidates whose evidence is nearer than this cannot be told apart.
MARGIN = 0.3
#: More rows than this within `NEAR_M` are a crowd: only equal names are told in it.
CROWD = 200
#: Layers whose rows share the ground out: what lies over a row under another name cannot simply be added.
TILES = ("district", "zones", "areas", "communities", "grid")
#: How a user says "every row that no id has told"; of `--update`: every such row that is like one.
EVERY = ("all", "全部")


@dataclass(frozen=True)
class Wishes:
    """
    What somebody says of single rows: by line of the file, by id, `all`; an update may name the row ("5=H03").

    `decided`: the same by line alone, as a sheet of decisions has it: "new", "skip", or the id of the row to update.
    `whole`: the file names everything of its kind, so what it calls otherwise on the very spot of one it lacks is renamed.
    """

    new: Sequence[str] = ()
    update: Sequence[str] = ()
    skip: Sequence[str] = ()
    decided: Mapping[int, Decided] = field(default_factory=dict)
    whole: bool = False


class Decided(NamedTuple):
    """What a line of a sheet of decisions says: "new", "skip" or "update", and then which row (its id)."""

    wish: str
    own: str = ""


class _Alike(NamedTuple):
    """A row that is there, and how much speaks for a row of the file being it."""

    at: int
    sure: bool
    score: float
    why: str


def recognised(rows: FileRows, placed: Placed, matched: Matched, current: CurrentLayer, wishes: Wishes) -> Matched:
    """
    Tell which rows of the file are there under another id.

    Parameters
    ----------
    rows, placed
        The file; rows that cannot be told are put down as unclear, those somebody leaves out as left.
    matched
        What ids and names have told.
    current
        The layer as it stands.
    wishes
        What somebody says of single rows; it goes before everything else.

    Returns
    -------
    matched
        With the rows that are there; an id of the file that differs becomes an `other_id` of the row.

    Raises
    ------
    SourceError
        A wish names a row that the file or the folder does not have, or one row twice.
    """
    asked = _asked(rows, matched, current, wishes)
    at = dict(matched.at)
    taken = set(at.values()) | {p for p in asked.values() if isinstance(p, int)}
    held = _Held(rows, placed, current, sorted(set(range(len(current.rows))) - taken))
    known: dict[int, _Alike] = {}
    for i, some in held.candidates(rows.unclear).items():  # nobody has said what these are: what is there stays
        rows.unclear[i] = rows.unclear[i]._replace(could_be=[c.at for c in some])
    open_rows = [i for i in range(len(rows)) if i not in at and i not in asked and i not in rows.unclear]
    likely = _best(held.candidates(open_rows))
    if wishes.whole:
        likely |= _best(held.on_the_spot([i for i in open_rows if i not in likely], likely))
    for i, found in likely.items():
        if isinstance(found, _Alike):
            known[i] = found
        else:
            rows.unclear[i] = _unclear(found, rows, i, current)
    for i, p in matched.at.items():
        doubt = None if i in asked or i in rows.unclear else held.stranger(i, p)
        if doubt is not None:
            rows.unclear[i] = _unclear([doubt], rows, i, current)
            del at[i]  # its blanks are not to be filled from a stranger
    for i, wish in asked.items():
        _grant(i, wish, held, matched, known)
    at |= {i: one.at for i, one in known.items()}
    _ask_copies(open_rows, held, at)
    _keep_ids(known, rows, matched, current)
    return Matched(matched.keys, at)


def _keep_ids(known: Mapping[int, _Alike], rows: FileRows, matched: Matched, current: CurrentLayer) -> None:
    """Say of rows which they are; an id of the file that differs becomes an `other_id`."""
    for i, one in known.items():
        own = str(current.rows.index[one.at])
        rows.known[i] = say("认作目录里的 {0}：{1}", printable(own), one.why)
        if rows.layer.key in rows.cells and matched.keys[i] != own:
            key = matched.keys[i]
            there = current.rows["other_id"].iloc[one.at]
            cells = rows.cells.setdefault("other_id", rows.column("other_id"))
            ids = [] if is_missing(there) else str(there).split(";")
            if cells[i] is None and key is not None:
                cells[i] = ";".join(dict.fromkeys([*ids, key]))


def _grant(i: int, wish: str | int, held: _Held, matched: Matched, known: dict[int, _Alike]) -> None:
    """Do with a row what somebody says of it."""
    rows = held.rows
    if isinstance(wish, int):
        known[i] = _Alike(wish, True, 0.0, say("由人决定"))
    elif wish == "skip":
        there = [matched.at[i]] if i in matched.at else []
        rows.left[i] = [c.at for c in held.candidates([i]).get(i, [])] + there
    elif i in matched.at:
        if wish == "new":
            raise SourceError(
                say("第 {0} 行的编号 {1} 目录里已有，不能当作新增。换一个编号", rows.lines[i], matched.keys[i])
            )
    elif wish != "new":
        claimed = {one.at for one in known.values()}
        likely = [c for c in held.candidates([i]).get(i, []) if c.at not in claimed]
        if likely:
            known[i] = max(likely, key=lambda c: c.score)
        elif wish == "update":
            raise SourceError(
                say("第 {0} 行在目录里没有相像的行，说不出更新哪一行。写 --update 行=编号", rows.lines[i])
            )


def _asked(rows: FileRows, matched: Matched, current: CurrentLayer, wishes: Wishes) -> dict[int, str | int]:
    """Return what somebody says of each row: "new", "skip", "update" (the row it is like), "likely" (that, if any), or a position."""
    found: dict[int, str | int] = {}
    known = {f"{word}{line}": i for i, line in enumerate(rows.lines) for word in ("行", "line")}
    known |= {f"{word}{key}": i for i, key in enumerate(matched.keys) if key is not None for word in ("编号", "id")}
    by_line = {str(line): i for i, line in enumerate(rows.lines)}
    by_key = {key: i for i, key in enumerate(matched.keys) if key is not None}
    ids = {own: p for p, own in enumerate(current.ids())}
    named = [_update(said, ids) for said in wishes.update if said not in EVERY]
    named += [(said, "new") for said in wishes.new if said not in EVERY]
    named += [(said, "skip") for said in wishes.skip if said not in EVERY]
    for said, wish in named:
        i = known.get(said, by_line.get(said, by_key.get(said)))
        if i is None:
            raise SourceError(say("文件里没有“{0}”这一行。写行号（表里“行”一列）或编号", printable(said)))
        if said not in known and by_key.get(said, i) != i:
            raise SourceError(
                say("“{0}”是第 {0} 行，也是第 {1} 行的编号。写 行{0} 或 编号{0}", said, rows.lines[by_key[said]])
            )
        if i in found:
            raise SourceError(say("第 {0} 行说了两次该怎么办。--new、--update、--skip 里只留一次", rows.lines[i]))
        found[i] = wish
    at_line = {line: i for i, line in enumerate(rows.lines)}
    for line, (wish, own) in wishes.decided.items():
        found.setdefault(at_line[line], ids[own] if wish == "update" else wish)
    every = [
        w
        for w, some in (("new", wishes.new), ("likely", wishes.update), ("skip", wishes.skip))
        if set(EVERY) & set(some)
    ]
    for i in (i for i in range(len(rows)) if every and i not in matched.at):
        found.setdefault(i, every[0])
    targets = [p for p in found.values() if isinstance(p, int)]
    if len(targets) != len(set(targets)) or len(every) > 1:
        raise SourceError(say("两行不能更新目录里的同一行，all 也只能说一次。各写各的编号"))
    return found


def _update(said: str, ids: Mapping[str, int]) -> tuple[str, str | int]:
    """Return the row an update speaks of, and the row that is there which it names; "update" where it names none."""
    row, equals, own = (part.strip() for part in said.partition("="))
    if equals and own not in ids:
        raise SourceError(say("目录里没有编号“{0}”。--update 写成 行=目录里的编号", printable(own)))
    return row, ids[own] if equals else "update"


def _best(candidates: Mapping[int, list[_Alike]]) -> dict[int, _Alike | list[_Alike]]:
    """Return the one row each is, or those it could be. A row that is there is taken by one row of the file only."""
    found: dict[int, _Alike | list[_Alike]] = {}
    claims: dict[int, list[tuple[float, int]]] = {}
    for i, some in candidates.items():
        order = sorted(some, key=lambda c: (-c.score, c.at))
        clear = order[0].sure and (len(order) == 1 or order[0].score - order[1].score >= MARGIN)
        found[i] = order[0] if clear else order
        if clear:
            claims.setdefault(order[0].at, []).append((-order[0].score, i))
    for claim in claims.values():
        claim.sort()
        close = len(claim) > 1 and claim[1][0] - claim[0][0] < MARGIN
        for _, i in claim if close else claim[1:]:
            one = found[i]
            found[i] = [one] if isinstance(one, _Alike) else one
    return found


def _unclear(some: list[_Alike], rows: FileRows, i: int, current: CurrentLayer) -> Unclear:
    shown = say("；").join(say("{0}（{1}）", printable(str(current.rows.index[c.at])), c.why) for c in some[:3])
    own = printable(str(current.rows.index[some[0].at]))
    line = _line_word(rows, i)
    return Unclear(
        Refusal(
            "",
            rows.column("name")[i],
            say("说不清是不是目录里的 {0}，没有写入", shown),
            say("是同一处写 --update {0}={1}，不是写 --new {0}，不要写 --skip {0}", line, own),
        ),
        [c.at for c in some],
    )


def _line_word(rows: FileRows, i: int) -> str:
    """Return how a row is called on the command line."""
    line = str(rows.lines[i])
    if any(str(key) == line for j, key in enumerate(rows.cells.get(rows.layer.key, ())) if j != i):
        return say("行{0}", line)  # another row has this number for its id
    return line


class _Home(NamedTuple):
    """A home as the folder has it or a row of the file would leave it: that row, where it stands in the layer, what it says."""

    i: int  # -1: of the folder
    p: int | None
    row: Mapping[str, object]
    shape: shapely.Geometry


def _homes(held: _Held, which: Iterable[int], at: Mapping[int, int]) -> Iterator[_Home]:
    """Yield the homes that are there, and rows of the file; what a row leaves blank stays as it is there."""
    heads = ["name", "people", "people_60plus", "households", "since", "until"]
    there = held.current.rows.reindex(columns=heads).to_dict("records")
    yield from (_Home(-1, p, row, held.shapes[p]) for p, row in enumerate(there))
    for i in which:
        said = {head: held.rows.column_cell(head, i) for head in heads}
        own = {head: there[at[i]][head] if i in at and value is None else value for head, value in said.items()}
        yield _Home(i, at.get(i), own, held.placed.metric[i])


def _ask_copies(which: Sequence[int], held: _Held, at: Mapping[int, int]) -> None:
    """
    Put down as unclear which of the new homes can be another one, typed twice: one of the folder, or of the file.

    Also one that another row of the file already speaks for is held against them. Of two new ones the later is asked about.
    """
    rows = held.rows
    if rows.layer.name != "homes":
        return
    fresh = {i for i in which if i not in at and i not in rows.unclear}
    placed = [i for i in sorted(fresh | set(at)) if i not in rows.refused and held.placed.metric[i] is not None]
    homes = list(_homes(held, placed, at))
    tree, counted = shapely.STRtree([home.shape for home in homes]), [Counted.of(home.row) for home in homes]
    for k, new in enumerate(homes):
        if new.i not in fresh:
            continue
        near = sorted(tree.query(new.shape, predicate="dwithin", distance=NEAR_M).tolist())[:CROWD]
        alike_ones = (
            homes[n]
            for n in near
            if (n < k or homes[n].i not in fresh)
            and n != k
            and typed_twice(counted[n], counted[k])
            and moved_m(homes[n].shape, new.shape) <= NEAR_M
            and _years_meet(homes[n].row, new.row)
        )
        other = next(alike_ones, None)
        if other is not None:
            rows.unclear[new.i] = _copied(new, other, held, claimed=other.p in at.values())


def _copied(new: _Home, other: _Home, held: _Held, *, claimed: bool) -> Unclear:
    """Say of a new home what it can be a copy of, and what to write."""
    rows, away = held.rows, amount(float(shapely.distance(new.shape, other.shape)))
    why = say("叫“{0}”，相距 {1} 米，人数、户数没有不同", printable(other.row["name"]), away)
    if other.p is not None and not claimed:
        return _unclear([_Alike(other.p, False, 0.0, why)], rows, new.i, held.current)
    own = (
        say("第 {0} 行", rows.lines[other.i])
        if other.p is None
        else say("目录里的 {0}", printable(held.current.ids()[other.p]))
    )
    line = _line_word(rows, new.i)
    remedy = say("是同一处写 --skip {0}，不是写 --new {0}", line)
    reason = say("说不清是不是{0}（{1}），没有写入", own, why)
    return Unclear(Refusal("", new.row["name"], reason, remedy), [] if other.p is None else [other.p])


class _Held:
    """The rows of a layer that no id has claimed, and what a row of a file has in common with them."""

    def __init__(self, rows: FileRows, placed: Placed, current: CurrentLayer, free: Sequence[int]) -> None:
        self.rows, self.placed, self.current = rows, placed, current
        self.free = np.array(free, dtype=int)
        self.shapes = np.asarray(current.rows.geometry.array)
        self.names = self._cells("name")
        self.kinds = self._cells("kind") if rows.layer.name != "barriers" else None
        self.tree = shapely.STRtree(self.shapes[self.free])
        self.called: dict[str, list[int]] = {}
        for p in free:
            if self.names is not None and plain_name(self.names[p]):
                self.called.setdefault(plain_name(self.names[p]), []).append(p)
        self.times: dict[str, int] = {}
        for name in rows.column("name"):
            self.times[plain_name(name)] = self.times.get(plain_name(name), 0) + 1

    def _cells(self, name: str) -> Sequence[object] | None:
        frame = self.current.rows
        return frame[name].tolist() if name in frame.columns else None

    def candidates(self, which: Iterable[int]) -> dict[int, list[_Alike]]:
        """Return, for the rows of the file that are like something, what they are like."""
        found: dict[int, list[_Alike]] = {}
        for i in which:
            shape = self.placed.metric[i]
            if i in self.rows.refused or i in self.rows.foreign or shape is None:
                continue
            name = plain_name(self.rows.column_cell("name", i))
            near = self.free[self.tree.query(shape, predicate="dwithin", distance=NEAR_M)]
            same_kind = [int(p) for p in near if self._one_kind(i, int(p))]
            spots = dict.fromkeys(self.called.get(name, [])[:CROWD] if name else [])
            if len(same_kind) <= CROWD:
                spots |= dict.fromkeys(same_kind)
            some = [c for p in spots if (c := self._held(i, p)) is not None]
            if some:
                found[i] = some
        return found

    def on_the_spot(self, which: Iterable[int], likely: Mapping[int, _Alike | list[_Alike]]) -> dict[int, list[_Alike]]:
        """Return, for rows like nothing, what of their kind stands on the very spot and what no other row is likely to be."""
        told = {c.at for some in likely.values() for c in ([some] if isinstance(some, _Alike) else some)}
        told |= {p for unclear in self.rows.unclear.values() for p in unclear.could_be}
        found: dict[int, list[_Alike]] = {}
        for i in which:
            shape = self.placed.metric[i]
            if i in self.rows.refused or i in self.rows.foreign or shape is None or self.names is None:
                continue
            near = self.free[self.tree.query(shape, predicate="dwithin", distance=SPOT_M)].tolist()
            here = sorted(p for p in near if p not in told and self._one_kind(i, p) and self._lives_with(i, p))
            if here:
                found[i] = [_Alike(p, True, 1.0, say("同一个点，叫“{0}”", printable(self.names[p]))) for p in here]
        return found

    def stranger(self, i: int, p: int) -> _Alike | None:
        """Return a doubt where a row has the id of one that is there, and neither its name nor its place."""
        shape, there = self.placed.metric[i], self.shapes[p]
        if shape is None or there is None or self.rows.layer.key not in self.rows.cells or self.names is None:
            return None
        name = self.rows.column_cell("name", i)
        if not plain_name(name) or not plain_name(self.names[p]) or alike(name, self.names[p]):
            return None
        away = float(shapely.distance(shape, there))
        why = say("编号相同，名称是“{0}”，相距 {1} 米", printable(self.names[p]), amount(away))
        return _Alike(p, False, 0.0, why) if away > MOVED_M else None

    def _one_kind(self, i: int, p: int) -> bool:
        kind = self.rows.column_cell("kind", i)
        return self.kinds is None or kind is None or kind == self.kinds[p]

    def _held(self, i: int, p: int) -> _Alike | None:
        """Return what speaks for a row of the file being a row that is there; None where nothing does."""
        if not self._one_kind(i, p) or not self._lives_with(i, p):
            return None
        shape, there = self.placed.metric[i], self.shapes[p]
        name, other = self.rows.column_cell("name", i), None if self.names is None else self.names[p]
        a, b = plain_name(name), plain_name(other)
        same, near_name = a != "" and a == b, alike(name, other)
        silent = not a or not b
        away = float(shapely.distance(shape, there))
        told = "同名" if same else "名称相近" if near_name else "没有名称可比" if silent else "叫“{0}”"
        said = say(told, printable(other))
        score = 1.0 * same + 0.6 * near_name
        if shapely.get_dimensions(shape) == shapely.get_dimensions(there) == 2:
            common = float(shapely.intersection(shape, there).area)
            share = common / min(shape.area, there.area)
            union = common / (shape.area + there.area - common)
            why = say("重叠占较小一处的 {0}，{1}", per_cent(share, 0), said)
            if union >= ONE_OUTLINE or (share >= MOST and near_name):
                return _Alike(p, True, score + 1 + union, why)
            if share > SHARED and self.rows.layer.name in ("homes", *TILES):
                return _Alike(p, False, score + union, why)
        elif shapely.get_dimensions(shape) == shapely.get_dimensions(there) == 1:
            if float(shapely.hausdorff_distance(shape, there)) <= SPOT_M:
                return _Alike(p, True, score + 1, say("同一条线，{0}", said))
        elif away <= SPOT_M and self._bare():
            return _Alike(p, True, score + 1, say("同一个点，{0}", said))
        return self._by_name(i, p, away, _Names(same, near_name, silent, said))

    def _by_name(self, i: int, p: int, away: float, names: _Names) -> _Alike | None:
        """Return what a name and a distance tell, of places that people call by their names."""
        if self._bare():
            return None
        why = say("{0}，相距 {1} 米", names.said, amount(away))
        score = 1.0 * names.same + 0.6 * names.alike + max(0.0, 1 - away / MOVED_M)
        if names.alike and away <= NEAR_M:
            return _Alike(p, True, score, why)
        if names.same:
            name = plain_name(self.rows.column_cell("name", i))
            lone = self.times[name] == 1 and len(self.called.get(name, ())) == 1
            if away <= MOVED_M:
                return _Alike(p, lone, score, why)
            # a compound of that name elsewhere may be the same people; a shop of that name is another shop
            return _Alike(p, False, score, why) if lone and self.rows.layer.name == "homes" else None
        if away <= SPOT_M and (names.silent or (self.rows.layer.name == "homes" and self._over(i, p))):
            return _Alike(p, False, score, why)
        return None

    def _over(self, i: int, p: int) -> bool:
        """Whether a point stands on an outline, or on another point."""
        dims = {int(shapely.get_dimensions(self.placed.metric[i])), int(shapely.get_dimensions(self.shapes[p]))}
        return dims != {2}

    def _bare(self) -> bool:
        """Whether the rows of the layer are told by where they are alone (gates, ramps), not by what they are called."""
        return self.rows.layer.name != "homes" and self.kinds is None and self.rows.layer.name not in TILES

    def _lives_with(self, i: int, p: int) -> bool:
        """Whether there is a year in which the row of the file and the row that is there both live."""
        if not self.rows.layer.dated:
            return True
        own = {name: self.rows.column_cell(name, i) for name in ("since", "until")}
        return _years_meet(own, self.current.rows[["since", "until"]].iloc[p])


class _Names(NamedTuple):
    """How two names lie to each other, and how to say so."""

    same: bool
    alike: bool
    silent: bool
    said: str


def _years_meet(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether there is a year in which two rows both live."""
    first = max((float(str(v)) for v in (one["since"], other["since"]) if _is_year(v)), default=None)
    last = min((float(str(v)) for v in (one["until"], other["until"]) if _is_year(v)), default=None)
    return first is None or last is None or first <= last


def _is_year(value: object) -> bool:
    return not is_missing(value) and str(value).replace(".", "", 1).isdigit()

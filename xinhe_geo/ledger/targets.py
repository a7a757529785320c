"""
A plan's text taken into the ledger: its sentences with numbers and places offered as rows of a workbook, taken where a person says so.

None is taken by itself. What is confirmed becomes rows of the folder's own `commitments.csv`, word for word as the text has them; `undo` takes them
out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..core import (
    LAYERS,
    DataError,
    Problem,
    SourceError,
    as_text,
    layer_name,
    listed,
    problems_table,
    refuse_uncleared,
    say,
    speaking,
    write_bytes,
)
from ..district import Changes, District, Edit, LayerFile, district_folder, kind_name, new_files, take_in
from ..io import Questions, answer_book, printable, read_text, why_hostile, workbook_rows, written
from .ledger import has_own_plan
from .plan_text import Said, cells_alone, said_in

#: The sheet of the workbook, and how a row is confirmed on it.
SHEET = "逐句确认"
TAKE, LEAVE = "收", "不收"
(
    _LINE,
    _TAKE,
    _ID,
    _QUOTE,
    _TARGET,
    _UNIT,
    _YEAR,
    _WHERE,
    _CATEGORY,
    _BINDING,
    _NOTE,
    _SECTION,
    _SENTENCE,
    _LIKE,
    _KNOWN,
) = HEADS = (
    *(
        "行",
        "收不收",
        "编号",
        "原文",
        "目标",
        "单位",
        "年份",
        "空间范围",
        "类别",
        "属性",
        "备注",
        "章节",
        "整句",
        "像是",
        "已在核对表",
    ),
)
#: Which cells of a line become which column of `commitments.csv`.
_COLUMNS = {
    "quote": _QUOTE,
    "section": _SECTION,
    "category": _CATEGORY,
    "target": _TARGET,
    "unit": _UNIT,
    "year": _YEAR,
    "spatial_unit": _WHERE,
    "binding": _BINDING,
    "note": _NOTE,
}
_ASKED = (_TAKE, _ID, _QUOTE, _TARGET, _UNIT, _YEAR, _WHERE, _CATEGORY, _BINDING, _NOTE)
_REMARKS = (
    "一行是文本里带数或带地名的一句（逗号之间的一段）。没有一行会自己收进去：在“收不收”写 收 的才收，空着或写 不收 的不收。",
    "目标、单位、年份、空间范围是照字面认出来的，核对后改；句中没有年份的，取它的标题或文本题目写明的规划期。“原文”只能是文本里的原话，可以删短，不能改字。编号空着会自动编。",
    "一句里有几个目标的，复制这一行，各写各的目标，编号空着或写不同的。",
    "“像是”写 现状 的，说的多半是已经做到的事；写 争取 的，文本用的是力争、争取一类的词。改好存盘，用同一个文本再运行一次。",
)
#: Layers whose names count as places, in the order in which they are looked for.
_PLACES = ("communities", "zones", "areas", "parcels", "homes", "named_roads", "water", "green", "facilities")
_PAST = re.compile("基础|回顾|成就|成效|现状|发展环境")
_DONE = re.compile("已|了|以来|累计(?!.{0,6}(?:超|达到|不))")
_YEARS = re.compile(r"(?:19|20|21)\d\d(?:-(?:19|20|21)\d\d)?")
#: What stands in a required column that nobody has filled in.
_BLANK = {"section": "（未分章节）", "category": "其他"}
COLUMNS = (
    "line",
    "quote",
    "target",
    "unit",
    "year",
    "spatial_unit",
    "category",
    "section",
    "sentence",
    "like",
    "known",
    "binding",
    "note",
)


class _Place(NamedTuple):
    name: str
    layer: str
    label: str


def offered(text: str, district: District) -> pd.DataFrame:
    """
    Return the sentences of a plan's text that could be targets: with numbers, or with places of the district.

    Parameters
    ----------
    text
        The text, a paragraph a line.
    district
        Whose names of places and kinds of facility count, and whose own `commitments.csv` may have some already.

    Returns
    -------
    rows
        In the order of the text. `line` (from 1), `quote` (word for word), `target`, `unit`, `year`, `spatial_unit`, `category`,
        `section`, `sentence` (all of it), `like` ("现状": of what has been done; "争取": a wish; else ""), `known` (id of the own
        commitment with these words, else ""; then the cells are as that has them), `binding`, `note`.
    """
    places = list(_places(district))
    own = _own(district)
    known = {_plain(str(quote)): str(key) for key, quote in own["quote"].items()} if len(own) else {}
    kinds = {kind_name(district, str(k)): str(row["group"]) for k, row in district.kinds.iterrows()}
    rows, seen = [], set[tuple[str, str]]()
    for said in said_in(text, [p.name for p in places]):
        row = _row(said, places, kinds)
        key = (_plain(row["quote"]), row["target"])
        if key in seen:
            continue
        seen.add(key)
        code = known.get(key[0], "")
        held = (
            {c: as_text(own.loc[code, c]) for c in _COLUMNS} if code else {}
        )  # what stands there is what was confirmed
        rows.append({"line": said.line, "binding": "", "note": "", **row, **held, "known": code})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def not_offered(text: str | Path) -> str:
    """
    Say which lines of a plan's text hold numbers that nobody can offer, why, and what to do; "" where there are none.

    Parameters
    ----------
    text
        The file, as in `write_targets`.

    Raises
    ------
    SourceError
        No such text.
    """
    where = say("、").join(str(a) if a == b else f"{a}—{b}" for a, b in cells_alone(read_text(_named(text))))
    told = "第 {0} 行像是表格，一格一行，看不出哪个数是哪个指标的，没有列出：把表格转成一行一个指标的文字（Word：布局—转换为文本，制表符），再运行一次"
    return say(told, where) if where else ""


def _row(said: Said, places: list[_Place], kinds: Mapping[str, str]) -> dict[str, str]:
    found = said.quantities
    units = dict.fromkeys(q.unit for q in found)
    past = _PAST.search(said.section) or _DONE.search(said.words)
    groups = dict.fromkeys(group for label, group in kinds.items() if label in said.words)
    heading = re.split(r"[、)）.\s]", said.section)[-1]
    return {
        "quote": said.words,
        "target": "；".join(q.told for q in found),
        "unit": next(iter(units)) if len(units) == 1 else "；".join(q.unit for q in found),
        "year": said.years,
        "spatial_unit": ";".join(_where(said, places)),
        "category": ";".join(groups) or heading[:12] or _BLANK["category"],
        "section": said.section,
        "sentence": said.sentence,
        "like": "现状" if past else "争取" if said.wished else "",
    }


def _where(said: Said, places: list[_Place]) -> Iterator[str]:
    """Yield the places that words name, the longest names first; else those of the whole sentence, else every community or the district."""
    for words in dict.fromkeys((said.words, said.sentence)):
        left, found = words, []
        for place in sorted(places, key=lambda p: -len(p.name)):
            if place.name in left:
                left = left.replace(place.name, "　" * len(place.name))
                found.append((words.index(place.name), f"{place.label}:{place.name}"))
        if found:
            yield from dict.fromkeys(name for _, name in sorted(found))
            return
    if re.search("[每各]个?社区|所有社区|社区全覆盖", said.words):
        yield "社区"
    elif re.search("全?街道?(?:范围|辖区)?|辖区", said.words):
        yield "街道"


def _places(district: District) -> Iterator[_Place]:
    seen = set[str]()
    for layer in _PLACES:
        rows = district.rows.get(layer)
        if rows is None or "name" not in rows:
            continue
        label = layer_name(layer)
        for name in rows["name"].dropna().astype(str):
            if len(name) >= 2 and name not in seen:
                seen.add(name)
                yield _Place(name, layer, label)


def _own(district: District) -> pd.DataFrame:
    """Return the folder's own commitments; of another district's, which it borrows, none."""
    rows = district.rows["commitments"]
    return rows if has_own_plan(district) else rows[:0]


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text)


def write_targets(text: str | Path, folder: str | Path, book: str | Path) -> pd.DataFrame:
    """
    Write the workbook on which the sentences of a plan's text are confirmed or left out.

    Parameters
    ----------
    text
        A .txt or .md file (UTF-8, UTF-16 or GB18030), a paragraph a line.
    folder
        The district whose ledger it is for.
    book
        The .xlsx to write.

    Returns
    -------
    rows
        As `offered`.

    Raises
    ------
    SourceError
        No such text, or nothing in it could be a target; a layer is secret and nobody has cleared its outputs.
    EnvironmentProblem
        The workbook cannot be written.
    """
    source, target = _named(text), Path(book)
    if target.suffix.lower() != ".xlsx":
        raise SourceError(say("{0}：确认表的文件名要以 .xlsx 结尾", target.name))
    district = District.load(folder)
    refuse_uncleared(district.manifest, "写出目标确认表")
    rows = offered(read_text(source), district)
    if rows.empty:
        reason = not_offered(source) or say("检查文件：要的是纯文本，一段一行")
        raise SourceError(say("{0} 里没有带数或带地名的句子。{1}", printable(source.name), reason))
    lines = [[*_line(row)] for row in rows.itertuples(index=False)]
    asked = Questions(
        SHEET,
        HEADS,
        lines,
        asked=_ASKED,
        choices={_TAKE: [TAKE, LEAVE], _BINDING: list(LAYERS["commitments"].names["binding"].values)},
    )
    with speaking("zh"):
        remarks = (*_REMARKS, *filter(None, [not_offered(source)]))
    write_bytes(target, answer_book(f"{printable(source.name)}：目标逐句确认", remarks, [asked]))
    return rows


def _line(row: object) -> Iterator[object]:
    said = {name: getattr(row, name) for name in COLUMNS}
    for head in HEADS:
        column = next((c for c, h in _COLUMNS.items() if h == head), "")
        fixed = {_LINE: "line", _SENTENCE: "sentence", _LIKE: "like", _KNOWN: "known", _ID: "known"}
        yield said.get(column or fixed.get(head, ""), "")


def take_targets(text: str | Path, folder: str | Path, book: str | Path, *, apply: bool = False) -> pd.DataFrame:
    """
    Take the rows that a person has confirmed into the folder's own table of commitments.

    Parameters
    ----------
    text, folder, book
        As in `write_targets`; the workbook filled in.
    apply
        Write. Without it nothing is written, and the changes are those that would be.

    Returns
    -------
    changes
        A row per changed cell, an added row being one: `row` (id), `change` (新增, 改), `column` (Chinese name), `before`, `after`. Empty
        where nothing is confirmed that is not there already.

    Raises
    ------
    SourceError
        No such file or no such workbook, or the folder is no district or the bundled one.
    DataError
        Lines that cannot be taken, all of them, with sheet line and column. Nothing is written.
    EnvironmentProblem
        The folder cannot be written.
    """
    source, target = _named(text), district_folder(folder, say("把它复制成自己的目录，再记进自己的目录"))
    return take_in(target, lambda: _planned(source, target, Path(book)), "commitments", source.name, apply=apply)


#: A plan of a whole city has a tenth of it.
_MOST_BYTES = 3_000_000


def _named(text: str | Path) -> Path:
    source = Path(text)
    if source.is_file() and source.stat().st_size > _MOST_BYTES:
        raise SourceError(say("{0} 太长，不像一份规划的文本。只留正文，另存为“纯文本”", printable(source.name)))
    if not source.is_file():
        raise SourceError(say("没有这个文本文件：{0}", printable(source.name)))
    if source.suffix.lower() not in (".txt", ".md", ".text"):
        raise SourceError(
            say("{0} 不是文本文件（.txt）。在 Word 或 WPS 里另存为“纯文本”，一段一行", printable(source.name))
        )
    return source


def _planned(source: Path, folder: Path, book: Path) -> tuple[pd.DataFrame, dict[str, bytes]]:
    district = District.load(folder)
    own = _own(district)
    rows = _confirmed(book, _plain(read_text(source)), own)
    changes: list[tuple[str, str, str, str, str]] = []
    edits = []
    names = LAYERS["commitments"].names
    for key, cells in rows.items():
        if key not in own.index:
            edits.append(Edit(None, {"id": key, "kind": "commitment", **{c: v for c, v in cells.items() if v}}))
            changes.append((key, "新增", "", "", cells["quote"]))
            continue
        before = own.loc[key]
        other = {c: v for c, v in cells.items() if v and v != as_text(before[c])}  # a blank cell leaves what is there
        if other:
            edits.append(Edit(int(own.index.get_loc(key)), dict(other)))
            changes += [(key, "改", names[c].label, as_text(before[c]), v) for c, v in other.items()]
    table = pd.DataFrame(changes, columns=["row", "change", "column", "before", "after"], dtype="object")
    if not edits:
        return table, {}
    layer = LAYERS["commitments"]
    entry = district.manifest["layers"].get(layer.name)
    given = Changes(edits, set(), "official", source.name)
    return table, new_files(LayerFile(folder, layer, entry, district.manifest), given)


def _confirmed(book: Path, text: str, own: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the confirmed lines of a workbook, by id; refuse all that is wrong with them at once."""
    if not book.is_file():
        raise SourceError(say("没有这个确认表：{0}", printable(book.name)))
    grid = workbook_rows(book).get(SHEET)
    heads = [written(c) for c in grid[0][1]] if grid else []
    if grid is None or not set(_ASKED) <= set(heads):
        raise SourceError(
            say("{0} 不是目标确认表：要有工作表“{1}”，表头有 {2}", printable(book.name), SHEET, say("、").join(_ASKED))
        )
    found: dict[str, dict[str, str]] = {}
    wrong: list[Problem] = []
    lines = [(n, {h: written(c) for h, c in zip(heads, cells, strict=False)}) for n, cells in grid[1:]]
    taken = {said.get(_ID, "") for _, said in lines} | set(own.index)
    known = {(_plain(as_text(row["quote"])), as_text(row["target"])): str(key) for key, row in own.iterrows()}
    for number, given in lines:
        said = {head: given.get(head, "") for head in HEADS}
        told = list(_faults(said, text))
        key = said[_ID] or known.get((_plain(said[_QUOTE]), said[_TARGET])) or _next(taken | set(found))
        if said[_TAKE] == TAKE and key in found:
            told.append((_ID, say("编号 {0} 写了两次", key), say("换一个编号，或空着")))
        wrong += [Problem("error", SHEET, printable(book.name), str(number), *fault) for fault in told]
        if said[_TAKE] == TAKE:
            cells = {column: said[head] for column, head in _COLUMNS.items()}
            found[key] = cells | {c: cells[c] or blank for c, blank in _BLANK.items()}
    if wrong:
        raise DataError(problems_table(wrong), book.name)
    return found


def _faults(said: Mapping[str, str], text: str) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a line that somebody filled in: column, problem, remedy."""
    if said[_TAKE] not in ("", TAKE, LEAVE):
        yield _TAKE, say("“{0}”看不懂", printable(said[_TAKE])), say("写 {0}、{1}，或空着（不收）", TAKE, LEAVE)
    if said[_TAKE] != TAKE:
        return
    for head in _COLUMNS.values():
        if (wrong := why_hostile(said[head])) is not None:
            yield head, *wrong
    if not said[_QUOTE] or _plain(said[_QUOTE]) not in text:
        yield _QUOTE, say("文本里没有这句原话：“{0}”", printable(said[_QUOTE])), say("照抄文本里的字，可以删短，不能改")
    if said[_YEAR] and not all(map(_YEARS.fullmatch, listed(said[_YEAR]))):
        yield _YEAR, say("“{0}”不是年份", printable(said[_YEAR])), say("写 2030 或 2026-2030，或空着")
    bindings = LAYERS["commitments"].names["binding"].values
    if said[_BINDING] not in ("", *bindings):
        yield _BINDING, say("“{0}”不是属性", printable(said[_BINDING])), say("写 {0}，或空着", say("、").join(bindings))
    if re.search(r"\s|;", said[_ID]):
        yield _ID, say("编号“{0}”里有空格或分号", printable(said[_ID])), say("编号只用字母、数字、汉字、- 和 .")


def _next(used: set[str]) -> str:
    number = 1
    while f"T{number:03d}" in used:
        number += 1
    return f"T{number:03d}"

"""
规划目标落实核对表.xlsx: the ledger as a workbook, and what people typed into an earlier one.

The columns of the 任务分解表 belong to whoever fills them in; they are read back before the workbook is written anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import pandas as pd

from ..core import (
    BASIS_LABELS,
    back,
    growing,
    language,
    layer_name,
    listed_words,
    named_by_homes,
    parted,
    say,
    speaking,
    title,
    word,
)
from ..district import District, place_title
from ..ledger import (
    COLOURS,
    DRAFT_SHEET,
    MOST_DECIMALS,
    PANEL_SHEET,
    ROLES,
    VERDICTS,
    Cells,
    beyond,
    by_promise,
    canonical,
    claims_sheet,
    community_sheet,
    decimals_of,
    draft_sheet,
    foot,
    left_out,
    panel_sheet,
    rows_of,
    since_sheet,
    spoken,
    told_of,
    typed_into,
    typed_rows,
    verdicts,
)

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format as Look
    from xlsxwriter.worksheet import Worksheet

# --- the workbook ----------------------------------------------------------------------------------------------------

TASKS_SHEET = "任务分解表"
#: Of 专栏1 only the cells that are read back are open, so that nobody types figures where they are lost; filters and widths are free.
_READ_ONLY = {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True}
#: What a 街道 fills in by hand; kept from one run to the next.
OFFICE = "责任科室"
#: … and the one that says by when.
BY_WHEN = "年度节点"
USER_COLUMNS = (OFFICE, "配合单位", BY_WHEN, "进度", "佐证材料")
_HEADER_ROW = 2


@named_by_homes
def ledger_workbook(
    district: District,
    table: pd.DataFrame,
    path: str | Path,
    *,
    earlier: str | Path | pd.DataFrame | None = None,
    since: pd.DataFrame | None = None,
    typed: pd.DataFrame | None = None,
) -> None:
    """
    Write 规划目标落实核对表.xlsx, in the language of `table`; what was filled into an earlier one is kept whatever its language.

    Parameters
    ----------
    table
        Result of `ledger`; with a column `checked` (`story.firmness.checked_marks`) it says what is 已核 and what 待核.
    path
        The file to write; it is swapped in when complete.
    earlier
        The workbook of an earlier run, whose 任务分解表 keeps what was filled in by hand, or what `read_tasks` found there; by
        default the one at `path`.
    since
        What changed since an earlier run (`ledger.changes`): a sheet of its own.
    typed
        Figures of an earlier 专栏1 that `district` counts and its folder does not have (`ledger.with_typed`).

    Raises
    ------
    EnvironmentProblem
        The earlier workbook cannot be read (what was filled in would be lost), or the file cannot be written.
    """
    path = Path(path)
    if not isinstance(earlier, pd.DataFrame):
        earlier = read_tasks(path if earlier is None else Path(earlier))
    with speaking(spoken(table)):
        _write_book(district, canonical(table), path, earlier, since, typed)


def _write_book(
    district: District,
    table: pd.DataFrame,
    path: Path,
    filled: pd.DataFrame,
    since: pd.DataFrame | None,
    typed: pd.DataFrame | None,
) -> None:
    import xlsxwriter

    # A fixed creation time, and no text of the data ever becomes a formula or a link.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
    with growing(path) as fresh, xlsxwriter.Workbook(fresh, options) as book:
        created = datetime(district.year, 1, 1, tzinfo=UTC)
        book.set_properties({"title": f"{place_title(district)} {say('规划目标落实核对表')}", "created": created})
        draft = pd.DataFrame()
        for name, rows, note, frozen in (*_sheets(district, table, filled), *_since_sheet(since)):
            _write_sheet(book, name, rows, note, frozen, _typed_into(district, name, rows))
            draft = draft_sheet(district, rows, typed) if name == PANEL_SHEET else draft
        _write_draft(book, draft)


def read_tasks(path: Path, cells: Cells | None = None) -> pd.DataFrame:
    """
    Return what was filled in by hand in the 任务分解表 of an earlier workbook.

    Parameters
    ----------
    cells
        What `ledger.typed_rows` has read of it, that sheet among it; by default it is read here.

    Returns
    -------
    filled
        Index commitment, columns `USER_COLUMNS`; empty where there is no such file or sheet.

    Raises
    ------
    EnvironmentProblem
        The file is there and cannot be read.
    """
    nothing = pd.DataFrame(columns=list(USER_COLUMNS), index=pd.Index([], name="commitment"), dtype="object")
    cells = typed_rows(path, TASKS_SHEET) if cells is None else cells
    rows = [[value for value, _ in row] for row in cells.get(TASKS_SHEET, [])]
    head = next((i for i, row in enumerate(rows) if row and back(str(row[0])) == "编号"), None)
    if head is None:
        return nothing
    names = [back(str(v)) for v in rows[head]]
    frame = pd.DataFrame(rows[head + 1 :], columns=names).dropna(subset=["编号"])
    frame = frame.reindex(columns=["编号", *USER_COLUMNS]).astype("object").drop_duplicates("编号").set_index("编号")
    frame.index = frame.index.astype("str").rename("commitment")
    return frame[frame.notna().any(axis=1)]


def responsible(table: pd.DataFrame, tasks: pd.DataFrame) -> dict[str, str]:
    """Return who answers for each rule, as typed into the 任务分解表 (`read_tasks`): of all targets that are measured by it."""
    typed = tasks[OFFICE].dropna().astype(str)
    rows = canonical(table).reset_index()
    rows = rows[rows["commitment"].isin(typed.index) & rows["rule"].astype(bool) & rows["rule"].notna()]
    found: dict[str, dict[str, None]] = {}
    for commitment, rule in zip(rows["commitment"], rows["rule"], strict=True):
        found.setdefault(str(rule), {})[typed[commitment]] = None
    return {rule: say("、").join(names) for rule, names in found.items()}


def _sheets(
    district: District, table: pd.DataFrame, filled: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, str, tuple[int, int]]]:
    """Yield (sheet name, rows under Chinese headers, a note, frozen columns and rows)."""
    top = _HEADER_ROW + 1
    said = foot(district)
    counts = verdicts(table).value_counts()
    counted = say("，").join(f"{say(verdict)} {counts[verdict]}" for verdict in VERDICTS if verdict in counts.index)
    yield (
        "核对表",
        _check_sheet(table.reset_index()),
        say("{0} 项目标：{1}。{2}", counts.sum(), counted, said),
        (top, 2),
    )
    panel_note = say(
        "黄色格子填各年实际值（只写数；空格为待填，不是 0），存盘后再运行就计入；ledger --take 这个文件，就记进 ledger/series.csv。其余格子已锁定"
    )
    yield PANEL_SHEET, panel_sheet(district, table), panel_note, (top, 2)
    yield TASKS_SHEET, _task_sheet(table, filled), say("右边五列由街道填写；再次运行时保留"), (top, 2)
    yield "社区一览", community_sheet(district, table), say("每个社区一页的版本：communities.html。{0}", said), (top, 2)
    note = say("不属于规划目标的标准；只有读到正文的标准才作判定")
    yield "规划之外的标准", _check_sheet(beyond(district).reset_index()), note, (top, 2)
    if len(own := claims_sheet(district)):
        yield "逐项要求", own, say("每项目标拆开来说了什么，哪一项由哪一条量法回答，没有量的为什么"), (top, 2)
    rows = left_out(district).reset_index()
    names = {
        "id": "编号",
        "quote": "原文",
        "section": "章节",
        "category": "类别",
        "target": "目标",
        "unit": "单位",
        "note": "没有逐条核的原因",
    }
    yield (
        "未列入的表述",
        rows[list(names)].rename(columns=names),
        say("{0} 条不是全部：原文还有下列表述", table.index.get_level_values(0).nunique()),
        (top, 1),
    )
    rows = rows_of(district, "contradictions").fillna("").reset_index()
    names = {
        "id": "编号",
        "issue": "矛盾",
        "quote_a": "原文一",
        "section_a": "章节一",
        "quote_b": "原文二",
        "section_b": "章节二",
        "handling": "处理",
        "touches": "涉及",
    }
    yield "原文矛盾", rows[list(names)].rename(columns=names), say("并列，不代为取舍"), (top, 1)
    yield "来源", _source_sheet(district), said, (top, 1)


def _check_sheet(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.assign(role=[say(ROLES[r]) if r in ROLES else "" for r in rows["role"]])
    cells = {c: rows[c].map(listed_words) for c in ("category", "binding", "spatial_unit")}
    rows = rows.assign(section=rows["section"].map(parted), **cells)
    # what a meeting asks comes first and is printed; how the number was made stands to the right of it
    names = {
        "commitment": "任务",
        "quote": "原文",
        "category": "类别",
        "label": "量什么",
        "role": "地位",
        "value": "数值",
        "unit": "单位",
        "target_text": "目标",
        "verdict": "判定",
        "checked": "核没核",
        "plan_says": "规划自述",
        "gap": "差距",
        "fix": "怎么补",
        "claims": "原文的要求",
        "unmeasured": "没有量的要求",
        "needs": "缺什么",
        "gap_size": "差距涉及",
        "gap_of": "涉及什么",
        "gap_basis": "涉及的依据",
        "section": "章节",
        "binding": "属性",
        "spatial_unit": "空间范围",
        "contradiction": "原文矛盾",
        "low_other": "换算法最低",
        "high_other": "换算法最高",
        "how": "怎么量",
        "method": "算法",
        "formula": "公式",
        "parameters": "参数",
        "demonstration": "数据情况",
        "standard": "出处",
        "text": "一句话",
        "measure": "编号",
    }
    if "checked" not in rows:  # nobody asked
        del names["checked"]
    if (rows["quote"] == "").all():
        of_a_plan = (
            "commitment",
            "quote",
            "category",
            "section",
            "binding",
            "spatial_unit",
            "contradiction",
            "claims",
            "unmeasured",
            "plan_says",
        )
        names = {"measure": names["measure"], **{c: n for c, n in names.items() if c not in of_a_plan}}
    return rows[list(names)].rename(columns=names)


def _since_sheet(since: pd.DataFrame | None) -> Iterator[tuple[str, pd.DataFrame, str, tuple[int, int]]]:
    if since is not None:
        yield "与上次相比", since_sheet(since), say("上次运行以来变了的参数、数据和结果"), (_HEADER_ROW + 1, 0)


def _task_sheet(table: pd.DataFrame, filled: pd.DataFrame) -> pd.DataFrame:
    verdict_of = verdicts(table)
    rows = []
    for code, own in by_promise(table).items():
        first, decides = own[0], [r for r in own if r["role"] == "own"]
        row = {
            "编号": code,
            "原文": first["quote"],
            "章节": parted(first["section"]),
            "年份": word(first["year"]),
            "空间范围": listed_words(first["spatial_unit"]),
        }
        # how much of it is a demonstration is said in the first sheet
        said = [r["text"].removesuffix(say("：{0}", r["demonstration"])) for r in decides]
        row |= {"属性": word(first["binding"]), "判定": verdict_of[code], "现状": "\n".join(said)}
        row["差距"] = "\n".join(told_of(decides, "gap"))
        row["怎么补"] = "\n".join(told_of(decides, "fix"))
        rows.append(row)
    for code in filled.index.difference(verdict_of.index):
        rows.append({"编号": code, "原文": say("（承诺表里已没有这一条，保留已填的内容）")})
    frame = pd.DataFrame(rows).set_index("编号")
    return frame.join(filled.reindex(frame.index)).reset_index()


def _source_sheet(district: District) -> pd.DataFrame:
    rows = []
    for name, file in district.files.iterrows():
        said = district.manifest["layers"].get(name, {})
        rows.append(
            {
                "图层或表": layer_name(str(name)),
                "文件": file["file"],
                "出自": word(file["from"]),
                "依据类型": word(BASIS_LABELS.get(str(said.get("basis", "")), "")),
                "来源": str(said.get("source", "")),
                "许可": str(said.get("licence", "")),
                "日期": str(said.get("date", "")),
                "SHA-256": file["sha256"],
            }
        )
    return pd.DataFrame(rows)


#: How a cell shows a number with so many decimals.
FORMATS = ("#,##0", "#,##0.0", *(f"0.{'0' * digits}" for digits in range(2, MOST_DECIMALS + 1)))
#: How wide columns are, in characters; others 12.
_WIDE = {
    "任务": 7,
    "编号": 10,
    "类别": 9,
    "地位": 9,
    "单位": 8,
    "数值": 10,
    "目标": 13,
    "判定": 20,
    "原文": 36,
    "章节": 20,
    "量什么": 25,
    "差距": 46,
    "差距涉及": 10,
    "涉及什么": 11,
    "涉及的依据": 13,
    "怎么补": 36,
    "缺什么": 28,
    "怎么量": 46,
    "一句话": 60,
    "说明": 60,
    "现状": 56,
    "参数": 50,
    "公式": 40,
    "数据情况": 40,
    "出处": 30,
    "原文矛盾": 50,
    "矛盾": 50,
    "处理": 50,
    "原文一": 36,
    "原文二": 36,
    "没有逐条核的原因": 60,
    "规划自述": 24,
    "原文的要求": 14,
    "没有量的要求": 36,
    "为什么没有量": 40,
    "量法": 24,
    "对象": 24,
    "指标": 30,
    "年度节点": 22,
    "佐证材料": 26,
    "文件": 30,
    "来源": 50,
    "SHA-256": 66,
    "有": 60,
    "要求每个社区都有、这里缺": 26,
    "其他必备设施里缺": 30,
}


#: What is printed of wide sheets: the columns up to this one; the rest is for the screen.
_PRINTED_UP_TO = ("缺什么", "其他必备设施里缺")


def _typed_into(district: District, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return which cells of a sheet people fill in: same shape, true or false."""
    if name == PANEL_SHEET:
        return typed_into(district, rows)
    own = name == TASKS_SHEET
    return pd.DataFrame({c: own and c in USER_COLUMNS for c in rows.columns}, index=rows.index, columns=rows.columns)


def _write_draft(book: Workbook, rows: pd.DataFrame) -> None:
    """Keep beside 专栏1, out of sight, what was written into the cells that are typed into."""
    sheet = book.add_worksheet(DRAFT_SHEET)
    plain = book.add_format({})
    for j, column in enumerate(rows.columns):
        sheet.write_string(0, j, str(column))
        for i, value in enumerate(rows[column], 1):
            _write_cell(sheet, i, j, value, plain)
    sheet.very_hidden()


def _write_sheet(
    book: Workbook, name: str, rows: pd.DataFrame, note: str, frozen: tuple[int, int], mine: pd.DataFrame
) -> None:
    """Write one sheet: title, note, header, rows coloured by verdict, frozen panes, filter, print setup; `mine` is typed into."""
    sheet, style = book.add_worksheet(title(name)), _Styles(book)
    first, again, filled_in = _HEADER_ROW + 1, _repeats(rows), mine.to_numpy().tolist()
    sheet.write_string(0, 0, title(name), book.add_format({"bold": True, "font_size": 14}))
    sheet.write_string(1, 0, note, book.add_format({"italic": True, "font_color": "#666666"}))
    for j, column in enumerate(rows.columns):
        sheet.write_string(_HEADER_ROW, j, title(str(column)), style.head)
        sheet.set_column(j, j, _width(column))
        for i, value in enumerate(rows[column].tolist()):
            look: Mapping[str, object] = (
                {"bg_color": COLOURS[value], "bold": True} if column == "判定" and value in COLOURS else {}
            )
            if filled_in[i][j]:
                look = _TYPED
            elif again[i] and column in _OF_THE_PROMISE:
                look = _REPEATED
            shown = say(value) if look.get("bold") else value  # a verdict
            _write_cell(sheet, first + i, j, shown, style.of(look, value, starts=not again[i]))
    if "目标" in rows.columns and any(str(column).isdigit() for column in rows.columns):
        _charts(book, sheet, name, rows, first)
    if name == PANEL_SHEET:
        sheet.protect("", _READ_ONLY)
    sheet.freeze_panes(*frozen)
    if len(rows):
        sheet.autofilter(_HEADER_ROW, 0, _HEADER_ROW + len(rows), len(rows.columns) - 1)
    for j in [j for j, column in enumerate(rows.columns) if column in _PRINTED_UP_TO]:
        sheet.print_area(0, 0, _HEADER_ROW + len(rows), j)
        # a row is as high as what is printed of it; elsewhere the reader's program finds the height
        for i, height in enumerate(_heights(rows.iloc[:, : j + 1])):
            sheet.set_row(_HEADER_ROW + i, height)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEADER_ROW)
    sheet.set_footer("&L" + note.replace("&", "&&")[:200] + "&R&P / &N")


#: Cells of the promise itself, which stand in each of its rows so that filters find them; from the second row on in grey.
_OF_THE_PROMISE = ("任务", "原文", "类别", "章节", "属性", "空间范围", "原文矛盾", "原文的要求", "没有量的要求")
_REPEATED = {"font_color": "#A8A39A"}
_TYPED = {"bg_color": "#FFFDF0", "border": 1, "border_color": "#D9D2B8", "locked": False}


class _Styles:
    """The looks of cells, each made once in a workbook."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.made: dict[tuple[tuple[str, object], ...], Look] = {}
        look = {"bold": True, "bg_color": "#DDE7EE", "border": 1, "border_color": "#B9C6CF", "text_wrap": True}
        self.head = book.add_format({**look, "valign": "vcenter"})

    def of(self, look: Mapping[str, object], value: object, *, starts: bool) -> Look:
        """Return a look, with the digits a number deserves; a row that starts something has a line above it."""
        base = {"text_wrap": True, "valign": "top", "top": 1, "top_color": "#8FA1AD" if starts else "#E6E1D8"}
        whole = {**base, **look, **({"num_format": FORMATS[decimals_of(float(value))]} if _is_number(value) else {})}
        key = tuple(whole.items())
        if key not in self.made:
            self.made[key] = self.book.add_format(whole)
        return self.made[key]


def _repeats(rows: pd.DataFrame) -> list[bool]:
    """Return which rows belong to the same promise as the row above."""
    if "任务" not in rows.columns:
        return [False] * len(rows)
    return list(rows["任务"].eq(rows["任务"].shift()))


def _width(column: object) -> float:
    """Return how wide a column is, in characters."""
    width = _WIDE.get(str(column), 12)
    if language() == "zh":
        return width
    longest = max(len(part) for part in title(str(column)).split()) if str(column).strip() else 0
    return max(width, longest + 3, 13 if column in ("类别", "单位", "属性", "空间范围") else 0)


def _heights(rows: pd.DataFrame) -> list[float]:
    """Return the height of the header and of each row in points, by what is written in them: a Chinese character is two wide."""
    wide = [_width(column) - 1.5 for column in rows.columns]

    def lines(text: str, width: float) -> int:
        return sum(math.ceil(max(sum(1 + (ord(c) > 0x2E7F) for c in part), 1) / width) for part in text.split("\n"))

    return [
        min(max(lines(str(v), w) for v, w in zip(cells, wide, strict=True)) * 15.0 + 5.0, 409.0)
        for cells in (
            [title(str(c)) for c in rows.columns],
            *rows.astype("object").fillna("").itertuples(index=False, name=None),
        )
    ]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _write_cell(sheet: Worksheet, i: int, j: int, value: object, style: Look) -> None:
    if value is None or value is pd.NA or value == "" or (isinstance(value, float) and math.isnan(value)):
        sheet.write_blank(i, j, None, style)
    elif _is_number(value):
        sheet.write_number(i, j, float(value), style)
    elif isinstance(value, datetime):
        sheet.write_string(i, j, value.date().isoformat(), style)
    else:
        sheet.write_string(i, j, str(value)[:32_000], style)


def _charts(book: Workbook, sheet: Worksheet, name: str, rows: pd.DataFrame, first: int) -> None:
    """Draw a small line per indicator with at least two years filled in, below the table."""
    years = [j for j, column in enumerate(rows.columns) if str(column).isdigit()]
    drawn = 0
    for i in range(len(rows)):
        if rows.iloc[i, years].notna().sum() < 2:
            continue
        chart = book.add_chart({"type": "line"})
        chart.add_series(
            {
                "name": [title(name), first + i, 1],
                "categories": [title(name), first - 1, years[0], first - 1, years[-1]],
                "values": [title(name), first + i, years[0], first + i, years[-1]],
                "marker": {"type": "circle"},
            }
        )
        words = say("{0}（{1}，目标 {2}）", *(rows[c].iloc[i] for c in ("指标", "属性", "目标")))
        chart.set_title({"name": words, "name_font": {"size": 10}})
        chart.set_legend({"none": True})
        chart.set_size({"width": 360, "height": 200})
        across, down = drawn % 3, drawn // 3
        sheet.insert_chart(first + len(rows) + 1 + 11 * down, 1, chart, {"x_offset": 370 * across})
        drawn += 1

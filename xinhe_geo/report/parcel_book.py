"""
`地块台账.xlsx`: the parcels in a workbook whose figures are formulas over what was typed and what the plan says.

What comes from outside (the ledger, the steps of a plan, the homes on the drawing) stands as numbers on the sheets of inputs; whatever
is worked out from it, and printed on `parcels.html`, is a formula over these. So anybody can follow it, or put in another number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import growing, say, title
from ..district import District, place_title
from ..renewal import CAPACITY_LABELS
from ..siting import LEAST_PLACE
from .story.parcels import (
    CRITERIA,
    GROUP_LABELS,
    OF_CAPACITY,
    Account,
    Option,
    Parcel,
    Total,
    budget_name,
    concluded,
    topic_name,
    verdicts_on,
)
from .workbook import foot

if TYPE_CHECKING:
    import xlsxwriter

#: Sheets by what is on them.
LEDGER, BALANCE, MONEY, GROUND, PROMISED, GROUPS = (
    "台账",
    "居民收支",
    "财政支出与项目收支",
    "用地与小区",
    "承诺",
    "各年末的人",
)
CAPACITY, OPTIONS = "逐年够不够", "方案比选"
#: Of the lines of a balance, those that follow from others: a sign, which line, and how many years before.
_FOLLOWS = {
    "opening": (("+", "closing", 1),),
    "closing": tuple(zip("+-+++", ("opening", "moved_out", "returned", "newcomers", "other"), [0] * 5, strict=True)),
    "moved_total": (("+", "moved_total", 1), ("+", "moved_out", 0)),
    "returned_total": (("+", "returned_total", 1), ("+", "returned", 0)),
    "waiting": tuple(
        zip("+----", ("moved_total", "returned_total", "elsewhere", "cash", "unsaid"), [0] * 5, strict=True)
    ),
}
_FIRST = 3
#: What lacks in whole units where it comes to a place; a trace of rounding makes no unit more.
_WHOLE = f"IF({{0}}>={LEAST_PLACE - 1e-6},ROUNDUP({{0}}-0.000001,0),{{0}})"


def parcel_book(
    path: Path, district: District, shown: Sequence[Parcel], options: Mapping[str, Sequence[Option]], troubles: str = ""
) -> None:
    """
    Write the workbook beside the page of parcels.

    Parameters
    ----------
    path, district
        Where to, and the state that is told.
    shown
        The parcels.
    options
        By the id of a parcel, its plans beside each other.
    troubles
        Which steps of the plan contradict each other; "" where none does.

    Raises
    ------
    EnvironmentProblem
        It cannot be written, or is held open.
    """
    import xlsxwriter

    how = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False, "in_memory": True}
    with growing(path) as fresh, xlsxwriter.Workbook(fresh, how) as file:
        heading = say("{0} 地块台账", place_title(district))
        file.set_properties({"title": heading, "created": datetime(district.year, 1, 1, tzinfo=UTC)})
        book = _Book(file, foot(district))
        _ground(book, shown)
        _ledger(book, shown)
        _promised(book, shown)
        _money(book, shown)
        _capacities(book, shown)
        _balances(book, shown, troubles)
        _options(book, shown, options)


class _Book:
    """A workbook being written: sheets with a title, a foot, heads, and rows of texts, numbers and formulas."""

    def __init__(self, file: xlsxwriter.Workbook, note: str) -> None:
        self.file, self.note = file, note
        self.head = file.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True})
        self.bold, self.quiet = file.add_format({"bold": True, "font_size": 13}), file.add_format({"italic": True})
        self.put_in = file.add_format({"num_format": "#,##0.##", "font_color": "#1F4E9E"})
        self.worked_out = file.add_format({"num_format": "#,##0.##"})

    def sheet(self, name: str, about: str, heads: Sequence[str], widths: Sequence[int]) -> _Sheet:
        """Begin a sheet."""
        sheet = self.file.add_worksheet(title(name))
        sheet.write_string(0, 0, say("　").join((title(name), about)), self.bold)
        sheet.write_string(1, 0, self.note, self.quiet)
        for j, words in enumerate(heads):
            sheet.write_string(2, j, words, self.head)
        for j, width in enumerate(widths):
            sheet.set_column(j, j, width)
        sheet.freeze_panes(3, 0)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        return _Sheet(self, sheet)


class _Sheet:
    """A sheet being written, row by row."""

    def __init__(self, book: _Book, sheet: xlsxwriter.Workbook.worksheet_class) -> None:
        self.book, self.sheet, self.row = book, sheet, _FIRST

    def line(self, *cells: str | float | tuple[str, float]) -> int:
        """Write a row: texts, numbers that are put in, formulas with what they come to; return its number as Excel counts."""
        for j, cell in enumerate(cells):
            if isinstance(cell, tuple):
                formula, value = cell
                self.sheet.write_formula(
                    self.row, j, f"={formula}", self.book.worked_out, "" if math.isnan(value) else value
                )
            elif isinstance(cell, str):
                self.sheet.write_string(self.row, j, cell)
            elif math.isfinite(cell):
                self.sheet.write_number(self.row, j, cell, self.book.put_in)
        self.row += 1
        return self.row


def _letter(column: int) -> str:
    return chr(ord("A") + column) if column < 26 else _letter(column // 26 - 1) + _letter(column % 26)


def _ground(book: _Book, shown: Sequence[Parcel]) -> None:
    heads = [say("地块"), say("编号"), say("常住人口"), say("用地面积（m²）"), say("公顷"), say("小区数")]
    sheet = book.sheet(GROUND, say("蓝色是输入，黑色是公式"), heads, (24, 18, 12, 16, 12, 12))
    for own in shown:
        first = sheet.row + 1
        for home, people in own.homes.items():
            sheet.line(own.name, home, people)
        last, known = sheet.row, [p for p in own.homes.values() if not math.isnan(p)]
        homes = f"C{first}:C{last}" if own.homes else ""
        whole = len(known) == len(own.homes)
        total = (
            f'IF(COUNT({homes})<ROWS({homes}),"",SUM({homes}))' if homes else "0",
            float(sum(known)) if whole else math.nan,
        )
        number = sheet.row + 1
        count = (f"ROWS({homes})" if homes else "0", float(len(own.homes)))
        sheet.line(own.name, say("合计"), total, own.area_m2, (f"D{number}/10000", own.area_m2 / 10000), count)


def _ledger(book: _Book, shown: Sequence[Parcel]) -> None:
    heads = [say(n) for n in ("地块", "类别", "指标", "口径", "下限", "上限", "单位", "文字", "年份", "依据", "谁能填")]
    sheet = book.sheet(
        LEDGER, say("填在 parcels.csv 的数；空着的是待填"), heads, (20, 14, 20, 12, 12, 12, 8, 22, 8, 10, 30)
    )
    for own in shown:
        for line in own.plain:
            words = "" if math.isfinite(line.low) else line.text
            about = (own.name, topic_name(line.topic), line.label, line.holder)
            sheet.line(*about, line.low, line.high, line.unit, words, line.year, line.basis, line.who)


def _promised(book: _Book, shown: Sequence[Parcel]) -> None:
    heads = [say(n) for n in ("地块", "原文", "要什么", "应有", "已有", "有安排", "还缺", "做到没有", "由什么回答")]
    sheet = book.sheet(PROMISED, say("还缺 = 应有 − 已有 − 有安排，不小于 0"), heads, (20, 50, 24, 8, 8, 8, 8, 12, 40))
    for own in shown:
        first = sheet.row + 1
        for line in own.promised:
            n, (wanted, there, coming) = sheet.row + 1, line.numbers
            lacks: str | tuple[str, float] = ""
            if math.isfinite(wanted) and line.status != "unknown":
                lacks = (f"MAX(D{n}-E{n}-F{n},0)", max(wanted - there - coming, 0.0))
            sheet.line(own.name, line.quote, line.wants, wanted, there, coming, lacks, line.told, line.answers)
        if own.promised:
            last = sheet.row
            for told in dict.fromkeys(line.told for line in own.promised):
                number = float(sum(line.told == told for line in own.promised))
                sheet.line(own.name, say("{0}（条）", told), "", (f'COUNTIF(H{first}:H{last},"{told}")', number))


def _money(book: _Book, shown: Sequence[Parcel]) -> None:
    heads = [say(n) for n in ("地块", "资金表", "类别", "指标", "下限", "上限", "单位", "年份", "资金渠道", "出自")]
    sheet = book.sheet(MONEY, say("两张表不相抵，收支也不相抵"), heads, (20, 12, 10, 22, 12, 12, 8, 8, 14, 40))
    for own in shown:
        for total in own.money:
            _total(sheet, own, total)


def _total(sheet: _Sheet, own: Parcel, total: Total) -> None:
    """Write what one budget pays, or takes in: item by item, together, and by fund and year."""
    first, about = sheet.row + 1, (own.name, budget_name(total.budget), topic_name(total.topic))
    unit = total.lines[0].unit
    for line in total.lines:
        when = line.year or say("待填")
        sheet.line(*about, line.label, line.low, line.high, line.unit, when, line.fund, line.origin)
    last = sheet.row
    ends = [
        (f'IF(COUNT({c}{first}:{c}{last})=0,"",SUM({c}{first}:{c}{last}))', value)
        for c, value in (("E", total.low), ("F", total.high))
    ]
    sheet.line(*about, say("合计"), *ends, unit)
    for paid in total.paid:
        n = sheet.row + 1
        own_rows = f"(H{first}:H{last}=H{n})*(I{first}:I{last}=I{n})"
        ends = [
            (
                f'IF(SUMPRODUCT({own_rows}*ISNUMBER({c}{first}:{c}{last}))=0,"",'
                f"SUMPRODUCT({own_rows},{c}{first}:{c}{last}))",
                value,
            )
            for c, value in (("E", paid.low), ("F", paid.high))
        ]
        sheet.line(*about, say("按渠道和年份"), *ends, unit, paid.year, paid.fund)


def _options(book: _Book, shown: Sequence[Parcel], options: Mapping[str, Sequence[Option]]) -> None:
    """Write the plans of each parcel beside each other: worked out from the walks and the ledger, so put in here."""
    if not any(options.values()):
        return
    labels = [label for label, _ in CRITERIA.values()]
    spent = [say("投入下限（万元）"), say("投入上限（万元）")]
    heads = [say("地块"), say("方案"), *map(say, labels), *spent, say("结论")]
    about = say("由步行可达和台账算出，作为输入；投入的区间没有相接才分高低")
    sheet = book.sheet(OPTIONS, about, heads, (20, 30, *(12 for _ in (*labels, *spent)), 50))
    for own in shown:
        told = verdicts_on(options[own.id])
        for option in options[own.id]:
            numbers = (option.values[key] for key in CRITERIA)
            sheet.line(own.name, option.label, *numbers, *option.spent, told[option.name])
        if end := concluded(options[own.id]):
            sheet.line(own.name, end)


def _capacities(book: _Book, shown: Sequence[Parcel]) -> None:
    """Write what each norm asks in each year: worked out from the walks, so put in here."""
    years = sorted({year for own in shown for year in own.years})
    if not any(own.capacity for own in shown):
        return
    heads = [say(n) for n in ("地块", "配什么", "单位", "项")] + list(map(str, years))
    sheet = book.sheet(CAPACITY, say("由步行可达算出，作为输入"), heads, (20, 24, 8, 16, *(10 for _ in years)))
    for own in shown:
        for line in own.capacity:
            for key in OF_CAPACITY:
                sheet.line(own.name, line.label, line.unit, say(CAPACITY_LABELS[key]), *line.values[key])
            n = sheet.row  # what lacks stands in the row above, as it was worked out
            cells = [f"{_letter(4 + i)}{n}" for i, _ in enumerate(line.values["short"])]
            whole = [
                (f'IF({at}="","",{at if line.by_area else _WHOLE.format(at)})', value)
                for at, value in zip(cells, line.lacks, strict=True)
            ]
            sheet.line(own.name, line.label, line.unit, say("还缺（本页所印：够一处的取整）"), *whole)


def _balances(book: _Book, shown: Sequence[Parcel], troubles: str) -> None:
    """Write who lives where year by year: stocks follow from flows, and whoever ever left is somewhere."""
    years = sorted({year for own in shown for year in own.years})
    if not years:
        return
    heads = [say("地块"), say("口径"), say("行"), say("此前"), *map(str, years)]
    about = say(
        "年末在住 = 上年末在住 − 搬出 + 还迁 + 导入 + 其他变动；累计搬出 = 过渡中 + 已还迁 + 异地安置 + 货币离开 + 去向待填"
    )
    sheet = book.sheet(BALANCE, about, heads, (20, 20, 16, 10, *(10 for _ in years)))
    people: dict[str, dict[str, int]] = {}
    if troubles:
        sheet.line(troubles)
    for own in shown:
        for account in own.accounts:
            rows = _account(sheet, own, account)
            if (account.counted, account.holder, account.parcel) == ("people", "", ""):
                people[own.id] = rows
    heads = [say("地块"), say("人"), *map(str, years)]
    sheet = book.sheet(GROUPS, say("各年末的人，条形图里的数"), heads, (20, 22, *(10 for _ in years)))
    for own in shown:
        if own.bars:
            _groups(sheet, own, people[own.id])


def _account(sheet: _Sheet, own: Parcel, account: Account) -> dict[str, int]:
    """Write an account; return in which row each of its lines stands."""
    start = sheet.row + 1
    rows = {line.code: start + i for i, line in enumerate(account.lines)}
    flows = {line.code: line.values for line in account.lines}
    before: dict[str, float] = {
        "closing": flows["opening"][0],
        "moved_total": flows["moved_total"][0] - flows["moved_out"][0],
        "returned_total": flows["returned_total"][0] - flows["returned"][0],
    }
    for line in account.lines:
        cells = [_followed(line.code, i, flows, before, rows) for i, _ in enumerate(line.values)]
        sheet.line(own.name, account.label, line.label, before.get(line.code, ""), *cells)
    return rows


def _followed(
    code: str, i: int, flows: Mapping[str, Sequence[float]], before: Mapping[str, float], rows: Mapping[str, int]
) -> float | tuple[str, float]:
    """
    Return a line of a balance in one year as a formula over that column and the one before, where it follows from them.

    Elsewhere it is put in: where a plan contradicts itself what would be less than nobody is unknown; who stays is counted from the
    homes, be it unknown how many left; and of a parcel that is divided who returns to a part is back in the account of the whole.
    """
    value, parts = flows[code][i], _FOLLOWS.get(code, ())
    numbers = [flows[line][i - back] if i >= back else before[line] for _, line, back in parts]
    total = sum((-n if sign == "-" else n for (sign, _, _), n in zip(parts, numbers, strict=True)), 0.0)
    if not parts or not (math.isclose(total, value, abs_tol=1e-6) or (math.isnan(total) and math.isnan(value))):
        return value
    at = [f"{_letter(4 + i - back)}{rows[line]}" for _, line, back in parts]
    told = "".join(sign + cell for (sign, _, _), cell in zip(parts, at, strict=True)).removeprefix("+")
    return f'IF(COUNT({",".join(at)})<{len(at)},"",{told})', value


def _groups(sheet: _Sheet, own: Parcel, rows: dict[str, int]) -> None:
    """Write what the bars of the page show, over the balance."""
    name = title(BALANCE)
    columns = [_letter(4 + i) for i in range(len(own.bars))]
    for key, label in GROUP_LABELS.items():
        cells = []
        for column, year in zip(columns, own.bars, strict=True):
            at = {code: f"'{name}'!{column}{row}" for code, row in rows.items()}
            came, returned = (
                f"SUM('{name}'!{columns[0]}{rows[code]}:{column}{rows[code]})" for code in ("newcomers", "returned")
            )
            with_ground = own.brought[columns.index(column)] if own.brought else 0.0
            came += f"+{with_ground!r}" if with_ground else ""
            first = f"'{name}'!{columns[0]}"
            back = f"{returned}+{first}{rows['returned_total']}-{first}{rows['returned']}"
            formula = {
                "stay": f"{at['closing']}-({back})-({came})",
                "back": back,
                "came": came,
                "waiting": at["waiting"],
                "left": f"{at['elsewhere']}+{at['cash']}+{at['unsaid']}",
            }[key]
            cells.append((formula, year.groups[key]))
        sheet.line(own.name, say(label), *cells)

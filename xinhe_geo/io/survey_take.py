"""A filled form of a survey read back: every line of it is taken, asked about or explained; written as any file that is added."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from ..core import (
    LAYERS,
    OPEN_TO,
    SURVEYED,
    Column,
    SourceError,
    amount,
    at_year,
    layers_in,
    listed,
    nearest,
    ordinary,
    say,
)
from ..district import Changes, Edit, LayerFile, check_copy, commit, finish, is_missing, locked, new_files
from .cells import is_blank, printable, value_labels
from .current_layer import CurrentLayer, read_current
from .file_rows import name_codes, rows_of
from .formats import read_file
from .incoming import SPECIAL_GROUPS, Incoming, cannot_take, special_groups
from .matching import match_rows
from .positions import Placed
from .row_changes import Provenance, edits_of, judged
from .row_report import REPORTED, Line, RowReport
from .sheets import workbook_rows
from .survey_form import (
    BEDS,
    BLOCKED,
    BY,
    FLOOR,
    FOUND,
    HOURS,
    ID,
    MEASURED,
    NO,
    NONE_THERE,
    NOT_CHECKED,
    ON,
    ONLY_VEHICLES,
    OPEN,
    OPEN_FOR,
    RAMP,
    REMARK,
    RUNS,
    SERVES,
    SHEETS,
    SPOT,
    SPOT_RIGHT,
    SPOT_WRONG,
    STAIRS,
    STEPS,
    WAITS,
    YES,
)

#: What becomes of a line of a form, and what that is called.
TAKEN, ASKED, EXPLAINED = "taken", "asked", "explained"
OUTCOMES = {TAKEN: "取用", ASKED: "要问", EXPLAINED: "不写入"}
ANSWER_COLUMNS = ("sheet", "row", "id", "outcome", "signed", "what", "remedy")
#: The number of whoever checked, as offices number people: never a name, nor a telephone.
_NUMBER_OF_STAFF = re.compile(r"[A-Za-z]{0,4}[-_]?\d{1,8}")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?|(\d{4})(\d{2})(\d{2})")
#: Nobody waits longer than this at a crossing, seconds.
_LONGEST_WAIT = 900.0
_BED = "床"


@dataclass
class Answer:
    """One line of a form: what was written under each head, and what becomes of it."""

    layer: str
    line: int
    said: Mapping[str, str]
    outcome: str = ""
    what: str = ""
    remedy: str = ""
    signed: bool = False
    cells: dict[str, object] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The place it is about."""
        return self.said[ID]

    def filled(self, *heads: str) -> list[str]:
        """Return those of some heads under which something is written; of all that are asked, without heads."""
        return [head for head in heads or SHEETS[self.layer].asked if self.said[head]]

    def end(self, outcome: str, what: str, remedy: str = "") -> None:
        """Say what becomes of it, once."""
        if not self.outcome:
            self.outcome, self.what, self.remedy = outcome, what, remedy

    def ask(self, what: str, remedy: str) -> None:
        """Leave it to a person."""
        self.end(ASKED, what, remedy)


def take_survey(file: str | Path, folder: str | Path, *, surveyed: bool = False, apply: bool = False) -> pd.DataFrame:
    """
    Take the answers of a filled form (`survey`) into a district folder, or say line by line why not.

    Parameters
    ----------
    file
        The workbook (.xlsx) or the GeoPackage that `survey` wrote, filled in.
    folder
        A district folder.
    surveyed
        A person confirms that whoever is named on a line was there on that day: such rows become `surveyed`, with the number of
        staff and the day. Without it the answers are taken, and what they are about stays in doubt.
    apply
        Write. Without it nothing is written, and the report shows what would be.

    Returns
    -------
    answers
        One row for each line of the form. Columns `sheet`, `row` (line of the sheet), `id`, `outcome` ("taken", "asked": a person
        has to say, "explained": nothing to write), `signed` (becomes `surveyed`), `what`, `remedy`.

    Raises
    ------
    SourceError
        No such form, or one that cannot be read.
    DataError
        The folder would not pass its check.
    EnvironmentProblem
        The folder cannot be written, or another process is writing it.

    Notes
    -----
    On any error the folder is byte for byte as it was; `undo` takes everything back that one form has changed. Positions are never
    changed, and remarks never written.
    """
    source, target = Path(file), Path(folder)
    if not apply:
        return _planned(source, target, surveyed=surveyed)[0]
    with locked(target):
        finish(target)
        report, files, layers = _planned(source, target, surveyed=surveyed)
        if files:
            commit(target, files, "、".join(layers), printable(source.name))
    return report


def answers_tally(answers: pd.DataFrame) -> dict[str, int]:
    """Return how many lines a form has (`answers`), and how many were `taken`, `asked` and `explained`; they add up."""
    return {"answers": len(answers), **{name: int((answers["outcome"] == name).sum()) for name in OUTCOMES}}


def _planned(source: Path, folder: Path, *, surveyed: bool) -> tuple[pd.DataFrame, dict[str, bytes], list[str]]:
    """Work out what becomes of every line, and the new contents of files; also which layers change."""
    answers = list(_read(source))
    files: dict[str, bytes] = {}
    changed = []
    for layer in SHEETS:
        own = [answer for answer in answers if answer.layer == layer]
        if not own:
            continue
        whole = read_current(folder, LAYERS[layer])
        year = int(whole.manifest.get("data_year") or 0)
        numbered = whole.rows.reset_index().assign(_at=np.arange(len(whole.rows)))
        live = at_year(LAYERS[layer], numbered, year)["_at"].tolist() if year else numbered["_at"].tolist()
        current = replace(whole, rows=whole.rows.iloc[live])
        for answer in own:
            _judge(answer, current, whole)
        _hold_together(own)
        edits = _taken([answer for answer in own if not answer.outcome], current, source.name, surveyed=surveyed)
        if edits:
            for edit in edits:
                assert edit.at is not None
                edit.at = live[edit.at]
            made = LayerFile(folder, LAYERS[layer], whole.entry, whole.manifest)
            files |= new_files(made, Changes(edits, set(), SURVEYED, printable(source.name)))
            changed.append(layer)
    if files:
        check_copy(folder, files)
    lines = [(SHEETS[a.layer].name, a.line, printable(a.id), a.outcome, a.signed, a.what, a.remedy) for a in answers]
    return pd.DataFrame(lines, columns=list(ANSWER_COLUMNS)), files, changed


# --- what is written on a form ----------------------------------------------------------------------------------------


def _read(path: Path) -> Iterator[Answer]:
    """Yield the lines of a form, read in the process that reads files of strangers."""
    if not path.is_file():
        raise SourceError(say("文件不存在：{0}", printable(path.name)))
    ordinary(path)
    if SPECIAL_GROUPS.search(path.stem):
        raise special_groups(path.name, path.stem)
    readers = {".xlsx": _of_workbook, ".gpkg": _of_geopackage}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise cannot_take(
            path.name, say("不是核查表"), say("用 survey 写出的 .xlsx 或 .gpkg，填好再导入；纸上的抄进 .xlsx")
        )
    known = False
    for layer, heads, rows in reader(path):
        known = True
        at = {head: heads.index(head) for head in (ID, *SHEETS[layer].asked, BY, ON, REMARK) if head in heads}
        for line, cells in rows:
            said = dict.fromkeys((ID, *SHEETS[layer].asked, BY, ON, REMARK), "")
            said |= {head: _text(cells[j]) for head, j in at.items() if j < len(cells)}
            if any(said.values()):
                yield Answer(layer, line, said)
    if not known:
        raise cannot_take(
            path.name, say("不是核查表：没有一张表有“{0}”和“{1}”", ID, FOUND), say("用 survey 写出的表填，不改表头")
        )


def _of_workbook(path: Path) -> Iterator[tuple[str, list[str], list[tuple[int, list[object]]]]]:
    for grid in workbook_rows(path).values():
        heads = [_text(cell) for cell in grid[0][1]] if grid else []
        layer = _layer_of(heads)
        if layer:
            yield layer, heads, grid[1:]


def _of_geopackage(path: Path) -> Iterator[tuple[str, list[str], list[tuple[int, list[object]]]]]:
    try:
        names = [name for name, _ in layers_in(path)]
    except SourceError:
        raise
    except Exception as error:  # drivers raise many types; the message is what matters
        raise cannot_take(path.name, say("打不开"), say("文件可能不完整，重新拷贝")) from error
    for layer, sheet in SHEETS.items():
        if sheet.name in names:
            found = read_file(path, LAYERS[layer], sheet.name, RowReport())
            if _layer_of(found.heads) == layer:
                yield layer, found.heads, list(zip(found.lines, found.rows, strict=True))


def _layer_of(heads: Sequence[str]) -> str:
    """Return which layer a sheet asks about; "" for a sheet that is none of a form's."""
    if not {ID, FOUND} <= set(heads):
        return ""
    return max(SHEETS, key=lambda layer: len(set(heads) & set(SHEETS[layer].asked)))


def _text(cell: object) -> str:
    """Return a cell as it was written."""
    if is_blank(cell) or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()[:10]
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


# --- each line --------------------------------------------------------------------------------------------------------


def _judge(answer: Answer, current: CurrentLayer, whole: CurrentLayer) -> None:
    """Say what becomes of a line by itself, or put the cells together that it comes to."""
    found, choices = answer.said[FOUND], SHEETS[answer.layer].asked
    rest = [head for head in answer.filled() if head != FOUND]
    if not answer.filled():
        answer.end(EXPLAINED, say("没有填"))
        return
    if not answer.id:
        answer.ask(say("没有编号，不知道是哪一处"), say("已有的写上编号；新的地方用 add 加"))
        return
    if answer.id not in current.rows.index:
        if answer.id in whole.rows.index:
            answer.end(EXPLAINED, say("数据年里已经没有这一处"))
        else:
            known = nearest(answer.id, [str(key) for key in current.rows.index])
            answer.ask(say("目录里没有这个编号"), known or say("已经从目录里删去的，不用再填"))
        return
    if found == NOT_CHECKED:
        if rest:
            answer.ask(
                say("写了未能核实，又填了{0}", say("、").join(rest)), say("看到了就改核实情况，没有看到就清空其余各格")
            )
        else:
            answer.end(EXPLAINED, say("未能核实：仍算待核"))
        return
    if not found:
        answer.ask(say("填了{0}，没有填核实情况", say("、").join(rest)), say("写{0}", say("、").join(choices[FOUND])))
        return
    for head, words in choices.items():
        if words and answer.said[head] and answer.said[head] not in words:
            answer.ask(say("{0}不认识“{1}”", head, printable(answer.said[head])), say("写{0}", say("、").join(words)))
    {"gates": _gate, "facilities": _facility, "streets": _crossing}[answer.layer](answer, current)
    _who_and_when(answer, current)


def _stays(answer: Answer, current: CurrentLayer) -> bool:
    """Whether what is open has no state in the layer: a blank says so, and stays."""
    return answer.said[FOUND] in (OPEN, RUNS) and is_missing(current.rows.loc[[answer.id], "state"].iloc[0])


def _gate(answer: Answer, current: CurrentLayer) -> None:
    said, passable = answer.said, answer.filled(HOURS, OPEN_FOR)
    if said[FOUND] != OPEN and passable:
        answer.ask(say("{0}，又填了{1}", said[FOUND], say("、").join(passable)), say("核对是不是开放"))
    if said[FOUND] == NONE_THERE and answer.filled(STEPS, RAMP):
        answer.ask(say("查无此处，又填了台阶或坡道"), say("核对编号"))
    if said[OPEN_FOR] == ONLY_VEHICLES:
        answer.ask(say("写了开放，又写仅车辆"), say("行人走不过去就写不开放"))
    codes = {label: name for name, label in OPEN_TO.items()}
    answer.cells |= {
        "state": "" if _stays(answer, current) else "open" if said[FOUND] == OPEN else "closed",
        "hours": said[HOURS],
        "open_to": codes.get(said[OPEN_FOR], ""),
        "steps": said[STEPS],
        "ramp": {YES: "yes", NO: "no"}.get(said[RAMP], ""),
    }


def _facility(answer: Answer, current: CurrentLayer) -> None:
    said, here = answer.said, answer.filled(SPOT, FLOOR, BEDS, SERVES)
    if said[FOUND] == NONE_THERE and here:
        answer.ask(say("查无此处，又填了{0}", say("、").join(here)), say("核对编号；确实查无就清空其余各格"))
    if said[FOUND] == "搬迁" and said[SPOT] == SPOT_RIGHT:
        answer.ask(say("写了搬迁，又写图上位置对"), say("还在原处就不是搬迁；新址用 add 改位置"))
    beds, unit = said[BEDS].removesuffix("张"), current.rows.loc[[answer.id], "capacity_unit"].iloc[0]
    if beds and not is_missing(unit) and unit != _BED:
        answer.ask(say("目录里的规模按{0}计，表上填的是床位", printable(unit)), say("核对后用 add 改规模"))
    answer.cells |= {
        "state": "" if _stays(answer, current) else said[FOUND],
        "floor_area_m2": said[FLOOR],
        "capacity": beds,
        "capacity_unit": _BED if beds else "",
        "serves_community": said[SERVES],
    }


def _crossing(answer: Answer, _current: CurrentLayer) -> None:
    written = answer.filled(*WAITS)
    waits = [_number(answer.said[head]) for head in written]
    if answer.said[FOUND] == BLOCKED:
        answer.ask(say("走不通：核查表不删路"), say("核对后用 add 从路网里去掉这一段，或在方案里写 close_street"))
    answer.cells["steps"] = {YES: "是", NO: "否"}.get(answer.said[STAIRS], "")
    if not written and answer.said[FOUND] != MEASURED:
        return
    if len(written) < len(WAITS):
        answer.ask(say("只填了 {0} 次等待", len(written)), say("等满三次；没有测就都空着，核实情况写能走或未能核实"))
    elif any(wait is None or not 0 <= wait <= _LONGEST_WAIT for wait in waits):
        answer.ask(say("等待不是秒数"), say("写 0 到 {0} 的数", amount(_LONGEST_WAIT)))
    else:
        answer.cells["wait_s"] = f"{float(np.mean([wait for wait in waits if wait is not None])):.3g}"


def _number(text: str) -> float | None:
    plain = text.removesuffix("秒").removesuffix("级").strip()
    return float(plain) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", plain) else None


def _who_and_when(answer: Answer, current: CurrentLayer) -> None:
    """Ask who was there, and when; a name is never repeated."""
    who, when = answer.said[BY], _day(answer.said[ON])
    if not who or not answer.said[ON]:
        answer.ask(
            say("没有写{0}", say("、").join(head for head in (BY, ON) if not answer.said[head])),
            say("谁、哪天看的都写上"),
        )
    elif not _NUMBER_OF_STAFF.fullmatch(who):
        answer.ask(say("工号一格不像工号"), say("写工号，不写姓名和电话"))
    elif when is None:
        answer.ask(say("日期不认识“{0}”", printable(answer.said[ON])), say("写成 2026-11-28"))
    elif when > date.today() + timedelta(days=1):  # today, wherever the form was filled in
        answer.ask(say("日期 {0} 还没有到", when), say("写哪一天看的；日期没有写错就核对电脑的时钟"))
    else:
        before = current.rows.loc[[answer.id], "checked_on"].iloc[0]
        known = None if is_missing(before) else _day(str(before))
        if known is not None and known > when:
            answer.ask(say("目录里 {0} 核对过，比表上的日期晚", known), say("核对哪一次算数；要用表上的就改日期"))
        answer.cells |= {"checked_by": who, "checked_on": when.isoformat()}


def _day(text: str) -> date | None:
    """Return a day as people write it; None where it is none."""
    found = _DATE.fullmatch(text)
    try:
        return None if found is None else date(*(int(part) for part in found.groups() if part))
    except ValueError:
        return None


def _hold_together(answers: Sequence[Answer]) -> None:
    """Ask about places that were answered twice and not alike; of lines that say the same the last visit counts."""
    places: dict[str, list[Answer]] = {}
    for answer in answers:
        if not answer.outcome:
            places.setdefault(answer.id, []).append(answer)
    for own in places.values():
        if len(own) == 1:
            continue
        heads = SHEETS[own[0].layer].asked
        lines = say("、").join(str(answer.line) for answer in own)
        alike = len({tuple(answer.said[head] for head in heads) for answer in own}) == 1
        last = max(own, key=lambda answer: (str(answer.cells["checked_on"]), -answer.line))
        for answer in own:
            if not alike:
                answer.ask(say("同一处填了几行（{0}），填得不一样", lines), say("核对后留一行"))
            elif answer is not last:
                answer.end(EXPLAINED, say("和第 {0} 行是同一处，填得一样", last.line))


# --- what is taken ----------------------------------------------------------------------------------------------------


def _signs(answer: Answer) -> bool:
    """Whether an answer settles all that could be in doubt of its row: of a facility that is there, where it is as well; of a way, stairs."""
    if answer.layer == "streets":
        return bool(answer.said[STAIRS])
    return answer.layer != "facilities" or answer.said[FOUND] != RUNS or answer.said[SPOT] == SPOT_RIGHT


def _taken(answers: Sequence[Answer], current: CurrentLayer, file: str, *, surveyed: bool) -> list[Edit]:
    """Hold the answers against the rows that are there, as those of any file; say what becomes of each, return the edits."""
    if not answers:
        return []
    layer = current.layer
    for answer in answers:
        answer.signed = surveyed and _signs(answer)
        if not answer.signed:
            del answer.cells["checked_by"], answer.cells["checked_on"]
        elif layer.name != "streets":  # of a crossing only the wait was looked at, not where the street runs
            answer.cells["basis"] = SURVEYED
    columns = list(dict.fromkeys(column for answer in answers for column in answer.cells))
    table = [[answer.id, *(answer.cells.get(column) or None for column in columns)] for answer in answers]
    heads = [layer.names[name].label for name in (layer.key, *columns)]
    report = RowReport()
    incoming = Incoming(printable(file), heads, table, [answer.line for answer in answers])
    rows = rows_of(incoming, layer, current.kinds, None, report)
    name_codes(rows, current.tables)
    nowhere = np.full(len(answers), None, dtype=object)
    placed = Placed(nowhere, nowhere.copy(), {})
    matched = match_rows(rows, placed, current)
    tidy = judged(rows, placed, matched, current)
    edits = edits_of(rows, placed, matched, current, tidy, Provenance(SURVEYED, printable(file)))
    named = {name for ids in current.tables["doubts"]["ids"].dropna() for name in listed(ids)}
    for answer in answers:
        own = [line for line in report.lines if line.row == answer.line]
        asked = [line for line in own if line.result in REPORTED]
        if asked:
            answer.signed = False
            answer.ask(say("；").join(say("{0}{1}", line.column, line.reason) for line in asked), asked[0].remedy)
            continue
        changed = [(line, _column(line, current)) for line in own if line.result == "changed"]
        told = [_change(line, column) for line, column in changed if column.name not in _SIGNATURE]
        told += [line.reason for line in own if line.result == "dropped"]
        told += _settled(answer, surveyed=surveyed, named=answer.id in named)
        answer.end(
            TAKEN,
            say("；").join(told if changed else [say("和目录里的一样"), *told]),
        )
    return edits


def _column(line: Line, current: CurrentLayer) -> Column:
    """Return the column that a line of the report speaks of, in either language."""
    return next(c for c in current.layer.names.values() if line.column in (c.label, c.name))


def _change(line: Line, column: Column) -> str:
    """Say a cell that changes, in the words of the form."""
    words = {**value_labels(column), **_words_of(column)}
    said, before = line.value, line.reason.removeprefix(say("原来是 {0}", ""))
    return say("{0} {1}（原来是 {2}）", line.column, words.get(said, said), words.get(before, before))


def _words_of(column: Column) -> dict[str, str]:
    """Return what a form calls the values of a choice that has no labels of its own."""
    if column.type == "bool":
        return {"True": YES, "False": NO}
    return {"yes": YES, "no": NO} if column.values == ("yes", "no") else {}


def _settled(answer: Answer, *, surveyed: bool, named: bool) -> Iterator[str]:
    """Say whether the row of an answer is settled, and why not; `named`: the table of doubts names it."""
    if answer.said[REMARK]:
        yield say("备注留给人看，没有写入")
    if answer.signed:
        yield say("记为实测") if answer.layer != "streets" else say("记下工号和日期")
        if named:
            yield say("存疑表（doubts.csv）点了名，仍算待核：从那里删去")
    elif not _signs(answer):
        if answer.layer == "streets":
            yield say("没有说有没有台阶，仍算待核")
        else:
            wrong = answer.said[SPOT] == SPOT_WRONG
            yield say("位置不对，用 add 改，仍算待核") if wrong else say("没有说图上位置对不对，位置仍算待核")
    elif not surveyed:
        yield say("没有确认，不记为实测")


_SIGNATURE = frozenset(("basis", "checked_by", "checked_on"))

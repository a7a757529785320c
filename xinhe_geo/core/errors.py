"""
The exception tree, and the messages for the person reading.

::

    XinheError                                   everything this library raises on purpose
    ├─ DataError(XinheError, ValueError)         the data; ``.problems`` is a table of every problem at once
    ├─ UnknownNameError(XinheError, LookupError) a kind, rule, profile or layer that does not exist
    ├─ WrongValueError(XinheError, ValueError)   a value of a call that cannot be
    ├─ WrongCallError(XinheError, TypeError)     arguments that a function does not take
    ├─ NetworkError(XinheError, RuntimeError)    streets that cannot be walked on
    ├─ ScenarioError(XinheError, ValueError)     a plan that cannot be read or carried out: which edit, and why
    ├─ SourceError(XinheError, ValueError)       a file from outside that cannot be taken in
    ├─ EnvironmentProblem(XinheError, OSError)   disk, fonts, packages, a file held open by another program
    └─ SitingError(XinheError, ValueError)       sites that cannot do what is asked; ``.uncovered`` says whom they miss

A caller writes::

    try:
        district = xh.District.load("my-district")
    except xh.DataError as error:
        print(error.problems)          # layer | file | row | field | problem | remedy
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterable, Sequence, Set
from difflib import get_close_matches
from typing import NamedTuple

import pandas as pd

from .sentences import say, thing

PROBLEM_COLUMNS = ("severity", "layer", "file", "row", "field", "problem", "remedy")


class Problem(NamedTuple):
    """One thing that is wrong, or doubtful, with a district folder."""

    severity: str  # "error" stops a run, "warning" is reported with the result
    layer: str
    file: str
    row: str  # the row's own id where it has one, else its number; "" for the whole file
    field: str
    problem: str  # what is wrong, in the language that is spoken
    remedy: str  # what to do


def problems_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Return problems as a table with columns `PROBLEM_COLUMNS`, in the order found."""
    return pd.DataFrame(list(problems), columns=list(PROBLEM_COLUMNS), dtype="object")


class XinheError(Exception):
    """Base of everything raised on purpose: `except XinheError` catches them all."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: it says what to do, the calls that led to it do not."""
        return [f"{type(self).__name__}: {self}"]


class DataError(XinheError, ValueError):
    """
    A district folder with problems; all of them are in `.problems`; what can be done all the same in `.meanwhile`.

    Example: ``homes.geojson 第 h-12 行 people：-5 小于 0。改成 0 或更大的数；不知道就留空。``
    """

    def __init__(self, problems: pd.DataFrame, folder: str = "", meanwhile: str = "") -> None:
        self.problems = problems
        self.folder = folder
        self.meanwhile = meanwhile
        super().__init__(self._text())

    def _text(self) -> str:
        errors = self.problems[self.problems["severity"] == "error"]
        head = say("数据有 {0} 处错误{1}：", len(errors), say("（{0}）", self.folder) if self.folder else "")
        lines = [describe(row) for row in errors.head(20).itertuples(index=False)]
        if len(errors) > 20:
            lines.append(say("…… 另有 {0} 处，见 check 命令的完整表格", len(errors) - 20))
        return "\n".join([head, *lines, *([self.meanwhile] if self.meanwhile else [])])


#: A message lists no more names than this: two hundred rule names hide what to do.
MOST_NAMED = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the three known names most like one that is not there, as a question; "" where none is like it."""
    names = list(known)
    # who says less than the whole name is nearer to it than letters tell: 食堂 for 老年食堂（社区食堂）
    whole = sorted((other for other in names if len(name) > 1 and name in other), key=len)
    close = list(dict.fromkeys([*whole, *get_close_matches(name, names, n=3, cutoff=0.5)]))[:3]
    return say("是否想写 {0}", say("、").join(close)) if close else ""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return which names were perhaps meant, and where they are few, or none is like it, what there is to choose from."""
    names = sorted(known) if isinstance(known, Set) else list(known)  # a set has no order of its own
    close = nearest(name, names)
    if close and len(names) > MOST_NAMED:
        return close
    more = say(" 等 {0} 个", len(names)) if len(names) > MOST_NAMED else ""
    listed = say("可选：{0}{1}", say("、").join(names[:MOST_NAMED]), more) if names else say("现在一个也没有")
    return say("{0}；{1}", close, listed) if close else listed


class UnknownNameError(XinheError, LookupError):
    """
    A name that does not exist, is missing, or is no name. Example: ``没有设施类别 "clinc"；是否想写 clinic_center``.

    With `several` it is what more than one thing is called, and `known` are their codes.
    """

    def __init__(self, what: str, name: object, known: Sequence[str], *, several: bool = False) -> None:
        text, what = name if isinstance(name, str) else "", thing(what)
        if several:
            said = say('{0} "{1}" 不止一个，请写编号', what, name)
        elif text:
            said = say('没有{0} "{1}"', what, text)
        elif name is None or isinstance(name, str):
            said = say("没有写是哪个{0}", what)
        else:
            said = say("{0}要写编号、名称，或给表里的一行，不是 {1}", what, type(name).__name__)
        super().__init__(say("{0}；{1}", said, did_you_mean(text, known)))


class WrongValueError(XinheError, ValueError):
    """A value of a call that cannot be. Example: ``minutes 要写大于 0 的数，如 15 或 (5, 10, 15)，不是 'x'``."""


class WrongCallError(XinheError, TypeError):
    """Arguments that a function does not take. Example: ``isochrones：没有参数 trip_times，这里叫 minutes。写法：isochrones(…)``."""


class NetworkError(XinheError, RuntimeError):
    """Streets that cannot be walked on. Example: ``街道图层里没有可步行的路段``."""


class ScenarioError(XinheError, ValueError):
    """A plan that cannot be carried out. Example: ``方案 五号地 第 2 步 close_facility：没有设施 F9；是否想写 F1``."""


class SourceError(XinheError, ValueError):
    """
    A file from outside that cannot be taken in. Example: ``文件不存在：city.osm.pbf``.

    Attributes
    ----------
    what, remedy
        What is wrong, and what to do, where the message says them apart; otherwise the message, and "".
    residuals
        What was measured, where that is the reason (a wrong datum: one row for each hypothesis; control points that do not
        fit: one for each point); otherwise None.
    page
        The same as one HTML page with a map; "" where there is none.
    """

    def __init__(self, message: str, residuals: pd.DataFrame | None = None, page: str = "") -> None:
        self.residuals = residuals
        self.page = page
        self.what, self.remedy = message, ""
        super().__init__(message)


def refused(what: str, remedy: str, *, file: str = "") -> SourceError:
    """Return the refusal of a file (or a folder): what is wrong with it, and what to do; both can be read apart."""
    said = say("{0}：{1}", file, what) if file else what
    error = SourceError(say("{0}。{1}", said, remedy) if remedy else said)
    error.what, error.remedy = what, remedy
    return error


class EnvironmentProblem(XinheError, OSError):
    """Disk, fonts, packages, or a file held open. Example: ``coverage.xlsx 正被 Excel 打开，请关闭后重试``."""


class SitingError(XinheError, ValueError):
    """
    Sites that cannot do what is asked; the demands no site can cover are in `.uncovered`.

    Example: ``2 处需求没有候选点够得着：甲苑（最近的候选点 S3，1,240）…… 放宽距离，或在它们附近加候选点``

    Attributes
    ----------
    uncovered
        Index demand; columns `site` (the nearest that may be used, missing where none is known) and `cost`. Empty where that
        is not the reason.
    """

    def __init__(self, message: str, uncovered: pd.DataFrame | None = None) -> None:
        self.uncovered = pd.DataFrame(columns=["site", "cost"]) if uncovered is None else uncovered
        super().__init__(message)


#: The id of a row without a key: which feature of its file it is. It is the same in every language.
NAMELESS = re.compile(r"（第 (\d+) 个要素）")


def nameless(place: int) -> str:
    """Return the id of a row without a key, by its place in its file (from 1)."""
    return f"（第 {place} 个要素）"


def row_name(row: str) -> str:
    """Return what the row of a problem is called: its id; which one of its file it is, where it has none."""
    found = NAMELESS.fullmatch(row)
    return say("第 {0} 个要素", found[1]) if found else row


def describe(row: object) -> str:
    """Return one problem as a line a planner can act on: file, row, field, what is wrong, what to do."""
    place = str(getattr(row, "file", "") or getattr(row, "layer", ""))
    if getattr(row, "row", ""):
        own = str(row.row)  # type: ignore[attr-defined]
        place += f" {row_name(own)}" if NAMELESS.fullmatch(own) else say(" 第 {0} 行", own)
    if getattr(row, "field", ""):
        place += f" {row.field}"  # type: ignore[attr-defined]
    text = say("{0}：{1}", place, row.problem)  # type: ignore[attr-defined]
    remedy = getattr(row, "remedy", "")
    return say("{0}。{1}", text, remedy) if remedy else text


_OS_WORDS = {
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EROFS: "这个盘是只读的",
    errno.ENOSPC: "磁盘满了",
    errno.EDQUOT: "磁盘满了",
    errno.ENOENT: "没有这个文件或文件夹",
    errno.EEXIST: "已经有同名的文件，不是文件夹；换一个名字",
    errno.ENOTDIR: "路径里有一段是文件，不是文件夹；换一个名字",
    errno.EISDIR: "这是文件夹，不是文件；写上文件名",
    errno.ENAMETOOLONG: "名字太长",
    errno.EBUSY: "正被占用",
    errno.EIO: "磁盘读写出错",
    errno.EFBIG: "文件太大，这个盘放不下",
}


def text_words(error: ValueError) -> str:
    """Return what is wrong with a text file (TOML, or not UTF-8), and where, in words a planner reads."""
    if isinstance(error, UnicodeDecodeError):
        return say("编码不是 UTF-8；用记事本打开，另存为时编码选 UTF-8")
    place = re.search(r"at line (\d+), column (\d+)", str(error))
    where = say("第 {0} 行第 {1} 个字附近", place[1], place[2]) if place else say("文件末尾")
    return say("{0}写得不对：检查引号、等号、括号是否成对（{1}）", where, error)


#: Signs of a line, and of all, of what is wrong with a file: more is nobody's hand, and nobody reads it.
_OF_A_LINE, _OF_ALL = 300, 2500


def in_short(wrong: Sequence[str]) -> str:
    """Return what is wrong with a file as lines; where somebody wrote pages into a name, without their middle."""
    lines: list[str] = []
    for text in wrong:
        lines.append(text if len(text) <= _OF_A_LINE else f"{text[:160]}……{text[-120:]}")
        if sum(map(len, lines)) > _OF_ALL:
            break
    more = len(wrong) - len(lines)
    return "\n".join([*lines, *([say("…… 另有 {0} 处", more)] if more else [])])


def os_words(error: OSError) -> str:
    """Return why the system refused, in words a planner reads; the system's own where there are none."""
    known = _OS_WORDS.get(error.errno or 0)
    return say(known) if known else error.strerror or say("原因不明")

"""What words in a file stand for: tables of values of map services and offices, answers kept in the folder, and what is asked."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from ..core import Column, SourceError, apart, bundled_folder, csv_text, language, nearest, ordinary, say, without_mark
from ..district import ANSWERS, bare_name
from .cells import Cell, is_blank, printable
from .file_rows import FileRows, Refusal, Unclear, codes_of
from .headers import column_word
from .incoming import cannot_take, decoded_csv

#: The heads of the sheet on which somebody answers.
ANSWER_HEADS = ("列", "写法", "行数", "例", "是什么")
#: What stands in a table of values for what no kind is, and for what only a person can say.
NOT_OURS, ASK = "none", "ask"
_NOT_OURS_WORDS = (NOT_OURS, "不收", "不是", "不要")
#: Columns of the file that hold a service's classification: in one text, or level by level.
TYPE, LEVELS, CODE = "@type", ("@big", "@middle", "@small"), "@code"
#: A name tells its kind only by a word at its end that is at least this long: 宠物医院 ends in 医院 too.
SURE_CHARACTERS = 4
#: A name or value that shares an ending of so many characters with the labels of one kind only is that kind: 阳光日间照料中心 and
#: 老年人日间照料中心. Shorter ones are shared by kinds that have nothing in common (服务中心).
LIKE_CHARACTERS = 5


@cache
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """Return what the bundled tables say, by value and by code."""
    by_value: dict[str, str] = {}
    by_code: dict[str, str] = {}
    for path in sorted((bundled_folder() / "pois").glob("values_*.csv")):
        for row in csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))):
            by_value.setdefault(plain_value(row["value"]), row["kind"])
            if row["code"]:
                by_code.setdefault(row["code"], row["kind"])
    return by_value, by_code


def plain_value(value: object) -> str:
    """Return a value without what writing differs in: width, case, blanks; the levels of a class parted by `;`."""
    said = re.sub(r"\s", "", unicodedata.normalize("NFKC", str(value))).lower()
    return ";".join(part for part in re.split("[;:>,、]+|-+>", said) if part)


def _of_class(said: str, words: Mapping[str, str]) -> str:
    """Return what a class of a service is: itself, the nearest class above it that a table has, or its last level alone."""
    parts = said.split(";")
    for n in range(len(parts), 0, -1):
        found = words.get(";".join(parts[:n]))
        if found is not None:
            return found
    return words.get(parts[-1], "")


def _of_several(texts: Sequence[str], words: Mapping[str, str]) -> str:
    """Return what several classes of one place come to: the one that is ours, else what they agree on."""
    found = [_of_class(text, words) for text in texts if text]
    ours = {f for f in found if f not in (NOT_OURS, ASK, "")}
    if len(ours) == 1:
        return ours.pop()
    return ASK if ours or ASK in found or "" in found or not found else NOT_OURS


def _of_code(said: str) -> str:
    """Return what a code of a classification is: itself, or the class two or four digits above it."""
    _, codes = _tables()
    found = [
        next((codes[c] for c in (code, f"{code[:4]}00", f"{code[:2]}0000") if c in codes), "")
        for code in re.findall(r"(?<!\d)\d{6}(?!\d)", said.removesuffix(".0").zfill(6))
    ]
    ours = {f for f in found if f not in (NOT_OURS, ASK, "")}
    return ours.pop() if len(ours) == 1 else NOT_OURS if found and set(found) == {NOT_OURS} else ""


def _of_name(name: object, words: Mapping[str, str]) -> str:
    """Return what the word stands for that a name ends with, where it is long enough to be sure; "" where it is not."""
    said = plain_value(bare_name(name))
    fits = [word for word in words if len(word) >= SURE_CHARACTERS and said.endswith(word)]
    longest = max(fits, key=len, default="")
    return words[longest] if longest else ""


def _common_end(one: str, other: str) -> int:
    """Return how many characters two texts end alike."""
    n = 0
    while n < min(len(one), len(other)) and one[-1 - n] == other[-1 - n]:
        n += 1
    return n


def _like_label(said: str, labels: Mapping[str, str]) -> str:
    """Return the kind whose label ends as a text does, where that ending is long and belongs to one kind; "" otherwise."""
    longest = {word: _common_end(said, word) for word in labels}
    most = max(longest.values(), default=0)
    kinds = {labels[word] for word, n in longest.items() if n == most}
    return kinds.pop() if most >= LIKE_CHARACTERS and len(kinds) == 1 else ""


@dataclass
class Answers:
    """What somebody has said of values: by column and value, as written; and the same as the next sheet shows it."""

    said: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, column: str, value: object) -> str:
        """Return the answer for a value of a column; "" where there is none."""
        return self.said.get((column, plain_value(value)), "")


def read_answers(path: Path, folder: Path | None = None) -> Answers:
    """
    Read a sheet of answers; lines without one are questions that are still open.

    Parameters
    ----------
    folder
        What the sheet came with, if with anything: links must not lead out of it.

    Raises
    ------
    SourceError
        It is no such sheet.
    """
    ordinary(path, folder)
    return Answers(apart(_said, path, folder=folder))


def _said(path: Path) -> dict[tuple[str, str], str]:
    text, separator = decoded_csv(path)
    no_sheet = cannot_take(
        path.name, say("不是对照表"), say("第一行是 {0}；由 --values 写出", say("、").join(ANSWER_HEADS))
    )
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:  # a cell of more than a hundred thousand signs
        raise no_sheet from error
    if not rows or not {"列", "写法", "是什么"} <= set(rows[0]):
        raise no_sheet
    at = {head: j for j, head in enumerate(rows[0])}
    found: dict[tuple[str, str], str] = {}
    for row in rows[1:]:
        column, value, answer = (
            without_mark(row[at[h]]).strip() if at[h] < len(row) else "" for h in ("列", "写法", "是什么")
        )
        if column and value and answer:
            found[column, plain_value(value)] = answer
    return found


def kept_answers(folder: Path) -> Answers:
    """Return what a folder remembers."""
    path = folder / ANSWERS
    return read_answers(path, folder) if path.is_file() else Answers()


def remembered(answers: Answers) -> bytes:
    """Return answers as a folder keeps them."""
    return answer_sheet(answers, ())


def answer_sheet(answers: Answers, questions: Sequence[Sequence[str]]) -> bytes:
    """Return the sheet on which a person answers: what is open first, then what has been said."""
    said = [(column, value, "", "", answer) for (column, value), answer in sorted(answers.said.items())]
    rows = pd.DataFrame([*questions, *said], columns=list(ANSWER_HEADS), dtype="object")
    return b"\xef\xbb\xbf" + csv_text(rows, index=False).encode()


class ValueWords:
    """Reads the coded cells of a file's rows; what it cannot tell is put down as a question, value by value."""

    def __init__(self, rows: FileRows, kinds: Mapping[str, str], answers: Answers) -> None:
        self.rows, self.kinds, self.answers = rows, kinds, answers
        self.asked: dict[tuple[str, str], list[int]] = {}
        self.by_value = {**_tables()[0]}
        self.labels = {plain_value(bare_name(label)): code for code, label in kinds.items()}
        for code, label in kinds.items():
            for word in (label, bare_name(label), *re.findall(r"[（(]([^（()）]{3,})[)）]$", label)):
                self.by_value[plain_value(word)] = code

    def read_written(self) -> None:
        """Read what stands in columns of codes (类别, 状态); before anything is filled in for the whole file."""
        for name in list(self.rows.cells):
            column = self.rows.layer.names[name]
            if not (_is_kind(column) or (column.name == "state" and bool(column.values))):
                continue
            known = set(codes_of(column, self.kinds).values()) | set(self.kinds if _is_kind(column) else column.values)
            cells = self.rows.cells[name]
            for i, value in enumerate(cells):
                if value is not None and str(value) not in known:
                    cells[i] = self._meant(i, column, str(value), str(value).split("|"))

    def read_classes(self, *, names: bool = True) -> None:
        """Read the kind of rows that do not write one: from a service's classification, else (`names`) from the name."""
        column = self.rows.layer.names.get("kind")
        if column is None or not _is_kind(column):
            return
        cells = self.rows.cells.setdefault("kind", self.rows.column("kind"))
        for i, value in enumerate(cells):
            if value is not None or i in self.rows.unclear or i in self.rows.foreign:
                continue
            said, texts = self._class_of(i)
            if texts:
                cells[i] = self._meant(i, column, said, texts)
            elif names:
                cells[i] = self._kind_of_name(i, say("没有写类别")) or None

    def _class_of(self, i: int) -> tuple[str, list[str]]:
        """Return a row's class as it is written, and as texts of one class each."""
        row, at = self.rows.incoming.rows[i], self.rows.columns
        levels = [str(row[at[n]]).strip() for n in LEVELS if n in at and not is_blank(row[at[n]])]
        if TYPE in at and not is_blank(row[at[TYPE]]):
            said = str(row[at[TYPE]]).strip()
        elif levels:
            said = ";".join(levels)
        elif CODE in at and not is_blank(row[at[CODE]]):
            said = str(row[at[CODE]]).strip()
        else:
            return "", []
        return said, said.split("|")

    def _kind_of_name(self, i: int, because: str) -> str:
        """Return the kind that a row's name tells, and say so in the report; "" where it tells none."""
        name = self.rows.column_cell("name", i)
        if name is None:
            return ""
        found = _of_name(name, self.by_value) or _like_label(plain_value(bare_name(name)), self.labels)
        if found not in self.kinds:
            return ""
        self.rows.report.say(
            "note",
            say("{0}，按名称认作“{1}”", because, self._named(found)),
            say("不对就在表里写明类别"),
            self.rows.where(i, column=column_word(self.rows.layer.names["kind"]), value=name),
        )
        return found

    def _meant(self, i: int, column: Column, said: str, texts: Sequence[str]) -> Cell:
        """Return the code that a text means; None, and the row put down, where it is not ours or nobody can tell."""
        label = column.label
        answer = self.answers.of(label, said)
        if answer:
            found = self._answered(column, answer, said)
        elif _is_kind(column):
            found = _of_several([plain_value(t) for t in texts], self.by_value)
            if found in (ASK, ""):
                found = _of_code(said) or self._like(i, said) or found
            if found in (ASK, "") and column.name not in self.rows.columns:
                found = self._kind_of_name(i, say("“{0}”说不清是哪一类", printable(said))) or found
        else:
            found = dict(column.words).get(said, "")
        if found == NOT_OURS:
            self.rows.foreign[i] = say("“{0}”不是要评价的设施，没有取", printable(said))
            return None
        if found in (self.kinds if _is_kind(column) else column.values):
            return found
        self.asked.setdefault((label, said), []).append(i)
        self.rows.unclear[i] = Unclear(Refusal(column_word(column), said, "", ""), [])
        return None

    def _like(self, i: int, said: str) -> str:
        """Return the kind whose label a value ends as, and say so in the report; "" where there is none."""
        found = _like_label(plain_value(said), self.labels)
        if found:
            self.rows.report.say(
                "note",
                say("按写法认作“{0}”", self._named(found)),
                say("不对就在对照表里写明"),
                self.rows.where(i, column_word(self.rows.layer.names["kind"]), said),
            )
        return found

    def _named(self, kind: str) -> str:
        """Return what a kind is called in the report: as tables write it, in English by its code."""
        return kind if language() == "en" else printable(self.kinds[kind])

    def _answered(self, column: Column, answer: str, said: str) -> str:
        codes = codes_of(column, self.kinds)
        if _is_kind(column) and answer in _NOT_OURS_WORDS:
            return NOT_OURS
        found = codes.get(answer, answer)
        known = list(codes) if not _is_kind(column) else [*self.kinds.values()]
        if language() == "en":
            known = list(self.kinds if _is_kind(column) else column.values)
        if found not in codes.values() and found not in self.kinds:
            remedy = nearest(answer, known) or say("可写：{0} 等，或“不收”", say("、").join(known[:12]))
            raise SourceError(
                say(
                    "对照表里“{0}”写的是“{1}”，不是{2}。{3}",
                    printable(said),
                    printable(answer),
                    column_word(column),
                    remedy,
                )
            )
        return found

    def ask(self) -> list[tuple[str, ...]]:
        """Say of every row that waits what is asked, and return the questions as lines of a sheet, the most frequent first."""
        lines: list[tuple[str, ...]] = []
        for (label, said), which in sorted(self.asked.items(), key=lambda item: (-len(item[1]), item[0])):
            shown = column_word(next(c for c in self.rows.layer.names.values() if c.label == label))
            for i in which:
                if i in self.rows.unclear and self.rows.unclear[i].why.value == said:
                    why = Refusal(
                        shown,
                        said,
                        say("不认识的{0}“{1}” ×{2}，没有写入", shown, printable(said), len(which)),
                        say("写出对照表（--values 对照.csv），在“是什么”一列写明或写“不收”，再导入一次；目录会记住"),
                    )
                    self.rows.unclear[i] = self.rows.unclear[i]._replace(why=why)
            names = [str(n) for i in which[:3] if (n := self.rows.column_cell("name", i)) is not None]
            lines.append((label, printable(said), str(len(which)), "、".join(map(printable, names)), ""))
        return lines


def _is_kind(column: Column) -> bool:
    return column.parent == ("kinds", "kind")

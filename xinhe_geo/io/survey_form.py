"""The form of a survey on the ground: what is asked of gates, facilities and crossings, and the workbook that asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core import OPEN_TO
from .answer_book import Questions, answer_book

#: Heads that every sheet of a form has: which place, what was found, by whom and when.
ID, FOUND, BY, ON, REMARK = "编号", "核实情况", "工号", "日期", "备注"
#: What may be found of anything: that it could not be checked.
NOT_CHECKED = "未能核实"
#: What else stands on a sheet beside its questions, to find the place.
NUMBER, GROUP, NAME, ABOUT = "序号", "社区", "名称", "说明"
PLACE_HEADS = (NUMBER, GROUP, ID, NAME, ABOUT)
#: Whether a facility stands where the map has it.
SPOT, SPOT_RIGHT, SPOT_WRONG = "图上位置", "对", "不对"
#: The waits at a crossing, seconds: three, because one alone says little.
WAITS = ("第一次等待（秒）", "第二次等待（秒）", "第三次等待（秒）")
HOURS, OPEN_FOR, STEPS, RAMP = "开放时段", "对谁开放", "台阶级数", "坡道"
FLOOR, BEDS, SERVES = "建筑面积（m²）", "床位", "服务社区"
OPEN, SHUT, NONE_THERE, MEASURED = "开放", "不开放", "查无", "已测"
#: Of a crossing or a passage: it was walked, its waits were not measured; nobody can walk it. Whether it has stairs.
WALKED, BLOCKED, STAIRS = "能走", "走不通", "有没有台阶"
YES, NO = "有", "没有"
ONLY_VEHICLES = "仅车辆"
RUNS = "正常"

_REMARKS = (
    "一行是一处，黄色的列到现场看了再填；没有看到的空着，看不成的在“核实情况”里选“未能核实”。不要猜。",
    "“工号”写自己的工号，不写姓名、电话；“日期”写哪一天看的，如 2026-11-28。两样都写了的才记为实测。",
    "一处填两行、填得互相矛盾的，导入时会问，不会替你选。位置不对的写在备注里，另用 add 改。",
    "不拍人脸和车牌，不记行走轨迹；备注只给自己人看，不会写进数据。",
    "编号一列不要改。填好后：survey 街道目录 --take 这个文件。",
)


@dataclass(frozen=True)
class Sheet:
    """What is asked of the rows of a layer: the sheet's name, and its heads with the choices that each offers (none: free)."""

    name: str
    asked: Mapping[str, Sequence[str]]


#: By layer. What is asked first is what was found.
SHEETS: Mapping[str, Sheet] = {
    "gates": Sheet(
        "出入口",
        {
            FOUND: (OPEN, SHUT, NONE_THERE, NOT_CHECKED),
            HOURS: (),
            OPEN_FOR: (*OPEN_TO.values(), ONLY_VEHICLES),
            STEPS: (),
            RAMP: (YES, NO),
        },
    ),
    "facilities": Sheet(
        "设施",
        {
            FOUND: (RUNS, "挂牌未运营", "停业", "搬迁", NONE_THERE, NOT_CHECKED),
            SPOT: (SPOT_RIGHT, SPOT_WRONG),
            FLOOR: (),
            BEDS: (),
            SERVES: (),
        },
    ),
    "streets": Sheet(
        "过街", {FOUND: (MEASURED, WALKED, BLOCKED, NOT_CHECKED), STAIRS: (YES, NO), **dict.fromkeys(WAITS, ())}
    ),
}


@dataclass(frozen=True)
class SurveyRow:
    """A place to look at: its layer and id, its number on paper, and what helps to find it."""

    layer: str
    id: str
    number: int
    group: str
    name: str
    about: str

    def cells(self) -> list[object]:
        """Return what stands under `PLACE_HEADS`."""
        return [self.number, self.group, self.id, self.name, self.about]


def heads_of(layer: str) -> list[str]:
    """Return the heads of a layer's sheet."""
    return [*PLACE_HEADS, *SHEETS[layer].asked, BY, ON, REMARK]


def survey_book(title: str, rows: Sequence[SurveyRow], communities: Sequence[str]) -> bytes:
    """
    Return the workbook of a survey: a sheet for each layer of which something is asked.

    Parameters
    ----------
    title
        What the book calls itself.
    rows
        The places, in the order of their numbers.
    communities
        Names that may be written under 服务社区.
    """
    sheets = []
    for layer, sheet in SHEETS.items():
        own = [row for row in rows if row.layer == layer]
        if not own:
            continue
        heads = heads_of(layer)
        asked = heads[len(PLACE_HEADS) :]
        choices = {head: list(words) for head, words in sheet.asked.items() if words}
        if SERVES in sheet.asked and communities:
            choices[SERVES] = list(communities)
        lines = [[*row.cells(), *[None] * len(asked)] for row in own]
        sheets.append(Questions(sheet.name, heads, lines, asked, choices))
    return answer_book(title, _REMARKS, sheets)

"""Tables of projects and money as offices spoil them: each one message, with its file, row and field, and what to do; no traceback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from spoken import checked

import xinhe_geo as xh
from xinhe_geo.core import describe

pytestmark = pytest.mark.slow

TOY = Path(__file__).parents[1] / "toy"
DECLARED = '\n[layers.{0}]\nfile = "renewal/{0}.csv"\n'
COLUMNS = (
    *("project", "name", "level", "problem", "reason", "kind", "edits", "people", "cost_low", "cost_high", "yearly"),
    *("funds", "earliest", "duration", "status", "after", "excludes", "urgency"),
)
HEAD = ",".join(COLUMNS)
GOOD = {
    "project": "P01",
    "name": "甲",
    "level": "街区",
    "reason": "居民提议",
    "kind": "微改造",
    "edits": "close#1",
    "cost_low": "90",
    "cost_high": "120",
    "earliest": "2026",
    "duration": "1",
    "status": "储备",
}
BUDGETS = "row,fund,year,amount,types,state,carry\n1,财政资金,2026,160,,已落实,\n"


def line(**own: str) -> str:
    return ",".join({**GOOD, **own}.get(name, "") for name in COLUMNS)


def table(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *rows, ""]).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = tmp_path_factory.mktemp("bad") / "toy"
    shutil.copytree(TOY, own)
    for name in ("scenarios", "renewal"):
        (own / name).mkdir(exist_ok=True)
    step = '[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'
    (own / "scenarios/close.toml").write_text(f'label = "关"\n{step}', "utf-8")
    with (own / "district.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(DECLARED.format("projects") + DECLARED.format("budgets"))
    return own


def errors(folder: Path, projects: bytes, budgets: str = BUDGETS) -> list[str]:
    (folder / "renewal/projects.csv").write_bytes(projects)
    (folder / "renewal/budgets.csv").write_text(budgets, "utf-8")
    try:
        xh.District.load(folder)
    except xh.DataError as error:
        problems = error.problems[error.problems["severity"] == "error"]
        return [describe(row) for row in problems.itertuples(index=False)]
    return []


#: What is wrong with one cell of a row: its field, and what is said of it.
CELLS: Mapping[str, tuple[dict[str, str], str, str]] = {
    "a plan that is not there": ({"edits": "clsoe"}, "edits", "没有方案 clsoe。是否想写 close"),
    "a step that is not there": ({"edits": "close#7"}, "edits", "没有第 7 步"),
    "steps count from one": ({"edits": "close#0"}, "edits", "没有第 0 步"),
    "steps as nobody writes them": ({"edits": "#;#"}, "edits", "写方案名，或 方案名#2,4"),
    "waits for itself": ({"after": "P01"}, "after", "绕成一圈：P01 → P01"),
    "waits for nobody": ({"after": "P99"}, "after", "“P99”在项目库里不存在"),
    "excludes itself": ({"excludes": "P01"}, "excludes", "与自己互斥"),
    "high below low": ({"cost_low": "120", "cost_high": "90"}, "cost_high", "造价上限 90 小于下限 120"),
    "high alone": ({"cost_low": ""}, "cost_low", "没有写下限"),
    "text for a number": ({"cost_low": "约九十"}, "cost_low", "“约九十”不是数"),
    "a unit in a number": ({"cost_low": "90万元"}, "cost_low", "单位：万元"),
    "less than nothing": ({"cost_low": "-5"}, "cost_low", "-5 小于 0"),
    "no number at all": ({"cost_low": "nan"}, "cost_low", "“nan”不是数"),
    "more than numbers hold": ({"cost_high": "1e309"}, "cost_high", "“1e309”不是数"),
    "wide digits": ({"cost_low": "９０"}, "cost_low", "不是数"),
    "year in Chinese": ({"earliest": "二〇二六"}, "earliest", "“二〇二六”不是数"),
    "year with its word": ({"earliest": "2026年"}, "earliest", "“2026年”不是数"),
    "year of two digits": ({"earliest": "26"}, "earliest", "写四位年份"),
    "half a year": ({"earliest": "2026.5"}, "earliest", "不是整数"),
    "no time to build": ({"duration": "0"}, "duration", "0 小于 1"),
    "begun, nobody knows when": ({"status": "实施"}, "start", "没有写开工年"),
    "a state of their own": ({"status": "开工啦"}, "status", "可选：谋划、储备、实施、完工、退出"),
    "a level of their own": ({"level": "省"}, "level", "可选：住房、小区、街区、城区"),
    "an urgency of their own": ({"urgency": "马上"}, "urgency", "可选：限时解决、尽力解决"),
    "money from nowhere": ({"funds": "财政资今=90"}, "funds", "是否想写 财政资金"),
    "money in words": ({"funds": "财政资金=九十"}, "funds", "“财政资金=九十”的金额不是不小于 0 的数"),
    "money that does not add up": ({"funds": "财政资金=5"}, "funds", "与造价 90 不符"),
    "money owed": ({"funds": "财政资金=-90"}, "funds", "不小于 0"),
    "more years than it lasts": ({"yearly": "40;60"}, "yearly", "写了 2 年的投资，工期是 1 年"),
    "years that do not add up": ({"duration": "2", "yearly": "1;2"}, "yearly", "不等于造价"),
    "years in words": ({"yearly": "四十"}, "yearly", "写成 40;60 这样"),
    "no name": ({"name": ""}, "name", "没有填（项目名称）"),
}

#: What is wrong with a whole table, and what is said of it.
FILES: Mapping[str, tuple[bytes, str]] = {
    "a circle": (table(line(after="P02"), line(project="P02", edits="", after="P01")), "P01 → P02 → P01"),
    "twice the same id": (table(line(), line()), "编号重复：第 1 个和第 2 个要素都是 P01"),
    "no id": (table(line(project="")), "第 1 个要素 project：没有填（项目编号）"),
    "a column is missing": (table(line(), head=HEAD.replace("name", "nmae")), "name：缺少必填列（项目名称）"),
    "a column twice": (table(line() + ",9", head=HEAD + ",cost_low"), "表头里“cost_low”写了两次"),
    "empty": (b"", "是空的，没有表头"),
    "a title above": (
        table(HEAD, line(), head="项目库（2026年）" + "," * (len(COLUMNS) - 1)),
        "像是标题，不是表头。删去表头以上的行",
    ),
    "parted by semicolons": (table(line()).replace(b",", b";"), "格子之间不是英文逗号，是“;”"),
    "parted by tabs": (table(line()).replace(b",", b"\t"), "格子之间不是英文逗号，是制表符"),
    "a comma too many": (table(line() + ",x"), "第 2 行有 19 格，表头只有 18 格"),
    "a quote that is not closed": (table('P01,"甲,街区'), "引号没有成对"),
    "of another encoding": (table(line()).decode().encode("gb18030"), "编码不是 UTF-8。在 Excel 里另存为"),
    "of wide letters": (table(line()).decode().encode("utf-16"), "编码不是 UTF-8"),
}

#: What is wrong with the money, and what is said of it.
MONEY = {
    "less than nothing": (("160", "-160"), "amount：-160 小于 0"),
    "in words": (("160", "一百六"), "amount：“一百六”不是数"),
    "a state of their own": (("已落实", "落地"), "可选：已落实、拟申请"),
    "carried over, perhaps": (("已落实,", "已落实,也许"), "写 是 或 否"),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_bad_cell_is_one_message(folder: Path, case: str) -> None:
    cells, field, said = CELLS[case]
    (message,) = errors(folder, table(line(**cells)))
    assert message.startswith(f"renewal/projects.csv 第 P01 行 {field}：") and said in message
    assert "。" in message, "what to do"


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_one_message(folder: Path, case: str) -> None:
    spoiled, said = FILES[case]
    (message,) = errors(folder, spoiled)
    assert message.startswith("renewal/projects.csv") and said in message


@pytest.mark.parametrize("case", MONEY)
def test_bad_money_is_one_message(folder: Path, case: str) -> None:
    (old, new), said = MONEY[case]
    (message,) = errors(folder, table(line()), BUDGETS.replace(old, new))
    assert message.startswith("renewal/budgets.csv 第 1 行 ") and said in message


def test_what_programs_write_of_themselves_is_read(folder: Path) -> None:
    """A mark of byte order, ends of lines as in Windows, blank lines, and a row that ends early."""
    good = table(line())
    for own in (good, b"\xef\xbb\xbf" + good, good.replace(b"\n", b"\r\n"), good + b"\n\n", table(line(), "P02,乙")):
        assert errors(folder, own) == []


def test_money_written_twice_is_asked_about(folder: Path) -> None:
    """It may be two payments: both count, and somebody is told."""
    assert errors(folder, table(line()), BUDGETS + BUDGETS.splitlines()[1].replace("1,", "2,", 1) + "\n") == []
    problems = xh.check(folder)
    (told,) = problems[(problems["layer"] == "budgets").to_numpy()].itertuples()
    assert (told.severity, told.row, told.field) == ("warning", "2", "amount") and "写了两次" in told.problem


def test_next_years_data_make_last_years_rows_old_not_wrong(folder: Path) -> None:
    """
    The year of the data moves on, as a list of facilities makes it: the district works, and is told what is old.

    By hand: the money of 2022 is not spent in 2026, and a project that could have begun in 2022 begins no earlier than now; so
    the programme is that of the rows without the past.
    """
    own = shutil.copytree(folder, folder.parent / "later")
    manifest = own / "district.toml"
    manifest.write_text(re.sub(r"data_year = \d+", "data_year = 2026", manifest.read_text("utf-8")), "utf-8")
    past = BUDGETS + "2,财政资金,2022,900,,已落实,是\n"
    assert errors(own, table(line(earliest="2022")), past) == []
    problems = xh.check(own)
    told = problems[problems["problem"].str.contains("早于数据年 2026") & (problems["severity"] == "warning")]
    assert sorted(told["layer"]) == ["budgets", "projects"]
    late = xh.programme(xh.District.load(own))
    assert errors(own, table(line(earliest="2026"))) == []
    pd.testing.assert_frame_equal(late, xh.programme(xh.District.load(own)))
    assert errors(own, table(line()), "row,fund,year,amount\n1,财政资金,2022,900\n") == []
    with pytest.raises(xh.DataError, match="没有数据年 2026 及以后的资金"):
        xh.programme(xh.District.load(own))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", [*CELLS, *FILES, *MONEY])
def test_each_message_is_told_in_english(folder: Path, case: str) -> None:
    """In the same file, row and field; nothing Chinese but what the tables say."""
    projects = table(line(**CELLS[case][0])) if case in CELLS else FILES[case][0] if case in FILES else table(line())
    (folder / "renewal/projects.csv").write_bytes(projects)
    (folder / "renewal/budgets.csv").write_text(BUDGETS.replace(*MONEY[case][0]) if case in MONEY else BUDGETS, "utf-8")
    assert len(checked(folder))

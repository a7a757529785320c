"""A plan's text taken into the ledger: what numbers say, what is offered, and that only what a person confirms comes in."""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path

import openpyxl
import pytest

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core import speaking
from xinhe_geo.district import undo
from xinhe_geo.ledger import not_offered, offered, take_targets, write_targets
from xinhe_geo.ledger.plan_text import cells_alone, numeral, plain, quantities, said_in, years
from xinhe_geo.ledger.targets import HEADS, SHEET

TOY = Path(__file__).parent.parent / "toy"

#: Sentences as plans have them, worked out by hand: how much, in what.
CORPUS: list[tuple[str, list[tuple[str, str]]]] = [
    ("改造老旧小区不少于三万平方米", [("不少于30000", "m2")]),
    ("生活垃圾回收利用率达到35%以上", [("35以上", "%")]),
    ("建设1-2个卫生服务站", [("1—2", "个")]),
    ("百分之九十五以上的居民步行十五分钟可达", [("95以上", "%"), ("15", "分钟")]),
    ("三分之二以上的社区", [("66.6667以上", "%")]),
    ("发放救助资金1千余万元", [("超过1000", "万元")]),
    ("培育40余支队伍", [("超过40", "支")]),
    ("打造“一刻钟便民生活圈”", [("15", "分钟")]),
    ("新增泊位两千个，充电桩３５０个", [("2000", "个"), ("350", "个")]),
    ("新增３至５万平方米", [("30000—50000", "m2")]),
    ("居民收入翻一番", [("2", "倍")]),
    ("选两三个社区试点", [("2—3", "个")]),
    ("服务半径不超过５００米", [("不超过500", "米")]),
    ("总投资1.2亿元", [("1.2", "亿元")]),
    ("惠及1,200户", [("1200", "户")]),
    ("建筑面积12万平方米左右", [("120000左右", "m2")]),
    ("每百户不低于30㎡", [("不低于30", "m2")]),
    ("三到五处口袋公园", [("3—5", "处")]),
    ("失业率控制在3.5%以内", [("控制在3.5以内", "%")]),
    ("安置率达到98%、帮教率达到100%", [("98", "%"), ("100", "%")]),
    ("5/10/15分钟生活圈", [("5", "分钟"), ("10", "分钟"), ("15", "分钟")]),
    ("建成一个综合服务中心", [("1", "个")]),
    ("实现日间照料全覆盖", [("100", "%")]),
    ("到2030年新增养老床位一百二十张", [("120", "张")]),
    # no amounts: figures of speech, years, names, nobody's number
    ("坚持“四个意识”、做到“两个维护”", []),
    ("统筹推进五位一体", []),
    ("是一个整体", []),
    ("数百户居民", []),
    ("第十五个五年规划", []),
    ("到二〇三五年基本建成", []),
    ("地铁Z1线", []),
    ("固定资产投资额(亿元)", []),
]


@pytest.mark.parametrize(("sentence", "told"), CORPUS, ids=[sentence for sentence, _ in CORPUS])
def test_what_a_sentence_says(sentence: str, told: list[tuple[str, str]]) -> None:
    assert [(q.told, q.unit) for q in quantities(sentence)] == told


def chinese(number: int) -> str:
    """Write a whole number below a hundred million as it is spoken, by the rules of a primer."""
    digits, names = "零一二三四五六七八九", ["", "十", "百", "千"]
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        return chinese(high) + "万" + ("" if not low else ("零" if low < 1000 else "") + chinese(low))
    text, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit:
            text += ("零" if gap and text else "") + digits[digit] + names[place]
            gap = False
        else:
            gap = bool(text)
    return text or digits[0]


def test_numerals_are_read_as_they_are_spoken() -> None:
    some = random.Random(7)
    for number in [*range(1, 200), *(some.randrange(10 ** some.randint(2, 8)) for _ in range(500))]:
        assert numeral(chinese(number)) == number, chinese(number)
        assert numeral(chinese(number).removeprefix("一") if 10 <= number < 20 else chinese(number)) == number
    for text in ("", "百", "万", "三四五点", "一a"):
        assert numeral(text) is None or math.isnan(numeral(text) or math.nan) or text == "三四五点"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("到2030年底", "2030"),
        ("2026—2030年", "2026-2030"),
        ("到二〇三五年", "2035"),
        ("“十五五”期间", "2026-2030"),
        ("第十四个五年规划", "2021-2025"),
        ("每年", ""),
    ],
)
def test_years(text: str, said: str) -> None:
    assert years(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("十五五期间，全街道覆盖率达到95%。\n建设一处图书馆。", ["2026-2030", ""]),
        ("十五五期间，全街道覆盖率达到95%。建设一处图书馆。", ["2026-2030", ""]),
        ("某街道十五五规划\n建设一处图书馆。\n到2028年建设一处图书馆。", ["2026-2030", "2028"]),
        (
            "某街道十五五规划\n一、“十四五”回顾\n建设一处图书馆。\n二、目标\n建设一处图书馆。",
            ["2021-2025", "2026-2030"],
        ),
        ("一、“十五五”目标\n建设一处图书馆。\n二、其他\n建设一处图书馆。", ["2026-2030", ""]),
    ],
)
def test_a_sentence_has_the_years_of_itself_its_heading_or_the_title(text: str, said: list[str]) -> None:
    assert [piece.years for piece in said_in(text, [])] == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("15分钟基本医疗卫生服务圈覆盖率达到95%", ["95%"]),
        ("建成5、10、15分钟生活圈3个", ["3个"]),
        ("打造15分钟为老服务圈", ["15分钟"]),
        ("95%以上的老人步行15分钟可达", ["95%", "15分钟"]),
    ],
)
def test_minutes_that_name_a_circle_are_no_amount_beside_another(text: str, said: list[str]) -> None:
    assert [f"{plain(q.low)}{q.unit}" for q in quantities(text)] == said


PLAN = """某街道国民经济和社会发展第十五个五年规划纲要
一、发展基础
“十四五”以来，累计建成食堂3处。
二、主要目标
（一）民生
到2030年，新建食堂8处，改造老旧小区不少于三万平方米；力争百分之九十五以上的老人步行十五分钟可达。
推进甲社区、乙社区党群服务中心建设。
全面提高治理水平。
"""


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a folder with a plan that it borrows, the text of its own, and where the workbook goes."""
    folder = shutil.copytree(TOY, tmp_path / "toy")
    (tmp_path / "十五五.txt").write_bytes(PLAN.encode("gb18030"))
    return folder, tmp_path / "十五五.txt", tmp_path / "确认.xlsx"


def fill(book: Path, cells: dict[tuple[int, str], str]) -> None:
    """Write cells of a workbook: by line from 1, and head."""
    opened = openpyxl.load_workbook(book)
    for (line, head), value in cells.items():
        opened[SHEET].cell(line + 1, HEADS.index(head) + 1).value = value
    opened.save(book)


def tree(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without the books that the journal keeps."""
    files = (p for p in folder.rglob("*") if p.is_file() and ".history" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.mark.slow
@pytest.mark.matrix
def test_sentences_are_offered_and_none_is_taken_by_itself(given: tuple[Path, Path, Path]) -> None:
    folder, text, book = given
    rows = write_targets(text, folder, book).set_index("quote")
    assert list(rows["target"]) == ["3", "8", "不少于30000", "95以上；15", ""]
    assert list(rows["year"]) == ["2021-2025", "2030", "2030", "2026-2030", "2026-2030"]
    assert list(rows["like"]) == ["现状", "", "", "争取", ""]
    assert rows["spatial_unit"].iloc[-1].split(";") == ["社区:甲社区", "社区:乙社区"]
    assert all(quote in PLAN for quote in rows.index) and rows["section"].iloc[1] == "二、主要目标(一)民生"
    before = tree(folder)
    assert take_targets(text, folder, book, apply=True).empty and tree(folder) == before
    again = book.read_bytes()
    book.unlink()
    write_targets(text, folder, book)
    assert book.read_bytes() == again


@pytest.mark.slow
@pytest.mark.matrix
def test_what_is_confirmed_comes_in_once_and_can_be_undone(given: tuple[Path, Path, Path]) -> None:
    folder, text, book = given
    write_targets(text, folder, book)
    fill(book, {(2, "收不收"): "收", (2, "备注"): "街道核定", (3, "收不收"): "收", (4, "收不收"): "不收"})
    before = tree(folder)
    told = take_targets(text, folder, book)
    assert list(told["change"]) == ["新增", "新增"] and tree(folder) == before
    take_targets(text, folder, book, apply=True)
    district = xh.District.load(folder)
    own = district.rows["commitments"]
    assert list(own["quote"]) == ["新建食堂8处", "改造老旧小区不少于三万平方米"]
    assert list(own["target"]) == ["8", "不少于30000"] and own["note"].iloc[0] == "街道核定"
    # the plan is this folder's now: no measure of the borrowed one is left, and nothing is wrong with the folder
    assert xh.check(folder).empty and set(xh.ledger(district)["quote"]) == set(own["quote"])
    assert take_targets(text, folder, book, apply=True).empty
    book.unlink()
    known = write_targets(text, folder, book).set_index("quote")["known"]
    assert list(known) == ["", own.index[0], own.index[1], "", ""]
    fill(book, {(2, "收不收"): "收", (2, "目标"): "不少于8"})
    changed = take_targets(text, folder, book, apply=True)
    assert changed[["row", "change", "before", "after"]].to_numpy().tolist() == [[own.index[0], "改", "8", "不少于8"]]
    undo(folder)
    undo(folder)
    assert tree(folder) == before


@pytest.mark.slow
def test_everything_wrong_on_the_sheet_is_told_at_once(given: tuple[Path, Path, Path]) -> None:
    folder, text, book = given
    write_targets(text, folder, book)
    fill(book, {(n, "收不收"): "收" for n in range(1, 5)})
    fill(book, {(1, "原文"): "新建食堂80处", (2, "年份"): "明年", (3, "属性"): "必须", (4, "编号"): "a b"})
    fill(book, {(5, "收不收"): "要", (1, "备注"): "@SUM(1+1)", (2, "类别"): "<b>x", (3, "目标"): "甲\u202e乙"})
    before = tree(folder)
    with pytest.raises(xh.DataError) as error:
        take_targets(text, folder, book, apply=True)
    wrong = error.value.problems
    assert wrong[["row", "field"]].to_numpy().tolist() == [
        *(["2", "备注"], ["2", "原文"], ["3", "类别"], ["3", "年份"], ["4", "目标"], ["4", "属性"]),
        *(["5", "编号"], ["6", "收不收"]),
    ]
    assert tree(folder) == before


@pytest.mark.slow
def test_the_command(given: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder, text, book = given
    line = ["targets", str(text), "--to", str(folder), "--decide", str(book)]
    assert main(line) == 0 and "5 句写在" in capsys.readouterr().out
    fill(book, {(2, "收不收"): "收"})
    assert main(line) == 0 and "还没有写入" in capsys.readouterr().out
    assert not (folder / "standards").exists()
    assert main([*line, "--yes"]) == 0 and "已写入" in capsys.readouterr().out
    assert main([*line, "--yes"]) == 0 and "没有改动" in capsys.readouterr().out
    assert len(offered(PLAN, xh.District.load(folder))) == 5
    text.write_bytes((PLAN + "养老床位\n张\n120\n300\n").encode("gb18030"))
    assert main([*line[:-1], str(book.with_name("2.xlsx"))]) == 0
    assert "像是表格，一格一行" in capsys.readouterr().out.replace("\n", "")


#: A table as Word saves it: an indicator a line, its cells parted by tabs; and with each cell in a line of its own.
TABLE = [["指标", "单位", "2025年", "2030年"], ["养老床位数", "张", "120", "300"], ["新增口袋公园", "个", "—", "６"]]


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\r\n", " \n\t"])
def test_numbers_of_a_table_with_one_cell_a_line_are_not_dropped_in_silence(gap: str) -> None:
    """Which number is whose nobody can say there, so it is said which lines those are; a table of whole lines is offered."""
    loose = PLAN + gap.join(cell for row in TABLE for cell in row) + "\n"
    (first, last), *more = cells_alone(loose)
    lines = loose.replace("\r\n", "\n").split("\n")
    assert not more and lines[first - 1].strip() == "指标" and lines[last - 1].strip() == "６"
    whole = PLAN + "\n".join("\t".join(row) for row in TABLE)
    assert not cells_alone(PLAN) and not cells_alone(whole)
    assert {q.low for said in said_in(whole, []) for q in said.quantities} >= {120, 300, 6}
    page = "".join(f"这是第几页上的一段话，句子写完整，不像表格里的一格。\n{n}\n" for n in range(9))
    assert not cells_alone(page)  # numbers of pages


def test_what_is_not_offered_is_told(tmp_path: Path) -> None:
    text = tmp_path / "十五五.txt"
    text.write_text(PLAN + "\n".join(cell for row in TABLE for cell in row), "utf-8")
    first = PLAN.count("\n") + 1
    assert f"第 {first}—{first + 11} 行" in not_offered(text)
    with speaking("en"):
        assert f"Lines {first}—{first + 11} look like a table" in not_offered(text)


@pytest.mark.parametrize(
    "sign",
    ["1", "一", "亿", "1,111,", "1,", "一、", "第一", "1 ", " ", "新建一处，", "万分之", "“一", "九番", "2.5m", "a1"],
)
def test_a_line_of_nothing_but_one_sign_takes_no_longer_than_another(sign: str) -> None:
    """Twice as long a line takes about twice as long, whatever it consists of; and no number is beyond numbers."""
    import time

    def seconds(signs: int) -> float:
        begun = time.process_time()
        assert all(
            math.isfinite(q.high) for said in said_in(f"新建{sign * signs}处\n", ["甲苑"]) for q in said.quantities
        )
        return time.process_time() - begun

    seconds(10)
    short, long = seconds(500), seconds(4000)
    assert long < max(0.3, 24 * short)


@pytest.mark.parametrize(
    "text",
    ["翻1000000000番", "9" * 400 + "处", "一" + "亿" * 400 + "处", "1" + "亿" * 400 + "元", "百分之" + "九" * 300],
)
def test_numbers_beyond_numbers_are_none(text: str) -> None:
    assert all(math.isfinite(q.high) for q in quantities(text))

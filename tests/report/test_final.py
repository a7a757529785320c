"""The final evaluation: the ledger at the end of the plan's last year, with figures that add up, in page, workbook and Word."""

from __future__ import annotations

import html
import re
from pathlib import Path

import docx
import openpyxl
import pytest
from ledger_toy import ALL, folder_with, measure

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core.i18n import speaking
from xinhe_geo.ledger import last_year, verdicts
from xinhe_geo.report import final_checked

TOY = Path(__file__).parent.parent / "toy"


@pytest.mark.slow
def test_the_last_year_of_a_plan_is_that_of_most_of_its_targets() -> None:
    toy = xh.District.load(TOY)
    rows = toy.rows["commitments"].iloc[:5].copy()
    for years, last in (
        (["2026-2030", "2030", "2035", "2021-2025", ""], 2030),
        (["2030", "2035", "", "", ""], 2035),
        (["到2027年底", "2027", "2030", "约20300", ""], 2027),
        ([""] * 5, None),
    ):
        rows["year"] = years
        assert last_year(toy.replace(commitments=rows)) == last


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of one promise for each way to stand."""
    return folder_with(
        tmp_path_factory.mktemp("final") / "toy",
        [
            measure("part", "communities_with", kinds="canteen", **ALL),
            measure("none", "series", series="T", since=2020, until=2025, aggregate="latest"),
        ],
    )


@pytest.mark.slow
def test_it_is_the_ledger_of_that_year(folder: Path) -> None:
    district = xh.District.load(folder)
    found = final_checked(district, 2024)
    ledger = xh.ledger(district.at(2024))
    said = verdicts(ledger)
    by = found.sheets["目标完成情况"].set_index("类别")
    assert by.loc["合计", "合计"] == len(said) == by["合计"].iloc[:-1].sum()
    assert {v: by.loc["合计", v] for v in by.columns[:-1]} == said.value_counts().to_dict()
    own = ledger[ledger["role"] == "own"]
    assert len(found.sheets["目标清单"]) == len(own)
    short = own[own["verdict"].isin(["未达标", "部分达标"])]
    assert sorted(found.sheets["未完成目标"]["编号"]) == sorted(c for c, _ in short.index)
    told = " ".join(found.told["目标完成情况"])
    numbers = [int(n) for n in re.findall(r"(\d+) 项(?!目标)", told)]
    assert sum(numbers) == len(said) and f"核对 {len(said)} 项目标" in told
    assert f"数据年份 {district.year} 早于规划末年 2024" in told
    assert "早于" not in " ".join(final_checked(district, district.year).told["目标完成情况"])


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_page_workbook_and_word_say_the_same(folder: Path, tmp_path: Path, lang: str) -> None:
    word, out = tmp_path / "a.docx", tmp_path / "out"
    assert (
        main(
            [
                "checkup",
                str(folder),
                "--final",
                "--year",
                "2024",
                "--out",
                str(out),
                "--word",
                str(word),
                "--lang",
                lang,
            ]
        )
        == 0
    )
    with speaking(lang):
        found = final_checked(xh.District.load(folder), 2024)
    page = html.unescape((out / "final.html").read_text("utf-8"))
    paper = "\n".join(p.text for p in docx.Document(str(word)).paragraphs)
    for line in found.said:
        assert line in page and line in paper
    book = openpyxl.load_workbook(out / "tables" / "终期评估.xlsx")
    assert len(book.sheetnames) == len(found.sheets) and not (out / "tables" / "problems.csv").exists()
    heads = [c.text for c in docx.Document(str(word)).tables[0].rows[0].cells]
    assert len(heads) == len(found.sheets["目标完成情况"].columns)
    if lang == "en":
        assert not re.search("[\u4e00-\u9fff]", " ".join(found.said)), found.said
        assert not re.search("[\u4e00-\u9fff]", " ".join(heads)), heads


@pytest.mark.slow
def test_a_plan_without_years_asks_for_one(folder: Path) -> None:
    district = xh.District.load(folder)
    rows = district.rows["commitments"].assign(year=None)
    with pytest.raises(xh.UnknownNameError, match="--year"):
        final_checked(district.replace(commitments=rows))

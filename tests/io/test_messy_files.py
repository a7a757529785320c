"""Files as offices have them: rows in = taken + explained + asked, nobody lives twice, and everything is undone to the byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from messy_files import File, by_value, corpus, csv_utf8

from xinhe_geo.core import bundled_folder
from xinhe_geo.district import District, undo
from xinhe_geo.io import add, tally
from xinhe_geo.io.value_words import _like_label

TOY = Path(__file__).parents[1] / "toy"
CORPUS = corpus()
#: Two in five with all tests, and whatever is written in one way only; the others before a release.
OFTEN = {file.name for k, file in enumerate(CORPUS) if k % 5 in (0, 3) or "-" not in file.name}


def contents(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(".history")}


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(CORPUS) >= 120
    assert len({file.name for file in CORPUS}) == len(CORPUS)
    for part in (0, -1):  # layout, program
        assert {name.split("-")[part] for name in OFTEN} == {file.name.split("-")[part] for file in CORPUS}


@pytest.mark.one_in(8)
@pytest.mark.parametrize(
    "file",
    [pytest.param(f, marks=pytest.mark.slow if f.name in OFTEN else pytest.mark.matrix) for f in CORPUS],
    ids=lambda f: f.name,
)
def test_every_row_is_accounted_for(tmp_path: Path, file: File) -> None:
    layout = file.layout()
    toy = tmp_path / "toy"
    shutil.copytree(TOY, toy)
    before = contents(toy)
    path = file.write(tmp_path / "表", layout)
    report = add(
        path, toy, layout.layer, crs=file.crs, fill=layout.fill, apply=True, datum_checked="测试里量过", sure=True
    )
    said = report.to_string()
    counts = tally(report)
    assert counts["rows"] == layout.rows, said
    assert counts["taken"] == len(layout.taken), said
    assert counts["unclear"] == layout.asked, said
    assert counts["rows"] == counts["taken"] + counts["refused"] + counts["skipped"] + counts["unclear"]
    speaks = report["result"].isin(["refused", "unclear", "skipped"])
    assert (report.loc[speaks, "reason"] != "").all()
    assert (report.loc[report["result"].isin(["refused", "unclear"]), "remedy"] != "").all()
    rows = District.load(toy).rows[layout.layer]
    by_name = rows.drop_duplicates("name").set_index("name")
    for name, wanted in layout.taken.items():
        for column, value in wanted.items():
            there = by_name.loc[name, column]
            assert pd.isna(there) if value is None else there == value, (name, column, there, said)
    homes = District.load(toy).rows["homes"]
    assert homes["people"].sum() == (360 if layout.people is None else layout.people)
    undo(toy)
    assert contents(toy) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_what_nobody_knows_is_asked_once_and_remembered(tmp_path: Path) -> None:
    """One line for three rows; the answer writes them, is undone with them, and holds for the next file."""
    toy, sheet = tmp_path / "toy", tmp_path / "对照.csv"
    shutil.copytree(TOY, toy)
    before = contents(toy)
    path = csv_utf8(tmp_path / "表", by_value())
    report = add(path, toy, "facilities", crs="WGS84", values=sheet)
    assert tally(report)["unclear"] == 3
    assert contents(toy) == before
    lines = pd.read_csv(sheet, dtype="str", encoding="utf-8-sig")
    assert lines[["列", "写法", "行数"]].to_numpy().tolist() == [["类别", "口腔诊所", "3"]]
    lines["是什么"] = "社区卫生服务站"
    lines.to_csv(sheet, index=False, encoding="gb18030")  # as Excel saves it
    said = {"crs": "WGS84", "datum_checked": "测试里量过", "apply": True}
    assert tally(add(path, toy, "facilities", values=sheet, **said))["new"] == 5
    sheet.unlink()
    again = add(path, toy, "facilities", **said)
    assert tally(again)["unclear"] == 0, "the folder remembers"
    assert tally(again)["unchanged"] == 5
    undo(toy)
    assert contents(toy) == before


@pytest.mark.parametrize("name", ["amap", "baidu", "tencent", "office"])
def test_tables_of_values_name_known_kinds_and_answer_for_most_classes(name: str) -> None:
    table = pd.read_csv(
        bundled_folder() / f"pois/values_{name}.csv", dtype="str", encoding="utf-8-sig", keep_default_na=False
    )
    known = set(pd.read_csv(bundled_folder() / "pois/kinds.csv", encoding="utf-8-sig")["kind"])
    assert set(table["kind"]) <= known | {"none", "ask"}
    assert table["value"].is_unique
    levels = table["value"].str.count(";")
    classes = table[levels == levels.max()] if name != "office" else table
    assert (classes["kind"] != "ask").mean() >= 0.9


LABELS = {
    "老年人日间照料中心": "daycare",
    "社区卫生服务中心": "center",
    "党群服务中心": "party",
    "社区卫生服务站": "station",
    "社区警务室": "police",
}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("日间照料中心", "daycare"),
        ("阳光日间照料中心", "daycare"),
        ("某镇卫生服务中心", "center"),
        ("便民服务中心", ""),  # 服务中心 is the end of several
        ("服务站", ""),
        ("照料中心", ""),  # short enough to be anything
        ("", ""),
    ],
)
def test_a_long_ending_that_only_one_kind_has_tells_it(said: str, kind: str) -> None:
    assert _like_label(said, LABELS) == kind

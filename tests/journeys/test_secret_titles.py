"""A mark of secrecy in what is printed large (a title that is typed, a plan's label, a name): nothing is made of it that is less so."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from test_secret_district import READING, SILENT, TYPED, made, tree

import xinhe_geo as xh
from xinhe_geo.app.cli import DATA, main
from xinhe_geo.core import having_typed, read_toml
from xinhe_geo.core.secrecy import refuse_uncleared, rows_above, strictness
from xinhe_geo.core.secrecy_marks import CONFIDENTIAL, SECRET, TOP_SECRET, secret_words, title_mark
from xinhe_geo.district import commit, scenarios
from xinhe_geo.ledger import changes, ledger_record

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "toy"
__all__ = ["made"]  # a fixture, by its name

#: As people write them over something, and the level each means.
TITLES = {
    "机密★10年 五车地方案": SECRET,
    "五车地（机密★10年）": SECRET,
    "五车地機密☆二十年方案": SECRET,
    "【绝密】五车地": TOP_SECRET,
    "绝　密五车地改造": TOP_SECRET,
    "五车地·絕密★長期": TOP_SECRET,
    "五车地-机密": SECRET,
    "机密工程": SECRET,
    "五车地（秘密）": CONFIDENTIAL,
    "秘密3年五车地": CONFIDENTIAL,
    "五车地 祕密★６个月": CONFIDENTIAL,
    "密级：机密　五车地": SECRET,
    "★机密 五车地": SECRET,
    "五车地 机\u200b密": SECRET,
    "涉密 五车地": CONFIDENTIAL,
    "五车地/国家秘密": CONFIDENTIAL,
    "TOP SECRET: Wuchedi": TOP_SECRET,
    "Wuchedi (Top-Secret)": TOP_SECRET,
    "Wuchedi, Secret ★ 10 years": SECRET,
    "ＳＥＣＲＥＴ Wuchedi": SECRET,
    "Confidential - Wuchedi": CONFIDENTIAL,
    "wuchedi_classified": CONFIDENTIAL,
}
#: These speak of it, or of something else.
OPEN = (
    "秘密花园", "*秘密花园", "五车地（不含机密内容）", "脱密处理", "加密数据", "无密级", "密云路", "人口密度10年", "保密局",
    "secret garden", "Secretary Office", "classification of land", "内部资料", "公开版", "*", "",
)  # fmt: off


@pytest.mark.parametrize("text", TITLES)
def test_titles_that_are_marked(text: str) -> None:
    mark = title_mark(text)
    assert mark is not None and mark.level == TITLES[text]


@pytest.mark.parametrize("text", OPEN)
def test_titles_that_are_not(text: str) -> None:
    assert title_mark(text) is None


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.matrix)])
@pytest.mark.parametrize("command", list(TYPED), ids=" ".join)
def test_no_command_makes_anything_of_a_title_that_is_marked(
    tmp_path: Path, made: Path, command: tuple[str, str], every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever option it was typed for; those that write no output of rows go on. Each title meets some commands, or all."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    folder, out = shutil.copytree(TOY, tmp_path / "toy"), tmp_path / "out"
    before = tree(folder)
    every = max(every, 8) if command in SILENT | READING else every
    for text in list(TITLES)[list(TYPED).index(command) % every :: every]:
        with having_typed([text]):
            code = main(TYPED[command](str(folder), out, made))
        assert code == DATA or command in SILENT, text
        if command == ("", "seal"):
            (folder / "seal.json").unlink()
        assert not out.exists() and tree(folder) == before, text
    assert not list((tmp_path / "cwd").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "typed",
    [
        ["sheet", "overview", "toy", "--number", "机密★10年"],
        ["sheet", "overview", "toy", "--out", "五车地（机密★10年）.pdf"],
        ["word", "toy", "--request", "--out", "请示 机密.docx"],
        ["gpkg", "toy", "--out", "TOP SECRET.gpkg"],
        ["checkup", "toy", "--out", "自查（秘密）"],
        ["report", "toy", "--since", "绝密"],
        ["map", "overview", "toy", "--key", "机密"],
        ["public", "toy", "--contact", "秘密★3年"],
        ["sheet", "--plan", "机密工程", "overview", "toy"],
        ["scenario", "new", "机密工程", "--for", "toy"],
        ["batch", "toy", "--out", "机密★10年"],
        ["ways", "机密★10年.osm"],
        ["notebook", "03", "--parameter", "plan=机密★10年"],
    ],
    ids=" ".join,
)
def test_what_is_typed_is_looked_at(
    tmp_path: Path, typed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TOY, "toy")
    before = tree(tmp_path)
    assert main(typed) == DATA
    said = "".join(capsys.readouterr()).replace("\n", "")
    assert "里写着密级" in said and "district.toml" in said and tree(tmp_path) == before


def plan(place: Path, line: str, stem: str = "a") -> Path:
    place.mkdir(exist_ok=True)
    edit = '[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'
    (place / f"{stem}.toml").write_text(f'name = "a"\n{line}\n{edit}', "utf-8")
    return place / f"{stem}.toml"


@pytest.mark.slow
@pytest.mark.one_in(6)
@pytest.mark.parametrize("text", TITLES)
def test_a_plan_that_is_marked(tmp_path: Path, text: str) -> None:
    """In its label, note, steps or the name of its file: neither opened, listed nor carried out, from wherever it comes."""
    toy = xh.District.load(TOY)
    folder = shutil.copytree(TOY, tmp_path / "toy")
    path = plan(folder / "scenarios", f"label = {json.dumps(text)}")
    district = xh.District.load(folder)
    for act in (
        lambda: toy.scenario(path),
        lambda: district.scenario("a"),
        lambda: scenarios(district),
        lambda: xh.Scenario("b", note=f"甲，{text}").on(toy) if secret_words(text) else xh.Scenario("b", text).on(toy),
    ):
        with pytest.raises(xh.SourceError, match="方案里写着密级") as caught:
            act()
        assert "五车地" not in str(caught.value)


@pytest.mark.slow
def test_a_plan_as_secret_as_its_district_is_carried_out(tmp_path: Path) -> None:
    folder = shutil.copytree(TOY, tmp_path / "toy")
    manifest = folder / "district.toml"
    manifest.write_text('secrecy = "机密★10年"\n' + manifest.read_text("utf-8"), "utf-8")
    plan(folder / "scenarios", 'label = "五车地（机密★10年）"')
    district = xh.District.load(folder)
    after = district.scenario("a").on(district)
    with pytest.raises(xh.SourceError, match="不能写出"):
        refuse_uncleared(after.manifest, "写出")
    with pytest.raises(xh.SourceError, match="绝密"):
        xh.Scenario("b", "绝密").on(district)


@pytest.mark.parametrize(
    "manifest",
    [
        {"name": "新河街道（机密★10年）"},
        {"layers": {"homes": {"file": "homes/机密.geojson"}}},
        {"layers": {"homes": {"note": "甲科保管，机密★10年，不外传"}}},
        {"credit": "TOP SECRET — do not copy"},
        {"secrecy": "秘密", "name": "机密工程"},
        {"a": {"b": [{"c": {"d": "机密"}}]}},
    ],
    ids=str,
)
def test_names_and_notes_of_a_manifest(manifest: dict[str, object]) -> None:
    assert strictness(manifest) == TOP_SECRET


def test_a_name_that_says_what_is_marked_is_no_stray() -> None:
    assert strictness({"secrecy": "机密★10年", "name": "新河街道（机密★10年）", "layers": {"homes": {}}}) == SECRET


def test_names_of_rows() -> None:
    """A name with level and term is marked, whichever layer it stands in; one that only sounds like it is not."""
    names = ["甲苑", "秘密花园", "五车地（机密★10年）"]
    rows = gpd.GeoDataFrame({"name": names, "people": [1, 2, 3]}, geometry=[shapely.Point(0, 0)] * 3)
    assert [found[:3] for found in rows_above(rows, {"name", "people", "geometry"}, CONFIDENTIAL)] == [("name", 2, 1)]
    assert not rows_above(rows, {"name", "people", "geometry"}, SECRET)


def test_a_file_that_is_marked_comes_into_no_folder_that_is_not(tmp_path: Path) -> None:
    folder = shutil.copytree(TOY, tmp_path / "toy")
    before = tree(folder)
    with pytest.raises(xh.SourceError, match="文件名里写着密级"):
        commit(folder, {"pois/values.csv": b"x"}, "facilities", "核查表（机密★10年）.xlsx")
    assert tree(folder) == before


@pytest.mark.slow
def test_the_record_of_a_secret_run_is_compared_with_nothing_that_is_open(tmp_path: Path) -> None:
    folder = shutil.copytree(TOY, tmp_path / "toy")
    manifest = folder / "district.toml"
    manifest.write_text('secrecy = "机密★10年"\n' + manifest.read_text("utf-8"), "utf-8")
    secret, open_ = (ledger_record(xh.District.load(place), None) for place in (folder, TOY))
    assert "secrecy" not in open_["district"]
    with pytest.raises(xh.SourceError, match="上次的记录里写着密级 机密★10年"):
        changes(open_, secret)
    assert changes(secret, open_) is not None and changes(secret, secret).empty


def test_a_bundle_takes_no_plan_that_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("launcher", ROOT / "run.py")
    assert spec and spec.loader
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    monkeypatch.setattr(launcher, "ROOT", tmp_path)
    (tmp_path / "xinhe_geo" / "core").mkdir(parents=True)
    shutil.copy(ROOT / launcher.MARKS, tmp_path / launcher.MARKS)
    plan(tmp_path / "scenarios", 'label = "五车地（机密★10年）"')
    plan(tmp_path / "scenarios", 'label = "甲"', "b")
    (tmp_path / "scenarios" / "c.toml").write_text("x = " + "[" * 5000, "utf-8")
    names = [f"scenarios/{name}.toml" for name in "abc"]
    found = launcher.secret_layers(names)
    assert [line.partition("　")[0].partition("：")[0] for line in found] == [names[0], names[2]]


def test_tables_within_tables_are_no_manifest(tmp_path: Path) -> None:
    """Somebody's key of thousands of parts: refused where it is read, and whoever goes through tables ends all the same."""
    path = tmp_path / "a.toml"
    for text in ("a." * 3000 + "a = 1", "x = " + "[" * 90 + "]" * 90, "x = [" + "{a = [" * 40 + "]}" * 40 + "]"):
        path.write_text(text, "utf-8")
        with pytest.raises(ValueError, match="太深"):
            read_toml(path)
    deep: dict[str, object] = {}
    for _ in range(20_000):
        deep = {"a": deep}
    assert strictness(deep) == TOP_SECRET

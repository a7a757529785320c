"""Traps that lie in a received folder, of kinds that others of the tests do not lay: each ends in a sentence, quickly, and nothing leaves."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.access.walls import MOST_CORNERS, walk_inside
from xinhe_geo.app.cli import DATA, DONE, ENVIRONMENT, main
from xinhe_geo.core import Problem, in_short
from xinhe_geo.core.files import cannot_write, is_full
from xinhe_geo.district import doubles, reader, scenarios, undo
from xinhe_geo.district.doubles import MOST_PAIRS, alike, near_facilities, shared_homes
from xinhe_geo.district.project_facts import steps_named
from xinhe_geo.io import add
from xinhe_geo.io.new_district import recipe_of
from xinhe_geo.report.files import is_as_written, refuse_foreign
from xinhe_geo.report.pages.brief import with_links
from xinhe_geo.report.qgis import refuse_project

TOY = Path(__file__).resolve().parents[1] / "toy"
LEAK = "外面的秘密字样"
Trap = Callable[[Path, Path], object]


def changed(name: str, this: str, that: str) -> Trap:
    def lay(folder: Path, _outside: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert this in text
        (folder / name).write_text(text.replace(this, that, 1), "utf-8")

    return lay


def laid(name: str, content: bytes) -> Trap:
    def lay(folder: Path, _outside: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return lay


def linked(name: str) -> Trap:
    def lay(folder: Path, outside: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(outside if "." not in Path(name).name else outside / Path(name).name)

    return lay


DEEP = ".".join("a" * 4000)
#: Refused by `check`, or by whatever reads what it lies in.
TRAPS: dict[str, tuple[Trap, str]] = {
    "a key of thousands of parts": (changed("district.toml", 'code = "', f'x.{DEEP} = 1\ncode = "'), "check"),
    "a key of thousands of parts in a layer": (
        changed("district.toml", "[layers.homes]", f"[layers.homes]\nmeta.{DEEP} = 1"),
        "check",
    ),
    "lists within lists": (changed("district.toml", 'code = "', f'x = {"[" * 90}{"]" * 90}\ncode = "'), "check"),
    "a year of twenty digits": (changed("district.toml", "data_year = 2022", f"data_year = {10**20}"), "check"),
    "a year that is true": (changed("district.toml", "data_year = 2022", "data_year = true"), "check"),
    "a year below zero": (changed("district.toml", "data_year = 2022", "data_year = -5"), "check"),
    "a list of another year": (
        changed("district.toml", "community_list_year = 2022", f"community_list_year = {10**20}"),
        "check",
    ),
    "a number of twenty digits": (
        changed("homes/homes.geojson", '"people"', f'"households": {10**20}, "people"'),
        "check",
    ),
    "answers that lie elsewhere": (linked("pois/values.csv"), "add"),
    "answers of one long cell": (laid("pois/values.csv", b'\xef\xbb\xbf"' + b"x" * 200_000), "add"),
    "plans that lie elsewhere": (linked("scenarios"), "scenarios"),
    "a plan of thousands of parts": (laid("scenarios/a.toml", f'name = "a"\nnote.{DEEP} = 1\n'.encode()), "scenarios"),
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.skipif(os.name == "nt", reason="links, which Windows does not let everybody make")
@pytest.mark.parametrize("name", TRAPS)
def test_traps(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lay, command = TRAPS[name]
    folder, outside = shutil.copytree(TOY, tmp_path / "toy"), tmp_path / "outside"
    outside.mkdir()
    (outside / "values.csv").write_text(f"列,写法,行数,例,是什么\n类别,{LEAK},,,canteen\n", "utf-8-sig")
    (outside / "b.toml").write_text(f'name = "b"\nlabel = "{LEAK}"\n', "utf-8")
    lay(folder, outside)
    rows = tmp_path / "rows.csv"
    rows.write_text(f"编号,名称,类别,经度,纬度\nP1,点,{LEAK},117.0023,39.0144\n", "utf-8-sig")
    asked = {
        "check": ["check", str(folder)],
        "add": ["add", str(rows), "--to", str(folder), "--layer", "facilities", "--crs", "WGS84"],
        "scenarios": ["scenarios", str(folder)],
    }
    assert main(asked[command]) == DATA
    said = "".join(capsys.readouterr())
    assert LEAK not in said and "Traceback" not in said and len(said) < 4000


@pytest.mark.slow
def test_half_a_sign_in_a_layer_stays_as_it_was(tmp_path: Path) -> None:
    """JSON may name halves of signs, which no text can hold; a layer with one is changed in other places all the same."""
    folder = shutil.copytree(TOY, tmp_path / "toy")
    changed("homes/homes.geojson", '"people"', '"x": "\\ud800", "people"')(folder, tmp_path)
    rows = tmp_path / "rows.csv"
    rows.write_text("编号,名称,常住人口\nA,甲苑,150\n", "utf-8-sig")
    add(rows, folder, "homes", apply=True, sure=True)
    text = (folder / "homes" / "homes.geojson").read_text("utf-8")
    assert "\\ud800" in text and json.loads(text)["features"][0]["properties"]["people"] == 150


def comb(teeth: int, apart: float) -> shapely.Polygon:
    """A base of a metre, and teeth of 20 m."""
    tips = [(x * apart, 20.0 if x % 2 else 1.0) for x in range(2 * teeth)]
    return shapely.Polygon([(0.0, 0.0), *tips, (2 * teeth * apart, 0.0)])


@pytest.mark.slow
def test_a_wall_of_more_corners_than_anybody_draws_is_not_gone_around() -> None:
    """Each corner looked at from each other took 13 GB for a file of 2 MB; below that number ways are exact."""
    for teeth, apart, straight in ((MOST_CORNERS * 10, 0.1, True), (10, 5.0, False)):
        area = comb(teeth, apart)
        ends = [shapely.Point(apart, 19.0), shapely.Point((2 * teeth - 1) * apart, 19.0)]
        (metres,) = walk_inside(area, ends[:1], ends[1:])[0]
        assert (abs(metres - shapely.distance(*ends)) < 1e-9) == straight
        assert np.isfinite(metres)


@pytest.mark.parametrize("kind", ["markup", "no end", "a pipe", "a link", "not a text"])
def test_titles_of_pages_that_somebody_put_beside_a_brief(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    page = out / "robustness.html"
    if kind == "markup":
        page.write_text("<title></a><form action=//x><b>&lt;i&gt;&amp;</title>", "utf-8")
    elif kind == "no end":
        page.write_text("<title>" * 1_000_000, "utf-8")
    elif kind == "a pipe":
        os.mkfifo(page)
    elif kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "a").write_text(f"<title>{LEAK}</title>", "utf-8")
        page.symlink_to(tmp_path / "elsewhere" / "a")
    else:
        page.write_bytes(b"<title>\xff\xfe</title>")
    brief = with_links('<span id="beside"></span>', out)
    inside = brief.partition('html">')[2].rpartition("</a></span>")[0]
    assert inside and not set("<>") & set(inside) and LEAK not in brief
    assert kind != "markup" or inside == "&lt;/a&gt;&lt;form action=//x&gt;&lt;b&gt;&lt;i&gt;&amp;"


def test_a_thousand_gigabytes_of_nothing_where_something_is_to_be_written(tmp_path: Path) -> None:
    """In a folder for outputs, and in what a folder remembers: not read, and not touched."""
    out, size = tmp_path / "out", 1 << 40
    folder = shutil.copytree(TOY, tmp_path / "toy")
    now = hashlib.sha256((folder / "homes" / "homes.geojson").read_bytes()).hexdigest()
    record = {
        "layer": "homes",
        "source": "a",
        "files": [{"file": "homes/homes.geojson", "old": "0" * 64, "new": now}],
    }
    (folder / ".history" / "001" / "old" / "homes").mkdir(parents=True)
    (folder / ".history" / "001" / "record.json").write_text(json.dumps(record), "utf-8")
    out.mkdir()
    for place in (out / "index.html", folder / ".history" / "001" / "old" / "homes" / "homes.geojson"):
        with place.open("wb") as file:
            file.truncate(size)
    run = {"versions": {"xinhe-geo": "1"}, "files": {"index.html": "0" * 64}}
    (out / "run.json").write_text(json.dumps(run), "utf-8")
    with pytest.raises(xh.EnvironmentProblem, match="不是本程序写的"):
        refuse_foreign(out, ["index.html"])
    assert not is_as_written(out, "index.html") and (out / "index.html").stat().st_size == size
    with pytest.raises(xh.SourceError, match="对不上"):
        undo(folder, trust=True)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_project_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    """Nor one of ours that was saved in QGIS: it lies beside the file that was named, and was named by nobody."""
    out = tmp_path / "a.gpkg"
    assert main(["gpkg", str(TOY), "--out", str(out)]) == DONE
    project = out.with_suffix(".qgz")
    refuse_project(out)
    ours, layers = project.read_bytes(), out.read_bytes()
    with zipfile.ZipFile(project) as archive:
        (only,) = archive.infolist()
        text = archive.read(only)
        comment = archive.comment
    for content, kept in ((text + b" ", comment), (text, b""), (b"<qgis/>", comment)):
        with zipfile.ZipFile(project, "w") as archive:
            archive.writestr(only, content)
            archive.comment = kept
        with pytest.raises(xh.EnvironmentProblem, match=r"a\.qgz 不是本程序写的，或在 QGIS 里改过"):
            refuse_project(out)
    for content in (b"", b"mine", ours[:-1], ours[:200]):
        project.write_bytes(content)
        assert main(["gpkg", str(TOY), "--out", str(out)]) == ENVIRONMENT
        assert project.read_bytes() == content and out.read_bytes() == layers
    project.unlink()
    project.symlink_to(tmp_path / "nowhere")
    assert main(["gpkg", str(TOY), "--out", str(out)]) == ENVIRONMENT
    project.unlink()
    assert main(["gpkg", str(TOY), "--out", str(out)]) == DONE
    assert (project.read_bytes(), out.read_bytes()) == (ours, layers)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "other", ["HOMES/homes.geojson", "ｈomes/homes.geojson", "homes/Homes.geojson", "homes/ho\u200bmes.geojson"]
)
def test_files_of_names_that_some_systems_do_not_tell_apart(tmp_path: Path, other: str) -> None:
    """Unpacked on another system one takes the place of the other: said, while it can still be seen."""
    folder = shutil.copytree(TOY, tmp_path / "toy")
    (folder / other).parent.mkdir(exist_ok=True)
    if (folder / other).exists():
        pytest.skip("this system does not tell them apart")
    (folder / other).write_text("{}", "utf-8")
    found = xh.check(folder).query("field == 'file'")
    assert "homes" in set(found["layer"]) and found["problem"].str.contains("只差大小写").all()
    assert (found["severity"] == "warning").all() and xh.check(TOY).query("field == 'file'").empty


@pytest.mark.slow
def test_plans_of_a_folder_are_still_plans(tmp_path: Path) -> None:
    folder = shutil.copytree(TOY, tmp_path / "toy")
    laid("scenarios/a.toml", 'name = "a"\nlabel = "甲"\n'.encode())(folder, tmp_path)
    (folder / "scenarios" / "b.toml").symlink_to("a.toml")  # within the folder
    assert list(scenarios(xh.District.load(folder)).index) == ["a", "b"]


@pytest.mark.parametrize("cell", ["a#" + "9" * 5000, "a#1234567", "a#" + "1," * 50 + "9" * 500, "#1", "a#b"])
def test_a_step_of_thousands_of_digits_is_no_step(cell: str) -> None:
    with pytest.raises(xh.ScenarioError, match="写法不对") as said:
        steps_named(cell)
    assert len(str(said.value)) < 200 and steps_named("a#1,2 3;b") == {"a": {1, 2, 3}, "b": set()}


PAGES = "x" * 9000


@pytest.mark.parametrize("steps", [1, 90])
def test_what_is_wrong_with_a_plan_or_a_recipe_is_no_page(tmp_path: Path, steps: int) -> None:
    """Whatever is said in it, however often: told in lines, each with what to do at its end, and how many more there are."""
    path = tmp_path / "a.toml"
    path.write_text('name = "a"\n' + f'[[edit]]\ndo = "{PAGES}"\n"{PAGES}" = 1\n' * steps, "utf-8")
    with pytest.raises(xh.ScenarioError, match="第 1 步") as said:
        xh.Scenario.read(path)
    assert len(str(said.value)) < 3000 and ("另有" in str(said.value)) == (steps > 1)
    with pytest.raises(xh.SourceError, match="要改") as said:
        recipe_of({"name": "a", "streets": {"file": PAGES}} | {f"{PAGES}{i}": 1 for i in range(steps)})
    assert len(str(said.value)) < 3000
    assert in_short(["甲" * 300, "乙"]) == "甲" * 300 + "\n乙"


# --- parts of a parcel, drawn in a file beside the plan ---------------------------------------------------------------


def drawn(ring: object, **more: object) -> bytes:
    shape = {"type": "Polygon", "coordinates": [ring]}
    return json.dumps({"features": [{"properties": {"parcel": LEAK}, "geometry": shape}], **more}).encode()


RING = [[117, 39], [117, 40], [118, 40], [117, 39]]
DRAWN: dict[str, bytes | Callable[[Path, Path], object]] = {
    "brackets within brackets": b"[" * 200_000,
    "numbers beyond numbers": drawn([[10**400, 1], *RING]),
    "corners of nothing": drawn([[], [], []]),
    "a list": b"[1]",
    "another CRS": drawn(RING, crs={"properties": {"name": "EPSG:4548"}}),
    "a link to a file outside": lambda place, outside: place.symlink_to(outside),
    "a pipe": lambda place, _: os.mkfifo(place),
    "a device": lambda place, _: place.symlink_to("/dev/zero"),
    "a thousand gigabytes of nothing": lambda place, _: (place.touch(), os.truncate(place, 1 << 40)),
}


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
@pytest.mark.parametrize("name", DRAWN)
def test_outlines_beside_a_plan_are_read_like_any_file_of_a_stranger(tmp_path: Path, name: str) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "outside.geojson").write_bytes(drawn(RING))
    place, lay = tmp_path / "plans" / "parts.geojson", DRAWN[name]
    if isinstance(lay, bytes):
        place.write_bytes(lay)
    else:
        lay(place, tmp_path / "outside.geojson")
    plan = tmp_path / "plans" / "a.toml"
    plan.write_text('name = "a"\n[[edit]]\ndo = "split_parcel"\nparcel = "x"\nlayer = "parts.geojson"\n', "utf-8")
    with pytest.raises(xh.ScenarioError, match=r"parts\.geojson") as said:
        xh.Scenario.read(plan)
    assert LEAK not in str(said.value) and len(str(said.value)) < 300
    assert ("EPSG:4326" in str(said.value)) == (name == "another CRS")


# --- a full disk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_in_both_languages_with_what_is_needed(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    error = OSError(code, os.strerror(code))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=250_000))
    assert str(cannot_write("a.xlsx", error, tmp_path / "new" / "a.xlsx", 2_500_000)) == (
        "写 a.xlsx 时出错：磁盘满了。腾出空间后重试，或换一个盘（要 2.50 MB，还剩 0.25 MB） / "
        "The disk is full and a.xlsx was not written: make room and try again, or use another disk"
        " (2.50 MB are needed, 0.25 MB are left)"
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    assert "还剩" not in str(cannot_write("a.xlsx", error, tmp_path, 2_500_000)), "a share of the disk that is used up"
    assert "（" not in str(cannot_write("a.xlsx", error))
    assert not is_full(OSError(errno.EACCES, "")) and not is_full(ValueError())


@pytest.mark.slow
def test_no_room_even_for_what_passes_is_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Python says then is that there is no such folder."""
    import tempfile

    if sys.platform == "win32":
        pytest.skip("temporary folders are asked for in another way")

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(reader, "_MOST_KNOWN", 0)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *_, **__: none())
    assert main(["check", str(TOY)]) == ENVIRONMENT
    said = "".join(capsys.readouterr()).replace("\n", " ")
    assert "磁盘满了" in said and "The disk is full" in said


def outlines_of_one(count: int) -> gpd.GeoDataFrame:
    shapes = np.repeat(shapely.box(0, 0, 50, 50), count)
    return gpd.GeoDataFrame({"name": ["甲"] * count, "since": pd.NA, "until": pd.NA}, geometry=shapes, crs=32650)


def points_of_many_kinds(count: int) -> gpd.GeoDataFrame:
    rows = {"name": "甲", "kind": [f"k{i}" for i in range(count)], "state": None, "since": pd.NA, "until": pd.NA}
    return gpd.GeoDataFrame(rows, geometry=np.repeat(shapely.Point(0, 0), count), crs=32650)


#: Where each row could be held against each other one.
SQUARES: dict[str, Callable[[], object]] = {
    "names of forty thousand signs": lambda: alike("幸福之家园" * 8_000, "福之家园幸" * 8_000),
    "one outline many times": lambda: len(shared_homes(outlines_of_one(6_000))) <= MOST_PAIRS,
    "a spot of many kinds": lambda: near_facilities(points_of_many_kinds(6_000)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SQUARES)
def test_no_time_grows_as_the_square_of_what_somebody_wrote(name: str) -> None:
    before = time.process_time()
    assert SQUARES[name]() in (True, False, [])
    assert time.process_time() - before < 5.0


def test_homes_that_followed_one_another_hide_none_that_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten outlines of ten years are 45 pairs of which none is one; the eleventh lives in the last of these years."""
    monkeypatch.setattr(doubles, "MOST_PAIRS", 3)
    homes = outlines_of_one(11).assign(since=[*range(2000, 2010), 2009], until=[*range(2000, 2010), 2009])
    assert [pair[:2] for pair in shared_homes(homes)] == [(9, 10)]
    assert len(shared_homes(outlines_of_one(11))) == 3


def test_of_very_many_problems_the_first_are_told_and_that_there_are_more() -> None:
    one, asked = Problem("warning", "homes", "a.csv", "1", "x", "y", "z"), count()
    told = list(reader._bounded(one for _ in asked))
    assert len(told) == reader._MOST_TOLD + 1 and next(asked) <= reader._MOST_TOLD + 2
    assert told[-1].severity == "error" and "其余的没有再查" in told[-1].problem
    few = [one] * reader._MOST_TOLD
    assert list(reader._bounded(iter(few))) == few


def test_very_many_errors_are_fewer_than_very_many_problems() -> None:
    one, asked = Problem("error", "homes", "a.csv", "1", "x", "y", "z"), count()
    told = list(reader._bounded(one for _ in asked))
    assert len(told) == reader._MOST_ERRORS + 1 < reader._MOST_TOLD and "其余的没有再查" in told[-1].problem

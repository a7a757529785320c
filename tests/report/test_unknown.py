"""What is not known: no output says `nan`, and none says 0 of people whom nobody counted; the toy district without some of its columns."""

from __future__ import annotations

import io
import json
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from clock import seeds
from oracle import districts

import xinhe_geo as xh
from xinhe_geo.access.effects import effects
from xinhe_geo.app.cli import main
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.report.story.change import with_net

TOY = Path(__file__).parents[1] / "toy"
#: Columns of homes that a folder may lack.
MISSING = [("people_60plus",), ("people",), ("people", "people_60plus", "households")]
PLAN = """label = "移一处"

[[edit]]
do = "open_facility"
facility = "new"
kind = "clinic_station"
name = "新站"
at = [{lon}, {lat}]
"""


def without(folder: Path, columns: tuple[str, ...]) -> Path:
    """Return a copy of the toy district whose homes lack some columns."""
    shutil.copytree(TOY, folder)
    path = folder / "homes/homes.geojson"
    homes = json.loads(path.read_text("utf-8"))
    for feature in homes["features"]:
        for column in columns:
            feature["properties"].pop(column, None)
    path.write_text(json.dumps(homes, ensure_ascii=False), "utf-8")
    return folder


def texts_of(name: str, raw: bytes) -> list[str]:
    """Return what a file says: of pages and pictures without the scripts, of office files their parts."""
    if name.endswith((".xlsx", ".docx", ".pptx")):
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            return [
                text for part in parts.namelist() if part.endswith(".xml") for text in texts_of(part, parts.read(part))
            ]
    if not name.endswith((".html", ".svg", ".csv", ".json", ".toml", ".xml", ".md", ".txt")):
        return []
    text = raw.decode("utf-8")
    return [re.sub(r"<script(?![^>]*json)[^>]*>.*?</script>", "", text, flags=re.DOTALL)]


def degraded(folder: Path, seed: int) -> Path:
    """Write a random district with gates, lanes and stairs, of which columns are missing and cells are blank, as far as nobody must fill them."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    districts.write(folder, seed)
    for name, layer in tomllib.loads((folder / "district.toml").read_text("utf-8"))["layers"].items():
        path = folder / layer["file"]
        if path.suffix != ".geojson":
            continue
        found = json.loads(path.read_text("utf-8"))
        for column in LAYERS[name].names.values():
            kept = 1.0 if column.required or column.name == LAYERS[name].key else rng.choice([0.0, 0.5, 1.0])
            for feature in found["features"]:
                if kept == 0.0:
                    feature["properties"].pop(column.name, None)
                elif column.name in feature["properties"] and rng.random() > kept:
                    feature["properties"][column.name] = None
        path.write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    return folder


def all_that_is_said(
    folder: Path, out: Path, lang: str, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[str, str]]:
    """Yield what a report, a comparison, sites and links say of a folder with a plan: in which file, and the text."""
    home = xh.District.load(folder).homes
    assert home is not None
    spot = home.to_crs("EPSG:4326").geometry.iloc[0].centroid
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / "scenarios/moved.toml").write_text(PLAN.format(lon=spot.x, lat=spot.y), "utf-8")
    assert main(["report", str(folder), "--out", str(out), "--lang", lang]) == 0
    main(["plans", str(folder), "--out", str(out)])
    main(["compare", "moved", "--for", str(folder), "--out", str(out / "compare")])
    for kind in ("clinic_station", "canteen"):
        main(["sites", kind, "--for", str(folder), "--out", str(out / "sites"), "--csv", str(out / f"{kind}.csv")])
    main(["links", "plan_clinic_15", "--for", str(folder), "--out", str(out / "links"), "--gaps", "--pairs"])
    main(["rules", "run", "plan", str(folder)])
    printed = capsys.readouterr()
    yield "the terminal", printed.out + printed.err
    for path in sorted(out.rglob("*")):
        for text in texts_of(path.name, path.read_bytes()) if path.is_file() else ():
            yield str(path.relative_to(out)), text


def never_said(said: Iterable[tuple[str, str]], patterns: list[str]) -> None:
    found = [
        (name, text[max(match.start() - 80, 0) : match.end() + 40])
        for name, text in said
        for pattern in patterns
        if (match := re.search(pattern, text, flags=re.IGNORECASE))
    ]
    assert not found


NAN = r"(?<![A-Za-z_])nan(?![A-Za-z_])"


@pytest.mark.slow
@pytest.mark.one_in(12)
@pytest.mark.parametrize("columns", MISSING, ids="+".join)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_output_says_nan_or_0_of_whom_nobody_counted(
    columns: tuple[str, ...], lang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = all_that_is_said(without(tmp_path / "toy", columns), tmp_path / "out", lang, capsys)
    nobody = [r"60\s*岁(?:及以上|以上)?(?:人口)?\s*0 人", r"60\+ 0\b", r"\b0 老人"]
    never_said(said, [NAN, *(nobody if "people_60plus" in columns else [])])


@pytest.mark.parametrize("seed", seeds(0, 0, 8))
def test_nor_does_any_of_a_district_with_holes_in_its_tables(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = degraded(tmp_path / "holes", seed)
    never_said(all_that_is_said(folder, tmp_path / "out", ("zh", "en")[seed % 2], capsys), [NAN])


@pytest.mark.slow
@pytest.mark.matrix
def test_a_gain_of_whom_nobody_counted_is_missing(tmp_path: Path) -> None:
    """Of how many of them are old nobody knows, whoever loses; of how many people, where nothing moves, it is 0 for certain."""
    toy = xh.District.load(TOY)
    bare = xh.District.load(without(tmp_path / "toy", ("people_60plus",)))
    assert toy.facilities is not None
    clinic = str(toy.facilities.index[(toy.facilities["kind"] == "clinic_station").to_numpy()][0])
    close = Scenario("p", edits=(Edit("close_facility", {"facility": clinic}),))
    table = effects(bare, close.on(bare))
    lost = table["people_lose"] > 0
    assert lost.any() and not lost.all()
    assert table["people_60plus_lose"].isna().all() and (table.loc[~lost, "people_lose"] == 0).all()
    older = lost & (table["net_of"] == "people_60plus")
    assert table.loc[older, "net"].isna().all() and set(with_net(table).loc[older, "net_text"]) == {"数据不足"}


@pytest.mark.slow
def test_the_net_gain_is_counted_in_what_the_rule_counts() -> None:
    """By hand from the homes: gains less losses, of the people, the old, the land or the communities that a rule asks about."""
    toy = xh.District.load(TOY)
    assert toy.facilities is not None and toy.communities is not None
    own = toy.facilities[toy.facilities["kind"].isin(["clinic_station", "canteen", "elderly_daycare"]).to_numpy()]
    plan = Scenario("p", edits=tuple(Edit("close_facility", {"facility": str(i)}) for i in own.index))
    before, after = xh.coverage(toy), xh.coverage(plan.on(toy))
    table = effects(toy, plan.on(toy))
    for name, row in table.iterrows():
        a, b = (cover.xs(name, level="rule") for cover in (before, after))
        moved = (b["served"] - a["served"]).fillna(0.0)
        communities = (row["after"] - row["before"]) * len(toy.communities)
        expected = communities if row["net_of"] == "community" else float((moved * a[row["net_of"]]).sum())
        if row["bound"] == "exact" and np.isfinite(row["change"]):
            assert row["net"] == pytest.approx(expected), name
    assert {"people", "people_60plus", "community"} <= set(table.loc[table["net"] < 0, "net_of"])
    assert with_net(table).loc["plan_elderly_canteen_15", "net_text"].endswith(" 老人")

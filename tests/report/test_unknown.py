"""What is not known: no output says `nan`, and none says 0 of people whom nobody counted; the toy district without some of its columns."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import xinhe_geo as xh
from xinhe_geo.access.effects import effects
from xinhe_geo.app.cli import main
from xinhe_geo.core.models import Edit
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
    """Return a copy of the toy district whose homes lack some columns, with a plan."""
    shutil.copytree(TOY, folder)
    path = folder / "homes/homes.geojson"
    homes = json.loads(path.read_text("utf-8"))
    for feature in homes["features"]:
        for column in columns:
            feature["properties"].pop(column, None)
    path.write_text(json.dumps(homes, ensure_ascii=False), "utf-8")
    home = xh.District.load(folder).homes
    assert home is not None
    spot = home.to_crs("EPSG:4326").geometry.iloc[0].centroid
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / "scenarios/moved.toml").write_text(PLAN.format(lon=spot.x, lat=spot.y), "utf-8")
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


@pytest.mark.slow
@pytest.mark.parametrize("columns", MISSING, ids="+".join)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_output_says_nan_or_0_of_whom_nobody_counted(
    columns: tuple[str, ...], lang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = without(tmp_path / "toy", columns), tmp_path / "out"
    assert main(["report", str(folder), "--out", str(out), "--lang", lang]) == 0
    main(["plans", str(folder), "--out", str(out)])
    main(["compare", "moved", "--for", str(folder), "--out", str(out / "compare")])
    for kind in ("clinic_station", "canteen"):
        main(["sites", kind, "--for", str(folder), "--out", str(out / "sites"), "--csv", str(out / f"{kind}.csv")])
    main(["links", "plan_clinic_15", "--for", str(folder), "--out", str(out / "links"), "--gaps", "--pairs"])
    main(["rules", "run", "plan", str(folder)])
    printed = capsys.readouterr()
    said = {"the terminal": [printed.out + printed.err]}
    said |= {str(p.relative_to(out)): texts_of(p.name, p.read_bytes()) for p in sorted(out.rglob("*")) if p.is_file()}
    nobody = (
        [r"60\s*岁(?:及以上|以上)?(?:人口)?\s*0 人", r"60\+ 0\b", r"\b0 老人"] if "people_60plus" in columns else []
    )
    for name, texts in said.items():
        for text in texts:
            for pattern in [r"(?<![A-Za-z_])nan(?![A-Za-z_])", *nobody]:
                found = re.search(pattern, text, flags=re.IGNORECASE)
                assert found is None, (name, text[max(found.start() - 80, 0) : found.end() + 40])


@pytest.mark.slow
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

"""What is written about renewal stays in the house: no paper that goes to others has a word of parcels, plans, projects or money."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_secret_district import unpacked

from xinhe_geo.app.cli import DONE, main

sys.path.append(str(Path(__file__).parents[1] / "renewal"))
folder_of = importlib.import_module("test_parcels").folder_of

#: What stands in the tables of renewal and in a plan, and nowhere else; the name of the parcel first.
WORDS = ("QzName", "QzId", "QzUse", "QzPromise", "QzWho", "QzPlan", "QzNote", "QzProject", "QzFund")
WORDS = (*WORDS, *(f"{n:{form}}" for n in (987654, 976543, 976544, 965432) for form in ("", ",")), "2019-07")
#: What is typed; papers have nothing of it, data and drawings of the house the outline and name of a parcel (a drawing also its id).
PAPERS = {
    "survey": "survey {d} --out {o}",
    "sheet": "sheet overview {d} --size A4 --out {o}/a.pdf",
    "seal": "seal {d}",
    "template": "template --for {d} --out {o}/t.xlsx",
    "notebooks": "notebooks {o}/notebooks",
    "word": "word {d} --out {o}/a.docx",
    "slides": "slides {d} --out {o}/a.pptx",
    "atlas": "atlas {d} --size A4 --out {o}",
}
DATA = {"gpkg": "gpkg {d} --out {o}/a.gpkg", "dxf": "dxf {d} --out {o}/a.dxf"}
SLOWEST = ("word", "slides", "atlas")


def renewed(to: Path) -> Path:
    """Return the toy with a parcel, its ledger, stages and promises, a plan, a project and a budget, each with words of its own."""
    facts = "QzId,,ownership,,国有,,\nQzId,,use_now,,QzUse,,\nQzId,2022,cost_services,,987654,,"
    folder: Path = folder_of(to, facts, "QzId,state_scope,2019-07,", "QzId,,QzPromise,park,,,QzWho\n")
    outline = folder / "boundaries/parcels.geojson"
    outline.write_text(
        outline.read_text("utf-8").replace("一号地", "QzName").replace('"parcel": "p"', '"parcel": "QzId"'), "utf-8"
    )
    plan = 'label = "QzPlan"\nnote = "QzNote"\n[[edit]]\ndo = "change_use"\nparcel = "QzId"\nuse = "QzUse"\n'
    (folder / "scenarios").mkdir()
    (folder / "scenarios/plan.toml").write_text(plan, "utf-8")
    project = (
        "project,name,level,edits,cost_low,cost_high,funds,earliest\nP1,QzProject,block,plan,976543,976544,QzFund,2026"
    )
    (folder / "renewal/projects.csv").write_text(f"{project}\n", "utf-8")
    (folder / "renewal/budgets.csv").write_text("fund,year,amount,state\nQzFund,2026,965432,已落实\n", "utf-8")
    manifest = folder / "district.toml"
    tables = "".join(f'[layers.{name}]\nfile = "renewal/{name}.csv"\n' for name in ("projects", "budgets"))
    manifest.write_text(manifest.read_text("utf-8") + tables, "utf-8")
    return folder


def said_in(folder: Path) -> Iterator[bytes]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield from unpacked(path.read_bytes())
        if path.suffix == ".pdf":
            yield subprocess.run(["pdftotext", str(path), "-"], check=True, capture_output=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=pytest.mark.matrix)])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.matrix) if n in SLOWEST else n for n in [*PAPERS, *DATA]]
)
def test_nothing_of_renewal_is_in_what_is_handed_on(
    tmp_path: Path, name: str, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = renewed(tmp_path), tmp_path / "out"
    out.mkdir()
    typed = (PAPERS | DATA)[name].format(d=folder, o=out).split()
    spoken = [] if name == "seal" else ["--lang", lang]
    assert main([*typed, *spoken]) == DONE, capsys.readouterr()
    if name == "seal":
        (folder / "seal.json").rename(out / "seal.json")
    parts = list(said_in(out))
    assert parts
    found = {word for word in WORDS for part in parts if word.encode() in part}
    assert found == ({"QzName", "QzId"} & found if name in DATA else set())
    assert name not in DATA or "QzName" in found, "the search would find it"

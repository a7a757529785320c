"""The whole path on real cities: extract -> folder -> report. Skipped where the extracts are not at hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.app.batch import batch
from xinhe_geo.app.cli import main
from xinhe_geo.core.schema import bundled_folder

ROOT = Path(__file__).parents[2]
PLACES = ROOT / "../shared/places"


def extract(name: str) -> Path:
    path = PLACES / name
    if not path.is_file():
        pytest.skip(f"needs {name}, which is not part of the project")
    return path


@pytest.mark.slow
@pytest.mark.matrix
def test_sao_paulo_with_its_people(tmp_path: Path) -> None:
    table = extract("saopaulo_hexgrid.csv")
    folder, out = tmp_path / "são paulo", tmp_path / "out"
    assert main(["import", str(extract("saopaulo.osm.pbf")), "--homes", str(table), "--out", str(folder)]) == 0
    assert main(["report", str(folder), "--out", str(out)]) == 0
    district = xh.District.load(folder)
    assert district.homes["people"].sum() == pd.read_csv(table)["population"].sum()
    total = xh.summary(xh.coverage(district, rules=["plan_bus_stop"])).iloc[0]
    assert total["people"] == pd.read_csv(table)["population"].sum()
    assert 0 < total["people_share"] < 1
    text = (out / "index.html").read_text("utf-8")
    assert "缺社区界" in text and "演示值" not in text
    assert "不是本街道自己规划提出的目标" in text and not (out / "ledger.html").exists()


@pytest.mark.slow
def test_helsinki_without_people(tmp_path: Path) -> None:
    folder = tmp_path / "helsinki"
    assert main(["import", str(extract("helsinki.osm.pbf")), "--out", str(folder)]) == 0
    district = xh.District.load(folder)
    cover = xh.coverage(district)
    total = xh.summary(cover).loc["plan_clinic_15"]
    assert pd.isna(total["people"]) and pd.isna(total["people_share"])
    lead = xh.headlines(district, cover)
    assert "居住用地" in lead.loc["plan_clinic_15", "headline"]  # what stands in for unknown people
    assert lead.loc["plan_canteen_community", "mark"] == "数据不足"
    both = cover.dropna(subset=["metres", "straight_metres"])
    assert (both["straight_metres"] <= both["metres"] + 1e-6).all()


@pytest.mark.matrix
def test_one_worker_two_workers_and_a_cluster_give_the_same_bytes(tmp_path: Path, scheduler: str) -> None:
    """About a minute of processor time: three districts three times, tables only."""
    folders = [bundled_folder()]
    for name, more in (("saopaulo", ["--homes", str(extract("saopaulo_hexgrid.csv"))]), ("helsinki", [])):
        folders.append(tmp_path / name)
        assert main(["import", str(extract(f"{name}.osm.pbf")), *more, "--out", str(folders[-1])]) == 0
    one = batch(folders, tmp_path / "one", workers=1, only="tables")
    two = batch(folders, tmp_path / "two", workers=2, only="tables")
    far = batch(folders, tmp_path / "far", scheduler=scheduler, only="tables")
    for table in (one, two, far):
        assert list(table["status"]) == ["done"] * 3
    files = files_of(tmp_path / "one")
    ours = [name for name in files if not name.endswith(".xinhe.json")]  # what a folder notes of itself
    assert len(ours) == 16  # three of each and their record; the comparison
    assert files_of(tmp_path / "two") == files and files_of(tmp_path / "far") == files


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

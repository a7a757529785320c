"""The whole path on real cities: extract -> folder -> report. Skipped where the extracts are not at hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.cli import main

PLACES = Path(__file__).parents[1] / "../shared/places"


def extract(name: str) -> Path:
    path = PLACES / name
    if not path.is_file():
        pytest.skip(f"needs {name}, which is not part of the project")
    return path


@pytest.mark.slow
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
    assert "不是本街道自己的规划承诺" in text and not (out / "ledger.html").exists()


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

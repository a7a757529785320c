"""A district written as an extract comes back by the import: streets, homes, and what the map has tags for."""

from __future__ import annotations

from pathlib import Path

import pytest

import xinhe_geo as xh
from xinhe_geo.io import import_osm, sample_extract

TOY = Path(__file__).parents[1] / "toy"


@pytest.mark.slow
def test_out_and_in_again(tmp_path: Path) -> None:
    toy = xh.District.load(TOY)
    file = sample_extract(toy, tmp_path / "a.osm")
    assert file.read_bytes() == sample_extract(toy, tmp_path / "b.osm").read_bytes()
    import_osm(file, tmp_path / "back", name="玩具")
    back = xh.District.load(tmp_path / "back")
    walked = [round(d.network.edges.query("home.isna()")["length_m"].sum(), -1) for d in (toy, back)]
    assert walked[0] == pytest.approx(walked[1], rel=0.005)
    assert sorted(back.homes["name"]) == sorted(toy.homes["name"]) and back.homes["people"].isna().all()
    known = toy.open_facilities[["name", "kind"]].itertuples(index=False)
    kept = set(back.open_facilities["kind"])
    assert {"clinic_station", "canteen", "fitness"} <= kept <= {kind for _, kind in known}

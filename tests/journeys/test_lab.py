"""The notebooks in JupyterLab, in a real browser, without a network: run, dragged, saved, and opened again by others."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_notebooks import NOTEBOOKS, NUMBERS, TOY, jupyter_environment, notebook


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Return the address of a JupyterLab on a copy of the notebooks; it and its kernels reach this computer only."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("JupyterLab is not installed (extra: lab)")
    home = tmp_path / "clone"
    (home / "notebooks").mkdir(parents=True)
    for path in NOTEBOOKS:
        (home / "notebooks" / path.name).write_bytes(path.read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={home}",
        "--allow-root",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    log = (tmp_path / "lab.log").open("wb")
    server = subprocess.Popen(command, env=jupyter_environment(tmp_path / "jupyter"), stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{address}/api/status", timeout=5).close()
                break
            assert server.poll() is None, (tmp_path / "lab.log").read_text("utf-8")
            time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(120)
        log.close()


def run_all(page: Any, address: str, number: str) -> None:
    """Open a notebook in JupyterLab and run all cells, without waiting for them."""
    page.goto(f"{address}/lab/tree/notebooks/{notebook(number).name}?reset", wait_until="domcontentloaded")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=120_000)
    # what is asked of a kernel that is still starting is dropped
    page.get_by_text("| Idle").wait_for(timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def see_a_map(page: Any) -> None:
    """Wait for the first map of a running notebook to be drawn."""
    drawn = page.locator(".jp-OutputArea-output iframe[srcdoc]").first
    drawn.wait_for(state="attached", timeout=240_000)
    drawn.scroll_into_view_if_needed()
    sheet = page.frame_locator(".jp-OutputArea-output iframe[srcdoc]").first
    sheet.locator(".folium-map canvas, .folium-map svg path").first.wait_for(timeout=240_000)
    assert not page.locator(".jp-RenderedText[data-mime-type*='stderr']").count()


def drag_a_facility(page: Any) -> tuple[str, str]:
    """Drag the first facility of the live map; return the headline before and after."""
    for _ in range(600):  # cells far down are put into the page when they come near
        if page.locator(".xl[data-answers]").count():
            break
        page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop += 900")
        page.wait_for_timeout(200)
    live = page.locator(".xl[data-answers]")
    live.wait_for(timeout=240_000)
    live.locator(".xl-tall button").first.click()
    page.wait_for_function("document.querySelector('.xl').dataset.chosen")
    live.locator(".xl-stage").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    before = live.locator(".xl-big").inner_text()
    answers = int(live.get_attribute("data-answers"))
    x, y = (float(v) for v in live.get_attribute("data-chosen").split(","))
    box = live.locator(".xm-top").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    for step in range(1, 21):
        page.mouse.move(box["x"] + x - 9 * step, box["y"] + y - 6 * step)
        page.wait_for_timeout(40)
    assert int(live.get_attribute("data-answers")) >= answers + 2, "nothing was answered while dragging"
    page.mouse.up()
    live.get_by_text("移动").first.wait_for(timeout=120_000)
    return before, live.locator(".xl-big").inner_text()


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.browser
def test_maps_and_the_live_map_in_jupyterlab_without_a_network(lab: str, chromium: Any, tmp_path: Path) -> None:
    context = chromium.new_context(viewport={"width": 1500, "height": 1000})
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    pages = {number: context.new_page() for number in ("02", "03", "05")}
    try:
        for number, page in pages.items():  # the second computes while the first is looked at
            run_all(page, lab, number)
        for number, page in pages.items():
            page.bring_to_front()
            see_a_map(page)
            # a click on a heading sorts, in a notebook that nobody has called trusted
            heading = page.locator("table[onclick] thead th").first
            heading.click()
            assert heading.get_attribute("aria-sort") == "ascending"
            if number != "03":
                before, after = drag_a_facility(page)
                assert before.endswith("%") and after.endswith("%") and before != after
            if number == "05":  # what the hand did has reached Python: the next cell, run again, counts it
                page.locator(".jp-Notebook .jp-CodeCell").last.locator(".cm-content").click()
                page.keyboard.press("Shift+Enter")
                page.get_by_text("其中活地图上改了 1 步").wait_for(timeout=240_000)
            assert not page.locator(".jp-OutputArea-output:has-text('Error displaying widget')").count()
        outside = [
            url for url in asked if not url.startswith((lab, "data:", "blob:", "about:", lab.replace("http", "ws")))
        ]
        assert not outside
    finally:
        page.screenshot(path=str(tmp_path / "lab.png"))
        context.close()
    assert (tmp_path / "clone" / "output" / "notebooks").is_dir()


#: One map and one live map, of the district of five homes.
SMALL = [
    "import xinhe_geo as xh\n\ndistrict = xh.District.load(TOY)",
    "xh.draw(district)",
    "xh.live(district, minutes=10)",
]


def pictures_of(page: Any, address: str, name: str) -> list[bool]:
    """Open a notebook that was saved; return which of its two cells with maps show a picture or a map, and no word of an error."""
    page.goto(f"{address}/lab/tree/notebooks/{name}?reset", wait_until="domcontentloaded")
    page.locator(".jp-Notebook .jp-Cell").nth(2).wait_for(timeout=120_000)
    page.wait_for_timeout(3000)
    seen = page.evaluate(
        """() => [...document.querySelectorAll(".jp-CodeCell")].slice(1).map(cell =>
            [...cell.querySelectorAll("img")].some(i => i.naturalWidth > 300 && i.getClientRects().length)
            || [...cell.querySelectorAll("iframe, .xl canvas")].some(e => e.getClientRects().length))"""
    )
    assert "Error displaying widget" not in page.locator(".jp-Notebook").inner_text()
    return [bool(value) for value in seen]


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.browser
@pytest.mark.skipif(importlib.util.find_spec("resvg_py") is None, reason="resvg is not installed (extra: lab)")
def test_a_saved_notebook_shows_its_maps_trusted_or_not_and_without_a_kernel(
    lab: str, chromium: Any, tmp_path: Path
) -> None:
    import nbformat

    home = tmp_path / "clone" / "notebooks"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text.replace("TOY", repr(TOY))) for text in SMALL])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(book, home / "small.ipynb")
    context = chromium.new_context(viewport={"width": 1300, "height": 2400})
    page = context.new_page()
    try:
        page.goto(f"{lab}/lab/tree/notebooks/small.ipynb?reset", wait_until="domcontentloaded")
        page.get_by_text("| Idle").wait_for(timeout=120_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.locator(".xl[data-answers]").wait_for(timeout=120_000)
        still = page.locator(".xl-still")
        assert still.count() == 1 and not still.is_visible(), "alive: the picture is hidden"
        page.keyboard.press("Control+s")
        for _ in range(60):
            with contextlib.suppress(ValueError):  # it is just being written
                saved = json.loads((home / "small.ipynb").read_text("utf-8"))
                if len(saved["cells"][2]["outputs"]) >= 2:
                    break
            page.wait_for_timeout(500)
        assert (home / "small.ipynb").stat().st_size < 1_000_000
        assert "image/png" in saved["cells"][1]["outputs"][0]["data"]
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_text("Shut Down All Kernels", exact=False).click()
        page.get_by_role("button", name="Shut Down All").click()
        assert pictures_of(page, lab, "small.ipynb") == [True, True], "trusted, no kernel"
        saved["metadata"]["other"] = "somebody else's file"
        nbformat.write(nbformat.from_dict(saved), home / "theirs.ipynb")
        assert pictures_of(page, lab, "theirs.ipynb") == [True, True], "not trusted"
        assert "信任笔记本" in page.locator(".jp-Notebook").inner_text()
    finally:
        page.screenshot(path=str(tmp_path / "saved.png"))
        context.close()


# --- every notebook, sent to somebody --------------------------------------------------------------------------------

needs_resvg = pytest.mark.skipif(
    importlib.util.find_spec("resvg_py") is None, reason="resvg is not installed (extra: lab)"
)
#: Every cell stays in the page, so that each can be looked at.
WHOLE = ("@jupyterlab/notebook-extension/tracker.jupyterlab-settings", '{"windowingMode": "none"}')
#: What a map is seen as: the page in its frame, the live map, or its picture.
SEEN_AS = {"frame": "iframe[srcdoc]", "live": ".xl .xl-stage", "picture": "img"}
#: What JupyterLab says where something cannot be shown.
COMPLAINTS = ("Error displaying widget", "model not found", "Traceback", "Javascript Error")
#: What anywidget says where a live map took more than two seconds to start, and then goes on: a busy machine is no error.
SLOW = "Failed to initialize model"
#: Signs a file, as its reader does who trusts it.
TRUST = "from nbformat.sign import TrustNotebookApp as app; app.launch_instance()"


class Seen(NamedTuple):
    """A map in a cell: which cell, what it is seen as, and what its picture shows."""

    cell: int
    how: str
    colours: int
    bare: float

    @property
    def drawn(self) -> bool:
        """Whether it is more than one ground and some words."""
        return self.colours >= 12 and self.bare < 0.98


def maps_in(book: dict[str, Any]) -> list[int]:
    """Return which cells of a notebook that was run show a map."""
    found = []
    for number, cell in enumerate(book["cells"]):
        shown = json.dumps([output.get("data", {}) for output in cell.get("outputs", [])])
        if "srcdoc=" in shown or "widget-view" in shown:
            found.append(number)
    return found


def look_at(page: Any, number: int) -> Seen:
    """Return what the map of a cell is seen as; waits until it is drawn."""
    from PIL import Image

    cell = page.locator(".jp-Notebook .jp-Cell").nth(number)
    seen = Seen(number, "nothing", 0, 1.0)
    for _ in range(60):
        for how, selector in SEEN_AS.items():
            for element in cell.locator(selector).all():
                box = element.bounding_box()
                if box is None or box["width"] < 300:
                    continue
                element.scroll_into_view_if_needed()
                picture = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
                counted = [count for count, _ in picture.getcolors(1 << 24)]
                seen = Seen(number, how, len(counted), max(counted) / sum(counted))
                if seen.drawn:
                    return seen
        page.wait_for_timeout(500)
    return seen


def opened(page: Any, address: str, name: str, cells: list[int]) -> list[Seen]:
    """Open a notebook that was saved, with a new kernel or ("alone") none; return how each of its maps is seen."""
    page.goto(f"{address}/lab/tree/notebooks/{name}?reset", wait_until="domcontentloaded")
    page.locator(".jp-Notebook .jp-Cell").nth(cells[-1]).wait_for(timeout=120_000)
    if "alone" in name:
        page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click(timeout=60_000)
    seen = [look_at(page, cell) for cell in cells]
    assert "alone" not in name or page.get_by_text("No Kernel").count()
    said = page.locator(".jp-Notebook").inner_text()
    assert not [word for word in COMPLAINTS if word in said]
    return seen


def run_and_save(page: Any, address: str, number: str, file: Path) -> dict[str, Any]:
    """Run a notebook to its end, save it, and return what was saved."""
    run_all(page, address, number)
    for _ in range(600):
        page.wait_for_timeout(2000)
        page.keyboard.press("Control+s")
        with contextlib.suppress(ValueError):  # it is just being written
            book: dict[str, Any] = json.loads(file.read_text("utf-8"))
            code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
            outputs = [output for cell in code for output in cell["outputs"]]
            bad = [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
            assert not bad, bad
            if all(cell["execution_count"] for cell in code) and page.get_by_text("| Idle").count():
                return book
    raise AssertionError("it does not come to an end")


@pytest.mark.matrix
@pytest.mark.browser
@needs_resvg
@pytest.mark.parametrize("number", NUMBERS)
def test_every_map_is_seen_by_whoever_the_notebook_is_sent_to(
    number: str, lab: str, chromium: Any, tmp_path: Path
) -> None:
    """Run, saved, and opened again: trusted and not, with a kernel that knows nothing of it, and without any."""
    environment = jupyter_environment(tmp_path / "jupyter")
    settings = Path(environment["JUPYTERLAB_SETTINGS_DIR"]) / WHOLE[0]
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(WHOLE[1], "utf-8")
    file = tmp_path / "clone" / "notebooks" / notebook(number).name
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    asked: list[str] = []
    failed: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    try:
        saved = run_and_save(page, lab, number, file)
        cells = maps_in(saved)
        assert cells
        seen = {"运行中": [look_at(page, cell) for cell in cells]}
        page.keyboard.press("Control+s")
        page.wait_for_timeout(2000)
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_text("Shut Down All Kernels", exact=False).click()
        page.get_by_role("button", name="Shut Down All").click()
        page.wait_for_timeout(1000)
        seen["信任"] = opened(page, lab, file.name, cells)

        saved = json.loads(file.read_text("utf-8"))
        for name in ("theirs", "theirs-alone", "mine-alone"):
            saved["metadata"]["sent"] = name  # another file than the one that was saved here: nobody trusts it yet
            if "alone" in name:  # a computer without this kernel, or any like it
                saved["metadata"] = {"sent": name, "kernelspec": {"name": "gone", "display_name": "gone"}}
            file.with_name(f"{name}.ipynb").write_text(json.dumps(saved, ensure_ascii=False), "utf-8")
        trusted = [sys.executable, "-c", TRUST, str(file.with_name("mine-alone.ipynb"))]
        subprocess.run(trusted, env=environment, check=True, capture_output=True)
        seen["未信任"] = opened(page, lab, "theirs.ipynb", cells)
        seen["信任，没有内核"] = opened(page, lab, "mine-alone.ipynb", cells)
        seen["未信任，没有内核"] = opened(page, lab, "theirs-alone.ipynb", cells)
    finally:
        page.screenshot(path=str(tmp_path / "lab.png"))
        context.close()
    size = file.stat().st_size
    counts = " | ".join(f"{sum(one.drawn for one in own)}" for own in seen.values())
    print(f"\n| {number} | {len(cells)} | {counts} | {size / 1000:,.0f} |")
    assert all(one.drawn for own in seen.values() for one in own), seen
    assert {one.how for one in seen["运行中"]} <= {"frame", "live"}, seen
    assert {one.how for name in ("未信任", "未信任，没有内核") for one in seen[name]} == {"picture"}, seen
    assert size < 1_000_000
    assert not [error for error in failed if SLOW not in error]
    assert all(url.startswith((lab, "data:", "blob:", "about:", lab.replace("http", "ws"))) for url in asked)

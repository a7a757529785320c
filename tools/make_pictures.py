"""
Make the pictures of the README and the tutorial from the bundled district.

    python tools/make_pictures.py

Needs the `dev` and `lab` extras and a Chromium on the PATH; writes `docs/images/*.png`, 256 colours each. No network.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo.siting.sites import sites_plan

IMAGES = Path(__file__).parent.parent / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def shoot(browser: Browser, page: Path, image: Path, width: int, height: int) -> None:
    """Save what the first screen of a page shows."""
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_timeout(1500)
    tab.screenshot(path=image)
    context.close()


def shoot_live(browser: Browser, image: Path, width: int, height: int) -> None:
    """Save the live map as `python run.py app` shows it, with one facility chosen and moved."""
    web = IMAGES.parent.parent / "xinhe_geo" / "app" / "web"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "voila", str(web / "app.ipynb"), "--Voila.ip=127.0.0.1", f"--port={port}"]
    command += ["--no-browser", "--VoilaConfiguration.template=xinhe", "--VoilaConfiguration.theme=light"]
    path = os.pathsep.join(filter(None, [str(web), os.environ.get("JUPYTER_PATH")]))
    with subprocess.Popen(command, env={**os.environ, "JUPYTER_PATH": path}) as server:
        try:
            for _ in range(120):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.5)
            tab = browser.new_page(viewport={"width": width, "height": height})
            tab.goto(f"http://127.0.0.1:{port}/", wait_until="commit", timeout=120_000)
            tab.locator(".xl[data-answers]").wait_for(timeout=120_000)
            tab.locator(".xl-tall button").first.click()
            tab.locator(".xm-top").focus()
            for _ in range(8):
                tab.keyboard.press("Shift+ArrowRight")
                tab.wait_for_timeout(300)
            tab.locator(".xl-side").evaluate("side => { side.scrollTop = 0; }")
            tab.wait_for_timeout(1500)
            tab.screenshot(path=image)
            tab.close()
        finally:
            server.terminate()  # or leaving the block would wait for ever


def draw_maps(district: xh.District, folder: Path, kind: str, plan: str) -> None:
    """Save the maps of the tutorial that no report holds: rings, a plan's gains, best sites."""
    place = district.open_facilities.query("kind == @kind").sort_index().iloc[:1]
    rings = xh.isochrones(district, place.geometry, minutes=(5, 10, 15), profile="elderly")
    west, south, east, north = rings.to_crs("EPSG:4326").total_bounds
    rings_map = xh.draw(district, rings=rings, title=place["name"].iloc[0])
    rings_map.fit_bounds([[south, west], [north, east]])
    rings_map.save(folder / "isochrones.html")
    scenario = district.scenario(plan)
    states = maps.Comparison(district.at(scenario.year or district.year), scenario.on(district))
    maps.difference(states, kind).save(folder / "difference.html")
    best = xh.sites(district, kind, 2)
    tags = dict(zip(best.index.astype(str), best["tag"], strict=True))
    gains = maps.difference(maps.Comparison(district, sites_plan(best).on(district)), best["rule"].iloc[0], tags=tags)
    gains.save(folder / "sites.html")


def fewer_colours(image: Path) -> None:
    """Store a picture with 256 colours: a third of the size, and nothing to see of it."""
    with Image.open(image) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(image, optimize=True)


def main() -> None:
    """Report into a temporary folder and photograph it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    district = xh.District.load()
    with tempfile.TemporaryDirectory() as where:
        output = Path(where) / "output"
        xh.brief(district, output)
        draw_maps(district, output, "clinic_station", "two-stations")
        first, *_ = xh.sheet(district, "plan_clinic_15", Path(where) / "sheet.png", size="A4")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=ARGUMENTS
            )
            shoot(browser, output / "index.html", IMAGES / "brief.png", 1280, 1180)
            shoot(browser, output / "maps" / "plan_clinic_15.html", IMAGES / "clinic.png", 1366, 768)
            for name in ("isochrones", "difference", "sites"):
                shoot(browser, output / f"{name}.html", IMAGES / f"{name}.png", 1200, 720)
            shoot_live(browser, IMAGES / "live.png", 1300, 920)
            browser.close()
        with Image.open(first) as page:
            page.resize((1200, round(1200 * page.height / page.width))).save(IMAGES / "sheet.png")
    for image in sorted(IMAGES.glob("*.png")):
        fewer_colours(image)


if __name__ == "__main__":
    main()

"""
Make the pictures of the README and the tutorial from the bundled district.

    python tools/make_pictures.py

Needs the `dev` and `lab` extras and a Chromium on the PATH; writes `docs/images/*.png`, 256 colours each, and `lanes.svg` (alone, without a
browser: `python tools/make_pictures.py lanes`; the pictures of an office's own files alone: `… office`). No network.
"""

from __future__ import annotations

import html
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import shapely
from PIL import Image

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo.siting.sites import sites_plan

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


def lanes() -> str:
    """Draw who walks along the lane of a home, from the doors and the reach that the library finds, as SVG."""
    lines = {
        "ring": [(0, 0), (240, 0), (240, 120), (0, 120), (0, 0)],
        "lane": [(60, 0), (60, 70), (150, 70), (150, 120)],
    }
    shapes = gpd.GeoSeries({name: shapely.LineString(xy) for name, xy in lines.items()}, crs="EPSG:32650")
    net = xh.WalkNetwork.from_streets(
        gpd.GeoDataFrame({"home": [None, "h"]}, index=shapes.index, geometry=_joined(shapes), crs=shapes.crs)
    )
    home = gpd.GeoSeries({"p": shapely.Point(105, 50)}, crs=net.crs)
    living = pd.Series("h", index=home.index)
    doors = net.stand(home, home=living)
    ends = gpd.GeoSeries(gpd.points_from_xy(doors["x"], doors["y"]), index=["M1", "M2"], crs=net.crs)
    stranger = net.metres(ends[:1], ends[1:])["metres"].iloc[0]
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-20 -30 320 190" width="640" height="380" font-family="sans-serif" font-size="9">',
        "<title>A lane of a home: residents walk along it to either mouth, strangers go round</title>",
        '<rect x="12" y="12" width="216" height="96" fill="#f3efe6"/>',
    ]
    for name, colour, dash in (("ring", "#7f8c8d", ""), ("lane", "#b9770e", ' stroke-dasharray="4 3"')):
        points = " ".join(f"{x:g},{y:g}" for x, y in lines[name])
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="3"{dash}/>')
    foot = net.edges.geometry[net.edges["home"].notna()].iloc[0]
    at = foot.interpolate(foot.project(home.iloc[0]))
    parts.append(f'<line x1="105" y1="50" x2="{at.x:g}" y2="{at.y:g}" stroke="#1f618d" stroke-width="1.5"/>')
    parts.append('<circle cx="105" cy="50" r="3" fill="#1f618d"/><text x="110" y="48">a point of home h</text>')
    for name, x, y, metres in zip(ends.index, doors["x"], doors["y"], doors["access_m"], strict=True):
        below = y < 60
        parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="#1f618d"/>')
        words = f"{name}: door of residents, {metres:.0f} m before the street"
        parts.append(f'<text x="{x - 40:g}" y="{y + (-8 if below else 16):g}">{words}</text>')
    parts.append(f'<text x="-5" y="-18">A stranger from M1 to M2 goes round by the streets: {stranger:.0f} m</text>')
    return "\n".join([*parts, "</svg>", ""])


def _joined(lines: gpd.GeoSeries) -> list[shapely.Geometry]:
    """Return the ring with vertices where the lane meets it: lines join at shared vertices only."""
    mouths = shapely.get_coordinates(lines["lane"])[[0, -1]]
    ring = lines["ring"]
    along = sorted({*(ring.project(shapely.Point(xy)) for xy in [*ring.coords[:-1], *mouths]), ring.length})
    return [shapely.LineString([ring.interpolate(metres) for metres in along]), lines["lane"]]


def typed(command: str, folder: Path) -> str:
    """Return a command and what it answers, as a page that looks like the window it is typed into."""
    done = subprocess.run(
        [sys.executable, "-m", "xinhe_geo", *command.split()],
        cwd=folder,
        env={**os.environ, "COLUMNS": "110", "PYTHONPATH": str(IMAGES.parent.parent), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    style = "body{margin:0;background:#1e2227;color:#e6e6e6}pre{margin:14px;font:14px/1.45 'Noto Sans Mono CJK SC',monospace}"
    text = html.escape(f"> python run.py {command}\n{done.stdout}{done.stderr}")
    return f'<!DOCTYPE html><meta charset="utf-8"><style>{style}</style><pre>{text}</pre>'


def own_homes(district: xh.District, path: Path) -> None:
    """Write a layer of compounds as an office has it: its own numbers and drawing, one split in two, one more."""
    homes = district.homes
    assert homes is not None
    middle = homes.geometry.union_all().centroid
    some = homes.iloc[homes.distance(middle).to_numpy().argsort(kind="stable")[:9]]
    shapes = [shapely.affinity.translate(shape, 7, 4) for shape in some.geometry]
    west, south, east, north = shapes[3].bounds
    half = (west + east) / 2
    halves = [
        shapes[3].intersection(shapely.box(*box)) for box in ((west, south, half, north), (half, south, east, north))
    ]
    rows = [(name, people, shape) for name, people, shape in zip(some["name"], some["people"], shapes, strict=True)]
    rows[3:4] = [(rows[3][0], rows[3][1], halves[0]), ("东苑（新分出）", None, halves[1])]
    frame = pd.DataFrame(rows, columns=["名称", "常住人口", "geometry"])
    frame.insert(0, "编号", [f"街道-{i:03}" for i in range(1, len(frame) + 1)])
    gpd.GeoDataFrame(frame, geometry="geometry", crs=homes.crs).to_file(path, driver="GPKG")


def list_of_a_year(district: xh.District, path: Path, kind: str) -> None:
    """Write this year's list of a kind of facility: two are gone, one has another name, one moved, one is new."""
    known = district.rows["facilities"]
    some = known[(known["kind"] == kind).to_numpy() & (known["state"].fillna("open") == "open").to_numpy()]
    points = some.representative_point().to_crs(4326)
    table = pd.DataFrame(
        {"编号": some.index, "名称": some["name"], "经度": points.x.round(6), "纬度": points.y.round(6)}
    )
    table = table.iloc[2:].reset_index(drop=True)
    table.loc[0, "名称"] = f"{table.loc[0, '名称']}（新店）"
    table.loc[1, "经度"] = table.loc[1, "经度"] + 0.002
    table.loc[len(table)] = ["新-1", "河滨大药房", *(table.loc[2, ["经度", "纬度"]] + 0.003)]
    table.to_csv(path, index=False, encoding="utf-8-sig")


def office(browser: Browser) -> None:
    """Photograph what an office sees of its own files: rows held against each other, a list of a year, errors."""
    district = xh.District.load()
    with tempfile.TemporaryDirectory() as where:
        place = Path(where)
        shutil.copytree(IMAGES.parent.parent / "data", place / "我的街道")
        own_homes(district, place / "小区.gpkg")
        list_of_a_year(district, place / "药店2026.csv", "pharmacy")
        add = f"add 小区.gpkg --to 我的街道 --layer homes --crs {district.crs} --decide 决定.xlsx"
        (place / "add.html").write_text(typed(add, place), "utf-8")
        update = "update 药店2026.csv --to 我的街道 --kind 药店 --year 2026 --crs WGS84"
        (place / "update.html").write_text(typed(update, place), "utf-8")
        homes = place / "我的街道" / "homes" / "homes.geojson"
        homes.write_text(homes.read_text("utf-8").replace('"people":480', '"people":-480', 1), "utf-8")
        (place / "errors.html").write_text(typed("report 我的街道 --out 结果", place), "utf-8")
        shoot(browser, place / "决定.html", IMAGES / "reconcile.png", 1280, 1150)
        shoot(browser, place / "update.html", IMAGES / "update.png", 1000, 760)
        shoot(browser, place / "errors.html", IMAGES / "errors.png", 1000, 200)


def main() -> None:
    """Report into a temporary folder and photograph it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / "lanes.svg").write_text(lanes(), encoding="utf-8")
    if sys.argv[1:] == ["lanes"]:
        return
    if sys.argv[1:] == ["office"]:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=ARGUMENTS
            )
            office(browser)
            browser.close()
        for name in ("reconcile", "update", "errors"):
            fewer_colours(IMAGES / f"{name}.png")
        return
    from playwright.sync_api import sync_playwright  # the drawing needs no browser

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
            office(browser)
            browser.close()
        with Image.open(first) as page:
            page.resize((1200, round(1200 * page.height / page.width))).save(IMAGES / "sheet.png")
    for image in sorted(IMAGES.glob("*.png")):
        fewer_colours(image)


if __name__ == "__main__":
    main()

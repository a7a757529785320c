"""The maps in a browser without any network: what a planner sees, clicks, searches and prints."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import folium
import pytest
from poisoned import PAYLOADS, poisoned, two_covers

from xinhe_geo import maps
from xinhe_geo.maps import scene_json

pytestmark = pytest.mark.browser

Opener = Callable[..., Any]


@pytest.fixture
def show(chromium: Any, tmp_path: Path) -> Iterator[Opener]:
    """Return a function that saves a map, opens the file offline, and has checked at the end that nothing was loaded."""
    opened = []

    def opener(m: maps.HouseMap | str, width: int = 1366, height: int = 768, **options: Any) -> Any:
        target = tmp_path / f"map{len(opened)}.html"
        if isinstance(m, str):
            target.write_text(m, "utf-8")
        else:
            m.save(target)
        context = chromium.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        page = context.new_page()
        requests: list[str] = []
        messages: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: messages.append(f"error: {error}"))
        page.goto(target.as_uri())
        opened.append((context, target.as_uri(), requests, messages))
        if not isinstance(m, str):
            page.wait_for_selector("body.xh-ready", timeout=20_000)
        return page

    yield opener
    for context, address, requests, messages in opened:
        assert requests == [address], "only the file itself is loaded"
        assert messages == []
        context.close()


def centre(page: Any, layer: str, index: int) -> tuple[float, float]:
    """Return where a feature lies on the screen."""
    x, y = page.evaluate(
        """([id, i]) => {
            const app = window.xinheMap, layer = app.byId[id];
            const at = layer.shape === "P" ? layer.parts[i][0] : layer.c[i];
            const p = app.map.latLngToContainerPoint(app.map.unproject(L.point(at[0], at[1]), 0));
            const box = app.map.getContainer().getBoundingClientRect();
            return [p.x + box.left, p.y + box.top];
        }""",
        [layer, index],
    )
    return float(x), float(y)


def ink(page: Any) -> str:
    """Return the picture on the canvas."""
    return str(page.evaluate("document.querySelector('.xh-canvas').toDataURL()"))


def test_the_map_is_drawn_and_the_legend_says_what_is_shown(show: Opener) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover(), fakes.rings()))
    assert page.title() == page.inner_text("#xh-title") == "示范街道 · 卫生站 15 分钟"
    assert "步行时间" in page.inner_text("#xh-line") and "1.20 m/s" in page.inner_text("#xh-line")
    legend = page.inner_text("#xh-theme")
    assert "演示值（不作结论）" in legend and "≤ 5 分钟" in legend and "走不到" in legend
    assert page.locator("#xh-layers .xh-row").count() > 10
    colours = page.evaluate(
        """() => {
            const c = document.querySelector(".xh-canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
            for (let i = 0; i < d.length; i += 4) seen.add("#" + [0, 1, 2].map((k) => d[i + k].toString(16).padStart(2, "0")).join(""));
            return Array.from(seen);
        }"""
    )
    assert {"#f0f8f8", "#4e91a2", "#a23f15"} <= set(colours)
    assert re.search(r"\d+ (m|km)", page.inner_text("#xh-scale"))
    assert "EPSG:32650" in page.inner_text(".xh-foot")


def test_a_click_opens_a_table(show: Opener) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover(), rule="clinic15"))
    page.mouse.click(*centre(page, "homes", 11))
    text = page.locator(".leaflet-popup-content").inner_text()
    assert "示范21里" in text and "常住人口" in text and "300 人" in text and "分钟" in text and "clinic0号" in text
    page.mouse.click(*centre(page, "k-clinic", 1))
    text = page.locator(".leaflet-popup-content").inner_text()
    assert "clinic1号" in text and "开放" in text and "合成" in text
    page.keyboard.press("Escape")
    page.wait_for_selector(".leaflet-popup", state="detached")
    home = list(fakes.district().layers["homes"].index).index("h33")
    page.mouse.click(*centre(page, "homes", home))
    assert "数据不足" in page.locator(".leaflet-popup-content").inner_text(), "unknown people"


def test_search_finds_chinese_names_without_any_key(show: Opener) -> None:
    page = show(maps.draw(fakes.district()))
    page.evaluate(
        """() => { const q = document.getElementById("xh-q"); q.value = "河滨"; q.dispatchEvent(new Event("input", {bubbles: true})); }"""
    )
    assert page.locator("#xh-hits li").first.inner_text().startswith("河滨公园")
    page.locator("#xh-hits li").first.click()
    assert "河滨公园" in page.locator(".leaflet-popup-content").inner_text()
    page.fill("#xh-q", "没有这个地方")
    assert page.inner_text("#xh-hits") == "没有找到"
    page.fill("#xh-q", "示范7")
    page.press("#xh-q", "ArrowDown")
    page.press("#xh-q", "ArrowDown")
    page.press("#xh-q", "Enter")
    assert "示范71里" in page.locator(".leaflet-popup-content").inner_text()


def test_layers_switch_and_the_legend_follows(show: Opener) -> None:
    page = show(maps.draw(fakes.district()))
    before = ink(page)
    row = page.locator("#xh-layers label", has_text="卫生站")
    row.locator("input").uncheck()
    assert ink(page) != before
    assert "off" in (page.locator("#xh-layers label", has_text="卫生站").get_attribute("class") or "")
    page.locator("#xh-layers label", has_text="卫生站").locator("input").check()
    assert ink(page) == before
    page.locator("#xh-layers label", has_text="卫生站").locator("input").focus()
    page.keyboard.press("Space")
    assert ink(page) != before, "and by keyboard"


@pytest.mark.matrix
def test_points_stay_above_areas_whatever_is_switched(show: Opener) -> None:
    page = show(maps.draw(fakes.district()))
    before = ink(page)
    for _ in range(2):
        page.locator("#xh-layers label", has_text="小区").first.locator("input").click()
    assert ink(page) == before


@pytest.mark.matrix
def test_dragging_and_zooming_leave_a_whole_picture(show: Opener) -> None:
    page = show(maps.draw(fakes.district()))
    scale = page.inner_text("#xh-scale")
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(640, 470, steps=4)
    page.mouse.up()
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(900)
    after = ink(page)
    page.evaluate("window.xinheMap.drawing.redraw()")
    assert ink(page) == after
    assert page.inner_text("#xh-scale") != scale
    covered = page.evaluate(
        """() => {
            const c = document.querySelector(".xh-canvas").getBoundingClientRect(), m = document.querySelector(".folium-map").getBoundingClientRect();
            return c.left <= m.left && c.top <= m.top && c.right >= m.right && c.bottom >= m.bottom;
        }"""
    )
    assert covered
    page.locator("#xh-do-whole").click()
    page.wait_for_timeout(600)
    page.mouse.move(*centre(page, "homes", 11))
    page.wait_for_selector(".leaflet-tooltip")
    assert page.inner_text(".leaflet-tooltip") == "示范21里"


def test_themes_and_modes_change_the_map(show: Opener) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover()))
    first = ink(page)
    page.select_option("#xh-select", label="每个社区有食堂")
    assert page.title() == page.inner_text("#xh-title") == "示范街道 · 每个社区有食堂"
    assert "1 / 2" in page.inner_text("#xh-theme") and "乙社区" in page.inner_text(".xh-missing")
    assert ink(page) != first
    page.locator(".xh-missing button").first.click()
    assert "乙社区" in page.locator(".leaflet-popup-content").inner_text()
    page.select_option("#xh-select", label="卫生站 15 分钟")
    minutes = page.inner_text(".xh-classes")
    page.get_by_text("与直线对照", exact=True).first.click()
    assert page.inner_text(".xh-classes") != minutes
    assert "直线可达、步行不可达" in page.inner_text(".xh-classes")


@pytest.mark.matrix
def test_the_list_of_gaps_leads_to_the_map(show: Opener) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover(), rule="clinic15", gaps=fakes.gaps()))
    items = page.locator("#xh-gaps li")
    assert items.count() == 2 and "东八里" in items.first.inner_text() and "550 人" in items.first.inner_text()
    items.nth(1).locator("button").click()
    text = page.locator(".leaflet-popup-content").inner_text()
    assert "东七里" in text and "绕行过长" in text
    items.nth(0).locator("button").click()
    assert "数据不足" in page.locator(".leaflet-popup-content").inner_text(), "unknown minutes"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_never_run(show: Opener, payload: str) -> None:
    gaps = fakes.gaps().assign(name=payload, reason=payload, community=payload)
    cover = fakes.cover(("clinic15", "canteen1")).assign(facility=payload)
    page = show(maps.draw(poisoned(payload), cover, fakes.rings(), gaps=gaps, title=payload))
    page.mouse.move(*centre(page, "homes", 8))
    page.mouse.click(*centre(page, "homes", 8))
    page.locator("#xh-gaps button").first.click()
    page.fill("#xh-q", payload[:6].replace("\u2028", ""))
    page.select_option("#xh-select", index=1)
    page.wait_for_timeout(150)
    assert page.evaluate("window.pwned") is None
    assert payload.split("\u2028", maxsplit=1)[0] in page.inner_text("#xh-gaps")
    picture = maps.picture(poisoned(payload), cover, fakes.rings(), gaps=gaps, title=payload)
    page = show(f"<!DOCTYPE html><meta charset='utf-8'><link rel='icon' href='data:,'>{picture}")
    assert page.evaluate("window.pwned") is None


@pytest.mark.one_in(3)
@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (3840, 2160), (940, 640), (390, 844)])
def test_nothing_is_clipped_or_overlaps(show: Opener, size: tuple[int, int]) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover(), fakes.rings()), *size)
    width, height = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert (width, height) == size
    boxes = page.evaluate(
        """() => [".xh-head", ".xh-stage", ".xh-foot", ".xh-search", "#xh-tools", ".xh-rule"].map((s) => {
            const r = document.querySelector(s).getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; })"""
    )
    for left, top, right, bottom in boxes:
        assert (
            left >= 0
            and top >= 0
            and right <= size[0] + 0.5
            and bottom <= size[1] + 0.5
            and right > left
            and bottom > top
        )
    head, stage, foot, search, tools, rule = boxes
    assert head[3] <= stage[1] + 0.5 and stage[3] <= foot[1] + 0.5
    assert search[2] <= tools[0] and tools[3] <= stage[3] and search[3] <= rule[1]
    overflow = page.evaluate(
        """() => Array.from(document.querySelectorAll("#xh-title, #xh-badges b, .xh-count, .xh-name"))
            .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"""
    )
    assert overflow == []


def test_a_phone_opens_the_legend_as_a_drawer(show: Opener) -> None:
    page = show(maps.draw(fakes.district()), 390, 844, has_touch=True, is_mobile=True)
    assert not page.locator("#xh-side").is_visible()
    page.locator("#xh-open").tap()
    assert page.locator("#xh-side").is_visible()
    assert page.get_attribute("#xh-open", "aria-expanded") == "true"


@pytest.mark.one_in(3)
@pytest.mark.parametrize("paper", ["A3", "A4", "Letter"])
def test_it_prints_on_one_sheet_with_legend_scale_and_north(show: Opener, paper: str) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover(), fakes.rings(), gaps=fakes.gaps()))
    made = page.pdf(format=paper, landscape=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", made)) == 1
    sizes = {"A3": (1527, 1062), "A4": (1062, 733), "Letter": (996, 755)}
    page.set_viewport_size(dict(zip(("width", "height"), sizes[paper], strict=True)))
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    words = "".join(page.locator("#xh-print").text_content().split())
    assert "北" in words and "m" in words and "演示数据不作结论" in words and "甲社区" in words
    assert page.locator("#xh-print svg").count() == 1
    assert not page.locator("#xh-tools").is_visible() and not page.locator(".xh-search").is_visible()
    assert page.locator(".xh-classes").is_visible()
    fits = page.evaluate(
        """() => {
            const box = (e) => e.getBoundingClientRect(), side = document.querySelector("#xh-side");
            const inside = (e) => { const r = box(e); return r.left >= 0 && r.right <= innerWidth + 1 && r.bottom <= innerHeight + 1; };
            const svg = document.querySelector("#xh-print svg"), view = svg.viewBox.baseVal, r = box(svg);
            return {
                whole: Math.abs(r.width / r.height - view.width / view.height) < 0.02, // nothing is cut off the drawn sheet
                legend: side.scrollHeight <= side.clientHeight + 2, side: inside(side), foot: inside(document.querySelector(".xh-foot")),
            };
        }"""
    )
    assert fits == {"whole": True, "legend": True, "side": True, "foot": True}
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("#xh-print svg").count() == 0


def test_no_name_lies_under_what_lies_on_the_map(show: Opener) -> None:
    """Wherever the map is pushed to: what is written, and the search, the buttons and the scale."""
    page = show(maps.draw(fakes.district(), fakes.cover(), rule="clinic15"), width=390, height=844)
    hidden, written = page.evaluate(
        """() => {
            const app = window.xinheMap, pen = CanvasRenderingContext2D.prototype, write = pen.strokeText, hidden = [];
            let names = [], count = 0;
            pen.strokeText = function (text, x, y) {
                const r = this.canvas.getBoundingClientRect(), k = this.canvas.width / r.width, at = this.getTransform().transformPoint({ x, y });
                names.push([text, r.left + at.x / k, r.top + at.y / k]);
                write.apply(this, arguments);
            };
            for (let dx = -160; dx <= 160; dx += 40) for (let dy = -240; dy <= 240; dy += 24) {
                app.map.panBy([dx, dy], { animate: false });
                names = []; app.drawing._update(); app.drawing.redraw();
                for (const e of document.querySelectorAll("#xh-q, #xh-tools, .xh-rule")) {
                    const b = e.getBoundingClientRect();
                    for (const [text, x, y] of names) if (x > b.left && x < b.right && y > b.top && y < b.bottom) hidden.push([text, dx, dy]);
                }
                count += names.length;
                app.map.panBy([-dx, -dy], { animate: false });
            }
            return [hidden, count];
        }"""
    )
    assert written > 100 and hidden == []


def test_numbers_of_gaps_in_one_spot_are_all_read(show: Opener) -> None:
    """Ten of one corner: none stands over another, on the screen as on paper."""
    few = fakes.gaps()
    gaps = fakes.pd.concat([few.iloc[:1]] * 10).set_axis([f"g{i}" for i in range(10)]).assign(people_unserved=100.0)
    page = show(maps.draw(fakes.district(), fakes.cover(), gaps=gaps))
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    places = page.eval_on_selector_all(
        "#xh-print svg text",
        "all => all.filter((e) => /^[0-9]+$/.test(e.textContent) && e.getAttribute('fill') === '#ffffff')"
        ".map((e) => [+e.getAttribute('x'), +e.getAttribute('y')])",
    )
    assert len(places) == 10
    apart = [max(abs(a - c), abs(b - d)) for i, (a, b) in enumerate(places) for c, d in places[:i]]
    assert min(apart) >= 2 * 1.18 * 9 - 0.2


def test_no_name_hides_a_facility_the_map_is_about(show: Opener) -> None:
    # Both clinics are put where the names of the two communities would stand.
    d = fakes.district()
    spots = [fakes.shapely.Point(fakes.X + x, fakes.Y + 800) for x in (550, 1850)]
    d.layers["facilities"].loc[["f0", "f1"], "geometry"] = spots
    page = show(maps.draw(d, fakes.cover(), rule="clinic15"))
    shown = page.evaluate(
        """() => {
            const c = document.querySelector(".xh-canvas"), app = window.xinheMap, ratio = c.width / c.getBoundingClientRect().width;
            const b = app.drawing._bounds, all = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            return app.byId["k-clinic"].parts.slice(0, 2).map((p) => {
                const at = app.map.latLngToLayerPoint(app.map.unproject(L.point(p[0][0], p[0][1]), 0)).subtract(b.min);
                const i = 4 * (Math.round(at.y * ratio) * c.width + Math.round((at.x - 7) * ratio));
                return Array.from(all.slice(i, i + 3));
            });
        }"""
    )
    assert shown == [[204, 51, 17], [204, 51, 17]]


@pytest.mark.matrix
def test_the_names_of_both_sides_stay_on_a_narrow_screen(show: Opener) -> None:
    before, after = fakes.district(), fakes.district()
    sides = ("现状（2025 年）", "南益、威海路社区卫生服务站和老年食堂（2025 年）")
    page = show(
        maps.swipe(maps.Comparison(before, after, two_covers()), "clinic15", sides=sides), width=390, height=844
    )
    for split in (0.5, 0.85, 0.98):
        boxes = page.evaluate(
            """(split) => { window.xinheMap.divide(split);
                return [...document.querySelectorAll(".xh-side-tag")].filter((t) => !t.hidden)
                    .map((t) => t.getBoundingClientRect()).map((r) => [r.left, r.right, r.bottom]); }""",
            split,
        )
        scale = page.locator("#xh-scale").bounding_box()
        assert boxes and all(left >= 0 and right <= 390 and bottom <= scale["y"] for left, right, bottom in boxes)


@pytest.mark.matrix
def test_the_divider_moves_by_mouse_and_keys_and_each_side_answers_for_itself(show: Opener) -> None:
    before, after = fakes.district(), fakes.district()
    after.layers["facilities"] = after.layers["facilities"].drop(index="f1")
    page = show(maps.swipe(maps.Comparison(before, after, two_covers()), "clinic15"))
    bar = page.get_by_role("slider")
    box = bar.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, 400)
    page.mouse.down()
    page.mouse.move(900, 400, steps=3)
    page.mouse.up()
    stage = page.locator(".xh-stage").bounding_box()
    assert abs(page.evaluate("window.xinheMap.scene.split") - (900 - stage["x"]) / stage["width"]) < 0.02
    bar.press("Home")
    assert bar.get_attribute("aria-valuenow") == "0"
    bar.press("ArrowRight")
    bar.press("PageUp")
    assert bar.get_attribute("aria-valuenow") == "12"

    def minutes(split: str) -> str:
        bar.press(split)
        x, y = centre(page, "homes", list(after.layers["homes"].index).index("h70"))
        page.mouse.click(x, y + 20)
        return str(page.locator(".xh-pop").inner_text())

    assert "100" in minutes("Home") and "0 %" in minutes("End")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#xh-print svg").count() == 2
    words = "".join(page.locator("#xh-print").text_content().split())
    assert "现状" in words and "方案" in words


def test_search_takes_what_an_input_method_commits(show: Opener) -> None:
    page = show(maps.draw(fakes.district()))
    page.focus("#xh-q")
    client = page.context.new_cdp_session(page)
    client.send("Input.imeSetComposition", {"text": "shi fan", "selectionStart": 7, "selectionEnd": 7})
    page.keyboard.press("Enter")  # ends the composition of an input method, and must choose nothing
    client.send("Input.insertText", {"text": "示范00里"})
    page.wait_for_selector("#xh-hits li")
    assert "示范00里" in page.locator("#xh-hits li").first.inner_text()


def test_a_notebook_cell_is_as_self_contained(show: Opener) -> None:
    cell = maps.draw(fakes.district())._repr_html_()
    page = show(f"<!DOCTYPE html><meta charset='utf-8'><link rel='icon' href='data:,'>{cell}", 1000, 700)
    frame = page.frame_locator("iframe")
    frame.locator("body.xh-ready").wait_for(timeout=20_000)
    assert frame.locator("#xh-title").inner_text() == "示范街道 · 现状总图"
    assert html.escape("示范街道") in cell


@pytest.mark.matrix
def test_folium_elements_work_on_top(show: Opener) -> None:
    m = maps.draw(fakes.district())
    folium.Marker([38.838, 115.86], popup=folium.Popup("<b>甲</b>"), icon=folium.DivIcon(html="甲")).add_to(m)
    zones = fakes.district().layers["zones"].to_crs(4326)[["name", "geometry"]]
    folium.GeoJson(zones, style_function=lambda _: {"fill": False}, tooltip=folium.GeoJsonTooltip(["name"])).add_to(m)
    page = show(m)
    assert page.locator(".leaflet-marker-pane .leaflet-marker-icon").count() == 1
    assert page.locator(".leaflet-overlay-pane path").count() == 2


def test_a_packed_page_opens(show: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_json, "PACK_BYTES", 1000)
    page = show(maps.draw(fakes.district(), lang="en"))
    assert page.inner_text("#xh-title") == "示范街道 · Present state"
    assert "Facilities" in page.inner_text("#xh-layers")
    assert page.get_attribute("#xh-q", "placeholder") == "Search homes, facilities, roads"


@pytest.mark.matrix
def test_full_screen_is_entered_and_left_by_its_button(show: Opener) -> None:
    page = show(maps.draw(fakes.district()))
    for inside in (True, False):
        page.click("#xh-do-full")
        page.wait_for_function("(inside) => Boolean(document.fullscreenElement) === inside", arg=inside)
        page.wait_for_function("() => document.querySelector('.xh-canvas').getBoundingClientRect().width > 100")
        assert page.locator("#xh-title").is_visible() and page.locator("#xh-do-full").is_visible()
        assert ink(page)


@pytest.mark.matrix
def test_a_finger_moves_the_map_and_a_tap_opens_a_table(show: Opener) -> None:
    page = show(maps.draw(fakes.district(), fakes.cover(), rule="clinic15"), 1024, 700, has_touch=True)
    page.touchscreen.tap(*centre(page, "homes", 11))
    page.wait_for_selector(".leaflet-popup-content")
    assert "示范21里" in page.locator(".leaflet-popup-content").inner_text()
    x, y = centre(page, "homes", 20)
    before = page.evaluate("window.xinheMap.map.getCenter()")
    session = page.context.new_cdp_session(page)
    for kind, dx in (("touchStart", 0), ("touchMove", 30), ("touchMove", 90), ("touchEnd", 90)):
        points = [] if kind == "touchEnd" else [{"x": x - dx, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function("(lng) => window.xinheMap.map.getCenter().lng > lng", arg=before["lng"])


@pytest.mark.matrix
def test_it_works_without_storage_and_in_a_window_that_changes(show: Opener) -> None:
    first = show(maps.draw(fakes.district()))
    context, address = first.context, first.url
    context.add_init_script(
        "for (const s of ['localStorage', 'sessionStorage', 'indexedDB', 'caches'])"
        " Object.defineProperty(window, s, { get() { throw new DOMException('denied', 'SecurityError'); } });"
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body.xh-ready", timeout=20_000)
    page.set_viewport_size({"width": 820, "height": 560})
    page.wait_for_function("() => document.querySelector('.xh-canvas').getBoundingClientRect().right <= 821")
    small = page.evaluate("document.querySelector('.xh-canvas').width")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.wait_for_function("(small) => document.querySelector('.xh-canvas').width > small", arg=small)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    x, y = centre(page, "homes", 11)
    page.mouse.click(x, y)
    assert "示范21里" in page.locator(".leaflet-popup-content").inner_text(), "clicks meet what is drawn there"

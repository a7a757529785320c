"""The live map: what it counts equals `coverage` of its scenario, its steps can be taken back, and it keeps up with a hand."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xinhe_geo as xh
from xinhe_geo.maps import live as live_function
from xinhe_geo.maps.live import LiveModel, _drawing, _widget_class

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "toy"
COLUMN = {"walk_min": "minutes", "network_m": "metres", "buffer": "straight_metres"}

needs_anywidget = pytest.mark.skipif(
    importlib.util.find_spec("anywidget") is None, reason="anywidget is not installed (extra: lab)"
)


@pytest.fixture(scope="module")
def district() -> xh.District:
    return xh.District.load()


@pytest.fixture
def desk(district: xh.District) -> LiveModel:
    desk = LiveModel(district)
    desk.ask("clinic_station", "elderly")
    return desk


def check_against_coverage(desk: LiveModel, district: xh.District) -> None:
    """Compare every number the map shows with the ordinary way from a scenario to a coverage."""
    answer = desk.count(desk.plan)
    after = desk.scenario("plan", "方案").on(district)
    cover = xh.coverage(after, rules=[desk.rule], profile=desk.walker)
    own = cover.xs(desk.rule.name, level="rule").reindex(desk.homes.names)
    np.testing.assert_array_equal(answer.share, own["served"].to_numpy(dtype=float))
    np.testing.assert_allclose(answer.cost, own[COLUMN[desk.rule.method]].to_numpy(dtype=float), atol=1e-9)
    if desk.rule.method != "buffer":
        assert [n if isinstance(n, str) else "" for n in answer.nearest] == own["facility"].fillna("").tolist()
    whole = xh.summary(cover).loc[desk.rule.name]
    totals = desk._totals(answer.share)["whole"]
    for column in ("people", "people_60plus", "area_m2", "homes"):
        assert totals[f"{column}_served"] == pytest.approx(whole[f"{column}_served"], rel=1e-12)
    gaps = xh.gaps(after, cover, desk.rule.name)
    listed = desk._gaps(answer)
    assert listed["homes"] == len(gaps)
    if len(gaps):
        assert listed["people"] == pytest.approx(gaps["unserved"].sum())
        if desk.rule.method == "walk_min":
            own_cost = answer.unserved_cost[desk.homes.names.get_indexer(gaps.index)]
            np.testing.assert_allclose(own_cost, gaps["minutes"].to_numpy(dtype=float), atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "profile", "minutes"),
    [
        ("clinic_station", "elderly", None),
        ("park", None, None),
        ("elderly_daycare", None, None),
        ("pharmacy", "wheelchair", 10),
    ],
)
def test_every_number_is_that_of_coverage(
    district: xh.District, kind: str, profile: str | None, minutes: float | None
) -> None:
    desk = LiveModel(district)
    desk.ask(kind, profile, minutes)
    check_against_coverage(desk, district)
    assert district.homes is not None
    low, high = district.homes.total_bounds[:2], district.homes.total_bounds[2:]
    random = np.random.default_rng(7)
    standing = [f["id"] for f in desk.facilities(desk.plan)]
    for step in range(2):
        if standing:
            desk.move(standing[step % len(standing)], random.uniform(low, high).tolist())
            desk.close(standing[-1 - step % len(standing)])
        desk.add(desk.rule.kinds[0], random.uniform(low, high).tolist())
        check_against_coverage(desk, district)


def test_a_straight_radius_is_counted_alike(district: xh.District) -> None:
    from dataclasses import replace

    desk = LiveModel(district)
    desk.ask("clinic_station")
    rule = replace(desk.rule, method="buffer", metres=500.0)
    desk.rule = rule
    desk.move("clinic_station-01", desk.facilities(desk.plan)[1]["from"])
    check_against_coverage(desk, district)


def test_compare_says_what_the_counters_say(district: xh.District, desk: LiveModel) -> None:
    start = desk.facilities(desk.plan)[0]
    desk.close(start["id"])
    shown, _ = desk.state()
    after = desk.scenario("plan", "方案").on(district)
    rules = [desk.rule]
    change = xh.compare(
        xh.coverage(district, rules=rules, profile=desk.walker), xh.coverage(after, rules=rules, profile=desk.walker)
    ).loc[desk.rule.name]
    effects = shown["effects"]
    assert effects["gain"]["people"] - effects["lose"]["people"] == pytest.approx(change["people_served"])
    assert effects["lose"]["people"] > 0
    assert shown["table"][0][3].startswith("−")
    assert shown["mark"] == "演示值（不作结论）"


def test_a_drag_is_one_step_and_every_step_can_be_taken_back(desk: LiveModel) -> None:
    start = desk.facilities(desk.plan)[0]
    x, y = start["from"]
    before, _ = desk.state()
    for i in range(5):
        desk.move(start["id"], [x + 50 * i, y], grip="one")
    desk.move(start["id"], [x, y + 80], grip="two")
    moved, _ = desk.state()
    assert len(desk.past) == 2
    assert moved["changes"] == [{"id": start["id"], "name": start["name"], "what": "移动 80 米"}]
    desk.step_back()
    assert desk.plan["edits"][start["id"]]["xy"] == [round(x + 200, 2), round(y, 2)]
    desk.step_back()
    assert desk.state()[0] | {"redo": False} == before
    desk.step_forward()
    desk.step_forward()
    assert desk.state()[0] == moved
    desk.restore(start["id"])
    assert not desk.plan["edits"]
    new = desk.add("clinic_station", [x, y])
    assert desk.add("clinic_station", [x, y]) != new
    desk.close(new)
    desk.reset()
    assert desk.scenario("a", "b").edits == ()


def test_a_planned_facility_opens_where_it_is_put(desk: LiveModel) -> None:
    planned = next(f for f in desk.facilities(desk.plan) if f["state"] == "planned")
    assert not planned["serves"]
    desk.close(planned["id"])
    assert [e.do for e in desk.scenario("a", "b").edits] == ["open_planned"]
    desk.close(planned["id"])
    assert desk.scenario("a", "b").edits == ()
    desk.move(planned["id"], planned["from"])
    assert [e.do for e in desk.scenario("a", "b").edits] == ["open_planned", "move_facility"]


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"kind": "clinic"}, xh.UnknownNameError, "clinic_station"),
        ({"kind": "clinic_station", "profile": "oldest"}, xh.UnknownNameError, "elderly"),
        ({"kind": "clinic_station", "minutes": 0}, ValueError, "大于 0"),
        ({"kind": "clinic_station", "minutes": float("nan")}, ValueError, "大于 0"),
    ],
)
def test_what_cannot_be_asked_is_named(desk: LiveModel, asked: dict[str, Any], error: type, named: str) -> None:
    with pytest.raises(error, match=named):
        desk.ask(**asked)
    assert desk.kind == "clinic_station" and desk.walker.name == "elderly", "the old question stands"
    with pytest.raises(xh.UnknownNameError, match="没有设施"):
        desk.move("nobody", [0.0, 0.0])
    for wrong in ([0.0], "ab", [float("inf"), 0.0], None):
        with pytest.raises(xh.ScenarioError, match="两个数"):
            desk.add("clinic_station", wrong)  # type: ignore[arg-type]
    assert not desk.past


def test_the_hand_is_followed_at_once(desk: LiveModel) -> None:
    """Measured 22 ms of processor time; other programs on the machine do not count."""
    start = desk.facilities(desk.plan)[0]
    x, y = start["from"]
    took = []
    for i in range(12):
        at = time.process_time()
        desk.move(start["id"], [x + 17 * i, y + 11 * i], grip=1)
        desk.state(start["id"])
        took.append(time.process_time() - at)
    assert np.median(took) < 0.15


def test_the_same_district_is_drawn_alike_and_no_name_becomes_markup(district: xh.District) -> None:
    first = _drawing(LiveModel(district))
    assert first == _drawing(LiveModel(xh.District.load()))
    assert set(json.loads(first)) >= {"net", "homes", "kinds", "profiles", "base"}
    script = (ROOT / "xinhe_geo" / "maps" / "web" / "live.js").read_text("utf-8")
    assert "innerHTML" not in script and "insertAdjacentHTML" not in script and "eval(" not in script
    assert "http" not in script and "fetch(" not in script and "import(" not in script


def test_a_district_without_homes_says_so(district: xh.District) -> None:
    rows = {name: frame for name, frame in district.rows.items() if name not in ("homes", "gates")}
    with pytest.raises(xh.DataError, match="没有小区"):
        LiveModel(district.with_rows(rows))


@needs_anywidget
def test_the_widget_speaks_with_the_page() -> None:
    widget = xh.live(xh.District.load(TOY), height=400)
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    kind = widget._desk.rule.kinds[0]
    homes = list(widget._desk.homes.names)
    widget._heard(None, {"do": "show", "seq": 1, "view": "v"}, None)
    content, buffers = sent[-1]
    assert (content["seq"], content["view"], content["say"]) == (1, "v", "")
    json.dumps(content, allow_nan=False)
    assert len(buffers[0]) == 8 * len(homes)
    spot = widget._desk.points.geometry.iloc[0]
    widget._heard(None, {"do": "add", "kind": kind, "xy": [spot.x, spot.y], "seq": 2, "view": "v"}, None)
    added = sent[-1][0]["state"]["chosen"]
    assert [e.do for e in widget.scenario().edits] == ["open_facility"]
    assert xh.Scenario.__name__ == type(widget.scenario()).__name__ and 'do = "open_facility"' in sent[-1][0]["toml"]
    table = widget.served()
    assert table.index.name == "home" and list(table.index) == homes
    assert table["served"].between(0, 1).all() and (table["served"] >= table["before"]).all()
    widget._heard(None, {"do": "move", "facility": "nobody", "xy": [0, 0], "seq": 3, "view": "v"}, None)
    assert "没有设施" in sent[-1][0]["say"], "a sentence, not a crash"
    widget.move(added, (spot.x + 10, spot.y))
    widget.close_facility(added)
    widget.undo()
    widget.redo()
    widget.reset()
    widget.restore(str(widget._desk.frame.index[0]))
    assert widget.scenario().edits == () and len(sent) == 9
    widget.selected = [homes[0], homes[0]]
    assert widget.selected == [homes[0]]
    with pytest.raises(xh.UnknownNameError, match="小区"):
        widget.selected = ["nowhere"]


@needs_anywidget
def test_the_widget_kept_as_a_page_is_a_picture() -> None:
    district = xh.District.load(TOY)
    widget = xh.live(district, minutes=10)
    page = widget._repr_html_()
    assert "<svg" in page and "<script" not in page and "静态图" in page
    assert repr(widget).startswith(f"<活地图 {district.name}：") and repr(widget).endswith("步行 10 分钟圈，0 处改动>")
    assert page == xh.live(xh.District.load(TOY), minutes=10)._repr_html_()


def test_without_anywidget_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, district: xh.District) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    _widget_class.cache_clear()
    with pytest.raises(xh.EnvironmentProblem, match=r"xinhe-geo\[lab\]"):
        live_function(district)
    _widget_class.cache_clear()


def test_importing_the_library_loads_no_widgets() -> None:
    code = (
        "import sys, xinhe_geo; print(sorted({'anywidget', 'ipywidgets', 'traitlets', 'IPython'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The live map: what it counts equals `coverage` of its scenario, its steps can be taken back, and it keeps up with dragging."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xinhe_geo as xh
from xinhe_geo.core import NetworkError, amount, signed
from xinhe_geo.core.i18n import speaking
from xinhe_geo.maps import live as live_function
from xinhe_geo.maps.live import _drawing, _widget_class
from xinhe_geo.maps.live_model import LiveModel
from xinhe_geo.maps.live_numbers import LiveNumbers, state_of

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
def model(district: xh.District) -> LiveModel:
    model = LiveModel(district)
    model.ask("clinic_station", "elderly")
    return model


def check_against_coverage(model: LiveModel, district: xh.District) -> None:
    """Compare every number the map shows with the ordinary way from a scenario to a coverage."""
    answer = model.count(model.plan)
    shown = LiveNumbers(model, answer)
    after = model.scenario("plan", "方案").on(district)
    cover = xh.coverage(after, rules=[model.rule], profile=model.walker)
    own = cover.xs(model.rule.name, level="rule").reindex(model.homes.names)
    np.testing.assert_array_equal(answer.share, own["served"].to_numpy(dtype=float))
    np.testing.assert_allclose(answer.cost, own[COLUMN[model.rule.method]].to_numpy(dtype=float), atol=1e-9)
    if model.rule.method != "buffer":
        assert [n if isinstance(n, str) else "" for n in answer.nearest] == own["facility"].fillna("").tolist()
    whole = xh.summary(cover).loc[model.rule.name]
    totals = shown.now["whole"]
    for column in ("people", "people_60plus", "area_m2", "homes"):
        assert totals[f"{column}_served"] == pytest.approx(whole[f"{column}_served"], rel=1e-12)
    gaps = xh.gaps(after, cover, model.rule.name)
    listed = shown.gaps()
    assert listed["homes"] == len(gaps)
    if len(gaps):
        assert listed["people"] == pytest.approx(gaps["unserved"].sum())
        if model.rule.method == "walk_min":
            own_cost = answer.unserved_cost[model.homes.names.get_indexer(gaps.index)]
            np.testing.assert_allclose(own_cost, gaps["minutes"].to_numpy(dtype=float), atol=1e-9)


@pytest.mark.slow
@pytest.mark.one_in(2)
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
    model = LiveModel(district)
    model.ask(kind, profile, minutes)
    check_against_coverage(model, district)
    assert district.homes is not None
    low, high = district.homes.total_bounds[:2], district.homes.total_bounds[2:]
    random = np.random.default_rng(7)
    standing = [f["id"] for f in model.facilities(model.plan)]
    for step in range(2):
        if standing:
            model.move(standing[step % len(standing)], random.uniform(low, high).tolist())
            model.close(standing[-1 - step % len(standing)])
        model.add(model.rule.kinds[0], random.uniform(low, high).tolist())
        check_against_coverage(model, district)


@pytest.mark.slow
@pytest.mark.parametrize("digits", [0, 1])
def test_a_change_is_rounded_as_the_figures_beside_it(digits: int) -> None:
    """Halves too, and what is a half but for the last bits of a sum; a change that rounds to nothing has no sign."""
    halves = [(n + 0.5) / 10**digits for n in range(8)]
    for value in [*halves, *np.nextafter(halves, 0), 0.04, 303.49999999999994, 1234.5]:
        told = amount(value, digits)
        some = bool(told.strip("0."))
        assert signed(value, digits) == ("+" + told if some else "0")
        assert signed(-value, digits) == ("−" + told if some else "0")


def test_a_straight_radius_is_counted_alike(district: xh.District) -> None:
    from dataclasses import replace

    model = LiveModel(district)
    model.ask("clinic_station")
    rule = replace(model.rule, method="buffer", metres=500.0)
    model.rule = rule
    model.move("clinic_station-01", model.facilities(model.plan)[1]["from"])
    check_against_coverage(model, district)


@pytest.mark.slow
def test_compare_says_what_the_counters_say(district: xh.District, model: LiveModel) -> None:
    start = model.facilities(model.plan)[0]
    model.close(start["id"])
    shown, _ = state_of(model)
    after = model.scenario("plan", "方案").on(district)
    rules = [model.rule]
    change = xh.compare(
        xh.coverage(district, rules=rules, profile=model.walker), xh.coverage(after, rules=rules, profile=model.walker)
    ).loc[model.rule.name]
    effects = shown["effects"]
    assert effects["gain"]["people"] - effects["lose"]["people"] == pytest.approx(change["people_served"])
    assert effects["lose"]["people"] > 0
    assert shown["table"][0][3].startswith("−")
    assert shown["mark"] == "演示值（不作结论）"


def test_a_drag_is_one_step_and_every_step_can_be_taken_back(model: LiveModel) -> None:
    start = model.facilities(model.plan)[0]
    x, y = start["from"]
    before, _ = state_of(model)
    for i in range(5):
        model.move(start["id"], [x + 50 * i, y], grip="one")
    model.move(start["id"], [x, y + 80], grip="two")
    moved, _ = state_of(model)
    assert len(model.past) == 2
    assert moved["changes"] == [{"id": start["id"], "name": start["name"], "what": "移动 80 米"}]
    model.step_back()
    assert model.plan["edits"][start["id"]]["xy"] == [round(x + 200, 2), round(y, 2)]
    model.step_back()
    assert state_of(model)[0] | {"redo": False} == before
    model.step_forward()
    model.step_forward()
    assert state_of(model)[0] == moved
    model.restore(start["id"])
    assert not model.plan["edits"]
    new = model.add("clinic_station", [x, y])
    assert model.add("clinic_station", [x, y]) != new
    model.close(new)
    model.reset()
    assert model.scenario("a", "b").edits == ()


def test_a_planned_facility_opens_where_it_is_put(model: LiveModel) -> None:
    planned = next(f for f in model.facilities(model.plan) if f["state"] == "planned")
    assert not planned["serves"]
    model.close(planned["id"])
    assert [e.do for e in model.scenario("a", "b").edits] == ["open_planned"]
    model.close(planned["id"])
    assert model.scenario("a", "b").edits == ()
    model.move(planned["id"], planned["from"])
    assert [e.do for e in model.scenario("a", "b").edits] == ["open_planned", "move_facility"]


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"kind": "clinic"}, xh.UnknownNameError, "clinic_station"),
        ({"kind": "clinic_station", "profile": "oldest"}, xh.UnknownNameError, "elderly"),
        ({"kind": "clinic_station", "minutes": 0}, ValueError, "大于 0"),
        ({"kind": "clinic_station", "minutes": float("nan")}, ValueError, "大于 0"),
    ],
)
def test_what_cannot_be_asked_is_named(model: LiveModel, asked: dict[str, Any], error: type, named: str) -> None:
    with pytest.raises(error, match=named):
        model.ask(**asked)
    assert model.kind == "clinic_station" and model.walker.name == "elderly", "the old question stands"
    with pytest.raises(xh.UnknownNameError, match="没有设施"):
        model.move("nobody", [0.0, 0.0])
    for wrong in ([0.0], "ab", [float("inf"), 0.0], None):
        with pytest.raises(xh.ScenarioError, match="两个数"):
            model.add("clinic_station", wrong)  # type: ignore[arg-type]
    assert not model.past


@pytest.mark.slow
def test_dragging_is_followed_at_once(model: LiveModel) -> None:
    """Measured 22 ms of processor time; other programs on the machine do not count."""
    start = model.facilities(model.plan)[0]
    x, y = start["from"]
    took = []
    for i in range(12):
        at = time.process_time()
        model.move(start["id"], [x + 17 * i, y + 11 * i], grip=1)
        state_of(model, start["id"])
        took.append(time.process_time() - at)
    assert np.median(took) < 0.15


@pytest.mark.slow
def test_the_same_district_is_drawn_alike_and_no_name_becomes_markup(district: xh.District) -> None:
    first = _drawing(LiveModel(district))
    assert first == _drawing(LiveModel(xh.District.load()))
    assert set(json.loads(first)) >= {"net", "homes", "kinds", "profiles", "base"}
    script = (ROOT / "xinhe_geo" / "maps" / "web" / "live.js").read_text("utf-8")
    assert "innerHTML" not in script and "insertAdjacentHTML" not in script and "eval(" not in script
    assert "http" not in script and "fetch(" not in script and "import(" not in script


def test_a_district_without_homes_says_so(district: xh.District) -> None:
    with pytest.raises(xh.DataError, match="没有小区"):
        LiveModel(district.with_rows({"homes": None, "gates": None}))


@pytest.mark.slow
@needs_anywidget
def test_the_widget_speaks_with_the_page() -> None:
    widget = xh.live(xh.District.load(TOY), height=400)
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    kind = widget._model.rule.kinds[0]
    homes = list(widget._model.homes.names)
    widget._heard(None, {"do": "show", "seq": 1, "view": "v"}, None)
    content, buffers = sent[-1]
    assert (content["seq"], content["view"], content["say"]) == (1, "v", "")
    json.dumps(content, allow_nan=False)
    assert len(buffers[0]) == 8 * len(homes)
    spot = widget._model.points.geometry.iloc[0]
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
    widget.restore(str(widget._model.frame.index[0]))
    assert widget.scenario().edits == () and len(sent) == 9
    widget.selected = [homes[0], homes[0]]
    assert widget.selected == [homes[0]]
    with pytest.raises(xh.UnknownNameError, match="小区"):
        widget.selected = ["nowhere"]


@pytest.mark.slow
@needs_anywidget
def test_the_widget_kept_as_a_page_is_a_picture() -> None:
    district = xh.District.load(TOY)
    widget = xh.live(district, minutes=10)
    page = widget._repr_html_()
    assert "<img" in page and "<script" not in page and "静态图" in page
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


@pytest.mark.slow
def test_a_plan_that_contradicts_is_counted_with_a_warning(district: xh.District) -> None:
    """One more of a kind on the very spot of one that is open: state, and the picture that is kept, say so until it is undone."""
    model = LiveModel(district)
    own = model.frame[(model.frame["state"] == "open").to_numpy() & model.frame["kind"].isin(model.askable).to_numpy()]
    kind, spot = str(own["kind"].iloc[0]), own.geometry.representative_point().iloc[0]
    model.ask(kind)
    assert state_of(model)[0]["warnings"] == []
    model.add(kind, [spot.x, spot.y])
    said = state_of(model)[0]["warnings"]
    assert len(said) == 1 and "冲突" in said[0] and "会算成两处" in said[0]
    model.step_back()
    assert state_of(model)[0]["warnings"] == []


@pytest.mark.slow
def test_the_live_map_speaks_english() -> None:
    """Nothing it shows is Chinese but names; its figures are those of the Chinese map."""
    district = xh.District.load(TOY)
    named = {str(n) for frame in district.rows.values() if "name" in frame for n in frame["name"].dropna()}
    names = re.compile("|".join(map(re.escape, sorted({*named, district.name}, key=len, reverse=True))))
    shown: dict[str, list[str]] = {}
    for lang in ("zh", "en"):
        with speaking(lang):
            model = LiveModel(district)
            model.ask(model.first_kind, None, None)
            content, _ = state_of(model)
        texts = json.dumps(
            {k: content[k] for k in ("title", "line", "headline", "table", "unit", "mark", "gaps")}, ensure_ascii=False
        )
        sources = re.compile("|".join(re.escape(str(s)) for s in (model.rule.basis_text, model.rule.standard) if s))
        left = re.findall(r"[\u3400-\u9fff]+", names.sub("", sources.sub("", texts)))
        assert lang == "zh" or not left, left
        shown[lang] = re.findall(r"\d[\d,.]*%?", json.dumps(content["table"], ensure_ascii=False))
    assert len(shown["zh"]) > 5 and shown["zh"] == shown["en"]


@pytest.mark.slow
@pytest.mark.matrix
def test_the_walk_of_a_home_is_its_route_and_never_an_old_one(district: xh.District) -> None:
    widget = xh.live(district, height=400)
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    model = widget._model
    for home, name in enumerate(model.homes.names):
        widget._heard(widget, {"do": "walk", "home": home}, [])
        walk = sent[-1]["state"]["walk"]
        try:
            legs = xh.route(district, str(name), model.rule.name, profile=model.walker)
        except NetworkError:
            assert walk["legs"] is None
            continue
        assert walk["minutes"] == pytest.approx(legs["minutes"].sum(), abs=1e-9)
        assert [leg["leg"] for leg in walk["legs"]] == list(legs["leg"])
        assert walk["straight"] <= walk["metres"] + 1e-6
    for message in ({"do": "show"}, {"do": "reset"}, {"do": "walk", "home": 10**6}, {"do": "walk", "home": "x"}):
        widget._heard(widget, message, [])
        assert "walk" not in sent[-1]["state"]


@pytest.mark.slow
def test_the_elderly_are_counted_at_their_own_pace_or_not_at_all() -> None:
    """An adult walks in 15 minutes where somebody of 60 does not: a count of the elderly at an adult's pace would be too high."""
    model = LiveModel(xh.District.load(TOY))
    for profile, counted in (("adult", False), ("elderly", True)):
        model.ask("clinic_station", profile)
        shown = LiveNumbers(model, model.count(model.plan))
        assert any(row[0] == "60岁及以上" for row in shown.table()) is counted
        assert all(("people_60plus" in shown.effects()[side]) is counted for side in ("gain", "lose"))

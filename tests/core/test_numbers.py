"""Numbers are written one way: what is not known says so, all is all, none is none."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.core.errors import UnknownNameError, did_you_mean
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.numbers import adding_up, amount, per_cent, rounded, signed
from xinhe_geo.core.sentences import english, say
from xinhe_geo.maps.live_model import LiveModel


@given(st.floats(0, 1), st.integers(0, 3))
def test_a_percentage_is_near_and_none_or_all_only_where_it_is(share: float, digits: int) -> None:
    text = per_cent(share, digits)
    shown = float(text.rstrip("%")) / 100
    step = 10.0 ** -(digits + 2)
    assert abs(shown - share) < step * 1.000001
    assert text == f"{shown:.{digits}%}"
    if 1e-9 < share < 1 - 1e-9:
        assert 0 < shown < 1
    assert say("{0:.1%}", share) == per_cent(share)


@given(st.floats(-1e12, 1e12), st.integers(0, 2))
def test_an_amount_is_read_back(value: float, digits: int) -> None:
    text, said = amount(value, digits), float(f"{value:.15g}")  # of what its first fifteen digits say
    assert _number(text) == pytest.approx(said, abs=0.5000001 * 10.0**-digits + math.ulp(value))
    assert not text.startswith("−0") or _number(text) < 0
    assert "-" not in text


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


@given(st.integers(-(10**6), 10**6), st.integers(0, 2))
def test_a_half_goes_away_from_zero_however_it_was_added_up(half: int, digits: int) -> None:
    """As a spreadsheet shows it: of the numbers next to a half the same digits as of the half, and never to the even one."""
    value = (half + 0.5) * 10.0**-digits
    away = (abs(half + 0.5) + 0.5) * 10.0**-digits * (1 if half >= 0 else -1)
    texts = {amount(v, digits) for v in (value, np.nextafter(value, 0), np.nextafter(value, 2 * value))}
    assert texts == {f"{away:,.{digits}f}".replace("-", "−")}


@given(st.lists(st.integers(-(10**7), 10**7).map(lambda n: n / 1000), max_size=9), st.integers(0, 2))
def test_printed_parts_add_up_to_their_printed_total(parts: list[float], digits: int) -> None:
    """Each is one of the two figures beside it, and what has no more digits stays as it is."""
    told, unit = adding_up(parts, math.fsum(parts), digits), 10.0**-digits
    printed = [_number(amount(part, digits)) for part in told]
    assert math.fsum(printed) == pytest.approx(rounded(math.fsum(parts), digits), abs=unit / 1000)
    for part, own in zip(parts, told, strict=True):
        assert abs(own - part) < unit * (1 - 1e-9)
        assert own == part or rounded(part, digits) != part


def test_parts_of_which_one_is_unknown_stay() -> None:
    assert adding_up([1.4, 2.4], math.nan) == [1.4, 2.4] and adding_up([1.4, math.inf], 3.0) == [1.4, math.inf]


@pytest.mark.parametrize("unknown", [math.nan, math.inf, np.float64("nan"), pd.NA, None])
def test_what_is_not_known_says_so_in_either_language(unknown: float) -> None:
    assert amount(unknown) == per_cent(unknown) == "数据不足"
    assert amount(unknown, unknown="—") == per_cent(unknown, unknown="—") == "—"
    with speaking("en"):
        assert amount(unknown) == english()["say"]["数据不足"]


def test_a_sentence_never_says_nan() -> None:
    sentences = [s for s in english()["say"] if "{0:" in s and "{1" not in s]
    assert len(sentences) > 10
    for sentence in sentences:
        for lang in ("zh", "en"):
            with speaking(lang):
                assert "nan" not in say(sentence, math.nan).replace("finan", "")


def test_signed() -> None:
    assert [signed(v) for v in (0.0, -0.0, 12.34, -0.2, 0.012)] == ["0", "0", "+12.3", "−0.2", "+0.012"]
    assert [signed(v, 0, " 人") for v in (1234.5, -0.4, -7.0)] == ["+1,235 人", "0", "−7 人"]
    assert signed(-0.04, 1) == "0" and signed(math.nan, 1, " m", unknown="—") == "—" and signed(math.nan) == "数据不足"


def test_numbers_that_are_typed_again_keep_their_hyphen() -> None:
    assert say("{0:.6g}, {1:.6g}", -46.6, 23.5) == "-46.6, 23.5" and say("{0:+,.0f}", -46.6) == "−47"


@given(st.sets(st.text("abcde", min_size=1, max_size=6), max_size=30), st.text("abcde", min_size=1, max_size=6))
def test_what_was_meant_is_among_what_there_is(known: set[str], name: str) -> None:
    said = did_you_mean(name, known)
    assert said == did_you_mean(name, frozenset(known))
    meant = said.partition("是否想写 ")[2].partition("；")[0]
    assert set(meant.split("、")) - {""} <= known
    assert name not in known or meant.startswith(name)
    assert said in str(UnknownNameError("类别", name, sorted(known)))
    assert len(said) < 300 and (known or said == "现在一个也没有")


# --- numbers that are given --------------------------------------------------------------------------------------------

TOY = Path(__file__).parents[1] / "toy"
#: These only convert: what is no number stays none.
CONVERTING = {("Profile", "metres", "minutes"), ("Profile", "minutes", "metres")}
#: What a plan worked out, handed on by the library itself.
HANDED_ON = {("District", method, given) for method in ("", "with_rows") for given in ("moved", "arrived")}
HANDED_ON |= {("District", method, "parted") for method in ("", "with_parted")}
#: Where no limit is one: only what is no number is refused.
ENDLESS = {("WalkNetwork", "limit"), ("WalkNetwork", "limits"), ("Rule", "metres"), ("Rule", "minutes")}


def numbers_of(name: str) -> Iterator[tuple[str, str, str]]:
    """Yield what of a public name takes decimal numbers: the name, its method ("" itself), the parameter."""
    given = getattr(xh, name)
    methods = {"": given}
    if inspect.isclass(given):
        methods |= {m: f for m, f in inspect.getmembers(given, callable) if not m.startswith("_")}
    for method, function in methods.items():
        with contextlib.suppress(TypeError, ValueError):
            for parameter in inspect.signature(function).parameters.values():
                if re.search(r"\bfloat\b", str(parameter.annotation)):
                    yield name, method, parameter.name


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.mark.slow
def test_no_public_function_takes_a_number_without_end_or_none(toy: xh.District) -> None:
    """Derived from the public names as they are."""
    network, rule = toy.network, toy.rule("plan_clinic_15")
    points = toy.rows["homes"].geometry.representative_point()
    doors = network.attach(points)
    needed: dict[tuple[str, str], Callable[..., object]] = {
        ("Profile", ""): lambda **v: xh.Profile(**{"name": "a", "label": "a", "speed_m_s": 1.0, **v}),
        ("Rule", ""): lambda **v: dataclasses.replace(rule, **v),
        ("Siting", ""): lambda **v: xh.sites(toy, "clinic_station", 1, siting=xh.Siting(**v)),
        ("completeness", ""): lambda **v: xh.completeness(toy, **v),
        ("live", ""): lambda **v: LiveModel(toy).ask(
            "canteen", **v
        ),  # what `live` hands it on to, with Jupyter or without
        ("isochrones", ""): lambda **v: xh.isochrones(toy, "clinic_station", **v),
        ("curve", ""): lambda **v: xh.curve(toy, "clinic_station", **v),
        ("within", ""): lambda **v: xh.within(toy, "clinic_station", **{"minutes": 15, **v}),
        ("programme", ""): lambda **v: xh.programme(toy, **v),
        ("flips", ""): lambda **v: xh.flips(toy, "plan_clinic_15", **v),
        ("WalkNetwork", "metres"): lambda **v: network.metres(points, points, **v),
        ("WalkNetwork", "minutes"): lambda **v: network.minutes(points, points, profile="adult", **v),
        ("WalkNetwork", "reach"): lambda **v: network.reach(points, **v),
        ("WalkNetwork", "nearest"): lambda **v: network.nearest(points, points, **v),
        ("WalkNetwork", "search_each"): lambda **v: network.search_each(doors, {"": doors}, **v),
        ("WalkNetwork", "pieces"): lambda **v: network.pieces(doors, **v),
        ("WalkNetwork", "reached"): lambda **v: network.reached(doors, **v),
    }
    for name in ("pairs", "search"):
        needed["WalkNetwork", name] = partial(getattr(network, name), doors, doors)
    found = [case for name in xh.__all__ for case in numbers_of(name) if case not in CONVERTING | HANDED_ON]
    assert {(name, method) for name, method, _ in found} == {*needed}
    for name, method, parameter in found:
        for value in (math.nan, -math.inf, *([] if (name, parameter) in ENDLESS else [math.inf])):
            given = [value] if name == "isochrones" and parameter != "frontage_m" else value
            with pytest.raises((xh.XinheError, ValueError)):
                needed[name, method](**{parameter: given})
                pytest.fail(f"{name}.{method} {parameter}={value}")

"""Comparisons and the page of plans: what the files say is what the functions count; nothing is loaded, all is escaped."""

from __future__ import annotations

import html
import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.access.effects import effects
from xinhe_geo.app.cli import main
from xinhe_geo.core.errors import EnvironmentProblem
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.numbers import amount, signed
from xinhe_geo.report.analysis import Comparison
from xinhe_geo.report.pages.plans import (
    comparison,
    state_of,
    write_comparison,
    write_comparisons,
    write_new,
    write_plans,
)
from xinhe_geo.report.pages.programme import _served
from xinhe_geo.report.pages.shell import table_html
from xinhe_geo.report.states import year_by_year, year_of_several
from xinhe_geo.report.story.change import Change, Moves, moves, with_net
from xinhe_geo.report.story.parcels import Year, _accounts_of
from xinhe_geo.report.tables import cell_text

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with two plans, one of them with a name that must be escaped."""
    import shutil

    target = Path(shutil.copytree(TOY, tmp_path_factory.mktemp("plans") / "toy"))
    (target / "scenarios").mkdir()
    first = 'label = "<b>开&关</b>"\n[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'
    (target / "scenarios/close.toml").write_text(first, "utf-8")
    (target / "scenarios/open.toml").write_text('[[edit]]\ndo = "open_planned"\nfacility = "F4"\n', "utf-8")
    return target


@pytest.mark.slow
@pytest.mark.matrix
def test_a_comparison_is_written(folder: Path, tmp_path: Path) -> None:
    district = xh.District.load(folder)
    after, before = state_of(district, "close"), state_of(district, None)
    out = tmp_path / "out"
    table = write_comparison(before, after, out)
    page = (out / "compare.html").read_text("utf-8")
    assert "<b>开" not in page and "&lt;b&gt;开&amp;关" in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    counted = effects(before.district, after.district)
    lost = float(counted["people_lose"].max())
    assert lost > 0 and float(table["受影响居民（人）"].max()) == pytest.approx(lost)
    book = openpyxl.load_workbook(out / "方案比较.xlsx")
    assert book.sheetnames[:3] == ["一页表", "小区变化", "设施使用人数"]
    links = re.findall(r'href="(maps/[^"]+)"', page)
    assert links and all((out / link).is_file() for link in links)
    first = (out / "方案比较.xlsx").read_bytes()
    write_comparison(before, after, out)
    assert (out / "方案比较.xlsx").read_bytes() == first


@pytest.mark.slow
@pytest.mark.matrix
def test_each_state_is_counted_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a comparison asks for coverage and ledger again and again; each state is worked out once for all of it."""
    counted: list[tuple[str, int]] = []
    for module, name in (("access.coverage", "_covered"), ("ledger.ledger", "_evaluated")):
        inside = importlib.import_module(f"xinhe_geo.{module}")
        own = getattr(inside, name)

        def noted(district: xh.District, *rest: object, name: str = name, own: Any = own) -> object:
            counted.append((name, id(district)))
            return own(district, *rest)

        monkeypatch.setattr(inside, name, noted)
    district = xh.District.load(folder)
    write_comparison(state_of(district, None), state_of(district, "close"), tmp_path / "out")
    assert sorted(name for name, _ in counted) == ["_covered", "_covered", "_evaluated", "_evaluated"]
    assert len(set(counted)) == 4, "once for each of the two states"
    assert len(list((tmp_path / "out" / "maps").iterdir())) > 1


@pytest.mark.slow
def test_the_pages_ask_once_for_each_state(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison asks for coverage and ledger twice, once for each state, and hands them down; a report once."""
    asked: list[tuple[str, int]] = []
    for name, own in (("coverage", xh.coverage), ("ledger", xh.ledger)):

        def noted(district: xh.District, *, name: str = name, own: Any = own, **rest: object) -> object:
            if isinstance(rest.get("rules", ""), str):  # not some rules for another walker
                asked.append((name, id(district)))
            return own(district, **rest)

        for module in [m for key, m in sys.modules.items() if key.startswith("xinhe_geo.")]:
            if vars(module).get(name) is own:
                monkeypatch.setattr(module, name, noted)
    district = xh.District.load(folder)
    write_comparison(state_of(district, None), state_of(district, "close"), tmp_path / "compared")
    assert sorted(name for name, _ in asked) == ["coverage", "coverage", "ledger", "ledger"]
    assert len(set(asked)) == 4
    asked.clear()
    xh.brief(district, tmp_path / "out")
    assert not asked, "it is known already"
    write_comparisons(district, tmp_path / "all")
    assert len(asked) == len(set(asked)) == 4, "each of two plans"
    asked.clear()
    xh.brief(xh.District.load(folder), tmp_path / "out")
    assert [name for name, _ in asked] == ["coverage"], "the folder borrows its promises: it has no ledger"


@pytest.mark.slow
def test_some_rules_of_a_coverage_are_those_rows_of_it() -> None:
    """What is taken from a coverage that is there is what would have been worked out."""
    district, names = xh.District.load(TOY), ["plan_canteen_community", "plan_clinic_15"]
    whole = xh.coverage(district)
    for some in ([names[1]], names, names[::-1]):
        pd.testing.assert_frame_equal(xh.coverage(district, rules=some), xh.coverage(xh.District.load(TOY), rules=some))
    part = xh.coverage(district, rules=names[:1])
    part.loc[:, "served"] = 7.0
    pd.testing.assert_frame_equal(xh.coverage(district), whole)


@pytest.mark.slow
def test_the_same_year_is_the_same_district() -> None:
    district = xh.District.load(TOY)
    later = district.at(district.year + 1)
    assert district.at(district.year) is district and district.at(district.year + 1) is later
    assert district.at(district.year, planned=True) is not district
    assert later.at(district.year + 1) is later and later.year == district.year + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("years", "expected"),
    [([None, 2025, 2030, 2025], 2025), ([None, 2022], 2022), ([2030], None), ([2030, 2031], None)],
)
def test_what_several_plans_stand_on_is_one_year(years: list[int | None], expected: int | None) -> None:
    plans = {str(i): SimpleNamespace(year=year) for i, year in enumerate(years)}
    district = SimpleNamespace(year=2022, scenario=plans.__getitem__)
    queue = year_by_year(district, list(plans))  # type: ignore[arg-type]
    assert year_of_several(district, queue) == expected  # type: ignore[arg-type]
    assert sorted(queue) == sorted(plans)
    assert expected is None or plans[queue[-1]].year in (expected, None)


def test_nothing_differs_from_itself(folder: Path) -> None:
    district = xh.District.load(folder)
    change = Change(Comparison.of(district, district))
    assert all(table.empty for table, _ in comparison(change, targets=False).values())
    assert change.pair.verdicts.empty


def test_a_count_of_one_is_not_a_hundred_per_cent() -> None:
    """Shares stand under 之前 and 之后; what a target counts stands under other names, in its own unit."""
    page = table_html(pd.DataFrame({"之前": [1.0], "之前的数": [0.0], "之后的数": [1.0]}))
    assert re.findall(r'<td class="n">(.*?)</td>', page) == ["100%", "0", "1"]


def test_the_last_bits_of_a_sum_are_no_change() -> None:
    """The same homes added up in another order: 85.78805056448942 and a few units in the last place more."""
    assert [signed(v) for v in (1.4e-14, -1.4e-14, 2e-9)] == ["0", "0", "+0.000000002"]
    row = {"label": "圈", "unit": "%", "target_text": "", "operator": "", "target": np.nan, "verdict": "达标"}
    sides = []
    for values in ((85.78805056448942, 1.0), (85.78805056448944, 1.0 + 1e-6)):
        index = pd.MultiIndex.from_tuples([("S1", "S1.a"), ("S1", "S1.b")], names=["commitment", "measure"])
        sides.append(SimpleNamespace(ledger=pd.DataFrame([{**row, "value": value} for value in values], index)))
    told = Comparison(*sides).verdicts
    assert told.index.get_level_values("measure").to_list() == ["S1.b"]
    assert told["value_change"].to_list() == pytest.approx([1e-6])


def test_a_change_is_written_as_people_write_it() -> None:
    assert [signed(v) for v in (0.0, -0.0, 1.44, -2.0, -0.003, 0.049, -0.05)] == [
        "0",
        "0",
        "+1.4",
        "−2.0",
        "−0.003",
        "+0.049",
        "−0.1",
    ]
    html = table_html(pd.DataFrame({"设施": ["甲"], "变化人数": [-452.2], "变化": [-0.0]}))
    assert "−452<" in html and "−0.0" not in html and "-452" not in html


@pytest.mark.slow
@pytest.mark.matrix
def test_two_plans_against_each_other(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    district = xh.District.load(folder)
    a, b = (state_of(district, name)[0] for name in ("close", "open"))
    there, back = effects(a, b), effects(b, a)
    pd.testing.assert_series_equal(there["people_gain"], back["people_lose"], check_names=False)
    assert main(["compare", "close", "open", "--for", str(folder)]) == 0
    assert "→" in capsys.readouterr().out
    assert main(["compare", "nix", "--for", str(folder)]) == 2


@pytest.mark.slow
def test_the_page_of_plans(folder: Path, tmp_path: Path) -> None:
    district = xh.District.load(folder)
    table = write_plans(district, tmp_path)
    page = (tmp_path / "plans.html").read_text("utf-8")
    assert list(table.index) == ["close", "open"]
    assert "&lt;b&gt;开&amp;关" in page and "<b>开" not in page and "default-src 'none'" in page
    assert (tmp_path / "tables/方案.xlsx").is_file()


@pytest.mark.slow
def test_commands(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["scenario", "new", "甲", "--for", str(folder)]) == 0
    path = folder / "scenarios/甲.toml"
    assert main(["scenario", "check", str(path), "--for", str(folder)]) == 0
    assert main(["scenario", "new", "甲", "--for", str(folder)]) == 0, "it is there already, as it would be written"
    path.write_text('[[edit]]\ndo = "close_facility"\nfacility = "F9"\n', "utf-8")
    assert main(["scenario", "new", "甲", "--for", str(folder)]) == 4 and "F9" in path.read_text("utf-8")
    capsys.readouterr()
    assert main(["scenario", "check", str(path), "--for", str(folder)]) == 3
    assert "F9" in capsys.readouterr().out
    path.unlink()
    assert main(["scenario", "list", str(folder)]) == 0 and main(["scenarios", str(folder)]) == 0
    assert main(["links", "plan_clinic_15", "--n", "1", "--for", str(folder), "--toml", "best.toml"]) == 0
    with pytest.raises(EnvironmentProblem, match="已经有了"):
        write_new(folder / "district.toml", "")


@pytest.mark.slow
@pytest.mark.matrix
def test_the_report_writes_plans_and_sites_when_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without being asked the brief names none of them, nor any command; asked, it links every page, and each of them leads back."""
    out = tmp_path / "out"
    assert main(["report", str(folder), "--out", str(out)]) == 0
    brief = (out / "index.html").read_text("utf-8")
    assert "plans.html" not in brief and "--plans" not in brief
    assert not (out / "plans").exists() and not list(out.glob("sites-*.html"))
    assert main(["report", str(folder), "--out", str(out), "--plans"]) == 0
    brief = (out / "index.html").read_text("utf-8")
    (sites_page,) = out.glob("sites-*.html")
    assert 'href="plans.html"' in brief and f'href="{sites_page.name}"' in brief
    for page in (out / "plans.html", *out.glob("plans/*/compare.html"), sites_page):
        for link in re.findall(r'href="([^"#]+)"', page.read_text("utf-8")):
            assert (page.parent / link).is_file(), (page.name, link)
    pages = [f"plans/{name}/compare.html" for name in ("close", "open")]
    plans_page = (out / "plans.html").read_text("utf-8")
    assert all(f'href="{page}"' in plans_page for page in pages)
    lead = xh.headlines(xh.District.load(folder), xh.coverage(xh.District.load(folder)))
    worst = lead[lead["people_unserved"] == lead["people_unserved"].max()]
    assert any(label in sites_page.read_text("utf-8") for label in worst["label"])


@pytest.mark.slow
@pytest.mark.matrix
def test_the_comparison_and_the_plans_speak_english(folder: Path, tmp_path: Path) -> None:
    """Nothing but names is Chinese; the figures are those of the Chinese pages."""
    district = xh.District.load(folder)
    named = {str(n) for frame in district.rows.values() if "name" in frame for n in frame["name"].dropna()}
    names = re.compile(
        "|".join(map(re.escape, sorted({*named, district.manifest["credit"], "开&关"}, key=len, reverse=True)))
    )
    figures: dict[str, list[list[str]]] = {}
    for lang in ("zh", "en"):
        with speaking(lang):
            write_comparison(state_of(district, None), state_of(district, "close"), tmp_path / lang)
            write_plans(district, tmp_path / lang)
        for page in ("compare.html", "plans.html"):
            text = (tmp_path / lang / page).read_text("utf-8")
            text = re.sub(r'<span lang="zh">([^<]*)</span>', r"\1", text)  # names, marked as such
            shown = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL))
            left = [line for line in names.sub("", shown).splitlines() if re.search(r"[\u3400-\u9fff]", line)]
            assert lang == "zh" or ('<html lang="en">' in text and not left), left[:3]
            figures.setdefault(page, []).append(re.findall(r'<td class="n">(.*?)</td>', text))
        for book in ("方案比较.xlsx", "tables/方案.xlsx"):
            for sheet in openpyxl.load_workbook(tmp_path / lang / book).worksheets if lang == "en" else ():
                heads = [str(cell.value) for cell in sheet[3] if cell.value is not None]
                assert heads and not [h for h in heads if re.search(r"[\u3400-\u9fff]", h)], sheet.title
    for ours, theirs in figures.values():
        assert len(ours) > 3 and ours == theirs


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_newcomers_make_no_goal_better(lang: str) -> None:
    """A share that rises because people move in is nobody's gain: the verdict says so, and counts it as no change."""
    district = xh.District.load(TOY)
    served = xh.summary(xh.coverage(district))["share"]
    goal = next(r for r in served.index if 0 < served[r] < 1 and district.rule(r).metric == "reach")
    cover = xh.coverage(district).xs(goal, level="rule")["served"]
    for home, sign in ((cover.idxmax(), 1), (cover.idxmin(), -1)):
        homes = district.rows["homes"].copy()
        homes.loc[home, "people"] += 9000
        pair = Comparison.of(district, district.with_rows({**district.rows, "homes": homes}))
        share = xh.summary(pair.after.cover)["share"]
        assert np.sign(share[goal] - served[goal]) == sign
        with speaking(lang):
            change = Change(pair)
            assert not change.goals["tone"].isin(["gain", "lose"]).any() and change.goals.loc[goal, "tone"] == "others"
            assert re.findall(r"\d+", change.verdict[0].text)[1:3] == ["0", "0"]


@pytest.mark.slow
def test_who_stays_lived_there_before() -> None:
    """Of a home that loses people those who are left, of one that gains people those who were there; nobody of a new one."""
    district = xh.District.load(TOY)
    homes = district.rows["homes"].copy()
    was, (first, second) = float(homes["people"].sum()), homes.index[:2]
    homes.loc[first, "people"] -= 10
    homes.loc[second, "people"] += 25
    homes = pd.concat([homes, homes.loc[[second]].rename(index={second: "new"})])
    told = moves(district, district.with_rows({"homes": homes}))
    assert told is not None and told.stay == was - 10 and told.before == was
    assert told.after == told.before - told.out + told.back + told.came + told.other


# --- figures that stand in one sum ---------------------------------------------------------------------------------------

#: People of which only a part is counted.
PEOPLE = st.integers(0, 10**6).map(lambda n: n / 32)


def printed(text: str) -> int:
    """Return a number of people as it is printed."""
    return int(re.sub(r"[, +]| ?(人|老人)$", "", text).replace("−", "-"))


@given(st.lists(st.tuples(PEOPLE, PEOPLE, st.sampled_from(["people", "people_60plus"])), min_size=1, max_size=4))
def test_a_net_gain_is_what_is_printed_of_gain_and_loss(cases: list[tuple[float, float, str]]) -> None:
    rows = [{"net_of": of, f"{of}_gain": gain, f"{of}_lose": lose, "net": gain - lose} for gain, lose, of in cases]
    for (gain, lose, _), text in zip(cases, with_net(pd.DataFrame(rows))["net_text"], strict=True):
        assert printed(text) == printed(amount(gain)) - printed(amount(lose))


@given(PEOPLE, st.lists(PEOPLE, min_size=5, max_size=5))
def test_who_comes_and_goes_leads_from_before_to_after_as_printed(before: float, flows: list[float]) -> None:
    there, out, back, came, other = flows
    after = before + there - out + back + came + other
    own = Moves(before, before - out, out, came, other, after, 0, 0, back, by_plan=True, there=there).told
    figures = (own.before, own.there, -own.out, own.back, own.came, own.other)
    assert sum(printed(amount(n)) for n in figures) == printed(amount(own.after)) == printed(amount(after))
    assert printed(amount(own.stay)) == printed(amount(own.before)) - printed(amount(own.out))


@given(PEOPLE, st.lists(PEOPLE, min_size=4, max_size=4), st.lists(PEOPLE, min_size=5, max_size=5))
def test_the_lines_of_a_balance_add_up_as_printed(opening: float, flows: list[float], since: list[float]) -> None:
    out, back, came, other = flows
    where = ("waiting", "returned_total", "elsewhere", "cash", "unsaid")
    row = {"opening": opening, "moved_out": out, "returned": back, "newcomers": came, "other": other}
    row |= {"closing": opening - out + back + came + other, "moved_total": sum(since)}
    row |= dict(zip(where, since, strict=True))
    names = ["parcel", "count", "holder", "year"]
    index = pd.MultiIndex.from_tuples([("p", "people", "", 2030)], names=names)
    _, (account,) = _accounts_of(pd.DataFrame([row], index=index), "p")
    told = {line.code: printed(line.texts[0]) for line in account.lines}
    ways = told["opening"] - told["moved_out"] + told["returned"] + told["newcomers"] + told["other"]
    assert ways == told["closing"] and sum(told[code] for code in where) == told["moved_total"]
    lives = Year(2030, {"stay": opening, "back": back, "came": came, "left": out}).texts
    assert sum(printed(lives[code]) for code in ("stay", "back", "came")) == printed(amount(opening + back + came))


@given(st.lists(st.tuples(PEOPLE, PEOPLE), min_size=1, max_size=4))
def test_users_before_and_after_and_their_change_agree_as_printed(cases: list[tuple[float, float]]) -> None:
    table = pd.DataFrame(cases, columns=["users_before", "users_after"]).assign(label="r")
    table["change"] = table["users_after"] - table["users_before"]
    table.index = pd.MultiIndex.from_product([["r"], range(len(cases))], names=["rule", "facility"])
    change = Change(SimpleNamespace(sharing=table))  # type: ignore[arg-type]
    vars(change)["_effects"] = pd.DataFrame({"label": ["r"]}, index=["r"])
    for row in change.users.itertuples():
        was, now = (
            printed(cell_text(c, n)) for c, n in (("之前人口", row.users_before), ("之后人口", row.users_after))
        )
        assert now - was == printed(cell_text("变化人数", row.change))


@given(
    st.lists(st.integers(0, 4000).map(lambda n: n / 20), min_size=1),
    st.sampled_from(["平均步行（分钟）", "绕行（倍）"]),
)
def test_minutes_have_the_same_digits_all_the_way_down(values: list[float], column: str) -> None:
    """No 13.40 beside 15."""
    assert {cell_text(column, value).partition(".")[2] != "" for value in values} == {True}
    assert all(re.fullmatch(r"\d+\.\d", cell_text(column, value)) for value in values)


@given(PEOPLE, PEOPLE, PEOPLE.filter(bool))
def test_who_is_served_in_a_year_is_who_would_be_and_who_came_and_who_gains(
    without: float, came: float, gained: float
) -> None:
    """As printed; what nobody can add up is told as it was counted."""
    row = {"people": without + came + gained, "newcomers": came, "without": without, "gained": gained}
    index = pd.MultiIndex.from_tuples([(2027, "")], names=["year", "rule"])
    table = _served(SimpleNamespace(), pd.DataFrame([row], index=index))  # type: ignore[arg-type]
    all_of_them, *parts = (printed(cell_text(column, table[column].iloc[0])) for column in table.columns[2:])
    assert all_of_them == sum(parts)
    other = _served(SimpleNamespace(), pd.DataFrame([{**row, "people": without}], index=index))  # type: ignore[arg-type]
    assert gained + came < 4 or other["走得到（人）"].iloc[0] == without


@pytest.mark.slow
def test_plans_that_cannot_be_carried_out_take_nothing_from_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them are told, at the end; the report and what there is of the others has been written, wherever they stand in the list."""
    import shutil

    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    (folder / "scenarios").mkdir()
    for name, facility in (("a", "F99"), ("b", "F1"), ("c", "F98")):
        text = f'label = "方案{name}"\n[[edit]]\ndo = "close_facility"\nfacility = "{facility}"\n'
        (folder / f"scenarios/{name}.toml").write_text(text, "utf-8")
    assert main(["report", str(folder), "--plans", "--out", str(tmp_path / "out")]) == 3
    told, page = capsys.readouterr(), (tmp_path / "out/plans.html").read_text("utf-8")
    assert "F98" in told.err and "F99" in told.err and "完成" in told.out
    assert "方案b" in page and "方案a" not in page and (tmp_path / "out/plans/b/compare.html").is_file()

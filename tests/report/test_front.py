"""The first pages: three sentences that conclude, goals worst first, proven plans, a heat table that adds up, walks that are the tip's."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path

import pytest

import xinhe_geo as xh
from xinhe_geo.core import rounded
from xinhe_geo.report.analysis import Analysis, analyse
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.story import front, steps
from xinhe_geo.report.story.records import Tally
from xinhe_geo.report.story.story import Story
from xinhe_geo.siting import sites_plan

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def story() -> Story:
    return Story(analyse(xh.District.load(TOY)))


@pytest.fixture(scope="module")
def page(story: Story) -> str:
    return html.unescape(brief_page(story, [], []))


def test_three_sentences_come_first_and_say_how_many_are_met_which_is_worst_and_what_to_do(
    story: Story, page: str
) -> None:
    """By hand: of ten rules nine have a value, none is whole; the day care centre is in neither community of 350 people.

    The place that is found serves 250 of the 350; that one of two communities has one then is said in communities, not as a share of people.
    """
    first = re.search(r'<ol class="conclusion">(.*?)</ol>', page)
    assert first is not None and page.index("<ol") < page.index("<table")
    met, worst, nxt = (re.sub("<[^>]+>", "", said) for said in re.findall(r"<li>(.*?)</li>", first.group(1)))
    assert len(re.findall('<li><a class="sum" href="receipts.html#', first.group(1))) == 3
    assert met == "10 项参考口径中 0 项做到，9 项还差，1 项数据不足"
    assert worst == "短板突出的是“每个社区有日间照料中心”：0 / 2 个社区有，没有的社区住着 350 人"
    assert (
        nxt.startswith("下一步：为“每个社区有日间照料中心”在")
        and "覆盖 1 个社区（住着 250 人，设在社区内哪里都算），有的社区由 0% 提高到 50%" in nxt
        and nxt.endswith("（已证明最优：只比选哪个社区，不比社区内的位置）")
    )


def test_goals_stand_worst_first_and_those_that_are_met_last(story: Story) -> None:
    states = [line.goal.state for line in story.lines]
    assert states == sorted(states, key=["short", "unknown", "at_least", "whole"].index)
    missed = [line.goal.unserved.value for line in story.lines if line.goal.state == "short"]
    assert missed == sorted(missed, reverse=True) and {line.goal.rule for line in story.lines} == {
        g.rule for g in story.goals
    }


@pytest.mark.slow
def test_what_is_asked_of_each_community_is_told_in_communities(story: Story) -> None:
    """Never as people who come to be served: wherever in it the place stands, all who live there count."""
    every = [*story.remedies, *(step for steps in story.steps.values() for step in steps)]
    asked = {one.rule: story.district.rule(one.rule).metric == "presence" for one in every}
    assert set(asked.values()) == {True, False}
    for one in every:
        count = round((one.after.value - one.before.value) * len(story.district.communities))
        assert one.communities == (count if asked[one.rule] else 0)
        assert ("新增服务" in one.brings) is not asked[one.rule] and one.gained.told in one.brings


@pytest.mark.slow
def test_plans_bring_what_coverage_finds_once_they_are_built(story: Story) -> None:
    """Carried out on the district and counted afresh."""
    leading = story.leading
    assert leading is not None and [step.number for step in story.plans] == [1, 2]
    for step in story.plans:
        table = xh.sites(story.district, leading.rule, step.number)
        after = sites_plan(table, 1).on(story.district)
        row = xh.summary(xh.coverage(after, rules=[leading.rule])).loc[leading.rule]
        assert step.after.value == pytest.approx(row["share"]) and step.proven
        assert step.left.value == pytest.approx(leading.unserved.value - step.gained.value, abs=1)
        assert step.left.value == rounded(leading.unserved.value) - rounded(step.gained.value)
        assert [(p.x, p.y) for p in step.places] == [(round(g.x, 2), round(g.y, 2)) for g in table.geometry]
    letters = {(p.x, p.y): p.tag for step in story.plans for p in step.places}
    assert len(set(letters.values())) == len(letters)  # a letter is one place, in every plan


def test_the_heat_table_adds_up_to_the_headlines(story: Story) -> None:
    for goal in story.judged:
        told = [row.cells[goal.rule].text for row in story.heat]
        assert sum(float(text.replace(",", "")) for text in told if text) == pytest.approx(
            goal.unserved.value, abs=len(told)
        )
    assert all(
        (cell.text in ("", "0")) == (cell.tone in ("t0", "tu")) for row in story.heat for cell in row.cells.values()
    )


def test_a_walk_takes_the_minutes_that_its_gap_says(story: Story) -> None:
    walked = [gap for gap in story.gaps[: front.WALKS] if math.isfinite(gap.minutes)]
    assert [walk.gap.home for walk in story.walks] == [gap.home for gap in walked]
    for walk in story.walks:
        assert walk.route["minutes"].sum() == pytest.approx(walk.gap.minutes, abs=1e-6)
        told = [(float(leg.metres.replace(",", "")), float(leg.minutes)) for leg in walk.legs]
        assert (
            f"{sum(far for far, _ in told):,.0f}" == walk.metres
            and f"{sum(long for _, long in told):.1f}" == walk.minutes
        )
        assert float(walk.straight.replace(",", "")) <= float(walk.metres.replace(",", "")) + 1


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (Tally(0, 0, 0, 0), "没有可以核对的规划提出的目标"),
        (Tally(4, 0, 0, 4), "4 项规划提出的目标都还不能判断"),
        (Tally(4, 3, 1, 0), "4 项规划提出的目标中 3 项做到，1 项还差"),
    ],
)
def test_what_cannot_be_judged_is_never_called_met(tally: Tally, said: str) -> None:
    assert front.met_sentence(tally, "规划提出的目标").startswith(said)
    worst = front.worst_sentence(None, tally, ["药店"])
    assert (worst == "能判断的目标没有短板") == bool(tally.whole)
    assert front.next_sentence(None, None, ["药店"]) == "下一步：调查药店，查全了才能判断谁在服务范围外、补在哪里"


@pytest.mark.slow
def test_sites_are_kept_for_the_same_inputs_and_made_anew_for_others(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis, rules, kept = story.analysis, steps.siting_order(story.worst), tmp_path / steps.KEPT
    found = steps.suggested(analysis, rules, every=False)
    kept.write_text(steps.text_of(analysis, found), "utf-8")
    asked: list[str] = []
    monkeypatch.setattr(steps, "sited", lambda district, rule, number: asked.append(rule))
    assert steps.suggested(analysis, rules, every=False, kept=kept) == found and not asked
    other = Analysis(analysis.district, "td1063")
    assert steps.suggested(other, rules[:1], every=False, kept=kept) == {rules[0]: []} and asked
    for broken in (
        "",
        "[]",
        '{"key": 1}',
        json.dumps({**json.loads(kept.read_text("utf-8")), "rules": {rules[0]: [{}]}}),
    ):
        asked.clear()
        kept.write_text(broken, "utf-8")
        steps.suggested(analysis, rules[:1], every=False, kept=kept)
        assert asked, broken


def test_the_first_pages_name_no_command(page: str) -> None:
    first = page[page.index("<body") : page.index('id="annex"')]
    assert "python" not in first and "--" not in re.sub(r"<[^>]*>", "", first)


def test_who_answers_for_a_goal_is_taken_from_what_people_typed(story: Story) -> None:
    rule = story.lines[0].goal.rule
    told = brief_page(Story(story.analysis, {}, {rule: "民政科<b>"}), [], [])
    row = re.search(rf'<tr id="goal-{rule}">.*?</tr>', told)
    assert row is not None and "民政科&lt;b&gt;" in row.group() and "待填" not in row.group()

"""The story of one state of a district: what page, Word, slides and sheets lay out, each figure and sentence made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from ...core import speaking
from ...district import District, kind_name
from ...ledger import has_own_plan
from ..analysis import Analysis, Comparison, survey_first
from . import change, evidence, front, goals, places, promises, steps
from .records import (
    Conclusion,
    Curve,
    Figure,
    Finding,
    Gap,
    Goal,
    HeatRow,
    Kind,
    Lacking,
    Line,
    Pace,
    Part,
    Remedy,
    Source,
    Step,
    Tally,
    WalkTold,
    Weak,
    count,
    people,
    share,
)


@dataclass(frozen=True, eq=False)
class Story:
    """
    What there is to say of a state, in the language of its analysis; each thing is worked out when it is first asked for.

    Attributes
    ----------
    analysis
        The state.
    sites
        Where new places would stand, by rule (`steps.suggested`); None: they are worked out for the goal that falls shortest.
    offices
        Who answers for a rule, as people have typed it.
    against
        Another state, which this one is held against: what was there before a plan, or another plan.
    """

    analysis: Analysis
    sites: Mapping[str, steps.Rows] | None = None
    offices: Mapping[str, str] = field(default_factory=dict)
    against: District | None = None

    @property
    def district(self) -> District:
        """The district in that state."""
        return self.analysis.district

    @cached_property
    def change(self) -> change.Change | None:
        """What differs from the state that this one is held against; None where it stands alone."""
        if self.against is None:
            return None
        with speaking(self.analysis.lang):
            before = Analysis.of(self.against, self.analysis.preset, ranges=self.analysis.ranges)
        return change.Change(Comparison(before, self.analysis))

    # --- how are we doing ---

    @cached_property
    def goals(self) -> tuple[Goal, ...]:
        """What is promised, the plan's own promises first."""
        with speaking(self.analysis.lang):
            return goals.promised_goals(self.analysis)

    @cached_property
    def every(self) -> tuple[Goal, ...]:
        """All rules, those that lead first."""
        with speaking(self.analysis.lang):
            return tuple(goals.goal_of(self.analysis, name) for name in self.analysis.order)

    @property
    def headings(self) -> dict[str, tuple[Goal, ...]]:
        """All rules under what they are: what the plan says, and what is counted beside it."""
        found = dict.fromkeys(goal.heading for goal in self.every)
        return {heading: tuple(g for g in self.every if g.heading == heading) for heading in found}

    @property
    def beside(self) -> tuple[Goal, ...]:
        """What is counted and the plan does not say."""
        return tuple(goal for goal in self.every if not goal.own)

    @property
    def judged(self) -> tuple[Goal, ...]:
        """The goals of which can be said whom they miss."""
        return tuple(goal for goal in self.goals if goal.state in ("whole", "short"))

    @property
    def exact(self) -> tuple[Goal, ...]:
        """The goals whose kinds somebody has counted, with a value or not."""
        return tuple(goal for goal in self.goals if goal.exact)

    @property
    def known(self) -> tuple[Goal, ...]:
        """The goals that have a value; where none has, the first of all rules that have one."""
        return tuple(g for g in self.goals if g.share.known) or tuple(g for g in self.every if g.share.known)[:8]

    @property
    def unknown(self) -> tuple[Goal, ...]:
        """The goals that have no value."""
        return tuple(goal for goal in self.goals if not goal.share.known)

    @cached_property
    def tally(self) -> Tally:
        """How many goals are met, are not, cannot be judged."""
        return goals.tally_of(self.goals)

    @property
    def worst(self) -> tuple[Goal, ...]:
        """The goals that are not met, those first that miss most people."""
        short = [goal for goal in self.judged if goal.state == "short"]
        return tuple(sorted(short, key=lambda goal: -goal.unserved.value if goal.unserved.known else 0.0))

    def parts(self, goal: Goal, group: str = "community") -> tuple[Part, ...]:
        """How the communities (areas, zones) stand to a goal, those first that miss most people."""
        with speaking(self.analysis.lang):
            return goals.parts_of(self.analysis, goal, group)

    def short(self, goal: Goal) -> tuple[Part, ...]:
        """The communities a goal is not met for; homes in none of them are a part of their own."""
        return goals.short_of(self.parts(goal))

    def zones(self, goal: Goal) -> tuple[Figure, ...]:
        """A goal's share in each zone, in the order of the zones; none where there are no zones."""
        with speaking(self.analysis.lang):
            return goals.by_zone(self.analysis, goal)

    # --- where is it worst ---

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """The homes that miss something promised: first those that cannot walk there, then those whose community has none."""
        with speaking(self.analysis.lang):
            return goals.gaps_of(self.analysis)

    @cached_property
    def lacking(self) -> tuple[Lacking, ...]:
        """The communities that have none of something promised to each of them."""
        with speaking(self.analysis.lang):
            return goals.lacking_communities(self.analysis, self.goals)

    @property
    def survey(self) -> tuple[str, ...]:
        """The kinds to survey before anybody can say who lacks them, by name; those first that concern most people."""
        with speaking(self.analysis.lang):
            return tuple(kind_name(self.district, kind) for kind in survey_first(self.district, self.analysis))

    @cached_property
    def mean_completeness(self) -> Figure:
        """The share of essential kinds that a resident reaches on the average."""
        with speaking(self.analysis.lang):
            return share("completeness", "", places.mean_completeness(self.analysis.completeness)[0], "kinds")

    @property
    def essential(self) -> int:
        """How many kinds are essential."""
        return places.mean_completeness(self.analysis.completeness)[1]

    @cached_property
    def out_of_reach(self) -> tuple[Kind, ...]:
        """Which essential kinds are out of reach, for most people first."""
        with speaking(self.analysis.lang):
            table = places.lacking_figures(self.district, self.analysis.completeness)
            return tuple(
                Kind(
                    str(row.Index),
                    count("lacking", str(row.Index), row.homes),
                    people("lacking", str(row.Index), row.people),
                )
                for row in table.itertuples()
            )

    # --- what comes first ---

    @cached_property
    def steps(self) -> Mapping[str, tuple[Step, ...]]:
        """What one, two and three new places bring, by rule; the goal that falls shortest is the first that has any."""
        sites, order = self.sites, steps.siting_order(self.worst)
        if sites is None:
            sites = steps.suggested(self.analysis, order, every=False)
        by_rule = {goal.rule: goal for goal in self.worst}
        with speaking(self.analysis.lang):
            return {r: steps.steps_of(self.district, by_rule[r], sites[r]) for r in order if sites.get(r)}

    @property
    def checked(self) -> str:
        """How many goals have a gap, in one sentence."""
        with speaking(self.analysis.lang):
            return front.checked_sentence(self.tally, own=self.district.has_own_goals)

    @property
    def leading(self) -> Goal | None:
        """The goal that comes first: the one with a next step, else the first that is not met; what the plan itself promises goes before."""
        order = [*self.steps, *steps.siting_order(self.worst)]
        return next((goal for rule in order[:1] for goal in self.worst if goal.rule == rule), None)

    @property
    def plans(self) -> tuple[Step, ...]:
        """One, two and three new places for the goal that comes first; none where no place helps."""
        return () if self.leading is None else self.steps.get(self.leading.rule, ())

    @cached_property
    def conclusion(self) -> Conclusion:
        """The three sentences that come first: how many goals are met, which falls shortest and for whom, what to do next."""
        with speaking(self.analysis.lang):
            worst = next(iter(steps.siting_order(self.worst)), None)
            goal = next((goal for goal in self.worst if goal.rule == worst), None)
            step = next(iter(self.plans), None)
            sentences = (
                front.met_sentence(self.tally, front.aims(self.district)),
                front.worst_sentence(goal, self.tally, self.survey),
                front.next_sentence(self.leading, step, self.survey),
            )
            return front.conclusion(self.goals, goal, sentences, step)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """A line per goal: those that are not met first, most people first, then those of which nobody can say, then those that are met."""
        rest = [goal for goal in self.goals if goal.state in ("unknown", "at_least")]
        rest += [goal for goal in self.goals if goal.state == "whole"]
        with speaking(self.analysis.lang):
            return tuple(
                front.line_of(
                    goal,
                    self.short(goal) if goal.state == "short" else (),
                    next(iter(self.steps.get(goal.rule, ())), None),
                    self.offices.get(goal.rule, ""),
                    goal.state == "at_least",
                )
                for goal in (*self.worst, *rest)
            )

    @property
    def mapped(self) -> Goal | None:
        """The goal that the one map of the first pages shows: the one that comes first, else the first that has a value."""
        return self.leading or next(iter(self.known), None)

    @cached_property
    def heat(self) -> tuple[HeatRow, ...]:
        """The communities by the goals that can be judged: how many people each misses where."""
        parts = {goal.rule: self.parts(goal) for goal in self.judged}
        with speaking(self.analysis.lang):
            return front.heat_of({rule: own for rule, own in parts.items() if own})

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """How many have reached what the goals ask for, minute by minute; of those that can be judged by a walk and are counted."""
        with speaking(self.analysis.lang):
            found = [front.curve_of(self.analysis, goal) for goal in self.judged if goal.metric == "reach"]
        return tuple(curve for curve in found if curve.known)

    @cached_property
    def walks(self) -> tuple[WalkTold, ...]:
        """The walks behind the five largest gaps, of those that can be walked at all."""
        facilities = self.district.facilities
        names = {} if facilities is None else facilities["name"].dropna().astype(str).to_dict()
        with speaking(self.analysis.lang):
            found = (front.walk_of(self.district, gap, names) for gap in self.gaps[: front.WALKS])
            return tuple(walk for walk in found if walk is not None)

    # --- what there is where ---

    @cached_property
    def zone_table(self) -> pd.DataFrame:
        """Who lives in each zone (`places.zone_figures`); index zone, the whole last."""
        return places.zone_figures(self.district)

    @property
    def facilities_beyond(self) -> int:
        """How many open facilities lie outside the district."""
        return places.facilities_beyond(self.district, self.zone_table)

    @cached_property
    def kind_table(self) -> pd.DataFrame:
        """Which kinds of facilities there are (`places.kind_figures`); index kind."""
        return places.kind_figures(self.district)

    @cached_property
    def layer_table(self) -> pd.DataFrame:
        """What each layer with shapes rests on (`places.layer_figures`); index layer."""
        return places.layer_figures(self.district)

    @cached_property
    def completeness_table(self) -> pd.DataFrame:
        """How complete each community is (`places.community_completeness`); index community."""
        return places.community_completeness(self.district, self.analysis.completeness)

    def who_lives(self, code: str) -> dict[str, float]:
        """Who lives in a community (`places.who_lives`)."""
        return places.who_lives(self.district, code)

    def promises_in(self, code: str) -> pd.DataFrame:
        """How a community stands with what is promised (`places.community_promises`); index rule."""
        return places.community_promises(self.district, self.analysis, code)

    def kinds_in(self, code: str) -> pd.DataFrame:
        """What a community has of daily life (`places.community_kinds`); index kind."""
        return places.community_kinds(self.district, self.analysis, code)

    # --- what to do, how sure is it, what does it rest on ---

    @cached_property
    def remedies(self) -> tuple[Remedy, ...]:
        """Where one more place serves most people."""
        with speaking(self.analysis.lang):
            return evidence.remedies_of(self.analysis)

    @property
    def first_remedies(self) -> tuple[Remedy, ...]:
        """The one to begin with, and those that serve as many; none where no place helps."""
        return evidence.first_remedies(self.remedies)

    @cached_property
    def paces(self) -> tuple[Pace, ...]:
        """What goals come to if people walk slower or faster."""
        with speaking(self.analysis.lang):
            return evidence.paces_of(self.analysis)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is doubtful in the data."""
        with speaking(self.analysis.lang):
            return evidence.findings_of(self.analysis)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Where the layers come from."""
        with speaking(self.analysis.lang):
            return evidence.sources_of(self.analysis)

    @cached_property
    def weak(self) -> tuple[Weak, ...]:
        """How much of each layer is schematic or synthetic."""
        with speaking(self.analysis.lang):
            return evidence.weak_of(self.analysis)

    @cached_property
    def promises(self) -> promises.Promises | None:
        """What the ledger says; None where the district has no plan of its own."""
        if not has_own_plan(self.district):
            return None
        with speaking(self.analysis.lang):
            return promises.promises_of(self.analysis.ledger)

    def figures(self) -> tuple[Figure, ...]:
        """Every number of the story, in the order in which it is told."""
        found = [f for goal in self.every for f in (goal.share, goal.unserved)]
        found += [f for goal in self.judged for part in self.parts(goal) for f in (part.share, part.missed)]
        found += [
            f for own in self.steps.values() for step in own for f in (step.gained, step.before, step.after, step.left)
        ]
        found += [gap.unserved for gap in self.gaps] + [row.living for row in self.lacking]
        found += [f for r in self.remedies for f in (r.gained, r.before, r.after)]
        found += [f for p in self.paces for f in (p.slower, p.usual, p.faster)]
        found += [f for s in (self.change.shifts if self.change is not None else ()) for f in (s.before, s.after)]
        return tuple(found)

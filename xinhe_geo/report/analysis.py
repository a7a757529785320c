"""What report, pages, sheets, slides and Word brief all show, computed once: `Analysis` (one state) and `Comparison` (two)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import geopandas as gpd
import numpy as np
import pandas as pd

from .. import maps
from ..access import (
    EXACT,
    as_divided,
    audit,
    completeness,
    coverage,
    crowding,
    differences,
    effects_of,
    facility_names,
    gaps,
    headlines,
    home_changes_of,
    only_known,
    only_shares_known,
    presence,
    robustness,
    sharing_of,
    summary,
)
from ..core import (
    BASIS_LABELS,
    DEMONSTRATION,
    LAYERS,
    SitingError,
    amount,
    language,
    layer_name,
    named_by_homes,
    say,
    speaking,
    word,
)
from ..district import District, rule_name
from ..ledger import ledger
from ..maps import leading_rules, promised_rules
from ..siting import sites

Progress = Callable[[str], None]

#: Rows of homes that people look through in a sheet; where there are more, all of them stand beside, for programs.
LISTED = 20_000


@dataclass(frozen=True, eq=False)
class Analysis:
    """
    One state of a district, as it is shown: each thing is worked out when it is first asked for, and never again.

    Attributes
    ----------
    district
        The state.
    preset
        A set of rules.
    lang
        What its words are in: the language that is spoken when it is made.
    ranges
        Whether it is said between which ends each share lies.
    """

    district: District
    preset: str = "plan"
    lang: str = field(default_factory=language)
    ranges: bool = False

    @staticmethod
    def of(district: District, preset: str = "plan", *, ranges: bool = False) -> Analysis:
        """Return the analysis of a district in the language that is spoken; the same one whenever it is asked for again."""
        key = ("analysis", preset, language(), ranges)
        if key not in district.memo:
            district.memo[key] = Analysis(district, preset, ranges=ranges)
        found: Analysis = district.memo[key]
        return found

    @cached_property
    def cover(self) -> pd.DataFrame:
        """Who is served (`access.coverage`); MultiIndex (home, rule)."""
        return coverage(self.district, rules=self.preset)

    @property
    def many(self) -> bool:
        """Whether the results of homes by rule are too many to be listed."""
        return len(self.cover) > LISTED

    @cached_property
    def walks(self) -> pd.DataFrame:
        """
        How long the walks of homes are under each rule; index rule.

        `homes`, `reached` (whose walk is known), `q25`, `q50`, `q75`, `q95` (minutes that so many per cent of these do not exceed),
        `served` (mean share of the homes).
        """
        told = [column for column in ("minutes", "served", "bound") if column in self.cover]
        known = only_known(self.cover[told]).groupby(level="rule", sort=False)
        minutes = known["minutes"]
        quantiles = {f"q{share}": minutes.quantile(share / 100) for share in (25, 50, 75, 95)}
        counts = {"homes": minutes.size(), "reached": minutes.count()}
        return pd.DataFrame({**counts, **quantiles, "served": known["served"].mean()}).rename_axis("rule")

    @property
    def gaps_unlisted(self) -> bool:
        """Whether the gaps are too many to be listed."""
        return len(self.gaps) > LISTED

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The whole district (`access.summary`); index rule."""
        return summary(self.cover)

    @cached_property
    def by(self) -> dict[str, pd.DataFrame]:
        """Per grouping the same; shares are missing where they rest on a kind only seen on a map."""
        return {
            g: only_shares_known(summary(self.cover, by=g))
            for g in ("zone", "area", "community")
            if self.cover.get(g, pd.Series(dtype=str)).notna().any()
        }

    @cached_property
    def headlines(self) -> pd.DataFrame:
        """What is said first of each rule (`access.headlines`); index rule."""
        with speaking(self.lang):
            return headlines(self.district, self.cover)

    @cached_property
    def firm(self) -> pd.DataFrame | None:
        """Between which ends the share of each rule lies (`access.robustness`); index rule. None where nobody asked."""
        return robustness(self.district, self.preset).xs("", level="group") if self.ranges else None

    @cached_property
    def order(self) -> list[str]:
        """The rules, those that lead first."""
        return leading_rules(self.district, self.headlines)

    @cached_property
    def gap_tables(self) -> dict[str, gpd.GeoDataFrame]:
        """Who is not served and why (`access.gaps`), per rule that has a value."""
        known = np.isfinite(self.headlines["value"])
        with speaking(self.lang):
            return {rule: gaps(self.district, self.cover, rule) for rule in self.order if known[rule]}

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """The gaps of all rules in one table, with their reasons."""
        with speaking(self.lang):
            parts = [
                t.drop(columns="geometry")
                .reset_index()
                .assign(rule=rule, label=rule_name(self.district, self.district.rule(rule)))
                for rule, t in self.gap_tables.items()
                if len(t) and "reason" in t.columns
            ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    @cached_property
    def presence(self) -> pd.DataFrame:
        """Open facilities per community and kind (`access.presence`)."""
        return presence(self.district)

    @cached_property
    def completeness(self) -> gpd.GeoDataFrame:
        """How complete daily life is within a walk of each home (`access.completeness`)."""
        with speaking(self.lang):
            return completeness(self.district)

    @cached_property
    def audit(self) -> pd.DataFrame:
        """What is doubtful in the data (`access.audit`)."""
        with speaking(self.lang):
            return audit(self.district)

    def work_out(self) -> None:
        """Work out all but the ledger: before it is handed to another process."""
        for name, thing in vars(Analysis).items():
            if isinstance(thing, cached_property) and name != "ledger":
                getattr(self, name)

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """The promises of the plan (`ledger.ledger`); MultiIndex (commitment, measure)."""
        return ledger(self.district, lang=self.lang)


#: Numbers nearer than this share of themselves are the same: they were added up in another order.
LAST_BITS = 1e-9


@dataclass(frozen=True, eq=False)
class Comparison:
    """
    Two states of one district under the same rules, and what differs between them: each thing worked out once.

    Attributes
    ----------
    before, after
        The two states.
    """

    before: Analysis
    after: Analysis

    @staticmethod
    def of(before: District, after: District, preset: str = "plan", *, ranges: bool = False) -> Comparison:
        """Compare two districts under a set of rules; `ranges`: say how firm the differences are."""
        return Comparison(*(Analysis.of(state, preset, ranges=ranges) for state in (before, after)))

    @cached_property
    def firm(self) -> pd.DataFrame | None:
        """How firm the differences of what is promised are (`access.differences`); index rule. None where nobody asked."""
        if not self.after.ranges:
            return None
        promised = promised_rules(self.before.district, self.before)
        return differences(self.before.district, self.after.district, promised)

    @cached_property
    def effects(self) -> pd.DataFrame:
        """What changes for whom (`access.effects`); index rule."""
        a, b = self.covers
        before = self.before.summary if a is self.before.cover else summary(a)
        return effects_of(a, b, self.after.district, (before, self.after.summary), self.crowding)

    @cached_property
    def covers(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both coverages, by the homes of the later state."""
        return as_divided(self.before.cover, self.after.district), self.after.cover

    @cached_property
    def crowding(self) -> pd.DataFrame:
        """Whose facility has more users, or fewer, than theirs had (`access.crowding`); MultiIndex (home, rule)."""
        return crowding(*self.covers)

    @cached_property
    def home_changes(self) -> pd.DataFrame:
        """What changes home by home (`access.home_changes`); MultiIndex (home, rule)."""
        return home_changes_of(*self.covers)

    @cached_property
    def sharing(self) -> pd.DataFrame:
        """How many people share each facility (`access.sharing`); MultiIndex (rule, facility)."""
        names = facility_names(self.before.district, self.after.district)
        return sharing_of(self.before.cover, self.after.cover, names)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """
        The targets of the plan whose value or verdict differs between the two.

        Index (commitment, measure). `label`, `unit`, `target_text`, `value_before`, `value_after`, `value_change`,
        `verdict_before`, `verdict_after`, `reached` (what the numbers alone would say: 达到, 不再达到 or empty; a demonstration
        carries its mark in the verdicts).
        """
        a, b = self.before.ledger, self.after.ledger
        both = a[["label", "unit", "target_text", "operator", "target", "value", "verdict"]].join(
            b[["value", "verdict"]].add_suffix("_after"), how="inner"
        )
        differ = both["value_after"] - both["value"]
        differ = differ.mask(differ.abs() <= LAST_BITS * np.maximum(both["value"].abs(), 1.0), 0.0)
        same = (differ == 0) | (both["value"].isna() & both["value_after"].isna())
        both = both[~same | (both["verdict"] != both["verdict_after"])]
        table = both[["label", "unit", "target_text"]].copy()
        table["value_before"], table["value_after"] = both["value"], both["value_after"]
        table["value_change"] = differ.loc[both.index]
        table["verdict_before"], table["verdict_after"] = both["verdict"], both["verdict_after"]
        table["reached"] = [_reached(row) for row in both.itertuples()]
        return table

    @property
    def maps(self) -> maps.Comparison:
        """The same, as it is drawn."""
        return maps.Comparison(self.before.district, self.after.district, (self.before.cover, self.after.cover))


class _Target(Protocol):
    """A target of the plan with its number in two states, as `itertuples` gives it."""

    operator: str
    target: float
    value: float
    value_after: float


def _reached(row: _Target) -> str:
    """Say whether the number crosses the target: only for targets that are a floor or a ceiling."""
    if row.operator not in (">=", "<=") or not np.isfinite(row.target):
        return ""
    sign = 1.0 if row.operator == ">=" else -1.0
    was, now = (np.isfinite(v) and sign * (v - row.target) >= -1e-9 for v in (row.value, row.value_after))
    return "" if was == now else say("达到") if now else say("不再达到")


@named_by_homes
def analyse(
    district: District, *, preset: str = "plan", ranges: bool = False, progress: Progress | None = None
) -> Analysis:
    """Return the analysis of a district, in the language that is spoken, with all but the ledger worked out."""
    tell, results = progress or (lambda _: None), Analysis.of(district, preset, ranges=ranges)
    tell(say("计算可达和覆盖"))
    results.cover  # noqa: B018
    tell(say("找缺口和原因"))
    results.work_out()
    return results


def by_heading(lead: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Part headlines into what the plan says (规划目标) and what is counted beside it (参考指标), each under its heading."""
    return [(str(heading), own) for heading, own in lead.groupby("heading", sort=False)]


def judged_rules(district: District, results: Analysis) -> list[str]:
    """Return the promised rules of which can be said who is not served: those with a value whose kinds somebody has surveyed."""
    lead = results.headlines
    promised = promised_rules(district, results)
    return [r for r in promised if np.isfinite(lead.loc[r, "value"]) and lead.loc[r, "bound"] == EXACT]


def survey_first(district: District, results: Analysis) -> list[str]:
    """
    Return which kinds to survey before anything else can be said, those first that concern most people.

    Returns
    -------
    kinds
        Kinds of promised rules (of all, where nothing that is promised was seen) that were only seen on a map: by the people, or
        homes, for whom the map shows none. No number goes with that: it says whom to ask about, not who lacks anything.
    """
    lead, cover = results.headlines, results.cover
    rules = [r for r in promised_rules(district, results) if lead.loc[r, "bound"] != EXACT]
    rules = rules or [r for r in results.order if lead.loc[r, "bound"] != EXACT]
    concerned: dict[str, tuple[float, float]] = {}
    for name in rules:
        own = cover.xs(name, level="rule")
        unseen = 1.0 - own["served"].fillna(0.0)
        size = float((unseen * own["people"]).sum()), float(unseen.sum())
        for kind in district.rule(name).kinds:
            if kind in district.mapped_kinds:
                concerned[kind] = max(concerned.get(kind, (0.0, 0.0)), size)
    return sorted(concerned, key=lambda kind: (-concerned[kind][0], -concerned[kind][1], kind))


def sited(district: District, rule: str, number: int) -> gpd.GeoDataFrame | None:
    """Return where so many new facilities serve most people under a rule (`siting.sites`), worked out once; None where none helps."""
    key = ("sited", rule, number, language())
    if key not in district.memo:
        try:
            district.memo[key] = sites(district, rule, number)
        except SitingError:
            district.memo[key] = None
    found: gpd.GeoDataFrame | None = district.memo[key]
    return found


def best_sites(district: District, results: Analysis) -> pd.DataFrame:
    """
    Find, for every promise that is not kept for all, where one more facility serves most people.

    Returns
    -------
    best
        Index rule; columns of `siting.sites` (one site each): `label`, `reason`, `people_gained`, `people_60plus_gained`, `share_before`, `share_after`,
        `near_ties`, `mark` …; rules for which no site helps are absent.
    """
    lead, found = results.headlines, []
    for name in promised_rules(district, results):
        if not lead.loc[name, "value"] < 1 - 1e-9 or not lead.loc[name, "people_unserved"] > 0:
            continue
        table = sited(district, name, 1)
        if table is None:  # nothing to recommend
            continue
        found.append(table.drop(columns="geometry").head(1).assign(rule=name))
    columns = ["rule", "label", "reason", "people_gained", "people_60plus_gained"]
    columns += ["share_before", "share_after", "near_ties", "mark"]
    table = pd.concat(found) if found else pd.DataFrame(columns=columns)
    return table.set_index("rule")


def speed_range(district: District, results: Analysis, *, part: float = 0.1) -> pd.DataFrame:
    """
    Return what the promised walking times come to if people walk a little slower or faster than supposed.

    Returns
    -------
    range
        Index rule; `label`, `speed_m_s`, `slower`, `usual`, `faster` (shares 0-1 of the rule's own denominator, at 1 - `part`, 1 and
        1 + `part` times the speed).
    """
    judged = [district.rule(name) for name in judged_rules(district, results)]
    timed = [rule for rule in judged if rule.metric == "reach" and rule.method == "walk_min"]
    shares: dict[tuple[str, float], pd.Series] = {}
    for name in dict.fromkeys(rule.profile for rule in timed):
        walker, rules = district.profile(name), [rule for rule in timed if rule.profile == name]
        for factor in (1 - part, 1 + part):
            who = replace(walker, name=f"{walker.name}*{factor:g}", speed_m_s=walker.speed_m_s * factor)
            shares[name, factor] = summary(coverage(district, rules=rules, profile=who))["share"]
    rows = {
        rule.name: (
            rule_name(district, rule),
            district.profile(rule.profile).speed_m_s,
            float(shares[rule.profile, 1 - part][rule.name]),
            float(results.summary.loc[rule.name, "share"]),
            float(shares[rule.profile, 1 + part][rule.name]),
        )
        for rule in timed
    }
    columns = ["label", "speed_m_s", "slower", "usual", "faster"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("rule")


def sources_table(district: District) -> pd.DataFrame:
    """Return, per layer and table: file, basis, source, licence, date, number of rows, of which schematic or synthetic, hash."""
    rows = []
    for name, entry in district.files.iterrows():
        said = district.manifest["layers"].get(name, {})
        layer = LAYERS[str(name)]
        frame = district.layers.get(str(name)) if layer.geometry else None
        bases = pd.Series(dtype="str") if frame is None else district.basis(str(name))
        counts = Counter(bases.dropna().to_numpy().tolist())
        weak, order = sum(counts[basis] for basis in DEMONSTRATION), counts.most_common()
        labels = [say(BASIS_LABELS[basis]) for basis, _ in order]
        several = say("、").join(f"{label} {amount(n)}" for label, (_, n) in zip(labels, order, strict=True))
        rows.append(
            {
                "图层": layer_name(str(name)),
                "文件": entry["file"],
                "出处": word(entry["from"]),
                "依据类型": several
                if len(labels) > 1
                else labels[0]
                if labels
                else word(BASIS_LABELS.get(said.get("basis", ""), "")),
                "要素数": np.nan if frame is None else len(frame),
                "其中示意或合成": np.nan if frame is None else weak,
                "来源": said.get("source", ""),
                "许可": said.get("licence", ""),
                "日期": str(said.get("date", "")),
                "SHA-256": entry["sha256"][:16],
            }
        )
    return pd.DataFrame(rows)

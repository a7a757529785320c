"""What would help, how sure the numbers are, and what they rest on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...access import SEVERITIES
from ...core import amount, layer_name, renewal_is_shown, say
from ...district import District
from ..analysis import Analysis, best_sites, sources_table, speed_range
from .records import Finding, Pace, Remedy, Source, Weak, people, share


def remedies_of(analysis: Analysis) -> tuple[Remedy, ...]:
    """Return where one more place serves most people of each goal's own (60 and over for what is theirs), most first."""
    district, best = analysis.district, best_sites(analysis.district, analysis)
    found = []
    for row in best.itertuples():
        name, rule = str(row.Index), district.rule(str(row.Index))
        of = "people_60plus" if rule.denominator == "people_60plus" else "people"
        found.append(
            Remedy(
                rule=name,
                label=str(row.label),
                own=rule.of_plan,
                gained=people("gained", name, float(getattr(row, f"{of}_gained")), of),
                before=share("share", name, float(row.share_before), rule.denominator),
                after=share("share_after", name, float(row.share_after), rule.denominator),
                reason=str(row.reason),
                near_ties=str(row.near_ties),
                communities=int(row.communities_gained) if rule.metric == "presence" else 0,
            )
        )
    return tuple(sorted(found, key=lambda remedy: -remedy.gained.value if remedy.gained.known else np.inf))


def first_remedies(remedies: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    """Return those that serve most: what the plan itself promises goes before what a standard asks of somebody else."""
    first = [remedy for remedy in remedies if remedy.own] or remedies
    return tuple(r for r in first if (r.gained.text, r.gained.of) == (first[0].gained.text, first[0].gained.of))


def paces_of(analysis: Analysis) -> tuple[Pace, ...]:
    """Return what goals that are measured in minutes come to if people walk a tenth slower or faster."""
    table = speed_range(analysis.district, analysis)
    return tuple(
        Pace(
            str(row.Index),
            str(row.label),
            f"{row.speed_m_s:g}",
            share("share_slower", str(row.Index), float(row.slower)),
            share("share", str(row.Index), float(row.usual)),
            share("share_faster", str(row.Index), float(row.faster)),
        )
        for row in table.itertuples()
    )


def findings_of(analysis: Analysis) -> tuple[Finding, ...]:
    """Return what the audit found that matters; of parcels only where they may be told of."""
    table = may_be_told(analysis.district, analysis.audit)
    return tuple(
        Finding(say(SEVERITIES[r.severity]), r.topic, r.finding, amount(r.people, unknown=""), r.remedy)
        for r in table[(table["severity"] != "info").to_numpy()].itertuples(index=False)
    )


def may_be_told(district: District, findings: pd.DataFrame) -> pd.DataFrame:
    """Return what a page may say of what the audit found: nothing of parcels, which are internal, unless they may be named."""
    return findings if renewal_is_shown(district.manifest) else findings[(findings["layer"] != "parcels").to_numpy()]


def sources_of(analysis: Analysis) -> tuple[Source, ...]:
    """Return the layers that have features and may be told of, and where they come from."""
    table = layers_told(analysis.district)
    return tuple(
        Source(
            str(r["图层"]),
            amount(r["要素数"]),
            amount(r["其中示意或合成"]),
            str(r["依据类型"]),
            str(r["来源"]),
            str(r["许可"]),
            str(r["日期"]),
        )
        for _, r in table[table["要素数"].notna()].iterrows()
    )


def weak_of(analysis: Analysis) -> tuple[Weak, ...]:
    """Return how much of each layer that has features is schematic or synthetic."""
    table = layers_told(analysis.district)
    return tuple(
        Weak(str(r["图层"]), float(r["其中示意或合成"] / r["要素数"]), amount(r["要素数"]), amount(r["其中示意或合成"]))
        for _, r in table[table["要素数"] > 0].iterrows()
    )


def layers_told(district: District) -> pd.DataFrame:
    """Return the layers and tables without parcels, which are internal, unless they may be named."""
    table = sources_table(district)
    shown = renewal_is_shown(district.manifest)
    return table if shown else table[table["图层"] != layer_name("parcels")]

"""
How a promise is measured: metrics, few and general, each bound by its name in `measures.csv`.

A metric is given a district and one row of that table, and returns what it found (`Found`): the value, what it counted in
words, the rows of which layers it touched, the gap and what would close it. What it cannot do without it names (`Lacks`).
The metrics stand in `places`, `homes`, `shapes` and `figures`, each with its record (`metric`), what they share in `base`.
Verdicts are none of their business: see `ledger`.
"""

from __future__ import annotations

from ...district import District
from . import figures, homes, places, shapes
from .base import MEASURED, METRICS, Found, Measure, require_layers

#: Where metrics stand: imported, they enter themselves.
ENTERED = (places, homes, shapes, figures)
__all__ = ["METRICS", "evaluate"]


def evaluate(district: District, m: Measure) -> Found:
    """
    Measure one row of `measures.csv`.

    Raises
    ------
    Lacks
        A layer, a kind's survey or a column it cannot do without.
    """
    require_layers(district, m)
    return MEASURED[str(m["metric"])](district, m)

"""Who can walk to what: entrances, the origin-destination table, isochrones, coverage, gaps, headlines, capacity."""

from .audit import SEVERITIES, audit, rests_on
from .bounds import AT_LEAST, EXACT, bound_of, only_known, only_shares_known, unchecked_of, what_to_survey
from .capacity import COUNT, Need, decay_of, sizes, within_capacity
from .coverage import compare, completeness, coverage, home_facts, is_surveyed, presence, rules_of, summary
from .effects import effects, home_changes, sharing
from .entrances import facility_entrances, home_entrances, home_points, same_compound, walk_inside
from .gaps import gaps
from .headlines import basis_text, headlines, limit_text, usable_denominator
from .home_shares import (
    SHARE_TOLERANCE,
    TOLERANCE_MIN,
    median_by_home,
    most_common,
    points_of_homes,
    share_within,
    within_limit,
)
from .isochrones import isochrones
from .od_table import od_table, od_tables, pairs
from .routes import Trip, Trips, route

__all__ = [
    "AT_LEAST",
    "COUNT",
    "EXACT",
    "SEVERITIES",
    "SHARE_TOLERANCE",
    "TOLERANCE_MIN",
    "Need",
    "Trip",
    "Trips",
    "audit",
    "basis_text",
    "bound_of",
    "compare",
    "completeness",
    "coverage",
    "decay_of",
    "effects",
    "facility_entrances",
    "gaps",
    "headlines",
    "home_changes",
    "home_entrances",
    "home_facts",
    "home_points",
    "is_surveyed",
    "isochrones",
    "limit_text",
    "median_by_home",
    "most_common",
    "od_table",
    "od_tables",
    "only_known",
    "only_shares_known",
    "pairs",
    "points_of_homes",
    "presence",
    "rests_on",
    "route",
    "rules_of",
    "same_compound",
    "share_within",
    "sharing",
    "sizes",
    "summary",
    "unchecked_of",
    "usable_denominator",
    "walk_inside",
    "what_to_survey",
    "within_capacity",
    "within_limit",
]

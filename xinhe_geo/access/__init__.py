"""Who can walk to what: entrances, the origin-destination table, isochrones, coverage, gaps, headlines, capacity."""

from .audit import SEVERITIES, audit, rests_on
from .bounds import AT_LEAST, EXACT, bound_of, only_known, only_shares_known, unchecked_of, what_to_survey
from .capacity import COUNT, Need, decay_of, sizes, within_capacity
from .coverage import (
    PLAN,
    compare,
    completeness,
    coverage,
    home_facts,
    is_surveyed,
    presence,
    presence_grounds,
    rules_of,
    summary,
)
from .curves import curve, within
from .effects import (
    crowding,
    effects,
    effects_of,
    facility_names,
    home_changes,
    home_changes_of,
    known_sum,
    sharing,
    sharing_of,
)
from .entrances import (
    attached_anew,
    entrances_of_open,
    facility_entrances,
    home_entrances,
    home_points,
    same_compound,
)
from .gaps import gaps, rule_in, rule_meant
from .headlines import basis_text, grounds_text, headlines, limit_metres, limit_text, usable_denominator
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
from .openings import facility_changes
from .routes import Trip, Trips, route
from .walls import walk_inside, without_stairs

__all__ = [
    "AT_LEAST",
    "COUNT",
    "EXACT",
    "PLAN",
    "SEVERITIES",
    "SHARE_TOLERANCE",
    "TOLERANCE_MIN",
    "Need",
    "Trip",
    "Trips",
    "attached_anew",
    "audit",
    "basis_text",
    "bound_of",
    "compare",
    "completeness",
    "coverage",
    "crowding",
    "curve",
    "decay_of",
    "effects",
    "effects_of",
    "entrances_of_open",
    "facility_changes",
    "facility_entrances",
    "facility_names",
    "gaps",
    "grounds_text",
    "headlines",
    "home_changes",
    "home_changes_of",
    "home_entrances",
    "home_facts",
    "home_points",
    "is_surveyed",
    "isochrones",
    "known_sum",
    "limit_metres",
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
    "presence_grounds",
    "rests_on",
    "route",
    "rule_in",
    "rule_meant",
    "rules_of",
    "same_compound",
    "share_within",
    "sharing",
    "sharing_of",
    "sizes",
    "summary",
    "unchecked_of",
    "usable_denominator",
    "walk_inside",
    "what_to_survey",
    "within",
    "within_capacity",
    "within_limit",
    "without_stairs",
]

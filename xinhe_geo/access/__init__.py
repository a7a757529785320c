"""Who can walk to what: entrances, the origin-destination table, isochrones, coverage, gaps, headlines, capacity, how firm they are."""

from .audit import SEVERITIES, audit, rests_on
from .bounds import AT_LEAST, EXACT, bound_of, only_known, only_shares_known, unchecked_of, what_to_survey
from .capacity import COUNT, Need, decay_of, sizes, within_capacity
from .chains import Pace, chain
from .coverage import (
    PLAN,
    compare,
    completeness,
    coverage,
    home_facts,
    is_surveyed,
    nearest_of_any,
    presence,
    presence_grounds,
    rules_of,
    summary,
)
from .curves import curve, within
from .doubts import LOSSES, Visits, differences, doubted, facts_in_doubt, flips, robustness, stress, worth_checking
from .effects import (
    FULLER,
    as_divided,
    crowding,
    effects,
    effects_of,
    facility_names,
    home_changes,
    home_changes_of,
    known_sum,
    newcomers,
    people_told,
    sharing,
    sharing_of,
    who_stay,
)
from .entrances import (
    WAY_OUT,
    attached_anew,
    entrances_of_open,
    facility_entrances,
    home_entrances,
    home_points,
    same_compound,
    starts_in_words,
)
from .gaps import gaps, reasons, rule_in, rule_meant
from .headlines import (
    at_one_limit,
    basis_text,
    grounds_text,
    headlines,
    if_all_are_there,
    limit_metres,
    limit_text,
    usable_denominator,
)
from .home_shares import (
    SHARE_TOLERANCE,
    TOLERANCE_MIN,
    PointsOfHomes,
    median_by_home,
    most_common,
    points_of_homes,
    share_within,
    within_limit,
)
from .isochrones import isochrones
from .od_table import least_minutes, od_table, od_tables, pairs
from .openings import facility_changes
from .routes import Trip, Trips, corners_out, route
from .walls import walk_inside, without_stairs

"""How people start it: the command line, batches of districts, notebooks."""

from .desk import COUNTED, Desk, open_desk
from .lessons import (
    as_if_checked,
    by_denominators,
    by_groups,
    by_methods,
    counts_of,
    facilities_numbered,
    files_made,
    furthest_apart,
    group_curves,
    headline,
    hull_error,
    imported,
    least_firm,
    one_place,
    parcel_map,
    parcel_options,
    parcel_tables,
    parcel_told,
    practice,
    promises_told,
    reach_rule,
    share_of,
    told,
    told_first,
    two_speeds,
    verdicts_told,
    walkers_compared,
    ways_compared,
    ways_to_close,
    what_changes,
    what_layers_rest_on,
    what_to_provide,
)
from .notebook import keep, sortable
from .words import TABLES

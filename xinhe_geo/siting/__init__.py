"""Where to build next: candidates, exact models, the gate or bridge that helps most, what a plan must provide."""

from .assumed import assumption
from .candidates import candidate_sites
from .links import Openings, fixes, links, links_plan
from .milp import EQUAL, MixedInteger
from .models import ROUNDING
from .pairs import link_pairs, pairs_plan
from .provision import (
    AREA_UNITS,
    BASE_LABELS,
    LEAST_PLACE,
    at_homes,
    chosen_norms,
    on_parcel,
    places_near,
    provision,
    shortage_in_words,
    shortage_number,
    shortage_told,
    unmet,
    whole_units,
)
from .sites import LETTERS, judged_by, placed, sites, sites_plan
from .task import MODEL_LABELS, Siting, Watch

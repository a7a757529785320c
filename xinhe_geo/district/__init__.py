"""One district in one year: its folder read and judged, its plans, its edits and the journal that undoes them."""

from .beside import beside, exchange, put_back
from .district import District, secrecy_of, secrets_opened
from .doubles import NEAR_M, SHARED, SPOT_M, Counted, alike, bare_name, moved_m, plain_name, typed_twice
from .edited_rows import EditedRows, Flow
from .edits import ACTIONS, SAME_SPOT_M
from .given import must_be_cover, must_be_district
from .journal import ANSWERS, MANIFEST, SUGGESTED, commit, district_folder, finish, locked, recover, undo
from .labels import (
    buildings_said,
    column_name,
    credit_of,
    kind_name,
    list_told,
    name_of_label,
    of_list,
    place_name,
    place_title,
    rule_name,
    state_name,
    stretch_said,
    survey_note,
    walker_name,
    year_told,
)
from .parcel_facts import Fact, completion, fact, home_parcels, parcel_number, written, year_of
from .project_facts import funds_of, project_edits, project_steps, steps_named, yearly_of
from .reader import FAR_M, check, read_folder, to_degrees
from .renewal_edits import FATES, MAY_RETURN
from .resolve import Named, meant
from .scenario import Scenario, played
from .scenario_text import blank, conflicts, divided_by, scenarios, steps
from .seal import broken, number, seal
from .staging import Changes, Edit, LayerFile, check_copy, is_missing, new_files, take_in
from .street_edits import join_ends

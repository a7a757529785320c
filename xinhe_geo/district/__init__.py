"""One district in one year: its folder read and judged, its plans, its edits and the journal that undoes them."""

from .beside import beside, exchange, put_back
from .district import District, secrecy_of, secrets_opened
from .doubles import NEAR_M, SHARED, SPOT_M, alike, bare_name, plain_name
from .edited_rows import EditedRows, Flow
from .edits import ACTIONS, SAME_SPOT_M
from .given import must_be_cover, must_be_district
from .journal import ANSWERS, MANIFEST, SUGGESTED, commit, finish, locked, recover, undo
from .labels import (
    buildings_said,
    cell,
    column_name,
    kind_name,
    layer_name,
    list_told,
    place_name,
    place_title,
    rule_name,
    state_name,
    walker_name,
)
from .parcel_facts import Fact, completion, fact, home_parcels, parcel_number
from .project_facts import funds_of, project_edits, steps_named, yearly_of
from .reader import FAR_M, check, read_folder, to_degrees
from .renewal_edits import FATES, MAY_RETURN
from .resolve import Named, meant
from .scenario import Scenario, played
from .scenario_text import blank, conflicts, divided_by, scenarios, steps
from .seal import broken, number, seal
from .staging import Changes, Edit, LayerFile, check_copy, is_missing, new_files
from .street_edits import join_ends

__all__ = [
    "ACTIONS",
    "ANSWERS",
    "FAR_M",
    "FATES",
    "MANIFEST",
    "MAY_RETURN",
    "NEAR_M",
    "SAME_SPOT_M",
    "SHARED",
    "SPOT_M",
    "SUGGESTED",
    "Changes",
    "District",
    "Edit",
    "EditedRows",
    "Fact",
    "Flow",
    "LayerFile",
    "Named",
    "Scenario",
    "alike",
    "bare_name",
    "beside",
    "blank",
    "broken",
    "buildings_said",
    "cell",
    "check",
    "check_copy",
    "column_name",
    "commit",
    "completion",
    "conflicts",
    "divided_by",
    "exchange",
    "fact",
    "finish",
    "funds_of",
    "home_parcels",
    "is_missing",
    "join_ends",
    "kind_name",
    "layer_name",
    "list_told",
    "locked",
    "meant",
    "must_be_cover",
    "must_be_district",
    "new_files",
    "number",
    "parcel_number",
    "place_name",
    "place_title",
    "plain_name",
    "played",
    "project_edits",
    "put_back",
    "read_folder",
    "recover",
    "rule_name",
    "scenarios",
    "seal",
    "secrecy_of",
    "secrets_opened",
    "state_name",
    "steps",
    "steps_named",
    "to_degrees",
    "undo",
    "walker_name",
    "yearly_of",
]

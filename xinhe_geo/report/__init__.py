"""What is handed over: the brief, workbooks, GIS layers, and the pages of plans, sites and the ledger."""

from .analysis import Analysis, Comparison, analyse, by_heading
from .districts import facts, side_by_side
from .files import LEDGER_BOOK, added_to, put_in_place, refuse_foreign
from .gis import write_geopackage, write_layers
from .ledger_workbook import ledger_workbook
from .pages.checkup import Checked, checked, write_checkup
from .pages.districts import COMPARISON, write_side_by_side
from .pages.final import final_checked
from .pages.firmness import check_list, firmness, ranges_sheet, shrunk_sheet, write_robustness, write_stress
from .pages.parcels import NO_STAGES, PARCELS_PAGE, write_parcels
from .pages.plans import (
    provision_sheet,
    read_shapes,
    write_comparison,
    write_comparisons,
    write_new,
    write_plans,
    write_scenario,
    write_table,
)
from .pages.programme import (
    ProgrammeStory,
    programme_notes,
    programme_pair,
    programme_sheets,
    programme_story,
    write_programme,
)
from .pages.siting import write_choice, write_links, write_worst
from .receipts import receipt
from .record import RECORD, read_json
from .report import brief, documents, write_ledger, write_report
from .states import Asked, Sides, State, sides_of, state_of
from .story.change import Change, by_residents, people_line, with_net, with_whom
from .story.parcels import Option, Parcel, Parcels, PromiseLine, Total, budget_name, concluded, options_grid, topic_name
from .story.promises import Promises
from .story.records import Firmness, Goal
from .story.story import Story
from .tables import cell_text, is_year, marked_rows

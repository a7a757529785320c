"""What is handed over: the brief, workbooks, GIS layers, and the pages of plans, sites and the ledger."""

from .analysis import Analysis, Comparison, analyse, by_heading
from .districts import facts, side_by_side
from .files import LEDGER_BOOK, added_to, put_in_place, refuse_foreign
from .ledger_workbook import ledger_workbook
from .pages.checkup import checkup_note, checkup_sheets, write_checkup
from .pages.districts import COMPARISON, write_side_by_side
from .pages.firmness import firmness, ranges_sheet, write_robustness, write_stress
from .pages.plans import (
    State,
    provision_sheet,
    read_shapes,
    state_of,
    write_comparison,
    write_comparisons,
    write_new,
    write_plans,
    write_scenario,
    write_table,
)
from .pages.programme import programme_notes, programme_sheets, write_programme
from .pages.siting import write_choice, write_links, write_worst
from .receipts import receipt
from .record import RECORD, read_json
from .report import brief, documents, write_ledger, write_report
from .story.change import by_residents, people_line, with_net
from .story.promises import Promises
from .story.records import Goal
from .story.story import Story
from .tables import csv_text, marked_rows

__all__ = [
    "COMPARISON",
    "LEDGER_BOOK",
    "RECORD",
    "Analysis",
    "Comparison",
    "Goal",
    "Promises",
    "State",
    "Story",
    "added_to",
    "analyse",
    "brief",
    "by_heading",
    "by_residents",
    "checkup_note",
    "checkup_sheets",
    "csv_text",
    "documents",
    "facts",
    "firmness",
    "ledger_workbook",
    "marked_rows",
    "people_line",
    "programme_notes",
    "programme_sheets",
    "provision_sheet",
    "put_in_place",
    "ranges_sheet",
    "read_json",
    "read_shapes",
    "receipt",
    "refuse_foreign",
    "side_by_side",
    "state_of",
    "with_net",
    "write_checkup",
    "write_choice",
    "write_comparison",
    "write_comparisons",
    "write_ledger",
    "write_links",
    "write_new",
    "write_plans",
    "write_programme",
    "write_report",
    "write_robustness",
    "write_scenario",
    "write_side_by_side",
    "write_stress",
    "write_table",
    "write_worst",
]

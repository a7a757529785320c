"""Each target of the plan held against the data: measures, verdicts, what is missing, what changed since."""

from .communities import CIRCLE_MIN, community_minutes, community_overview, community_sheet, community_targets
from .diff import RECORDS, Record, changes, changes_shown, ledger_record, read_record, since_sheet
from .ledger import (
    COLOURS,
    ROLES,
    VERDICTS,
    beyond,
    borrowed_plan,
    canonical,
    explain,
    foot,
    has_own_plan,
    keep_evaluated,
    ledger,
    left_out,
    measure_rows,
    quoted,
    spoken,
    verdicts,
)
from .metrics.base import Lacks, bases_text, layers_for, listed, number_text, rows_of, scope_text
from .metrics.figures import trend
from .metrics.homes import by_home, shared_out
from .metrics.places import presence_of
from .panel import DRAFT_SHEET, PANEL_SHEET, counting, draft_sheet, panel_sheet, typed_figures, typed_into, with_typed
from .rulebook import export_rules, import_rules
from .take import take_figures

__all__ = [
    "CIRCLE_MIN",
    "COLOURS",
    "DRAFT_SHEET",
    "PANEL_SHEET",
    "RECORDS",
    "ROLES",
    "VERDICTS",
    "Lacks",
    "Record",
    "bases_text",
    "beyond",
    "borrowed_plan",
    "by_home",
    "canonical",
    "changes",
    "changes_shown",
    "community_minutes",
    "community_overview",
    "community_sheet",
    "community_targets",
    "counting",
    "draft_sheet",
    "explain",
    "export_rules",
    "foot",
    "has_own_plan",
    "import_rules",
    "keep_evaluated",
    "layers_for",
    "ledger",
    "ledger_record",
    "left_out",
    "listed",
    "measure_rows",
    "number_text",
    "panel_sheet",
    "presence_of",
    "quoted",
    "read_record",
    "rows_of",
    "scope_text",
    "shared_out",
    "since_sheet",
    "spoken",
    "take_figures",
    "trend",
    "typed_figures",
    "typed_into",
    "verdicts",
    "with_typed",
]

"""Each target of the plan held against the data: measures, verdicts, what is missing, what changed since."""

from .claims import claims, claims_sheet
from .communities import (
    CIRCLE_MIN,
    community_minutes,
    community_overview,
    community_sheet,
    community_targets,
    shares_by_measure,
    standing,
    walked_minutes,
)
from .diff import RECORDS, Record, changes, changes_shown, ledger_record, named_in_record, read_record, since_sheet
from .ledger import (
    COLOURS,
    ROLES,
    VERDICTS,
    beyond,
    borrowed_plan,
    by_promise,
    canonical,
    explain,
    foot,
    has_own_plan,
    keep_evaluated,
    last_year,
    ledger,
    left_out,
    quoted,
    spoken,
    told_of,
    verdicts,
)
from .metrics.base import (
    MOST_DECIMALS,
    Lacks,
    Terms,
    bases_text,
    decimals_of,
    kinds_of,
    layers_for,
    measure_rows,
    number_text,
    rows_of,
    scope_text,
    whole_text,
)
from .metrics.figures import trend
from .metrics.homes import by_home, shared_out
from .metrics.places import presence_of
from .metrics.terms import lacking_people, missed_by_home, terms
from .panel import (
    DRAFT_SHEET,
    PANEL_SHEET,
    Cells,
    counting,
    draft_sheet,
    panel_sheet,
    typed_figures,
    typed_into,
    typed_rows,
    with_typed,
)
from .rulebook import export_rules, import_rules
from .take import take_figures
from .targets import not_offered, offered, take_targets, write_targets

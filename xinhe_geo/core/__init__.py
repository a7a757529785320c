"""What everything stands on: errors, words, the schema of layers, the values planners choose, files and processes."""

from .calls import no_such_name, well_called, well_made
from .datum import (
    DATUM_LABELS,
    DATUMS,
    between,
    datum_name,
    diagnose,
    diagnose_likeness,
    diagnose_names,
    from_wgs84,
    tie,
    to_wgs84,
)
from .errors import (
    NAMELESS,
    DataError,
    EnvironmentProblem,
    NetworkError,
    Problem,
    ScenarioError,
    SitingError,
    SourceError,
    UnknownNameError,
    WrongCallError,
    WrongValueError,
    XinheError,
    describe,
    did_you_mean,
    in_short,
    nameless,
    nearest,
    os_words,
    problems_table,
    refused,
    row_name,
    text_words,
)
from .extras import how_to_install, needing, not_installed, packaged_font
from .files import (
    beside_prefix,
    cannot_write,
    full_disk,
    growing,
    hidden,
    holds,
    is_full,
    keep_file,
    own_room,
    place_file,
    remove_file,
    remove_tree,
    room_lock,
    sweep,
    write_bytes,
    write_text,
)
from .foreign import layers_in, read_layer, size_of
from .hexagons import are_h3, h3_outlines
from .html import PICTURES, SCRIPT, by_hash, escape, packed_page, unturned, web_file, whole_page
from .i18n import back, by_cells, listed_words, marked, named_by_homes, parted, speaking, title
from .land import land_use_class, land_use_name
from .locks import hold, let_go
from .looks import Look, card, small_map
from .models import (
    CONFIDENCE_LABELS,
    DENOMINATOR_LABELS,
    METHOD_LABELS,
    METHODS,
    OF_PLAN,
    REFERENCE,
    TOLERANCE_M,
    Edit,
    Profile,
    Rule,
    checked_count,
    is_above_zero,
    is_whole,
    limits_of,
    path_given,
    place_in,
    standing,
)
from .numbers import adding_up, amount, per_cent, rounded, signed, whole
from .opening import held, opened, ordinary, read_whole
from .plane import crs_label, crs_of, crs_text, plane_of, stretch_over
from .progress import listening, told, work
from .said import read_json, read_toml
from .schema import (
    ABSENT,
    APPLIED,
    BASES,
    BASIS_LABELS,
    BUDGETS,
    CLAIM_LABELS,
    CLOSED,
    CORRECTED,
    DEMOLISHED,
    DEMONSTRATION,
    DIRECTIONS,
    FINISHED,
    GIVEN_UP,
    HOLDERS,
    IDEA,
    LAYERS,
    LEVELS,
    MAPPED,
    MONEY_STATES,
    MOVED,
    NOMINAL,
    NOT_MEASURED,
    ON_THE_WAY,
    OPEN,
    OPEN_TO,
    PEOPLE_KINDS,
    PROBLEM_STATES,
    PROJECT_STATES,
    REDEFINED,
    RESERVED,
    RESIDENT,
    SCHEMA_VERSION,
    SCHEMAS,
    SECURED,
    SOLVED,
    STATE_LABELS,
    SURVEYED,
    TO_CONFIRM,
    TO_REVIEW,
    TOPICS,
    UNCHECKED,
    UNDER_WAY,
    UNSTATED,
    URGENCIES,
    URGENT,
    Column,
    Layer,
    as_text,
    at_year,
    bundled_folder,
    layer_name,
    listed,
)
from .secrecy import (
    SMALL,
    guarded_problems,
    having_typed,
    keeping,
    refuse_above,
    refuse_leaving,
    refuse_titles,
    refuse_uncleared,
    rows_above,
    secrecy_problems,
    secret_layers,
    strictest,
    strictness,
    suppressed,
)
from .secrecy_marks import (
    INTERNAL,
    is_cleared,
    levels_of,
    marks_of,
    renewal_is_confirmed,
    renewal_is_shown,
    secret_cells,
    secret_words,
)
from .sentences import agreeing, cell, counted, english, language, renamed, say, thing, tight, word
from .shipped import as_typed, has_launcher, shipped_folder
from .spreadsheet import csv_text, without_mark
from .strangers import apart, reading
from .validate import as_read, check_rows, without_brackets
from .worker import Worker

"""What comes in and goes out: office tables, GIS and CAD files, OpenStreetMap, whole cities split into districts."""

from .add import add
from .cells import bare_name
from .datum_check import UNPROVEN
from .dxf import drawing_of
from .formats import FORMATS
from .osm_import import box_to_fetch, fetch, import_osm, left_out
from .overpass import HOSTS
from .row_report import RESULT_LABELS, tally
from .sheets import check_workbook, workbook_rows
from .split import CATALOGUE, LEFT_OUT, Division, safe_name, split
from .template import template

__all__ = [
    "CATALOGUE",
    "FORMATS",
    "HOSTS",
    "LEFT_OUT",
    "RESULT_LABELS",
    "UNPROVEN",
    "Division",
    "add",
    "bare_name",
    "box_to_fetch",
    "check_workbook",
    "drawing_of",
    "fetch",
    "import_osm",
    "left_out",
    "safe_name",
    "split",
    "tally",
    "template",
    "workbook_rows",
]

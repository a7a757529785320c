"""What comes in and goes out: office tables, GIS and CAD files, OpenStreetMap, whole cities split into districts."""

from .add import add, bare_name
from .dxf import drawing_of
from .osm_import import box_to_fetch, fetch, import_osm, left_out
from .overpass import HOSTS
from .positions import UNPROVEN
from .split import CATALOGUE, LEFT_OUT, safe_name, split
from .tables import RESULT_LABELS, tally, workbook_rows
from .template import template

__all__ = [
    "CATALOGUE",
    "HOSTS",
    "LEFT_OUT",
    "RESULT_LABELS",
    "UNPROVEN",
    "add",
    "bare_name",
    "box_to_fetch",
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

"""What comes in and goes out: office tables, GIS and CAD files, OpenStreetMap, whole cities split into districts."""

from .add import Coordinates, Request, add
from .answer_book import Questions, answer_book
from .blanks import blanks
from .cells import printable, why_hostile, written
from .datum_check import UNPROVEN
from .dxf import drawing_of
from .formats import FORMATS
from .head_count import PEOPLE_COLUMN, PeopleJump
from .incoming import decoded as read_text
from .likeness import Wishes
from .matching import kept_rows
from .new_district import FETCH, PARTS, asked, new_district, read_said, recipe_of
from .osm_import import boundary_box, box_to_fetch, downloaded, fetch, import_osm, left_out
from .overpass import HOSTS
from .row_report import RESULT_LABELS, tally
from .sample_extract import sample_extract
from .sheets import check_workbook, workbook_rows
from .split import CATALOGUE, LEFT_OUT, Division, safe_name, split
from .survey_form import BY, FOUND, ON, REMARK, SHEETS, SurveyRow, heads_of, survey_book
from .survey_take import OUTCOMES, answers_tally, take_survey
from .template import template
from .year_list import update

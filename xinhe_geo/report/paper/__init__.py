"""What is printed or edited: sheets, the atlas, slides, the Word brief, the public edition."""

from .atlas import atlas
from .formats import write_brief, write_checkup_word, write_programme_slides, write_slides
from .office import left_to_type
from .parcel_sheet import parcel_asked, parcel_sheet
from .public import missing_on_sheets, public
from .sheet import file_name, sheet
from .sheet_parts import Format
from .survey_form import FORM_FILES, survey

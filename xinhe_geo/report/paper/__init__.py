"""What is printed or edited: sheets, the atlas, slides, the Word brief, the public edition."""

from .atlas import atlas
from .public import missing_on_sheets, public
from .sheet import file_name, sheet
from .slides import slides
from .word import write_brief

__all__ = [
    "atlas",
    "file_name",
    "missing_on_sheets",
    "public",
    "sheet",
    "slides",
    "write_brief",
]

"""Maps: scenes, themes, one-file HTML, SVG pictures, the meeting map and the live map of notebooks."""

from .basemap import Label, Layer
from .changes import Comparison
from .charts import MARKS_STYLE, Bar, Line, Stack, bars, curves, diverging_bar, slope, stacks, tone_style, tones
from .drawing import difference, draw, evidence, of_district, picture, swipe, walkers
from .html_map import HouseMap
from .leading_rules import leading_rules, mapped_rules, promised_among, promised_rules
from .live import live
from .meeting import DEMONSTRATION_TEXT, PRESETS, meeting, preset_text
from .presets import (
    COMPLETENESS,
    GAPS,
    OVERVIEW,
    PARCELS,
    front_scene,
    misses_any,
    parcel_scene,
    scene_for,
    themes,
    worst_gaps,
)
from .room import Room, moves
from .scene import Scene, beside, hidden, shown_mode
from .style import (
    badges_of,
    house_style,
    ink_on,
    joined,
    kind_label,
    layer_of,
    number_text,
    rule_label,
    shown_count,
    wording,
)
from .svg import colour_of, figure_of, legend_groups, width_at
from .themes import Mode, Theme, class_text, percent, walker_text
from .tiles import Tiles
from .walks import walk_picture

__all__ = [
    "COMPLETENESS",
    "DEMONSTRATION_TEXT",
    "GAPS",
    "MARKS_STYLE",
    "OVERVIEW",
    "PARCELS",
    "PRESETS",
    "Bar",
    "Comparison",
    "HouseMap",
    "Label",
    "Layer",
    "Line",
    "Mode",
    "Room",
    "Scene",
    "Stack",
    "Theme",
    "Tiles",
    "badges_of",
    "bars",
    "beside",
    "class_text",
    "colour_of",
    "curves",
    "difference",
    "diverging_bar",
    "draw",
    "evidence",
    "figure_of",
    "front_scene",
    "hidden",
    "house_style",
    "ink_on",
    "joined",
    "kind_label",
    "layer_of",
    "leading_rules",
    "legend_groups",
    "live",
    "mapped_rules",
    "meeting",
    "misses_any",
    "moves",
    "number_text",
    "of_district",
    "parcel_scene",
    "percent",
    "picture",
    "preset_text",
    "promised_among",
    "promised_rules",
    "rule_label",
    "scene_for",
    "shown_count",
    "shown_mode",
    "slope",
    "stacks",
    "swipe",
    "themes",
    "tone_style",
    "tones",
    "walk_picture",
    "walker_text",
    "walkers",
    "width_at",
    "wording",
    "worst_gaps",
]

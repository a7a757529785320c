"""Maps: scenes, themes, one-file HTML, SVG pictures, the meeting map and the live map of notebooks."""

from .basemap import Label, Layer
from .changes import Comparison
from .drawing import difference, draw, evidence, of_district, picture, swipe, walkers
from .html_map import HouseMap
from .leading_rules import leading_rules, mapped_rules, promised_among, promised_rules
from .live import live
from .meeting import DEMONSTRATION_TEXT, PRESETS, meeting, preset_text
from .presets import COMPLETENESS, GAPS, OVERVIEW, PARCELS, misses_any, scene_for, themes, worst_gaps
from .room import Room, moves
from .scene import Scene, beside, hidden, shown_mode
from .style import badges_of, house_style, joined, kind_label, layer_of, number_text, rule_label, shown_count, wording
from .svg import colour_of, ink_on, legend_groups, width_at
from .themes import Mode, Theme, class_text, percent, walker_text
from .tiles import Tiles

__all__ = [
    "COMPLETENESS",
    "DEMONSTRATION_TEXT",
    "GAPS",
    "OVERVIEW",
    "PARCELS",
    "PRESETS",
    "Comparison",
    "HouseMap",
    "Label",
    "Layer",
    "Mode",
    "Room",
    "Scene",
    "Theme",
    "Tiles",
    "badges_of",
    "beside",
    "class_text",
    "colour_of",
    "difference",
    "draw",
    "evidence",
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
    "percent",
    "picture",
    "preset_text",
    "promised_among",
    "promised_rules",
    "rule_label",
    "scene_for",
    "shown_count",
    "shown_mode",
    "swipe",
    "themes",
    "walker_text",
    "walkers",
    "width_at",
    "wording",
    "worst_gaps",
]

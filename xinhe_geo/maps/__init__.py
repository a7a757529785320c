"""Maps: scenes, themes, one-file HTML, SVG pictures, the meeting map and the live map of notebooks."""

from .basemap import Label, Layer
from .changes import Comparison
from .charts import (
    MARKS_STYLE,
    Bar,
    Line,
    Stack,
    bars,
    curves,
    diverging_bar,
    slope,
    span_bar,
    stacks,
    tone_style,
    tones,
)
from .drawing import difference, difference_scene, draw, evidence, of_district, picture, swipe, walkers
from .html_map import HouseMap
from .leading_rules import leading_rules, mapped_rules, promised_among, promised_rules
from .live import live
from .meeting import DEMONSTRATION_TEXT, PRESETS, meeting, preset_text, renewal_in_words, too_many_to_meet, with_sites
from .presets import (
    COMPLETENESS,
    GAPS,
    OVERVIEW,
    PARCELS,
    community_scene,
    front_scene,
    ground_scene,
    misses_any,
    openings_scene,
    parcel_scene,
    scene_for,
    themes,
    worst_gaps,
)
from .room import Room, moves
from .scene import Scene, hidden, shown_mode
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

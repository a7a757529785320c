"""What the things of a district's tables are called, in the language that is spoken: layers, columns, walkers, kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._words import language
from .district import District
from .layers import LAYERS
from .values import Profile


def cell(row: Mapping[str, Any], column: str) -> str:
    """Return a cell in the language that is spoken, where the table has it in that language (`label_en` beside `label`)."""
    said = str(row.get(f"{column}_en") or "") if language() == "en" else ""
    return said or str(row[column])


def layer_name(name: str) -> str:
    """Return what a layer or table is called."""
    return LAYERS[name].label if language() == "zh" else name.replace("_", " ")


def column_name(layer: str, column: str) -> str:
    """Return what a column is called."""
    return LAYERS[layer].names[column].label if language() == "zh" else column.replace("_m2", " (m²)").replace("_", " ")


def walker_name(district: District, walker: Profile) -> str:
    """Return what a walker is called."""
    table = district.profiles
    if language() == "zh" or "label_en" not in table or walker.name not in table.index:
        return walker.label
    said = table.loc[walker.name, "label_en"]
    return str(said) if isinstance(said, str) and said else walker.label


def kind_name(district: District, kind: str) -> str:
    """Return what a kind of facility is called."""
    table = district.kinds
    if language() == "en" and kind in table.index and "label_en" in table:
        said = table.loc[kind, "label_en"]
        if isinstance(said, str) and said:
            return said
    return str(table["label"].get(kind, kind))

"""A district as an OpenStreetMap extract: streets, homes and facilities as a mapper would have drawn them, to try an import with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pandas as pd
import shapely

from ..core import write_text
from ..district import District
from .tag_rules import TagRule, read_tag_rules

#: Elements are numbered from here on, so that nobody takes them for those of the map.
_FIRST = 9_000_000_000


class _Sheet:
    """Nodes and ways of an extract, in order; a corner that several ways share is one node."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[float, float], int] = {}
        self.lines: list[str] = []
        self.number = _FIRST

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _node(self, x: float, y: float) -> int:
        spot = (round(float(x), 7), round(float(y), 7))
        return self.nodes.setdefault(spot, self._next())

    def place(self, point: shapely.Point, tags: dict[str, str]) -> None:
        x, y = round(point.x, 7), round(point.y, 7)
        self.lines.insert(0, f'<node id="{self._next()}" version="1" lon="{x}" lat="{y}">{_tags(tags)}</node>')

    def way(self, line: shapely.Geometry, tags: dict[str, str]) -> None:
        refs = "".join(f'<nd ref="{self._node(x, y)}"/>' for x, y in shapely.get_coordinates(line))
        self.lines.append(f'<way id="{self._next()}" version="1">{refs}{_tags(tags)}</way>')

    def text(self) -> str:
        nodes = [f'<node id="{n}" version="1" lon="{x}" lat="{y}"/>' for (x, y), n in self.nodes.items()]
        return "\n".join(
            ["<?xml version='1.0' encoding='UTF-8'?>", '<osm version="0.6">', *nodes, *self.lines, "</osm>\n"]
        )


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items() if v)


def sample_extract(district: District, to: str | Path) -> Path:
    """
    Write a district as an OpenStreetMap extract (.osm); what the map has no tags for, people above all, is not in it.

    Parameters
    ----------
    district
        What `District.load` opened.
    to
        The file.

    Returns
    -------
    file
        The file; the same district gives the same bytes.

    Raises
    ------
    EnvironmentProblem
        It cannot be written.
    """
    sheet, rules = _Sheet(), read_tag_rules()
    for row in _rows(district, "streets"):
        sheet.way(row["geometry"], {"highway": str(row["class"]), "name": _text(row["name"])})
    for row in _rows(district, "homes"):
        shape, tags = row["geometry"], {"building": "residential", "name": _text(row["name"])}
        if shape.geom_type == "Polygon":
            sheet.way(shape.exterior, tags)
        else:
            sheet.place(shape, tags)
    for row in _rows(district, "facilities"):
        tags = _tags_of(rules, str(row["kind"]), _text(row["name"]))
        if tags:
            sheet.place(row["geometry"].representative_point(), tags)
    return write_text(Path(to), sheet.text())


def _rows(district: District, layer: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a layer that is there, one shape each, in degrees."""
    frame = district.open_facilities if layer == "facilities" else district.layers.get(layer)
    if frame is not None:
        yield from frame.to_crs("EPSG:4326").explode(ignore_index=True).to_dict("records")


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)


def _tags_of(rules: Sequence[TagRule], kind: str, name: str) -> dict[str, str]:
    """Return tags by which the import knows a place of this kind again; none where the map has none."""
    for rule in (rule for rule in rules if rule.kind == kind):
        words = {key: patterns[0].replace("*", "") or "yes" for key, patterns in rule.tags if "[" not in patterns[0]}
        asked = words.pop("name", "")
        tags = {**words, "name": name if asked in name else f"{name}{asked}"}
        if next((r for r in rules if r.matches(tags)), rule).kind == kind and rule.matches(tags):
            return tags
    return {}

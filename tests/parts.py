"""Folders of the toy district that lack some of what a whole one has: homes, people, kinds, communities, boundary."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

TOY = Path(__file__).parent / "toy"
PARTS = ("homes", "people", "kinds", "communities", "boundary")
#: Every way of lacking at least one of them.
LACKING = [c for n in range(1, len(PARTS) + 1) for c in itertools.combinations(PARTS, n)]
_LAYERS = {
    "homes": ("homes", "gates"),
    "kinds": ("facilities",),
    "communities": ("communities",),
    "boundary": ("district",),
}


def toy_without(parts: tuple[str, ...], folder: Path) -> Path:
    """Write the toy district without some parts, as an import of such a file would leave it: kinds are only seen on a map."""
    shutil.copytree(TOY, folder)
    manifest = folder / "district.toml"
    text = manifest.read_text("utf-8").replace("schema = 1", "schema = 2")
    listed = re.search(r"surveyed_kinds = (\[.*\])", text)
    assert listed is not None
    kinds = "[]" if "kinds" in parts else listed[1]
    text = text.replace(listed[0], f"surveyed_kinds = []\nmapped_kinds = {kinds}")
    for layer in (layer for part in parts for layer in _LAYERS.get(part, ())):
        text = re.sub(rf"\[layers\.{layer}\]\n(.+\n)+", "", text)
    if "communities" in parts:
        text = text.replace("community_list_year = 2022\n", "")
    manifest.write_text(text, "utf-8")
    if "people" in parts:
        file = folder / "homes" / "homes.geojson"
        homes = json.loads(file.read_text("utf-8"))
        for feature in homes["features"]:
            for column in ("people", "people_60plus", "households"):
                feature["properties"].pop(column, None)
        file.write_text(json.dumps(homes, ensure_ascii=False), "utf-8")
    return folder

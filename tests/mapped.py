"""The toy district with kinds that were only seen on a map."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

TOY = Path(__file__).parent / "toy"
#: What the toy district says was surveyed.
KINDS = ("clinic_station", "clinic_center", "canteen", "fitness", "party_service_center", "elderly_daycare")


def toy_folder(
    folder: Path,
    *,
    schema: int = 2,
    surveyed: Sequence[str] | None = (),
    mapped: Sequence[str] | None = KINDS,
    basis: str = "surveyed",
) -> Path:
    """Return a copy of the toy district whose manifest lists these kinds (None: no such list), and the basis of its facilities."""
    shutil.copytree(TOY, folder)
    path = folder / "district.toml"
    lists = [
        f"{name} = {json.dumps(list(kinds))}\n"
        for name, kinds in (("surveyed_kinds", surveyed), ("mapped_kinds", mapped))
        if kinds is not None
    ]
    text = path.read_text("utf-8").replace("schema = 1", f"schema = {schema}")
    text = re.sub(r"surveyed_kinds = .*\n", lambda _: "".join(lists), text)
    text = re.sub(r'(\[layers\.facilities\][^\[]*basis = )"\w+"', rf'\1"{basis}"', text)
    path.write_text(text, "utf-8")
    return folder

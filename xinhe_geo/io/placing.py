"""Rows without coordinates: put into the one compound that their address or name speaks of, or onto a page to place by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from ..core import SourceError, say, write_bytes
from ..district import bare_name
from .cells import Cell, is_blank, printable
from .current_layer import CurrentLayer
from .file_rows import FileRows, Refusal
from .incoming import LONLAT
from .matching import Matched
from .placing_page import placing_page
from .positions import Placed
from .row_report import Where

#: Layers of single places, which may stand where the compound they are in stands.
_SINGLE_PLACES = ("facilities", "own_facilities", "micro_spaces", "places")


def place_by_name(rows: FileRows, placed: Placed, matched: Matched, current: CurrentLayer) -> dict[int, str]:
    """
    Put rows without coordinates into the one compound their address names; refuse the rest.

    Returns for each row that is left without a position what is known about where it lies.
    """
    layer, left = rows.layer, {}
    homes = current.tables.get("homes") if layer.name in _SINGLE_PLACES else None
    known = [] if homes is None else [(bare_name(v), i) for i, v in enumerate(homes["name"]) if isinstance(v, str)]
    for i in range(len(rows)):
        refused = say("坐标") in {why.column for why in rows.refused.get(i, ())}
        if placed.lonlat[i] is not None or i in matched.at or refused:
            continue
        address = rows.incoming.rows[i][rows.columns["@address"]] if "@address" in rows.columns else None
        name = rows.cells["name"][i] if "name" in rows.cells else None
        text = next((str(s) for s in (address, name) if not is_blank(s)), "")
        said = bare_name(text)
        names = {name for name, _ in known if len(name) >= 2 and name in said}
        # a name inside a longer one that is there too does not count
        longest = {a for a in names if not any(a != b and a in b for b in names)}
        hits = [i for name, i in known if name in longest]
        if homes is not None and len(hits) == 1 and i not in rows.refused:
            _put_inside(rows, placed, i, homes.iloc[hits], text)
            continue
        several = (
            say("、").join(str(homes["name"].iloc[h]) for h in hits[:6]) if homes is not None and len(hits) > 1 else ""
        )
        if layer.geometry is not None and "Point" in layer.geometry:
            left[i] = (printable(text) if text else say("没有地址")) + (say("；可能在 {0}", several) if several else "")
        hint = say("，名称对应几个小区：{0}", printable(several)) if several else ""
        remedy = say("补上经度和纬度，或用 --place 落点.html 在地图上放")
        rows.refuse(i, Refusal(say("坐标"), text, say("没有坐标，目录里也没有这个编号{0}", hint), remedy))
    return left


def _put_inside(rows: FileRows, placed: Placed, i: int, home: gpd.GeoDataFrame, text: str) -> None:
    """Put a row at a point inside a compound (a frame of one row)."""
    shape = shapely.point_on_surface(home.geometry.iloc[0])
    placed.metric[i] = shape
    placed.lonlat[i] = gpd.GeoSeries([shape], crs=home.crs).to_crs(LONLAT).iloc[0]
    basis = rows.cells.setdefault("basis", rows.column("basis"))
    basis[i] = basis[i] or "derived"
    said = say("没有坐标，按名称放在小区“{0}”内一点，依据记为推算", printable(home["name"].iloc[0]))
    rows.report.say("note", said, say("核对；放得不对就写上坐标"), Where(row=rows.lines[i], value=text))


def write_placing_page(
    path: Path, rows: FileRows, matched: Matched, unplaced: Mapping[int, str], current: CurrentLayer
) -> None:
    """Write the page on which rows without a position are placed by hand."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise SourceError(say("{0}：落点页的文件名要以 .html 结尾", path.name))
    tables, names = current.tables, rows.layer.names
    if not any(n in tables and len(tables[n]) for n in ("district", "communities", "homes", "streets", "zones")):
        raise SourceError(say("街道目录里没有可以画底图的图层，不能在地图上放。先导入街道界、小区或路网"))
    table: dict[str, list[Cell]] = {names[rows.layer.key].label: [matched.keys[i] for i in unplaced]}
    table |= {names[c].label: [v[i] for i in unplaced] for c, v in rows.cells.items() if c != rows.layer.key}
    page = placing_page(
        pd.DataFrame(table, dtype="object"), list(unplaced.values()), tables, rows.file, rows.layer.name
    )
    write_bytes(path, page.encode())

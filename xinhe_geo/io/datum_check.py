"""Whether the datum of a file is the declared one: what streets, names, neighbours and rows that are there already say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import (
    DATUM_LABELS,
    DATUMS,
    SourceError,
    amount,
    between,
    diagnose,
    diagnose_likeness,
    diagnose_names,
    from_wgs84,
    say,
    secret_layers,
    to_wgs84,
)
from .current_layer import CurrentLayer
from .file_rows import FileRows
from .incoming import LONLAT, Shapes
from .placing_page import datum_page
from .positions import Placed
from .row_report import Where

#: Rows that are there already tell the datum where at least so many of them agree on a shift to within so many metres.
ANCHORS, ANCHOR_NEAR_M, ANCHOR_FAR_M = 5, 20.0, 100.0
#: They confirm the declared datum, however few, where it brings three in four of them nearer than any other by `ANCHOR_FAR_M`,
#: and half of them no farther than this: a place that was corrected moves less than a wrong datum moves it.
CORRECTED_M = 250.0
#: The column of the report's line that says that nothing has confirmed the declared datum.
UNPROVEN = "坐标基准"


class _Suspect(NamedTuple):
    """Another datum than the declared one, and the measure that points to it; `proven`: clearly, not just rather."""

    datum: str
    measure: pd.DataFrame
    proven: bool = True


def check_datum(
    rows: FileRows, placed: Placed, current: CurrentLayer, known: Mapping[int, shapely.Geometry], checked: str
) -> bool:
    """
    Stop where something clearly says another datum than the one declared; say so where nothing can tell.

    Parameters
    ----------
    rows, placed
        The rows of the file, and where they lie by the declared datum.
    current
        The layer they come into, and its folder.
    known
        Shapes of the rows that are there already, by position in the file.
    checked
        How somebody has made sure of the datum; "" where nobody has. Names that only point to another datum stop too,
        until somebody has.

    Returns
    -------
    confirmed
        Whether anything has confirmed the declared datum (or no row says where it lies).

    Raises
    ------
    SourceError
        Rows that are there already, streets, names or neighbours contradict the declared datum.
    """
    if shapely.is_missing(placed.lonlat).all():
        return True
    try:
        anchored = _anchored(rows, placed, current, known)
        return _measured_well(rows, placed, current, anchored, checked)
    except SourceError as error:
        if secret_layers(current.manifest):  # the page shows the district
            error.page = ""
        raise


def _measured_well(rows: FileRows, placed: Placed, current: CurrentLayer, anchored: bool, checked: str) -> bool:
    """Return whether streets, names or neighbours confirm the declared datum, or rows that are there already (`anchored`)."""
    here, datum = ~shapely.is_missing(placed.lonlat), placed.datum
    written = as_written(placed.lonlat[here], datum)
    points = gpd.GeoSeries(written, crs=LONLAT)
    lon, lat = shapely.get_coordinates(shapely.point_on_surface(np.asarray(points.array))).T
    # outside China all datums are one
    if all(np.allclose([lon, lat], to_wgs84(lon, lat, name), atol=1e-6) for name in DATUMS):
        return True
    names = [n for n, is_here in zip(rows.column("name"), here, strict=True) if is_here]
    measures = _measures(points, names, current)
    winners = [str(table.index[table["winner"].to_numpy()][0]) for table in measures if table["winner"].any()]
    winners += [datum for table in measures if "supported" in table and bool(table.loc[datum, "supported"])]
    for table in measures:
        said = list(table.index[table["winner"].to_numpy()])
        # Measures that contradict each other accuse nobody.
        if said and said[0] != datum and datum not in winners:
            raise _wrong_datum(rows.file, datum, _Suspect(str(said[0]), table), written, current)
    if datum in winners:
        agreed = [
            t
            for t in measures
            if bool(t.loc[datum, "winner"]) or ("supported" in t and bool(t.loc[datum, "supported"]))
        ]
        rows.report.say("note", say("坐标基准 {0} 与目录吻合：{1}", datum, agreed[0]["text"].iloc[0]))
        return True
    if anchored:
        return True
    leaning = next(
        (
            _Suspect(str(n), t, proven=False)
            for t in measures
            if "leans" in t
            for n in t.index[t["leans"].to_numpy()]
            if n != datum
        ),
        None,
    )
    if leaning is not None and not checked:
        raise _wrong_datum(rows.file, datum, leaning, written, current)
    why = str(measures[0]["text"].iloc[0]) if measures else say("没有街道和地名可比")
    remedy = say("向提供者核实坐标来源，在地图上抽查几个点，写入时用 --datum-checked（datum_checked=）写明怎么核对的")
    remedy = say("由人核对：{0}", checked) if checked else remedy
    rows.report.say("note", say("{0} 没有得到证实：{1}", datum, why), remedy, Where(column=say(UNPROVEN)))
    return False


def _measures(points: gpd.GeoSeries, names: Sequence[object], current: CurrentLayer) -> list[pd.DataFrame]:
    """Return what each measure says that the district has the layers for: streets, names, how rows of its kind lie."""
    tables, layer = current.tables, current.layer.name
    measures = []
    streets = tables.get("streets")
    if streets is not None and len(streets):
        measures.append(diagnose(points, streets))
    known = known_by_name(tables, next((f.crs for f in tables.values() if isinstance(f, gpd.GeoDataFrame)), LONLAT))
    if len(known):
        measures.append(diagnose_names(points, names, known))
    peers = tables.get(layer)
    if measures and streets is not None and len(streets) and peers is not None and len(peers) and layer != "streets":
        homes = tables.get("homes") if layer != "homes" else None
        compounds = (
            None if homes is None else homes.geometry[homes.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy()]
        )
        measures.append(diagnose_likeness(points, peers.geometry, streets.geometry, compounds))
    return measures


def _wrong_datum(file: str, datum: str, suspect: _Suspect, written: Shapes, current: CurrentLayer) -> SourceError:
    winner, table, proven = suspect
    said = say("声明的坐标基准是 {0}，但坐标不像，像是 {1}。", datum, say(DATUM_LABELS[winner]))
    remedy = say("核实来源；若确是 {0}，用 --crs {0}（crs=）再导入", winner)
    if not proven:
        said = say("声明的坐标基准是 {0}，但能比的几行都更像 {1}；行数少，不能断定。", datum, say(DATUM_LABELS[winner]))
        remedy += say("；若确是 {0}，用 --datum-checked（datum_checked=）写明怎么核对的", datum)
    spots = shapely.get_coordinates(shapely.point_on_surface(written))
    page = datum_page(spots, datum, table, current.tables, file, said + str(table["text"].iloc[0]))
    return SourceError(
        say("{0}：{1}{2}\n{3}\n没有写入任何东西。{4}", file, said, table["text"].iloc[0], _residuals(table), remedy),
        table,
        page,
    )


def _residuals(table: pd.DataFrame) -> str:
    lines = [say("假设坐标是　到参照的中位距离　九成在　整体移动")]
    for name, row in table.iterrows():
        lines.append(
            say(
                "{0}　{1} 米　{2} 米　{3} 米",
                name,
                amount(row["median_m"]),
                amount(row["p90_m"]),
                amount(row["moved_m"]),
            )
        )
    return "\n".join(lines)


def _anchored(rows: FileRows, placed: Placed, current: CurrentLayer, known: Mapping[int, shapely.Geometry]) -> bool:
    """
    Stop where rows that are there already lie as far off, and in the direction, as a wrong datum would put them.

    Returns whether they lie where the declared datum puts them.
    """
    file, datum = rows.file, placed.datum
    pairs = [(i, shape) for i, shape in known.items() if placed.lonlat[i] is not None and shape is not None]
    if not pairs:
        return False
    here = shapely.point_on_surface(np.array([shape for _, shape in pairs], dtype=object))
    points = shapely.point_on_surface(as_written(np.array([placed.lonlat[i] for i, _ in pairs], dtype=object), datum))
    lon, lat = shapely.get_coordinates(points).T
    to_metric = between(LONLAT, current.metric)
    at = {name: np.column_stack(to_metric.transform(*to_wgs84(lon, lat, name))) for name in DATUMS}
    away = {name: np.hypot(*(xy - shapely.get_coordinates(here)).T) for name, xy in at.items()}
    nearer = np.all([away[name] - away[datum] > ANCHOR_FAR_M for name in DATUMS if name != datum], axis=0)
    confirmed = bool(nearer.mean() >= 0.75 and np.median(away[datum]) <= CORRECTED_M)
    if confirmed:
        rows.report.say("note", say("坐标基准 {0} 与目录里编号相同的 {1} 个要素吻合", datum, len(pairs)))
    if confirmed or len(pairs) < ANCHORS:
        return confirmed
    best = min(DATUMS, key=lambda name: float(np.median(away[name])))
    near = bool(np.quantile(away[best], 0.75) <= ANCHOR_NEAR_M)
    if best != datum and near and np.quantile(away[datum], 0.25) >= ANCHOR_FAR_M:
        table = pd.DataFrame(
            {
                "label": [say(DATUM_LABELS[n]) for n in DATUMS],
                "points": len(pairs),
                "moved_m": [float(np.median(np.hypot(*(at[n] - at["WGS84"]).T))) for n in DATUMS],
                "median_m": [float(np.median(away[n])) for n in DATUMS],
                "p90_m": [float(np.quantile(away[n], 0.9)) for n in DATUMS],
                "winner": [n == best for n in DATUMS],
            },
            index=pd.Index(DATUMS, name="datum"),
        )
        lines = say("；").join(say("{0} {1} 米", name, amount(metres)) for name, metres in table["median_m"].items())
        said = say(
            "声明的坐标基准是 {0}，但和目录里编号相同的 {1} 个要素整体错开；"
            "到原位置的中位距离，假设坐标是：{2}。像是 {3}。",
            datum,
            len(pairs),
            lines,
            say(DATUM_LABELS[best]),
        )
        raise SourceError(
            say(
                "{0}：{1}没有写入任何东西。核实来源；若确是 {2}，用 --crs {2}（crs=）再导入；"
                "若原来的图层才是错的，用 replace=True（--replace）整层替换",
                file,
                said,
                best,
            ),
            table,
            datum_page(np.column_stack([lon, lat]), datum, table, current.tables, file, said),
        )
    return False


def as_written(shapes: Shapes, datum: str) -> Shapes:
    """Return WGS84 shapes in the numbers of another datum."""
    return shapely.transform(shapes, lambda xy: np.column_stack(from_wgs84(xy[:, 0], xy[:, 1], datum)))


def known_by_name(rows: Mapping[str, pd.DataFrame], crs: pyproj.CRS | str) -> gpd.GeoDataFrame:
    """Return everything with a name that a row may be named after."""
    parts = []
    for name in ("homes", "communities", "areas", "parcels", "places", "green", "named_roads"):
        if name in rows and "name" in rows[name].columns:
            frame = rows[name]
            parts.append(frame.loc[frame["name"].notna().to_numpy(), ["name", "geometry"]])
    if not parts:
        return gpd.GeoDataFrame({"name": []}, geometry=[], crs=crs)
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=crs)

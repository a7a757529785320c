"""Drawings in a grid of their own: control points, known in both grids, bring them into the district's CRS."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import shapely

from ..core import SourceError, between, say, tie
from .cells import coordinate, printable
from .headers import plain_header
from .incoming import LONLAT, Incoming, Shapes, cannot_take, decoded_csv
from .positions import Place, declaration, to_lonlat
from .row_report import RowReport

_CONTROL = {
    "x": ("图上x", "x", "x坐标", "localx", "图x"),
    "y": ("图上y", "y", "y坐标", "localy", "图y"),
    "east": ("经度", "东经", "lon", "lng", "已知x", "东坐标", "已知东", "e", "east"),
    "north": ("纬度", "北纬", "lat", "已知y", "北坐标", "已知北", "n", "north"),
    "name": ("点名", "名称", "点号", "编号", "name", "id"),
}


def tied(shapes: Shapes, control: Path, crs: str | int | None, place: Place, affine: bool, report: RowReport) -> Shapes:
    """Bring the shapes of a drawing in a grid of its own into the district's CRS, by the control points of a CSV."""
    text, separator = decoded_csv(control)
    lines = [
        line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(map(str.strip, line))
    ]
    heads = [plain_header(h) for h in lines[0]] if lines else []
    at = {k: next((heads.index(w) for w in words if w in heads), None) for k, words in _CONTROL.items()}
    absent = [say("、").join(_CONTROL[k][:2]) for k in ("x", "y", "east", "north") if at[k] is None]
    if absent:
        raise cannot_take(
            control.name,
            say("缺少列：{0}", say("；").join(absent)),
            say("表头写 点名, 图上X, 图上Y, 经度, 纬度（或 东坐标, 北坐标）"),
        )
    numbers = np.array(
        [
            [
                coordinate(row[i]) if (i := at[k]) is not None and i < len(row) else np.nan
                for k in ("x", "y", "east", "north")
            ]
            for row in lines[1:]
        ]
    ).reshape(-1, 4)
    i = at["name"]
    names = [
        row[i].strip() if i is not None and i < len(row) and row[i].strip() else str(k)
        for k, row in enumerate(lines[1:], 1)
    ]
    declared = declaration(crs, Incoming(control.name, [], [], []))
    lonlat = to_lonlat(numbers[:, 2:], declared)
    bad = [
        n
        for n, ok in zip(names, np.isfinite(lonlat).all(axis=1) & np.isfinite(numbers).all(axis=1), strict=True)
        if not ok
    ]
    if bad:
        raise cannot_take(
            control.name,
            say("控制点 {0} 的坐标读不懂，或不在声明的坐标系里", printable(say("、").join(bad))),
            say("每个点写四个数"),
        )
    to_metric = between(LONLAT, place.metric)
    try:
        matrix, residuals = tie(
            numbers[:, :2], np.column_stack(to_metric.transform(*lonlat.T)), affine=affine, names=names
        )
    except SourceError as error:
        raise SourceError(say("{0}：{1}", control.name, error), error.residuals) from error
    for point, row in residuals.iterrows():
        report.say(
            "note",
            say(
                "控制点 {0} 的残差 {1:.3f} 米（东 {2:+.3f}，北 {3:+.3f}）",
                printable(point),
                row["residual_m"],
                row["east_m"],
                row["north_m"],
            ),
        )
    first = residuals.iloc[0]
    axes = say("，控制点表的 X 为北") if first["swapped"] else ""
    if first["swapped"]:
        # A drawing is not a mirror image: the table writes north first, as surveyors do, the drawing east.
        matrix = matrix[[1, 0, 2]]
    report.say(
        "note",
        say(
            "按 {0} 个控制点配准：比例 {1:.6f}，旋转 {2:.4f}°{3}",
            len(residuals),
            first["scale"],
            first["rotation_deg"],
            axes,
        ),
        say("三个点几乎没有多余的检验，最好四个以上") if len(residuals) < 4 else "",
    )
    return shapely.transform(shapes, lambda xy: np.column_stack([xy, np.ones(len(xy))]) @ matrix)

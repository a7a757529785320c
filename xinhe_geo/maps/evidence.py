"""
The evidence map of the ledger: one page in which every row that has a number is a theme of its own.

Rows measured at homes colour the homes by what was measured there, rows of communities colour the communities, all others
show the places they count. The numbers are those of the ledger's own metrics; nothing is measured twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from ..core import language, listed, say, speaking
from ..district import District, kind_name, place_title
from ..ledger import (
    Lacks,
    beyond,
    by_home,
    canonical,
    kinds_of,
    layers_for,
    measure_rows,
    number_text,
    presence_of,
    scope_text,
    shared_out,
    spoken,
    whole_text,
)
from .style import evidence_line, house_style
from .themes import Mode, Theme, percent

#: Metrics whose number is made of shares of homes, and of communities that have something.
_OF_HOMES = ("coverage", "completeness", "capacity", "difference", "gini", "theil", "in_gap")
_OF_COMMUNITIES = ("communities_with", "communities_without")
#: Metrics that nothing on a map shows.
_NOWHERE = ("series", "missing")
_UNKNOWN = "不在范围内或数据不足"


def evidence_themes(district: District, table: pd.DataFrame) -> list[Theme]:
    """
    Return a theme per row of the ledger that has a number and a place; the theme's id is the measure's.

    Parameters
    ----------
    table
        Result of `ledger`. The standards beyond the plan follow its rows.
    """
    with speaking(spoken(table)):
        return _themes(district, canonical(table))


def _themes(district: District, table: pd.DataFrame) -> list[Theme]:
    known = {str(m["measure"]): m for m in measure_rows(district)}
    themes = []
    for part in (table.reset_index("commitment", drop=True), beyond(district)):
        for key, row in part.iterrows():
            m = known.get(str(key))
            if m is None or m["metric"] in _NOWHERE or not np.isfinite(row["value"]):
                continue
            themes.append(_theme(district, str(key), row, m))
    return themes


def _theme(district: District, key: str, row: pd.Series, m: Mapping[str, Any]) -> Theme:
    """Return the theme of one row."""
    layer, mode, cells = _coloured(district, m)
    rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"])) if name]
    kinds = tuple(dict.fromkeys([*kinds_of(m), *listed(m["near_kinds"]), *(k for r in rules for k in r.kinds)]))
    against = say("，目标 {0}", row["target_text"]) if row["target_text"] else ""
    fact = {"big": number_text(float(row["value"]), str(row["unit"])), "text": f"{row['label']}{against}"}
    lines = [
        say("核对表 {0}", key),
        say("范围 {0}", scope_text(district, m)),
        say("方法 {0}", row["method"]),
        *([row["standard"]] if row["standard"] else []),
    ]
    notes = [str(row["how"]), *([say("差距：{0}", row["gap"])] if row["gap"] else [])]
    return Theme(
        key,
        f"{key}　{row['label']}",
        f"{place_title(district)} · {row['label']}",
        lines,
        layer,
        [mode],
        cells,
        kinds,
        [{**fact, "tag": say(row["verdict"])}],
        notes,
        [],
        evidence_line(district, kinds, language()),
        on=layers_for(m),
    )


def _coloured(district: District, m: Mapping[str, Any]) -> tuple[str, Mode, list[tuple[str, list[str | None]]]]:
    """Return which layer a row colours, how, and what is read there."""
    if m["metric"] in _OF_COMMUNITIES:
        return ("presence", *_communities(district, m))
    if m["metric"] in _OF_HOMES:
        return ("homes", *_homes(district, m))
    homes = district.layers.get("homes")
    plain = {**house_style()["home"], "label": say("小区（这一条不按小区量）")}
    n = 0 if homes is None else len(homes)
    return "homes", Mode("", "", [plain], np.zeros(n, dtype="int64"), [n], [say("{0} 个", n)]), []


def _communities(district: District, m: Mapping[str, Any]) -> tuple[Mode, list[tuple[str, list[str | None]]]]:
    """Colour the communities of a row's scope by whether they have what was promised."""
    communities, look = district.layers["communities"], house_style()["presence"]
    has, counts = presence_of(district, m)
    edge = {"line": look["line"], "width": look["width"]}
    styles = [
        {**look[name], **edge, "label": label, "skip": name == "unknown"}
        for name, label in (("yes", say("有")), ("no", say("没有")), ("unknown", say(_UNKNOWN)))
    ]
    own = has.reindex(communities.index)
    pick = np.where(own.isna(), 2, np.where(own.eq(True), 0, 1)).astype("int64")
    sizes = [int((pick == i).sum()) for i in range(3)]
    cells: list[tuple[str, list[str | None]]] = [
        (kind_name(district, str(k)), [say("{0} 处", n) for n in counts[k].reindex(communities.index, fill_value=0)])
        for k in counts
    ]
    return Mode(say("有没有"), say("社区"), styles, pick, sizes, [say("{0} 个", n) for n in sizes]), cells


def _homes(district: District, m: Mapping[str, Any]) -> tuple[Mode, list[tuple[str, list[str | None]]]]:
    """Colour the homes of a row's scope by their share, in fifths; whoever has nothing at all has a colour of his own."""
    homes, look = district.layers["homes"], house_style()
    try:
        share, weight, unit = by_home(district, m)
    except Lacks:
        share, weight, unit = pd.Series(dtype="float64"), pd.Series(dtype="float64"), ""
    number = share.reindex(homes.index).to_numpy(dtype="float64")
    weights = weight.reindex(homes.index).to_numpy(dtype="float64")
    pick = np.where(number <= 0, 0, 1 + np.clip(np.ceil(np.nan_to_num(number) * 5 - 1e-9) - 1, 0, 4))
    pick = np.where(np.isnan(number), 6, pick).astype("int64")
    styles = list(_steps(look))
    counts = [int((pick == i).sum()) for i in range(len(styles))]
    sums = [float(np.nansum(weights[pick == i])) for i in range(len(styles))]
    size = _hectares if unit.startswith("m²") else lambda v: whole_text(v, unit)
    texts = [say("{0} 个", n) + (say("，{0}", size(v)) if v else "") for n, v in zip(counts, sums, strict=True)]
    cells = [(say("份额"), [None if np.isnan(v) else percent(v) for v in number])]
    cells += list(_of_capacity(district, m, homes)) if m["metric"] == "capacity" else []
    return Mode(say("份额"), say(_title(m)), styles, pick, counts, texts), cells


def _title(m: Mapping[str, Any]) -> str:
    if m["metric"] == "capacity":
        return "够得着且够用的份额"
    return (
        "有一类算一份的齐全度"
        if m["metric"] != "coverage" and m["combine"] != "all" and not m["rule"]
        else "够得着的份额"
    )


def _hectares(area: float) -> str:
    return say("{0:.1f} 公顷{1}", area / 1e4, "")


def _steps(look: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the styles of the classes: none, five steps, unknown."""
    edge = {"line": look["cover"]["line"], "width": look["cover"]["width"]}
    yield {**look["cover"]["unreachable"], **edge, "label": "0 %", "skip": True}
    for i, colour in enumerate(reversed(look["values"])):  # dark is what falls short
        yield {"fill": colour, **edge, "label": f"{i * 20}–{i * 20 + 20} %" if i else say("不到 20 %")}
    yield {**look["cover"]["unknown"], "label": say(_UNKNOWN), "skip": True}


def _of_capacity(
    district: District, m: Mapping[str, Any], homes: gpd.GeoDataFrame
) -> Iterator[tuple[str, list[str | None]]]:
    """Yield what is read of a home: who needs it, what falls to it, what is short of the norm."""
    rows = shared_out(district, m).reindex(homes.index)
    per, norm = float(m["per"]), float(m["norm"])
    for column, label in (
        ("demand", say("需要的人")),
        ("within", say("其中够得着的")),
        ("ratio", say("分到的（每 {0:g} 人，应有 {1:g}）", per, norm)),
        ("short", say("按应有数还差")),
    ):
        digits = 0 if column in ("demand", "within") else 2
        yield label, [None if pd.isna(v) else f"{v:,.{digits}f}" for v in rows[column]]

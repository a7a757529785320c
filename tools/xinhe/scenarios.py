"""Named scenarios that come with the district: what the plan talks about, ready to be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely

from . import renewal
from . import skeleton as s
from .frame import XY, degrees

Row = Mapping[str, Any]
Layers = Mapping[str, Sequence[Row]]


def _at(p: XY) -> list[float]:
    return list(degrees(*p))


def _find(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """Rows whose columns are as wanted."""
    return [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]


def _homes(layers: Layers, start: str) -> list[str]:
    """Homes of 2022 whose name begins with something."""
    return [str(h["home"]) for h in layers["homes"] if h["name"].startswith(start) and not (h.get("since") or 0) > 2022]


def _gates(layers: Layers, homes: Sequence[str], parcel: str) -> list[list[float]]:
    """Gates of the old houses that face the streets around the plot, moved to the plot's edge."""
    ring = _find(layers["parcels"], parcel=parcel)[0]["geometry"].exterior
    out = []
    for gate in layers["gates"]:
        if gate["home"] in homes and ring.distance(gate["geometry"]) < 9:
            p = ring.interpolate(ring.project(gate["geometry"]))
            out.append(_at((p.x, p.y)))
    return out


def _planned(layers: Layers, *names: str) -> list[dict[str, Any]]:
    """Open planned facilities by name."""
    found = [_find(layers["facilities"], name=n, state="planned")[0]["facility"] for n in names]
    return [{"do": "open_planned", "facility": f} for f in found]


def build(layers: Layers) -> dict[str, dict[str, Any]]:
    """Return the scenarios by name: label, year, note, edits."""
    gates = [{"do": "open_gate", "gate": str(g["gate"])} for g in _find(layers["gates"], state="planned")]
    return {
        "wuchedi-renewal": _wuchedi(layers),
        "xinhezhuang-renewal": _xinhezhuang(layers),
        "sample-renewal": renewal.plan(layers),
        "two-stations": {
            "label": "南益、威海路卫生服务站",
            "year": 2025,
            "note": "规划原文：建设南益社区、威海路社区卫生服务站；位置为示意",
            "edit": _planned(layers, "南益社区卫生服务站", "威海路社区卫生服务站"),
        },
        "canal-bridge": {
            "label": "干渠人行桥",
            "note": "在崇信路与威海路之间跨新河干渠加一座无台阶的人行桥；位置为示意",
            "edit": [
                {"do": "add_street", "street": "bridge-1", "name": "干渠人行桥", "line": [_at(p) for p in _bridge()]}
            ],
        },
        "open-gates": {
            "label": "增开出入口",
            "year": 2025,
            "note": "打开两处拟增开的小区出入口",
            "edit": gates,
        },
        "plan-2025": {
            "label": "规划设施全部建成",
            "year": 2025,
            "planned": True,
            "note": "到2025年应建成的规划设施都算开放",
            "edit": [],
        },
        "plan-2035": {
            "label": "全部规划建成",
            "year": 2035,
            "planned": True,
            "note": "到2035年规划设施全部开放，两处拟增开的出入口打开；五车地、南河底更新后的住房按小区图层的起始年（2027、2029）",
            "edit": gates,
        },
        "nothing-built": {
            "label": "什么也不建",
            "year": 2025,
            "note": "到2025年规划设施一处也没有建，也不改造；已有的设施和小区照旧",
            "edit": [],
        },
    }


def _bridge() -> list[XY]:
    """From the street south of the canal to the street north of it, beside 华庭路."""
    x = s.column(s.C_HUA, s.CANAL)[0]
    return [s.old_row(2262, x - 2), s.old_row(s.CANAL, x), s.old_row(2398, x + 3)]


def _wuchedi(layers: Layers) -> dict[str, Any]:
    homes = _homes(layers, "五车地平房")
    parcel = _find(layers["parcels"], parcel="wuchedi")[0]["geometry"]
    c = parcel.centroid
    corner = s.old_row(s.R_ANSHUN, s.column(s.C_XIN, 1700)[0] + 60)
    site = shapely.Point(corner[0], corner[1] - 17)
    return {
        "label": "五车地改造（假定）",
        "year": 2025,
        "note": "平房按小区图层到2024年已腾空，不再写拆除；按容积率1.6新建住房，配建卫生服务站、老年食堂和日间照料中心；数值均为假定",
        "edit": [
            {
                "do": "build_homes",
                "parcel": "wuchedi",
                "home": "wuchedi-new",
                "name": "五车地新居",
                "far": 1.6,
                "site_share": 0.55,
                "m2_per_dwelling": 95,
                "household_size": 2.6,
                "share_60plus": 0.18,
                "gates": _gates(layers, homes, "wuchedi"),
            },
            {
                "do": "open_facility",
                "facility": "wuchedi-clinic",
                "kind": "clinic_station",
                "name": "五车地卫生服务站",
                "at": _at((site.x, site.y)),
            },
            {
                "do": "open_facility",
                "facility": "wuchedi-canteen",
                "kind": "canteen",
                "name": "五车地老年食堂",
                "at": _at((c.x, c.y - 20)),
            },
            {
                "do": "open_facility",
                "facility": "wuchedi-daycare",
                "kind": "elderly_daycare",
                "name": "五车地日间照料中心",
                "at": _at((c.x + 30, c.y - 20)),
            },
        ],
    }


def _xinhezhuang(layers: Layers) -> dict[str, Any]:
    old = [*_homes(layers, "新河庄南河底平房"), *_homes(layers, "新河庄北河底平房")]
    south = _homes(layers, "新河庄南河底平房")
    names = (
        "新河庄养老院",
        "新河庄小学（规划）",
        "新河庄消防站（规划）",
        "新河庄停车场（规划）",
        "新河庄中心广场（规划）",
    )
    return {
        "label": "新河庄南北河底更新（假定）",
        "year": 2025,
        "note": "规划原文：建设学校、养老院、社区服务中心、消防、停车场、广场；住房规模为假定",
        "edit": [
            {"do": "demolish_homes", "homes": old},
            {
                "do": "build_homes",
                "parcel": "xinhezhuang-south",
                "home": "xinhezhuang-new",
                "name": "新河庄新居住区",
                "people": 3600,
                "people_60plus": 620,
                "households": 1400,
                "gates": _gates(layers, south, "xinhezhuang-south"),
            },
            *_planned(layers, *names),
        ],
    }


def _value(value: Any) -> str:
    """A value as TOML (which JSON's notation of texts, numbers, lists and truth values is)."""
    return json.dumps(value, ensure_ascii=False)


def write(folder: Path, layers: Layers) -> None:
    """Write one TOML file per scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plan in build(layers).items():
        lines = [f"name = {_value(name)}"]
        lines += [f"{key} = {_value(plan[key])}" for key in ("label", "year", "planned", "note") if key in plan]
        for edit in plan["edit"]:
            lines += ["", "[[edit]]", *(f"{key} = {_value(value)}" for key, value in edit.items())]
        (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

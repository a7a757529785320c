"""Small random districts, seeded: crooked blocks, walls with gates, homes without any, lanes, barriers, facilities of every sort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

Layers = dict[str, dict[str, tuple[shapely.Geometry, dict[str, Any]]]]
Mouths = list[np.ndarray]
CORNER = np.array([500_000.0, 4_320_000.0])
BLOCK, SIDE = 180.0, 4
KINDS = ("clinic_station", "canteen", "fitness", "pharmacy", "park")
KEYS = {
    "district": "code",
    "communities": "community",
    "homes": "home",
    "gates": "gate",
    "barriers": "barrier",
    "facilities": "facility",
    "entrances": "entrance",
    "streets": "street",
    "extra_links": "street",
}
HOMES = ("rectangle", "corner", "yard", "lanes", "open", "point", "gated point")


def write(folder: Path, seed: int) -> Path:
    """Write a district folder that `District.load` opens."""
    layers = _layers(np.random.default_rng(seed))
    lines = ["schema = 1", 'name = "随机街道"', 'code = "990002"', 'crs = "EPSG:4548"', "data_year = 2022"]
    lines += ["community_list_year = 2022", f"surveyed_kinds = {json.dumps([*KINDS[:2], KINDS[-1]])}"]
    for name, features in layers.items():
        body = [
            {"type": "Feature", "properties": {KEYS[name]: key, **props}, "geometry": shapely.geometry.mapping(shape)}
            for key, (shape, props) in features.items()
        ]
        text = json.dumps({"type": "FeatureCollection", "features": body})
        (folder / f"{name}.geojson").write_text(text, encoding="utf-8")
        lines += [f"[layers.{name}]", f'file = "{name}.geojson"', 'crs = "EPSG:4548"', 'basis = "surveyed"']
        lines += ['source = "随机"', 'licence = "MIT"', 'date = "2026-11-29"']
    (folder / "district.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _layers(rng: np.random.Generator) -> Layers:
    number = np.arange(SIDE + 1)
    at = CORNER + BLOCK * np.stack(np.meshgrid(number, number, indexing="ij"), -1)
    at += rng.uniform(-12, 12, at.shape)
    out: Layers = {name: {} for name in KEYS}
    middles: dict[tuple[int, int], list[np.ndarray]] = {}
    for i in range(SIDE + 1):
        for j in range(SIDE + 1):
            for di, dj in ((1, 0), (0, 1)):
                if i + di > SIDE or j + dj > SIDE or rng.random() < 0.08:
                    continue
                a, b = at[i, j], at[i + di, j + dj]
                middle = a + rng.uniform(0.3, 0.7) * (b - a) + rng.uniform(-6, 6, 2)
                props: dict[str, Any] = {"class": "residential", "steps": bool(rng.random() < 0.12), "home": None}
                props["wait_s"] = float(rng.choice([8, 20, 45])) if rng.random() < 0.25 else None
                props |= {"since": 2024} if rng.random() < 0.05 else {"until": 2022} if rng.random() < 0.05 else {}
                layer = "extra_links" if rng.random() < 0.1 else "streets"
                out[layer][f"{layer[0]}{i}{j}{di}"] = LineString([a, middle, b]), props
                for block in ((i, j), (i - dj, j - di)):
                    middles.setdefault(block, []).append(middle)
    blocks = [(i, j) for i in range(SIDE) for j in range(SIDE)]
    for n, (i, j) in enumerate(blocks):
        middle = at[i : i + 2, j : j + 2].reshape(-1, 2).mean(0)
        if n % 8 == 5:
            _park(rng, out, f"P{n}", middle)
        else:
            sort = "lanes" if n % 8 == 7 else HOMES[n if n < len(HOMES) else int(rng.integers(len(HOMES)))]
            _home(rng, out, (f"H{n:02}", sort), middle, middles.get((i, j), []))
        _facilities(rng, out, n, middle)
        if rng.random() < 0.4:
            turn = rng.uniform(0, 2 * np.pi)
            away, along = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
            line = LineString([middle + 72 * away - 60 * along, middle + 72 * away + 60 * along])
            out["barriers"][f"B{n}"] = line, {"kind": "wall"}
    low, high = CORNER - 100, CORNER + BLOCK * SIDE + 100
    split = CORNER[0] + BLOCK * SIDE / 2
    out["district"]["990002"] = shapely.box(*low, high[0] - BLOCK * 1.4, high[1]), {}
    out["communities"]["C1"] = shapely.box(*low, split, high[1]), {"name": "甲社区"}
    out["communities"]["C2"] = shapely.box(split, *low[1:], *high), {"name": "乙社区"}
    return {name: features for name, features in out.items() if features}


def _home(rng: np.random.Generator, out: Layers, named: tuple[str, str], middle: np.ndarray, mouths: Mouths) -> None:
    key, sort = named
    w, h = rng.uniform(30, 62, 2)
    turn = rng.uniform(-0.25, 0.25)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    ring = {
        "corner": [(-w, -h), (w, -h), (w, -0.3 * h), (-0.2 * w, -0.3 * h), (-0.2 * w, h), (-w, h)],
        "yard": [(-w, -h), (w, -h), (w, h), (w / 2, h), (w / 2, -0.4 * h), (-w / 3, -0.4 * h), (-w / 3, h), (-w, h)],
    }.get(sort, [(-w, -h), (w, -h), (w, h), (-w, h)])
    wall = Polygon(middle + np.array(ring) @ spin.T)
    people = float(rng.integers(20, 900))
    props: dict[str, Any] = {"people": None if rng.random() < 0.08 else people, "households": None}
    props |= {"people_60plus": float(rng.integers(0, int(people / 3)))}
    props |= {"community": "C1"} if rng.random() < 0.1 else {}
    out["homes"][key] = (Point(middle) if "point" in sort else wall), props
    if sort == "lanes":
        heart = middle + rng.uniform(-15, 15, 2)
        for count, mouth in enumerate(mouths[: int(rng.integers(1, 4))]):
            way = LineString([mouth, mouth + (heart - mouth) * 0.6 + rng.uniform(-8, 8, 2), heart])
            out["streets"][f"L{key}{count}"] = way, {"class": "service", "steps": bool(rng.random() < 0.1), "home": key}
        return
    if sort in ("open", "point"):
        return
    edge = shapely.box(*(middle - 9), *(middle + 9)).exterior if sort == "gated point" else wall.exterior
    for k in range(int(rng.integers(1, 4))):
        state = str(rng.choice(["open", "planned", "closed"], p=[0.7, 0.15, 0.15])) if k else "open"
        out["gates"][f"G{key}{k}"] = edge.interpolate(rng.uniform(0, 1), normalized=True), {"home": key, "state": state}


def _park(rng: np.random.Generator, out: Layers, key: str, middle: np.ndarray) -> None:
    w, h = rng.uniform(45, 75, 2)
    x, y = middle
    out["facilities"][key] = shapely.box(x - w, y - h, x + w, y + h), {"kind": "park"}
    if rng.random() < 0.5:
        for k in range(2):
            spot = out["facilities"][key][0].exterior.interpolate(rng.uniform(0, 1), normalized=True)
            out["entrances"][f"E{key}{k}"] = spot, {"facility": key}


def _facilities(rng: np.random.Generator, out: Layers, n: int, middle: np.ndarray) -> None:
    if rng.random() < 0.6:
        reach = 25 if rng.random() < 0.5 else 85
        states = ["open", "planned", "closed", "nominal", "搬迁"]
        state = str(rng.choice(states, p=[0.8, 0.1, 0.04, 0.03, 0.03]))
        props: dict[str, Any] = {"kind": str(rng.choice(KINDS[:4])), "state": state}
        props |= {"serves_community": ("C1; C2", "C1", "C2")[n % 3]} if n % 5 == 1 else {}
        props |= {"until": 2021} if rng.random() < 0.08 else {"since": 2022} if rng.random() < 0.1 else {}
        props |= {"since": int(rng.choice([2021, 2024]))} if state == "planned" and "until" not in props else {}
        props |= {"community": "C2"} if rng.random() < 0.1 else {}
        out["facilities"][f"F{n}"] = Point(middle + rng.uniform(-reach, reach, 2)), props
        if n % 3 == 0:  # two under one roof: equally near
            out["facilities"][f"{'EG'[n % 2]}{n}"] = out["facilities"][f"F{n}"]

"""A small made-up district for tests of what is drawn and written: frames and tables without a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from xinhe_geo import District
from xinhe_geo.core.models import Rule

CRS = "EPSG:32650"
X, Y = 400_000.0, 4_300_000.0


def _frame(rows: list[dict[str, Any]], key: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=CRS).set_index(key)


def _box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    return shapely.box(X + x0, Y + y0, X + x1, Y + y1)


def _line(*points: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString([(X + a, Y + b) for a, b in points])


def _homes() -> gpd.GeoDataFrame:
    rows = []
    for i in range(8):
        for j in range(5):
            x, y = 300 * i + 20, 300 * j + 20
            people = np.nan if (i, j) == (3, 3) else 200.0 + 50 * i
            rows.append(
                {
                    "home": f"h{i}{j}",
                    "name": f"示范{i}{j}里",
                    "community": f"c{i // 4}",
                    "households": 80 + i,
                    "people": people,
                    "people_60plus": people * 0.2,
                    "built": 1990 + i,
                    "basis": None,
                    "geometry": _box(x, y, x + 260, y + 260),
                }
            )
    return _frame(rows, "home")


def _facilities() -> gpd.GeoDataFrame:
    rows = []
    for n, (kind, x, y, state) in enumerate(
        [
            ("clinic", 310, 290, "open"),
            ("clinic", 1810, 890, "open"),
            ("clinic", 900, 1210, "planned"),
            ("canteen", 610, 590, "open"),
            ("canteen", 2290, 300, "planned"),
            ("shop", 1210, 610, "open"),
            ("shop", 1215, 612, "closed"),
        ]
    ):
        rows.append(
            {
                "facility": f"f{n}",
                "name": f"{kind}{n}号",
                "kind": kind,
                "state": state,
                "since": 2020 + n,
                "until": None,
                "capacity": 30.0 if n % 2 else np.nan,
                "capacity_unit": "床",
                "basis": "surveyed" if n == 0 else None,
                "geometry": shapely.Point(X + x, Y + y),
            }
        )
    rows.append(
        {"facility": "f9", "name": "河滨公园", "kind": "park", "state": "open", "geometry": _box(620, 1220, 860, 1460)}
    )
    return _frame(rows, "facility")


def _streets() -> gpd.GeoDataFrame:
    rows = []
    for i in range(9):
        rows.append(
            {
                "street": f"v{i}",
                "name": f"纬{i}路",
                "class": "secondary" if i % 4 == 0 else "residential",
                "geometry": _line((300 * i, 0), (300 * i, 1500)),
            }
        )
    for j in range(6):
        rows.append(
            {
                "street": f"w{j}",
                "name": f"经{j}路" if j else None,
                "class": "primary" if j == 2 else "footway",
                "geometry": _line((0, 300 * j), (2400, 300 * j)),
            }
        )
    return _frame(rows, "street")


def _kinds() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("clinic", "卫生站", "Clinic", "circle", "clinic15", "#CC3311", "卫"),
            ("canteen", "食堂", "Canteen", "community", "canteen1", "#E6A800", "食"),
            ("shop", "便利店", "Shop", "tier", "shop300", "#117733", "店"),
            ("park", "公园", "Park", "tier", "", "not-a-colour", ""),
            ("school", "小学", "School", "community", "school1", "#332288", "学"),
        ],
        columns=["kind", "label", "label_en", "lead", "rule", "colour", "symbol"],
    ).set_index("kind")


RULES = {
    "clinic15": Rule("clinic15", "卫生站 15 分钟", ("clinic",), "walk_min", 1000, 15, "adult", "people"),
    "shop300": Rule("shop300", "便利店 300 米", ("shop",), "buffer", 300, 5, "adult", "area_m2"),
    "canteen1": Rule("canteen1", "每个社区有食堂", ("canteen",), "network_m", 500, 10, "adult", "community"),
    "school1": Rule("school1", "每个社区有小学", ("school",), "network_m", 500, 10, "adult", "community"),
}


@dataclass
class MadeUpDistrict:
    """What maps ask of a `District`, by the same names; a test may change anything before it draws."""

    layers: dict[str, gpd.GeoDataFrame]
    manifest: dict[str, Any]
    kinds: pd.DataFrame
    profiles: pd.DataFrame
    name: str = "示范街道"
    code: str = "d"
    crs: str = CRS
    year: int = 2022
    list_year: int = 2022
    known_list_year: int | None = 2022
    surveyed_kinds: frozenset[str] = frozenset({"clinic", "canteen", "shop", "park"})
    mapped_kinds: frozenset[str] = frozenset()
    drawn_kinds: frozenset[str] = frozenset()
    has_own_plan: bool = True
    has_own_goals: bool = True
    rules: pd.DataFrame = field(default_factory=pd.DataFrame)
    memo: dict[Any, Any] = field(default_factory=dict)

    def kin(self, layers: object, kinds: object = None, *, state: bool = False) -> None:
        """It was made from no other."""

    #: Whom facilities serve is worked out as by a district.
    locate = District.locate
    serving = District.serving
    _located = District._located

    @property
    def communities(self) -> gpd.GeoDataFrame | None:
        """The communities, or none."""
        return self.layers.get("communities")

    @property
    def groups(self) -> pd.DataFrame:
        """The codes typed on the homes: no position decides."""
        return pd.DataFrame(self.layers["homes"].drop(columns="geometry"))

    def basis(self, layer: str) -> pd.Series:
        """Return the row's own basis, or its layer's."""
        frame = self.layers[layer]
        own = frame["basis"] if "basis" in frame.columns else pd.Series(None, index=frame.index, dtype="object")
        return own.fillna(self.manifest["layers"].get(layer, {}).get("basis", "derived"))

    def rule(self, name: str | Rule) -> Rule:
        """Return a rule by name, or the one that leads a kind; a `Rule` as it is."""
        return name if isinstance(name, Rule) else RULES[str(self.kinds["rule"].get(name, name))]


def district(**changes: Any) -> MadeUpDistrict:
    """Return the made-up district; `changes` replace layers (None removes one)."""
    layers: dict[str, gpd.GeoDataFrame] = {
        "district": _frame([{"code": "d", "name": "示范街道", "geometry": _box(-100, -100, 2500, 1700)}], "code"),
        "zones": _frame(
            [
                {"zone": "s", "name": "南城区", "geometry": _box(-100, -100, 2500, 800)},
                {"zone": "n", "name": "北城区", "geometry": _box(-100, 800, 2500, 1700)},
            ],
            "zone",
        ),
        "communities": _frame(
            [
                {"community": "c0", "name": "甲社区", "zone": "s", "geometry": _box(-100, -100, 1200, 1700)},
                {"community": "c1", "name": "乙社区", "zone": "n", "geometry": _box(1200, -100, 2500, 1700)},
            ],
            "community",
        ),
        "landuse": _frame(
            [{"id": "l", "name": None, "use": "industrial", "geometry": _box(0, 1500, 2400, 1700)}], "id"
        ),
        "water": _frame(
            [
                {"id": "w", "name": "示范河", "geometry": _box(-100, 1520, 2500, 1570)},
                {"id": "x", "name": "小沟", "geometry": _line((0, -50), (2400, -60))},
            ],
            "id",
        ),
        "green": _frame([{"id": "g", "name": "街心花园", "geometry": _box(20, 1580, 300, 1690)}], "id"),
        "barriers": _frame(
            [{"barrier": "b", "name": "示范铁路", "kind": "railway", "geometry": _line((0, 1500), (2400, 1505))}],
            "barrier",
        ),
        "named_roads": _frame(
            [{"id": "r", "name": "示范高速", "class": "motorway", "geometry": _line((-100, 1600), (2500, 1640))}], "id"
        ),
        "places": _frame(
            [{"id": "p", "name": "示范车站", "type": "站", "geometry": shapely.Point(X + 1500, Y + 1480)}], "id"
        ),
        "homes": _homes(),
        "facilities": _facilities(),
        "streets": _streets(),
        "gates": _frame(
            [{"gate": "g1", "name": None, "home": "h00", "geometry": shapely.Point(X + 20, Y + 150)}], "gate"
        ),
    }
    for name, frame in changes.items():
        layers.pop(name, None)
        if frame is not None:
            layers[name] = frame

    return MadeUpDistrict(
        layers=layers,
        kinds=_kinds(),
        manifest={
            "credit": "示范数据",
            "secrecy": "internal",
            "layers": {n: {"basis": "synthetic", "licence": "CC BY 4.0"} for n in layers},
        },
        profiles=pd.DataFrame(
            {"label": ["成人"], "label_en": ["Adult"], "speed_m_s": [1.2]}, index=pd.Index(["adult"], name="profile")
        ),
    )


def cover(names: tuple[str, ...] = ("clinic15", "shop300", "canteen1", "school1")) -> pd.DataFrame:
    """Return a coverage table: minutes by straight distance, with one home out of reach and one unknown."""
    homes, places, rows = _homes(), _facilities(), []
    for name in names:
        r = RULES[name]
        near = places[places["kind"].isin(r.kinds) & (places["state"] == "open")]
        for home, row in homes.iterrows():
            away = near.distance(row.geometry.centroid)
            straight = float(away.min()) if len(near) else np.nan
            metres = straight * 1.3 if home != "h74" else np.nan
            minutes = metres / 72
            within = {"buffer": straight <= r.metres, "network_m": metres <= r.metres, "walk_min": minutes <= r.minutes}
            unknown = home == "h03"
            rows.append(
                {
                    "home": home,
                    "rule": name,
                    "kind": ";".join(r.kinds),
                    "label": r.label,
                    "method": r.method,
                    "facility": away.idxmin() if len(near) else None,
                    "metres": np.nan if unknown else metres,
                    "straight_metres": straight,
                    "minutes": np.nan if unknown else minutes,
                    "served": np.nan if unknown else float(within[r.method]),
                    "served_buffer": float(within["buffer"]),
                    "served_network_m": float(within["network_m"]),
                    "served_walk_min": float(within["walk_min"]),
                    "people": row["people"],
                    "people_60plus": row["people_60plus"],
                    "area_m2": row.geometry.area,
                    "community": row["community"],
                    "basis": "synthetic",
                }
            )
    return pd.DataFrame(rows).set_index(["home", "rule"])


def rings() -> gpd.GeoDataFrame:
    """Return three nested outlines."""
    centre = shapely.Point(X + 310, Y + 290)
    shapes = [centre.buffer(r) for r in (300, 600, 900)]
    return gpd.GeoDataFrame({"kind": "clinic"}, index=pd.Index([5, 10, 15], name="minutes"), geometry=shapes, crs=CRS)


def gaps() -> gpd.GeoDataFrame:
    """Return two gap places, the smaller one first."""
    homes = _homes().loc[["h73", "h74"]]
    return gpd.GeoDataFrame(
        {
            "name": ["东七里", "东八里"],
            "community": ["c1", "c1"],
            "people_unserved": [120.0, 550.0],
            "minutes": [18.2, np.nan],
            "reason": ["绕行过长", "隔着河，没有桥"],
        },
        index=pd.Index(["h73", "h74"], name="place"),
        geometry=homes.geometry.to_numpy(),
        crs=CRS,
    )

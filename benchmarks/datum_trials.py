"""
How often a short list of unknown places in a wrong datum is refused, asked about or taken: the table in docs/correctness.md.

    python benchmarks/datum_trials.py

Half of a district's facilities are what is there already; lists of the other half, without names, are written in a datum,
declared as WGS84 and judged by streets and likeness as `add` judges them. Extracts from ../shared/places lie where no datum
moves anything, so they are first carried to the bundled district's place.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from xinhe_geo.core.datum import (
    DATUMS,
    DIRECTIONS,
    Floats,
    _by_odds,
    _distance,
    _lonlat_points,
    _Places,
    _turn,
    _wins,
    from_wgs84,
)
from xinhe_geo.district.district import District
from xinhe_geo.io.osm_import import import_osm

EXTRACTS = Path(__file__).resolve().parents[2] / "shared" / "places"
CITIES = ("saopaulo", "helsinki", "porto")
SIZES = (3, 5, 8, 12, 20, 40)
#: How far honest positions lie from where the map has them (root mean square, metres).
ERRORS_M = (0, 20, 40)
TRIALS = 1000


def carried(district: District, home: District) -> list[gpd.GeoSeries]:
    """Return facilities (as points), streets and compounds, moved to where the other district lies."""
    (west, south, east, north), (w, s, e, n) = (d.rows["streets"].total_bounds for d in (home, district))
    by = np.array([west + east - w - e, south + north - s - n]) / 2
    parts = [district.rows[name].geometry for name in ("facilities", "streets", "homes")]
    parts[0] = parts[0].representative_point()
    parts[2] = parts[2][parts[2].geom_type.isin(["Polygon", "MultiPolygon"])]
    moved = [shapely.transform(np.asarray(part.array), lambda xy: xy + by) for part in parts]
    return [gpd.GeoSeries(shapes, crs=home.crs) for shapes in moved]


def judged(away: Floats, over: Floats) -> str:
    """Return what becomes of a list declared as WGS84: as `check_datum` decides, without names and known rows."""
    _, supported, winner = _by_odds(over, away.shape[1])
    winners = {i for i in range(len(DATUMS)) if winner[i] or _wins(away, i)} | ({0} if supported[0] else set())
    return "taken" if 0 in winners else "refused" if winners else "asked"


def trials(name: str, parts: list[gpd.GeoSeries]) -> None:
    """Print a line for each datum, error and size."""
    rng = np.random.default_rng(23)
    spots, streets, homes = parts
    places = _Places(streets, homes)
    like = places.likeness(_lonlat_points(spots.iloc[::2], 600))
    rest = shapely.get_coordinates(spots.iloc[1::2].array)
    for error_m in ERRORS_M:
        off = rest + rng.normal(0, error_m / np.sqrt(2), rest.shape)
        lonlat = shapely.get_coordinates(gpd.GeoSeries(shapely.points(off), crs=spots.crs).to_crs(4326).array)
        for datum in DATUMS:
            here, moves = places.moves(np.column_stack(from_wgs84(*lonlat.T, datum)))
            turned = [move @ _turn(k) for move in moves[1:] for k in range(1, DIRECTIONS)]
            away = np.stack([_distance(places.trees[0][0], here + move) for move in (*moves, *turned)])
            over = np.stack([like[places.classes(here + move)[0]] for move in moves])
            for size in SIZES:
                if size >= len(rest):
                    continue
                lists = [rng.choice(len(rest), size, replace=False) for _ in range(TRIALS)]
                said = [judged(away[:, one], over[:, one].sum(axis=1)) for one in lists]
                shares = "  ".join(f"{what} {said.count(what) / TRIALS:6.1%}" for what in ("refused", "asked", "taken"))
                print(f"{name:9} {datum:7} {error_m:3} m {size:3} places  {shares}", flush=True)


def main() -> int:
    """Run the trials of every place there is."""
    home = District.load()
    trials("bundled", carried(home, home))
    for city in CITIES:
        extract = EXTRACTS / f"{city}.osm.pbf"
        if extract.is_file():
            with tempfile.TemporaryDirectory() as place:
                import_osm(extract, Path(place) / city)
                trials(city, carried(District.load(Path(place) / city), home))
    return 0


if __name__ == "__main__":
    sys.exit(main())

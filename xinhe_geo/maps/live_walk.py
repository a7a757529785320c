"""The walk that the live map of notebooks shows of a home: the route of the package, as plain values for the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from ..access import facility_names, route
from ..core import NetworkError, UnknownNameError
from ..district import District
from .live_model import LiveModel
from .style import layer_of, texts_of


def walk_shown(model: LiveModel, district: District, home: int) -> dict[str, Any] | None:
    """
    Return a home's walk to the nearest place of what is asked for, with its legs; None where there is none.

    Parameters
    ----------
    model
        Which rule is asked, and who walks.
    district
        As it is after what was done on the map.
    home
        Number of the home on the map.
    """
    try:
        legs = route(district, str(model.homes.names[home]), model.rule.name, profile=model.walker)
    except (NetworkError, UnknownNameError):
        return None
    ends = shapely.get_coordinates(legs.geometry.array)
    crow = shapely.linestrings(ends[[0, -1]])
    facility = str(legs["facility"].iloc[0])
    return {
        "home": home,
        "facility": facility_names(district).get(facility) or facility,
        "legs": [
            {"leg": leg, "street": street, "metres": float(metres), "minutes": float(minutes), "line": line}
            for leg, street, metres, minutes, line in zip(
                legs["leg"],
                _street_names(district, list(legs["street"])),
                legs["metres"],
                legs["minutes"],
                [np.round(shapely.get_coordinates(line), 2).tolist() for line in legs.geometry],
                strict=True,
            )
        ],
        "start": ends[0].tolist(),
        "stop": ends[-1].tolist(),
        "minutes": float(legs["minutes"].sum()),
        "metres": float(legs["metres"].sum()),
        "straight": float(crow.length),
        "crosses": _crossed(district, crow),
    }


def _street_names(district: District, streets: list[object]) -> list[str]:
    """Return the names of streets given by id; empty for what has none."""
    frame = layer_of(district, "streets")
    if frame is None:
        return [""] * len(streets)
    names = dict(zip(frame.index.astype(str), texts_of(frame, "name"), strict=True))
    return [names.get(str(street)) or "" for street in streets]


def _crossed(district: District, line: shapely.LineString) -> list[str]:
    """Return the names of the barriers that a line crosses, each once."""
    frame = layer_of(district, "barriers")
    if frame is None:
        return []
    crossed = frame[frame.intersects(line).to_numpy()]
    return list(dict.fromkeys(crossed["name"].fillna(crossed["kind"]).astype(str)))

"""How firm a share of people is whose numbers were spread over buildings by floor area: drawn anew, area by area, always to its total."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..district import District

#: How wrong a weight of people is: the spread of people per weight between places, as a share of its mean. It is that of places
#: of a hundred buildings and more (`benchmarks/spreading.py`, docs/correctness.md): neighbours are wrong alike, and nothing cancels.
WEIGHT_ERROR = 0.6
DRAWS = 199


def drawn_people(district: District) -> pd.DataFrame | None:
    """
    Draw who may live where, where the people of areas were spread over blocks of buildings.

    Returns
    -------
    draws
        Index home, one column per draw: people. Those of an area add up to its total in every draw. None where homes have people of
        their own. The same district gives the same draws.
    """
    homes = district.layers.get("homes")
    if homes is None or "people_parts" not in homes or homes["people_parts"].isna().all():
        return None
    if "drawn people" not in district.memo:
        said = homes["people_parts"].dropna().str.split(";").explode()
        pair = said.str.rpartition(":")
        part = pd.to_numeric(pair[2], errors="coerce").fillna(0.0).to_numpy(dtype=float)
        area, _ = pd.factorize(pair[0])
        shape = 1.0 / WEIGHT_ERROR**2
        wrong = np.random.default_rng(len(said)).gamma(shape, 1.0 / shape, (len(said), DRAWS))
        drawn = part[:, None] * np.maximum(wrong, 1e-12)
        total = np.bincount(area, weights=part)
        whole = np.stack([np.bincount(area, weights=column) for column in drawn.T], axis=1)
        scale = np.divide(total[:, None], whole, out=np.zeros_like(whole), where=whole > 0)
        district.memo["drawn people"] = pd.DataFrame(drawn * scale[area], index=said.index).groupby(level=0).sum()
    found: pd.DataFrame = district.memo["drawn people"]
    return found


def drawn_range(district: District, served: pd.Series) -> tuple[float, float] | None:
    """Return between which ends 95 % of the draws put the share of people that is served (index home); None: nothing was spread."""
    draws = drawn_people(district)
    if draws is None:
        return None
    own = served.reindex(draws.index).dropna()
    people = draws.loc[own.index].to_numpy()
    if not len(own) or not people.sum():
        return None
    shares = own.to_numpy(dtype=float) @ people / people.sum(axis=0)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)

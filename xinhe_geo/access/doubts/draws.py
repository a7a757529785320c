"""Random numbers that belong to a fact: two plans, and two runs, draw the same of what they share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

#: Levels that stand for a normal distribution (Max 1960, three levels), spread so that their variance is 1, and the cuts between them.
LEVELS = np.array([-1.2240, 0.0, 1.2240]) / np.sqrt(0.8098)
CUTS = np.array([-0.6120, 0.6120])


def uniforms(seed: int, key: str, draws: int) -> np.ndarray:
    """Return the random numbers of a thing, between 0 and 1 and neither: the same however many other things there are."""
    digest = hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=16).digest()
    numbers = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little"))).random(draws)
    return np.clip(numbers, 1e-12, 1 - 1e-12)


def normals(facts: pd.DataFrame, axis: str, seed: int, draws: int) -> np.ndarray:
    """
    Return standard normal numbers, shape (draws, facts): of one source as much together as `share` says.

    Parameters
    ----------
    facts
        Index fact; columns `shared_by`, `share`.
    axis
        What of a fact is drawn: each has numbers of its own.
    seed, draws
        Which numbers, and how many of each.
    """
    if facts.empty:
        return np.empty((draws, 0))
    own = _normals([f"{fact}\0{axis}" for fact in facts.index], seed, draws)
    sources = {source: i for i, source in enumerate(dict.fromkeys(facts["shared_by"]))}
    common = _normals([f"source\0{source}\0{axis}" for source in sources], seed, draws)
    share = facts["share"].to_numpy(dtype=float)
    return np.sqrt(share) * common[:, facts["shared_by"].map(sources).to_numpy()] + np.sqrt(1.0 - share) * own


def _normals(keys: Sequence[str], seed: int, draws: int) -> np.ndarray:
    return np.column_stack([ndtri(uniforms(seed, key, draws)) for key in keys])


def nearest_level(normal: np.ndarray) -> np.ndarray:
    """Return the place in `LEVELS` that stands for a normal number."""
    return np.searchsorted(CUTS, normal)

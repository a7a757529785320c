"""
How well two lists tell how many there are: `python benchmarks/two_lists.py` prints the table of docs/correctness.md.

Of so many places each list keeps a share by chance; 400 times. "leaning": the second list takes those of the first twice as
readily as others, as lists do that were copied from one another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinhe_geo.io.densities import in_all

TIMES = 400
PLACES = (10, 40, 160)
KEPT = (0.8, 0.5, 0.2)


def kept(rng: np.random.Generator, chance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which places a list keeps, each with its chance."""
    return rng.random(len(chance)) < chance


def trial(rng: np.random.Generator, n: int, share: float, lean: float) -> tuple[float, float, float]:
    """Return what two lists of `n` places say: the number in all and the ends of its interval; nothing where none is in both."""
    first = kept(rng, np.full(n, share))
    second = kept(
        rng, np.where(first, share * lean / (share * lean + 1 - share) / share, 1 / (share * lean + 1 - share)) * share
    )
    both = int((first & second).sum())
    return in_all(int(first.sum()), int(second.sum()), both) if both else (np.nan, np.nan, np.nan)


def main() -> None:
    """Print the table."""
    print("| places | each list keeps | lists | said / true | true within 95 % | width / true | nothing in both |")
    print("|--:|--:|---|--:|--:|--:|--:|")
    rng = np.random.default_rng(20261130)
    for n in PLACES:
        for share in KEPT:
            for lean, called in ((1.0, "apart"), (2.0, "leaning")):
                total, low, high = np.array([trial(rng, n, share, lean) for _ in range(TIMES)]).T
                told = ~np.isnan(total)
                within = np.mean((low[told] <= n) & (n <= high[told]))
                width = np.mean(high[told] - low[told]) / n
                row = (
                    n,
                    f"{share:.0%}",
                    called,
                    f"{np.mean(total[told]) / n:.2f}",
                    f"{within:.0%}",
                    f"{width:.2f}",
                    f"{np.mean(~told):.0%}",
                )
                print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()

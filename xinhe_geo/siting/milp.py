"""A mixed-integer programme being written down row by row, and solved with HiGHS (scipy) while somebody may interrupt it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from .task import Flags, Floats, Ints, Watch

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

#: Largest coefficient handed to the solver: its tolerances are absolute.
SCALE = 1e4
#: Two plans whose objectives differ by no more than this share are equal.
EQUAL = 1e-9


class MixedInteger:
    """A mixed-integer programme being written down: variables between bounds, some of them whole; sparse rows."""

    def __init__(self, low: Floats, high: Floats, whole: Flags, watch: Watch) -> None:
        self.low, self.high, self.whole, self.watch = low, high, whole, watch
        self.size = len(low)
        self.parts: list[tuple[Ints, Ints, Floats]] = []
        self.bounds: list[tuple[Floats, Floats]] = []
        self.count = 0

    def add(self, row: np.ndarray, col: np.ndarray, value: ArrayLike, low: ArrayLike, high: ArrayLike) -> None:
        """Add rows, numbered from 0 within this call, with `low <= sum(value * x[col]) <= high`."""
        least, most = np.atleast_1d(low), np.atleast_1d(high)
        height = np.broadcast(least, most).size
        values = np.broadcast_to(np.asarray(value, dtype=float), row.shape)
        self.parts.append((row.astype(np.int64) + self.count, col.astype(np.int64), values))
        self.bounds.append((np.broadcast_to(least, height).astype(float), np.broadcast_to(most, height).astype(float)))
        self.count += height

    def at_least(self, col: Ints, value: Floats, low: float) -> None:
        """Add a row that keeps a sum as large as a plan already has it; what the solver's tolerance lets by is seen when counted."""
        scale = 1.0 / max(float(np.abs(value).max(initial=0.0)), 1e-300)
        self.add(np.zeros(len(col)), col, value * scale, low * scale * (1 - np.sign(low) * EQUAL), np.inf)

    def minimise(self, objective: Floats, gap: float, nodes: int | None) -> tuple[Floats | None, float, bool]:
        """Return the best solution found, the proven lower bound, and whether it is known that there is none."""
        # few solve anything, and everybody imports this module
        from scipy.optimize import Bounds, LinearConstraint, milp

        scale = SCALE / max(float(np.abs(objective).max(initial=0.0)), 1e-300)
        rows = []
        if self.count:
            row, col, value = (np.concatenate(p) for p in zip(*self.parts, strict=True))
            matrix = csr_array((value, (row, col)), shape=(self.count, self.size))
            low, high = (np.concatenate(b) for b in zip(*self.bounds, strict=True))
            rows = [LinearConstraint(matrix, low, high)]
        options: dict[str, Any] = {"mip_rel_gap": gap}
        if nodes is not None:
            options["node_limit"] = nodes

        def solver(seconds: float) -> OptimizeResult:
            return milp(
                objective * scale,
                integrality=self.whole.astype(float),
                bounds=Bounds(self.low, self.high),
                constraints=rows,
                options=options | {"time_limit": seconds},
            )

        done = self.watch.run(solver, nodes)
        if done is None:
            return None, -np.inf, False
        bound = -np.inf if done.mip_dual_bound is None else float(done.mip_dual_bound) / scale
        return done.x, bound, done.status == 2

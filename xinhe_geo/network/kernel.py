"""
What the compiled loops of `WalkNetwork` share: how they are compiled, and what counts as the same length.

The loops are in `kernel_search` (shortest paths and what lies within a limit), `kernel_doors` (from doors to nodes and back)
and `kernel_lines` (along the course of edges).

Numba keeps what it compiled until the file that it stands in changes, and does not look at others. So loops that call each
other are in one file; whoever changes `along` or `SAME_M` here gives it another name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])
#: Loops count in unsigned numbers where Numba then need not look whether an index counts from the end.
Number: TypeAlias = int | np.integer[Any]

#: Two ways are the same length when they differ by no more than this many metres.
SAME_M = 1e-6


#: Numba's own stubs leave out the two options of `jit_inner`.
_njit: Callable[..., Any] = numba.njit


def _compiled(function: Function, *, inner: bool = False) -> Function:
    """Compile without the interpreter lock; keep the result on disk where a folder can be written."""
    try:
        compiled: Function = _njit(cache=True, nogil=True, no_cpython_wrapper=inner, no_cfunc_wrapper=inner)(function)
    except RuntimeError:  # no writable cache folder (a read-only install): compile once per process instead
        compiled = _njit(nogil=True, no_cpython_wrapper=inner, no_cfunc_wrapper=inner)(function)
    return compiled


def jit(function: Function) -> Function:
    """Compile what Python calls."""
    return _compiled(function)


def jit_inner(function: Function) -> Function:
    """Compile what compiled functions alone call: a sixth less to wait for. Called by Python, it ends the process."""
    return _compiled(function, inner=True)


@jit
def along(rate: float, part: float) -> float:
    """Return the cost of `part` metres of an edge; a closed edge (infinite rate) can be stood on but not walked."""
    return rate * part if part != 0.0 else 0.0

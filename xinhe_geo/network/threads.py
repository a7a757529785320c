"""Work in threads: how many there are, and runs over chunks or items whose answers do not depend on it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_STEPS = 10_000  # nodes or rows to go through: with fewer, handing over to a thread takes longer


def thread_count() -> int:
    """
    Return how many threads searches from many places use: all cores, or fewer where `OMP_NUM_THREADS` says so.

    No answer depends on it. The variable is the one by which clusters give each worker its share of a machine.
    """
    cores, asked = os.cpu_count() or 1, os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(asked))) if asked.isdecimal() else cores


def is_long(steps: float) -> bool:
    """Tell whether there is enough to go through for a thread, or for remembering what was made of it."""
    return steps >= THREAD_STEPS


def in_threads(
    run: Callable[[int, int], tuple[NDArray[Any], ...]], count: int, parts: int, *, size: int | None = None
) -> tuple[NDArray[Any], ...]:
    """Run over 0..count in chunks, in threads, and join the arrays that each chunk returns, in order."""
    if count == 0:
        return tuple(np.empty(0) for _ in range(parts))
    threads = thread_count()
    size = size or max(16, -(-count // (4 * threads if threads > 1 else 1)))
    spans = [(start, min(start + size, count)) for start in range(0, count, size)]
    if len(spans) == 1:
        return run(*spans[0])
    found = each(lambda span: run(*span), spans)
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


def each(run: Callable[[Item], Result], items: Sequence[Item], steps: float = math.inf) -> list[Result]:
    """Run over items and return the results in order; in threads if there are several and many steps in each."""
    threads = min(thread_count(), len(items)) if is_long(steps) else 1
    if threads < 2:
        return [run(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, items))

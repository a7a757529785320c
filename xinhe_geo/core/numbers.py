"""How numbers are written: one way for shares, one for amounts, on pages, on paper and in messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsFloat

import pandas as pd

from .sentences import Figure


def _figure(value: SupportsFloat | None) -> Figure:
    return Figure(math.nan if value is None or pd.isna(value) else float(value))


def per_cent(share: SupportsFloat | None, digits: int = 1, *, unknown: str | None = None) -> str:
    """Return a share as a percentage that is 100 (or 0) only when it is; what is not known says so, by default 数据不足."""
    return _figure(share).text(f".{digits}%", unknown)


def amount(value: SupportsFloat | None, digits: int = 0, *, unknown: str | None = None) -> str:
    """Return a number of people, metres, minutes or yuan with thousands separators; what is not known says so."""
    return _figure(value).text(f",.{digits}f", unknown)


def rounded(value: float, digits: int = 0) -> float:
    """Return a number rounded as `amount` writes it: halves away from zero."""
    return float(Figure(value).text(f".{digits}f", "nan"))


def whole(value: float) -> int:
    """Return a number as a whole one, rounded as `amount` writes it."""
    return int(rounded(value))


def adding_up(parts: Sequence[float], total: float, digits: int = 0) -> list[float]:
    """
    Return parts rounded so that, as printed, they add up to their total as printed.

    Each goes to one of the two figures beside it: up go those that would lose most; what needs no rounding stays as it is. Where a
    number is unknown, nothing is rounded.
    """
    unit = 10.0**digits
    exact = [round(part * unit, 6) for part in parts]
    if not all(map(math.isfinite, [*exact, total])):
        return list(parts)
    low = [math.floor(part) for part in exact]
    missing = round(rounded(total, digits) * unit) - sum(low)
    up = sorted(range(len(low)), key=lambda i: low[i] - exact[i])[: max(missing, 0)]
    return [(n + (i in up and n != exact[i])) / unit for i, n in enumerate(low)]


def signed(value: float, digits: int | None = None, unit: str = "", *, unknown: str | None = None) -> str:
    """
    Return a change with its sign and unit; what is nothing as it is printed is 0, without either.

    Where no digits are asked for: one decimal, two digits of what is smaller than that, never the last bits of a sum.
    """
    if not math.isfinite(value):
        return Figure(value).text("", unknown)
    if digits is None:
        small = 1e-9 <= abs(value) < 0.05
        text = Figure(value).text(f"+,.{1 - math.floor(math.log10(abs(value))) if small else 1}f")
        text = text.rstrip("0") if small else text
    else:
        text = Figure(value).text(f"+,.{digits}f")
    return text + unit if text.strip("+−0.") else "0"

"""How numbers are written: one way for shares, one for amounts, on pages, on paper and in messages."""

from __future__ import annotations

import math
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


def whole(value: float) -> int:
    """Return a number rounded as `amount` writes it: halves away from zero."""
    return int(Figure(value).text(".0f"))


def signed(value: float) -> str:
    """Return a change with its sign: one decimal, two digits of what is smaller than that, never "-0.0" nor the last bits of a sum."""
    if abs(value) < 1e-9:
        return "0"
    if not abs(value) < 0.05:
        return Figure(value).text("+,.1f")
    return Figure(value).text(f"+,.{1 - math.floor(math.log10(abs(value)))}f").rstrip("0")

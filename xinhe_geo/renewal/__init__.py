"""Renewal: parcels over the years, what was promised on them, and people who are conserved."""

from .balance import COUNTS, GROUPS, NEWCOMERS, RESIDENTS, SINCE, YEARLY, accounts, balance
from .capacity import capacity_by_year, first_short
from .course import Course, affected_by_year, load_during, walks_during
from .money import ORIGINS, floor_ratio, money, totals, unit_lines
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises

__all__ = [
    "COUNTS",
    "GROUPS",
    "NEWCOMERS",
    "ORIGINS",
    "RESIDENTS",
    "SINCE",
    "STATUSES",
    "YEARLY",
    "Course",
    "accounts",
    "affected_by_year",
    "balance",
    "capacity_by_year",
    "first_short",
    "floor_ratio",
    "load_during",
    "money",
    "parcel_figures",
    "parcel_named",
    "parcel_stages",
    "parcels",
    "promises",
    "totals",
    "unit_lines",
    "walks_during",
]

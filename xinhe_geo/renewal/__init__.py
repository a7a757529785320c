"""Renewal: parcels over the years, what was promised on them, and people who are conserved."""

from .balance import COUNTS, GROUPS, NEWCOMERS, RESIDENTS, SINCE, YEARLY, accounts, balance
from .capacity import capacity_by_year, first_short
from .course import Course, affected_by_year, load_during, walks_during
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises

__all__ = [
    "COUNTS",
    "GROUPS",
    "NEWCOMERS",
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
    "load_during",
    "parcel_figures",
    "parcel_named",
    "parcel_stages",
    "parcels",
    "promises",
    "walks_during",
]

"""Renewal: parcels over the years, what was promised on them, and people who are conserved."""

from .balance import COUNTS, GROUPS, NEWCOMERS, RESIDENTS, SINCE, YEARLY, accounts, balance
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises

__all__ = [
    "COUNTS",
    "GROUPS",
    "NEWCOMERS",
    "RESIDENTS",
    "SINCE",
    "STATUSES",
    "YEARLY",
    "accounts",
    "balance",
    "parcel_figures",
    "parcel_named",
    "parcel_stages",
    "parcels",
    "promises",
]

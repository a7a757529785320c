"""Renewal: parcels over the years, what was promised on them, and people who are conserved."""

from .balance import COUNTS, SINCE, YEARLY, balance
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises

__all__ = [
    "COUNTS",
    "SINCE",
    "STATUSES",
    "YEARLY",
    "balance",
    "parcel_figures",
    "parcel_named",
    "parcel_stages",
    "parcels",
    "promises",
]

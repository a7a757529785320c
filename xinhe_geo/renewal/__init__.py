"""Renewal: parcels over the years, people who are conserved, and the programme of projects that brings most for the money."""

from .balance import COUNTS, SINCE, YEARLY, balance
from .checkup import INDICATOR_STATES, checkup, problems
from .choosing import ELDERLY, FLOOR, PEOPLE, URGENT_FIRST
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises
from .programme import REASONS, Programmed, Programming, programme, programmed

__all__ = [
    "COUNTS",
    "ELDERLY",
    "FLOOR",
    "INDICATOR_STATES",
    "PEOPLE",
    "REASONS",
    "SINCE",
    "STATUSES",
    "URGENT_FIRST",
    "YEARLY",
    "Programmed",
    "Programming",
    "balance",
    "checkup",
    "parcel_figures",
    "parcel_named",
    "parcel_stages",
    "parcels",
    "problems",
    "programme",
    "programmed",
    "promises",
]

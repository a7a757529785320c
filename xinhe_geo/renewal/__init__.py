"""Renewal: parcels over the years, people who are conserved, and the programme of projects that brings most for the money."""

from .balance import COUNT_LABELS, COUNTS, FLOW_LABELS, GROUPS, NEWCOMERS, RESIDENTS, SINCE, YEARLY, accounts, balance
from .capacity import CAPACITY_LABELS, at_most_in_words, capacity_by_year, first_short
from .checkup import INDICATOR_STATES, checkup, problems
from .choosing import ELDERLY, FLOOR, PEOPLE, URGENT_FIRST
from .course import Course, affected_by_year, load_during, walks_during
from .money import ORIGINS, SPENT_FROM, floor_ratio, money, spent, totals, unit_lines
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises
from .programme import REASONS, Programmed, Programming, programme, programmed

__all__ = [
    "CAPACITY_LABELS",
    "COUNTS",
    "COUNT_LABELS",
    "ELDERLY",
    "FLOOR",
    "FLOW_LABELS",
    "GROUPS",
    "INDICATOR_STATES",
    "NEWCOMERS",
    "ORIGINS",
    "PEOPLE",
    "REASONS",
    "RESIDENTS",
    "SINCE",
    "SPENT_FROM",
    "STATUSES",
    "URGENT_FIRST",
    "YEARLY",
    "Course",
    "Programmed",
    "Programming",
    "accounts",
    "affected_by_year",
    "at_most_in_words",
    "balance",
    "capacity_by_year",
    "checkup",
    "first_short",
    "floor_ratio",
    "load_during",
    "money",
    "parcel_figures",
    "parcel_named",
    "parcel_stages",
    "parcels",
    "problems",
    "programme",
    "programmed",
    "promises",
    "spent",
    "totals",
    "unit_lines",
    "walks_during",
]

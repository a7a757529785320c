"""Renewal: parcels over the years, people who are conserved, and the programme of projects that brings most for the money."""

from .accepting import accept, accepted_in, ids_in, write_suggestions
from .balance import COUNT_LABELS, COUNTS, FLOW_LABELS, GROUPS, NEWCOMERS, RESIDENTS, SINCE, YEARLY, accounts, balance
from .capacity import CAPACITY_LABELS, at_most_in_words, capacity_by_year, first_short
from .checkup import INDICATOR_STATES, checkup, problems
from .choosing import ELDERLY, FLOOR, PEOPLE, URGENT_FIRST
from .closing import BY_PROJECT, MISSED, SOLVED_OTHERWISE, WAITS, Followed, followed, last_years, on_record, outcomes
from .course import Course, affected_by_year, load_during, walks_during
from .money import LEDGER, ORIGINS, SPENT_FROM, floor_ratio, money, spent, totals, unit_lines
from .parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises
from .programme import KEPT, REASONS, Programmed, Programming, lack_in_words, programme, programmed
from .ranking import ENDED, concerned, ranked, standing
from .suggesting import SOURCES, suggestions

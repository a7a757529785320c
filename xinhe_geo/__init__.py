"""
xinhe_geo: who can walk to what, and what would help, for the people who plan a 街道.

>>> import xinhe_geo as xh                               # doctest: +SKIP
>>> xinhe = xh.District.load()                           # doctest: +SKIP
>>> cover = xh.coverage(xinhe)                           # doctest: +SKIP
>>> xh.summary(cover, by="zone")                         # doctest: +SKIP
"""

from .coverage import compare, completeness, coverage, gaps, headlines, presence, summary
from .district import District, check
from .errors import (
    DataError,
    EnvironmentProblem,
    NetworkError,
    ScenarioError,
    SitingError,
    SourceError,
    UnknownNameError,
    XinheError,
)
from .ledger import explain, ledger
from .live import live
from .maps import draw, picture
from .network import WalkNetwork
from .reach import isochrones
from .report import brief
from .scenario import Scenario
from .sheet import sheet
from .siting import Siting, sites
from .values import Profile, Rule

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "District",
    "EnvironmentProblem",
    "NetworkError",
    "Profile",
    "Rule",
    "Scenario",
    "ScenarioError",
    "Siting",
    "SitingError",
    "SourceError",
    "UnknownNameError",
    "WalkNetwork",
    "XinheError",
    "brief",
    "check",
    "compare",
    "completeness",
    "coverage",
    "draw",
    "explain",
    "gaps",
    "headlines",
    "isochrones",
    "ledger",
    "live",
    "picture",
    "presence",
    "sheet",
    "sites",
    "summary",
]

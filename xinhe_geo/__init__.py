"""
xinhe_geo: who can walk to what, and what would help, for the people who plan a 街道.

>>> import xinhe_geo as xh                               # doctest: +SKIP
>>> xinhe = xh.District.load()                           # doctest: +SKIP
>>> cover = xh.coverage(xinhe)                           # doctest: +SKIP
>>> xh.summary(cover, by="zone")                         # doctest: +SKIP

What to call for what (`help(xh.NAME)` says the rest):

======================================  ===============================================================================
a folder, opened; what is wrong in it   `District.load`, `check`; a new folder: `xinhe_geo.io.new_district`, `.import_osm`
its layers, kinds, rules, who walks     `district.homes`, `.facilities`, `.streets`, `.kinds`, `.rules`, `.profiles`
layers of one's own (any CRS)           `district.replace(homes=frame)`
who can walk to what, who cannot        `coverage`, then `summary`, `headlines`, `gaps`, `explain`; a rule, a walker of one's own: `Rule`, `Profile`
how far one gets                        `isochrones` (of a kind, a facility, a point, on an OSMnx graph), `curve`
how much is within reach                `within` (facilities, beds, jobs; with `decay`), `completeness`, `presence`
one walk; tables of walks               `route`; `district.network.metres`, `.minutes`, `.nearest(k=3)`
OSMnx, or streets of one's own          `WalkNetwork.from_graph`, `.from_osm`, `.from_streets`, `.to_graph`; `coverage(network=...)`
where to build next                     `sites`, asked by `Siting`
a plan, before and after                `Scenario` or `district.scenario`, `.on(district)`, `compare`, `balance`
promises, parcels, projects             `ledger`, `parcels`, `problems`, `programme`
how firm it is, what to look at         `robustness`, `flips`, `survey`, `receipt`; which facts first: `access.worth_checking`
maps, sheets, the whole report          `draw(...).save(file)`, `live`, `picture`, `sheet`, `brief`
======================================  ===============================================================================

Whatever is asked for by name (a kind, a rule, a home) is given by code, by what planners call it, or by its row. Shares are 0 to 1,
walks in metres and minutes; what is not known is missing, never 0. Errors are `XinheError`s that say what to write instead.

Each name is loaded when it is first used (Scientific Python's SPEC 1): `__init__.pyi` beside this file says which package offers it.
"""

import lazy_loader

__version__ = "0.1.0"

_attached, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Load a name when it is first used; where there is none, say what it is called here."""
    if name in __all__ or name.startswith("_"):
        return _attached(name)
    try:
        return _attached(name)
    except AttributeError:
        from .core import no_such_name

        raise no_such_name(name, __all__) from None

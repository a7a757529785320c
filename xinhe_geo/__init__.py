"""
xinhe_geo: who can walk to what, and what would help, for the people who plan a 街道.

>>> import xinhe_geo as xh                               # doctest: +SKIP
>>> xinhe = xh.District.load()                           # doctest: +SKIP
>>> cover = xh.coverage(xinhe)                           # doctest: +SKIP
>>> xh.summary(cover, by="zone")                         # doctest: +SKIP

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

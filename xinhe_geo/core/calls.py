"""A call as people try it: where its arguments do not fit, what would be written instead."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import ParamSpec, TypeVar

from .errors import WrongCallError, did_you_mean
from .sentences import say, thing

P = ParamSpec("P")
Result = TypeVar("Result")
Made = TypeVar("Made", bound=type)

#: What parameters are called in other libraries and in speech, and what they may be here, the likeliest first.
_OTHER_WORDS = {
    "kind": ("rules", "what", "kind_or_points", "kind"),
    "kinds": ("rules", "what"),
    "rule": ("rules", "what", "rule"),
    "p": ("n",),
    "k": ("k", "n"),
    "weight": ("profile",),
    "speed": ("profile", "speed_m_s"),
    "walk_speed": ("profile", "speed_m_s"),
    "travel_speed": ("profile",),
    "trip_times": ("minutes",),
    "time": ("minutes",),
    "max_time": ("minutes", "limit"),
    "distance_m": ("metres", "limit"),
    "cutoff": ("minutes", "metres", "limit"),
    "distance": ("metres", "limit"),
    "dist": ("metres", "limit"),
    "objective": ("model",),
    "outfile": ("to",),
    "column": ("values",),
    "groupby": ("by",),
    "path": ("to", "path"),
    "out": ("to",),
}
#: What belongs somewhere else than into a call.
_ELSEWHERE = {
    "minutes": "时限写在规则里：rules=xh.Rule(kinds=…, minutes=…)",
    "metres": "距离写在规则里：rules=xh.Rule(kinds=…, metres=…)",
    "year": "年份写在街道上：district.at(2025)",
    "k": "最近几处用 district.network.nearest(…, k=3)",
    "crs": "坐标系是街道自己的；结果可以 .to_crs(…)",
}


def well_called(function: Callable[P, Result]) -> Callable[P, Result]:
    """Return a function that says, where its arguments do not fit, which ones it takes and which were perhaps meant."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except TypeError:
            refuse_misfit(function, args, kwargs)
            raise

    return called


def well_made(made: Made) -> Made:
    """Return a class that says likewise what it is made of."""
    begin = made.__init__  # type: ignore[misc]

    @functools.wraps(begin)
    def started(self: object, *args: object, **kwargs: object) -> None:
        try:
            begin(self, *args, **kwargs)
        except TypeError:
            refuse_misfit(made, args, kwargs)
            raise

    made.__init__ = started  # type: ignore[misc]
    return made


def refuse_misfit(function: Callable[..., object], arguments: tuple[object, ...], named: Mapping[str, object]) -> None:
    """
    Raise where arguments do not fit a function: what it takes, and what was perhaps meant.

    Raises
    ------
    WrongCallError
        A name it does not know, too many in order, or one that is missing.
    """
    takes = inspect.signature(function)
    try:
        takes.bind(*arguments, **named)
    except TypeError:
        pass
    else:
        return
    if next(iter(takes.parameters), "") == "self":  # of a method nobody writes it
        takes = takes.replace(parameters=list(takes.parameters.values())[1:])
        arguments = arguments[1:]
    in_order = [p.name for p in takes.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    said = [_of_unknown(name, takes) for name in named if name not in takes.parameters]
    if len(arguments) > len(in_order):
        first = next((p.name for p in takes.parameters.values() if p.kind is p.KEYWORD_ONLY), "")
        said.append(
            say("前 {0} 项以外都要写名字，如 {1}=…", len(in_order), first)
            if first
            else say("只有 {0} 项", len(in_order))
        )
    given = {*in_order[: len(arguments)], *named}
    asked = [p for p in takes.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [p.name for p in asked if p.default is p.empty and p.name not in given]
    if missing and not said:
        said.append(say("还要写 {0}", say("、").join(missing)))
    shown = ", ".join(
        p.name if p.default is p.empty else f"{p.name}=…"
        for p in takes.parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    )
    raise WrongCallError(
        say("{0}：{1}。写法：{0}({2})", function.__name__, say("；").join(said) or say("参数不合"), shown)
    ) from None


def _of_unknown(name: str, takes: inspect.Signature) -> str:
    """Say what to write in place of a name that a function does not know."""
    meant = [other for other in _OTHER_WORDS.get(name, ()) if other in takes.parameters]
    if meant:
        return say("没有参数 {0}，这里叫 {1}", name, meant[0])
    if name in _ELSEWHERE:
        return say("没有参数 {0}，{1}", name, say(_ELSEWHERE[name]))
    return say("没有参数 {0}；{1}", name, did_you_mean(name, list(takes.parameters)))


# --- names that the library does not have -------------------------------------------------------------------------------

#: What others call what is here.
_OTHER_NAMES = {
    "load": "District.load",
    "read": "District.load",
    "read_district": "District.load",
    "graph_from_place": "District.load（下载用命令 fetch）",
    "graph_from_file": "WalkNetwork.from_osm",
    "plot": "draw",
    "explore": "draw",
    "map": "draw",
    "nearest": "coverage（每个小区最近的一处）或 District.network.nearest（k=3 为最近三处）",
    "shortest_path": "route",
    "accessibility": "coverage",
    "service_area": "isochrones",
    "catchment": "isochrones",
    "cumulative": "curve",
    "od_matrix": "District.network.metres 或 .minutes",
    "read_file": "District.load；自己的图层用 District.replace",
    "from_file": "District.load；自己的图层用 District.replace",
    "import_osm": "io.import_osm（from xinhe_geo.io import import_osm）",
    "new_district": "io.new_district（from xinhe_geo.io import new_district）",
    "save": "draw(…).save 或 brief",
    "save_graphml": "District.network.to_graph，再用 osmnx.save_graphml",
    "scenario": "district.scenario 或 Scenario",
    "report": "brief",
}


def no_such_name(name: str, known: Iterable[str], whose: str = "xinhe_geo") -> AttributeError:
    """Return what to raise where the library, or something of it, has no such name: what it is called here, or what is most like it."""
    other = _OTHER_NAMES.get(name.lower())
    return AttributeError(
        say("{0} 没有 {1}；", whose, name)
        + (say("这里是 {0}", thing(other)) if other else did_you_mean(name, list(known)))
    )

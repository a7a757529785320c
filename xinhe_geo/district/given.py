"""What comes into a function from outside: told at its door what is wrong with it, before a library far below says so."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..core import WrongValueError, say
from .district import District


def must_be_district(given: object) -> None:
    """
    Refuse what is no opened district, as the first value of a function.

    Raises
    ------
    WrongValueError
        Says what it is, and how a district is opened.
    """
    if isinstance(given, District) or hasattr(given, "layers"):  # what maps ask of a district, tests make up
        return
    if isinstance(given, (str, Path)):
        said = say("不是文字 {0!r:.60}；先打开目录：District.load({0!r:.60})", str(given))
    elif isinstance(given, pd.DataFrame):
        said = say("不是表；表写在它后面")
    else:
        said = say("不是 {0}", type(given).__name__)
    raise WrongValueError(say("第一项要写打开的街道（District.load 打开，或 plan.on 得到的），{0}", said))


def must_be_cover(given: object) -> None:
    """
    Refuse what `coverage` did not make.

    Raises
    ------
    WrongValueError
        Says what it is, and what is missing in it.
    """
    if isinstance(given, pd.DataFrame) and given.index.names == ["home", "rule"] and "served" in given.columns:
        return
    if isinstance(given, pd.DataFrame):
        names = [str(name) for name in (*given.index.names, *given.columns)]
        said = say(
            "这张表缺 {0}",
            say("、").join(c for c in ("home", "rule", "served") if c not in names) or say("两级索引 (home, rule)"),
        )
        if "street_m" in names:
            raise WrongValueError(say("这是 isochrones 的圈：写成 rings=…"))
        if "geometry" in names:
            said += say("；别的图层加到图上：它.explore(m=xh.draw(街道))")
    else:
        said = say("不是 {0}", type(given).__name__)
    raise WrongValueError(say("这里要写 coverage 的结果（索引为小区和规则），{0}；先 cover = xh.coverage(街道)", said))

"""What siting rests on where facilities were only seen on a map: an assumption of whoever asks, printed with the answer."""

from __future__ import annotations

from ..access import EXACT, bound_of, unchecked_of
from ..core import Rule, SitingError, say
from ..district import District, kind_name

#: What is printed with everything that rests on the assumption.
ASSUMED = "假定图上设施完整"


def assumption(district: District, rule: Rule, assume_complete: bool) -> str:
    """
    Return what has to be printed with an answer: empty where the kinds of a rule were surveyed.

    Raises
    ------
    SitingError
        A kind was only seen on a map, and nobody said to take that for all of them.
    """
    if bound_of(district, rule.kinds) == EXACT:
        return ""
    labels = say("、").join(kind_name(district, kind) for kind in rule.kinds)
    if not assume_complete:
        raise SitingError(
            say(
                "数据不足：{0}只在图上看到一些，漏了多少不知道，还缺在哪里也就不知道；先调查，查全了写进 district.toml 的 surveyed_kinds。"
                "要按“图上有的就是全部”试算，加 assume_complete=True（命令里是 --assume-complete），结果会注明这是假定",
                labels,
            )
        )
    unchecked = unchecked_of(district, rule.kinds)
    return say("{0}（{1} 处待核的没有算）", say(ASSUMED), unchecked) if unchecked else say(ASSUMED)


def with_assumption(mark: str, assumed: str) -> str:
    """Return a mark with the assumption beside it."""
    return say("；").join(text for text in (mark, assumed) if text)

"""
What the text of a plan says in numbers: how much of what, at least or at most, by which year, under which heading.

Nothing is judged here: every number is taken as it is written (`不少于三万平方米`, `95%以上`, `3—5处`), in Arabic or Chinese numerals,
and whoever confirms a row sees the words beside it. Years, numbers of headings and figures of speech in quotation marks are no amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: Full-width digits and signs as people type them; marks that part sentences stay as they are.
_HALF = {**{0xFF10 + i: str(i) for i in range(10)}, ord("％"): "%", ord("．"): ".", ord("～"): "~"}
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10_000, "亿": 100_000_000}
#: Money is told in these, not in single yuan.
_KEPT = ("亿", "万")
_CHINESE = "零〇○一二三四五六七八九两十百千万亿"
#: Units that may follow a number written in Arabic or Chinese numerals; longer ones first.
_UNITS = sorted(
    (
        *("平方米", "平方公里", "平方千米", "㎡", "m²", "m2", "km²", "公顷", "亩", "公里", "千米", "米", "km", "m"),
        *("分钟", "小时", "刻钟", "天", "个月", "年"),
        *("人次", "人", "户", "名", "位", "张", "床", "栋", "幢", "套", "部", "台"),
        *("个百分点", "百分点", "个", "处", "家", "座", "条", "所", "项", "支"),
        *("场", "次", "起", "份", "件", "批", "类", "期", "片", "块", "盏"),
        *("辆", "泊位", "万元", "亿元", "美元", "元", "吨", "倍", "%", "‰"),
        *("番", "平米", "路", "根", "本", "册", "对", "组", "间", "层"),
    ),
    key=len,
    reverse=True,
)
_SAME_UNIT = {"千米": "公里", "km": "公里", "m": "米", "个百分点": "百分点"}
_SAME_UNIT |= dict.fromkeys(("平方米", "㎡", "m²", "平米"), "m2") | dict.fromkeys(
    ("平方千米", "平方公里", "km²"), "km2"
)
#: What is said before a number or behind it of how it is meant.
_AT_LEAST = (
    *("不少于", "不低于", "不小于", "不得少于", "不得低于", "至少", "最少"),
    *("超过", "突破", "超", "大于", "高于", "多于"),
)
_AT_MOST = ("不超过", "不高于", "不大于", "不多于", "不得超过", "至多", "最多", "控制在", "低于", "少于", "小于")
_ABOUT = ("约为", "大约", "约", "近")
_BEFORE = sorted((*_AT_LEAST, *_AT_MOST, *_ABOUT), key=len, reverse=True)
_BEHIND = ("及以上", "以上", "及以下", "以下", "以内", "之内", "左右", "上下")
#: A wish, not a duty.
_WISHED = ("力争", "争取", "努力", "鼓励", "探索")
_VERBS = re.compile(
    "新建|建设|建成|建立|新增|增加|增设|改造|打造|完成|设置|配置|配建|配备|培育|引进|开展|创建|实施|达到|提升|形成|新开|启用"
)
_YEAR = r"(?:(?:19|20|21)\d\d|[一二][零〇○一二三四五六七八九]{3})"
_YEARS = re.compile(
    rf"({_YEAR})(?:年)?\s*[-—–~至到]+\s*({_YEAR})年|({_YEAR})\s*年(?:年?底|末|前)?|十(?P<plan>[一二三四五六七八九])五|第十(?P<full>[一二三四五六七八九])个五年"
)
#: The n-th five-year plan begins five years after the one before; the tenth began in 2001.
_BEFORE_FIRST = 1951
#: Numbers are no longer than people write them: each of these is looked for at every sign of a text.
_ONE = r"(?:\d{1,3}(?:,\d{3}){1,6}(?![\d,])|\d+)(?:\.\d+)?"
_NUMBER = re.compile(
    rf"(?P<per>百分之|千分之|万分之|[{_CHINESE}]{{1,12}}分之)?"
    rf"(?P<low>{_ONE}|[{_CHINESE}]+(?:点[零〇一二三四五六七八九]+)?)(?P<size>[十百千万亿]*)(?P<odd>[余多])?(?P<size2>[万亿]*)"
)
_JOIN = re.compile(r"\s*(?:[-—–~]+|至|到)\s*")
_ENDS = " 　。！？!?；;"
_QUOTED = re.compile("“[^”]{1,12}”|‘[^’]{1,12}’|「[^」]{1,12}」")
_NOT_BEFORE = re.compile(r"[第数几上十百千某每]$|[\dA-Za-z.]$|[初头]$")
_HEADING = re.compile(
    rf"^\s*(?:(?P<chapter>第[{_CHINESE}\d]+[编章节])|(?P<big>[{_CHINESE}]+)、|[（(](?P<small>[{_CHINESE}]+)[）)]|(?P<panel>专栏\s*[\d{_CHINESE}]+)"
    r"|(?P<third>\d{1,2})[.．、](?!\d)|[（(](?P<fourth>\d{1,2})[）)])\s*(?P<title>[^。；;]*)$"
)


#: Signs of a number, and of what makes it large (十百千万亿): nobody writes more. Twice as much, twice, and so on: so many times.
_LONGEST, _MOST_SIZES, _MOST_TIMES = 24, 4, 60
#: A text says in its title, among its first lines, which years it is for; a title is no sentence, and no heading of a part.
_TITLE, _NO_TITLE = 30, re.compile(rf"[，,。！？!?；;：:]|{_HEADING.pattern}")
#: 15分钟…服务圈: minutes that are the name of a circle say how much of nothing, where anything else does.
_CIRCLE = re.compile(r"(?:[/、]\d+)*(?:分钟)?[^，,。；;\d]{0,12}圈")
#: Lines of a table with one cell in each: so short, so many on end, and so many of them a number alone.
_CELL, _CELLS, _NUMBERS = 24, 4, 2
#: What stands before a number reaches so far back.
_BACK = 16


class Quantity(NamedTuple):
    """A number of a sentence: its words, where they stand, and the number in Arabic digits with its unit; `high` of a range."""

    words: str
    start: int
    end: int
    low: float
    high: float
    unit: str
    before: str
    behind: str

    @property
    def told(self) -> str:
        """How much, as a table of targets has it: `不低于2000`, `35以上`, `3—5`."""
        some = plain(self.low) if self.high == self.low else f"{plain(self.low)}—{plain(self.high)}"
        return f"{self.before}{some}{self.behind}"


class Said(NamedTuple):
    """A piece of a sentence that says how much, or where: its words, the sentence, its heading, its numbers and years."""

    words: str
    sentence: str
    section: str
    line: int
    quantities: tuple[Quantity, ...]
    years: str
    wished: bool


def plain(number: float) -> str:
    """Return a number in digits, without a point where it is whole."""
    return f"{number:.12g}" if abs(number) >= 1e15 or number != round(number) else str(round(number))


def numeral(text: str) -> float | None:
    """
    Return the number that Chinese numerals write; None where they write none.

    Parameters
    ----------
    text
        `三万五千`, `一百零五`, `一万二` (12,000), `三点五`, `二〇二五`.
    """
    if len(text) > _LONGEST or not any(c in _DIGITS or c == "十" for c in text):
        return None  # 百年, (亿元): no number of anything
    whole, dot, part = text.partition("点")
    if dot and (not part or any(c not in _DIGITS for c in part)):
        return None
    fraction = float("0." + "".join(str(_DIGITS[c]) for c in part)) if dot else 0.0
    if whole and all(c in _DIGITS for c in whole):  # digit by digit, as years are
        return float("".join(str(_DIGITS[c]) for c in whole)) + fraction
    total = section = digit = 0
    last, given = 0, False  # the unit before, for 一万二; whether a digit waits for its unit
    for c in whole:
        if c in _DIGITS:
            if given and digit:
                return None
            digit, given = _DIGITS[c], True
            last = 0 if digit == 0 else last
        elif c in _TENS:
            if given and digit == 0:
                digit = 1
            section += (digit if given else 1) * _TENS[c]
            last, digit, given = _TENS[c], 0, False
        elif c in _LARGE:
            section += digit
            total = (total + section) * _LARGE[c] if _LARGE[c] > 10_000 else total + section * _LARGE[c]
            last, section, digit, given = _LARGE[c], 0, 0, False
        else:
            return None
    if given and digit and last > 10:  # 一万二: the tenth part of the unit before
        digit *= last // 10
    return float(total + section + digit) + fraction if whole else None


def _value(text: str, sizes: str) -> float | None:
    if len(text) > _LONGEST or len(sizes) > _MOST_SIZES:
        return None
    number = float(text.replace(",", "")) if text[0].isdigit() else numeral(text)
    if number is None:
        return None
    for c in sizes:
        number *= _TENS.get(c) or _LARGE[c]
    return number


def quantities(sentence: str) -> list[Quantity]:
    """
    Return the numbers of a sentence that say how much.

    Parameters
    ----------
    sentence
        Any text without a line break.
    """
    text = sentence.translate(_HALF)
    masked = _masked(text)
    verb = _VERBS.search(masked)
    done = len(masked) if verb is None else verb.end()  # from here on something is built
    found: list[Quantity] = []
    at = 0
    while match := _NUMBER.search(masked, at):
        at = match.end()
        one = _quantity(text, masked, match, match.start() >= done)
        if one is not None:
            found.append(one._replace(words=sentence[one.start : one.end]))
            at = one.end
    if not found and (every := masked.find("全覆盖")) >= 0:
        found.append(Quantity("全覆盖", every, every + 3, 100.0, 100.0, "%", "", ""))
    for i in range(len(found) - 2, -1, -1):  # 5/10/15分钟: the unit stands behind the last
        if not found[i].unit and text[found[i].end : found[i + 1].start] in ("/", "、"):
            found[i] = found[i]._replace(unit=found[i + 1].unit)
    names = [q for q in found if q.unit == "分钟" and _CIRCLE.match(text, q.end)]
    return [q for q in found if q not in names] or found


def _masked(text: str) -> str:
    """Return a text in which years, and short sayings in quotation marks with Chinese numerals, are blanked out."""
    out = list(text)
    for match in _YEARS.finditer(text):
        out[match.start() : match.end()] = " " * (match.end() - match.start())
    for match in _QUOTED.finditer(text):
        if not re.search(r"\d", match[0]) and not re.search("[刻分]钟", match[0]):
            out[match.start() : match.end()] = " " * (match.end() - match.start())
    return "".join(out)


class _Amount(NamedTuple):
    """A number being read: from where to where it stands, how large, in which unit, and whether it is said to be more (余)."""

    end: int
    low: float
    high: float
    unit: str
    more: bool = False


def _quantity(text: str, masked: str, match: re.Match[str], built: bool) -> Quantity | None:
    start, written = match.start(), not match["low"][0].isdigit()
    said = masked[max(0, start - _BACK) : start]
    if written and _NOT_BEFORE.search(said):
        return None
    if not written and re.search(r"[第A-Za-z.\d]$", said):
        return None
    found = _amount(masked, match)
    if found is None or (written and (not found.unit or masked.startswith("位一体", match.end()))):
        return None
    found = _shared(match["per"], found)
    before = next((w for w in _BEFORE if said.rstrip().endswith(w)), "")
    one = written and found.low == found.high == 1 and found.unit not in ("分钟", "倍", "%")
    if one and not before and not built:
        return None  # 一个 is an article unless something is built
    behind = next((w for w in _BEHIND if masked.startswith(w, found.end)), "")
    unit = _SAME_UNIT.get(found.unit, found.unit)
    more = "超过" if found.more and not before else before
    return Quantity("", start - len(before), found.end + len(behind), found.low, found.high, unit, more, behind)


def _amount(masked: str, match: re.Match[str]) -> _Amount | None:
    """Return how much a match is, to the end of its range, in the unit that stands behind it."""
    sizes = (match["size"] or "") + (match["size2"] or "")
    low = _value(match["low"], sizes)
    if low is None:
        return None
    pair = None if match["per"] or match["low"][0].isdigit() else _neighbours(match["low"])
    low, high = (low, low) if pair is None else (pair[0] * _times(sizes), pair[1] * _times(sizes))
    unit, end = _unit(masked, match.end())
    more = bool(match["odd"])
    if not more and not unit and masked[end : end + 1] in ("余", "多"):
        more, (unit, end) = True, _unit(masked, end + 1)
    joined = _JOIN.match(masked, end)
    other = _NUMBER.match(masked, joined.end()) if joined else None
    further = None if other is None else _value(other["low"], _sizes(other))
    if other is not None and further is not None:
        own, stop = _unit(masked, other.end())
        if not unit or unit == own or not own:
            given = _sizes(other)
            low = low * _times(given) if given and not sizes and not unit and low < further else low  # 3至5万
            high, end, unit, sizes = further, stop, own or unit, given
    if unit == "刻钟":
        low, high, unit = 15 * low, 15 * high, "分钟"
    if unit == "番" and high <= _MOST_TIMES:
        low, high, unit = 2.0**low, 2.0**high, "倍"
    if unit.endswith("元") and sizes[-1:] in _KEPT:  # 1千余万元 is told in 万元
        low, high, unit = low / _LARGE[sizes[-1]], high / _LARGE[sizes[-1]], sizes[-1] + unit
    return _Amount(end, low, high, "%" if match["per"] else unit, more)


def _sizes(match: re.Match[str]) -> str:
    return (match["size"] or "") + (match["size2"] or "")


def _shared(per: str | None, found: _Amount) -> _Amount:
    """Return a number of which `per` (百分之, 三分之) says what it is a part of, in per cent."""
    if not per:
        return found
    known = {"百分之": 100.0, "千分之": 1000.0, "万分之": 10_000.0}
    whole = known.get(per) or numeral(per.removesuffix("分之")) or 100.0
    return found._replace(low=round(100 * found.low / whole, 4), high=round(100 * found.high / whole, 4))


def _times(sizes: str) -> float:
    times = 1.0
    for c in sizes:
        times *= _TENS.get(c) or _LARGE[c]
    return times


def _neighbours(text: str) -> tuple[float, float] | None:
    """Return the two numbers of 两三, 三五 (百, 万 …): neighbours that mean a range; None where it is one number."""
    match = re.fullmatch(r"([一二三四五六七八九两])([二三四五六七八九])([十百千万亿]*)", text)
    if match is None:
        return None
    low, high = _DIGITS[match[1]], _DIGITS[match[2]]
    return (low * _times(match[3]), high * _times(match[3])) if 0 < high - low <= 2 else None


def _unit(text: str, at: int) -> tuple[str, int]:
    """Return the unit that stands at a place of a text, and where it ends."""
    space = 0
    while text.startswith(" ", at + space):
        space += 1
    own = next((u for u in _UNITS if text.startswith(u, at + space)), "")
    if own in ("m", "km", "m2") and re.match("[A-Za-z]", text[at + space + len(own) : at + space + len(own) + 1]):
        own = ""
    return (own, at + space + len(own)) if own else ("", at)


def years(sentence: str) -> str:
    """
    Return the years that a text names, as a table of targets has them: `2030`, `2026-2030`; "" where it names none.

    Parameters
    ----------
    sentence
        Any text; the last that is named counts, a five-year plan as its years.
    """
    found = ""
    for match in _YEARS.finditer(sentence.translate(_HALF)):
        if match[1]:
            found = f"{_year(match[1])}-{_year(match[2])}"
        elif match[3]:
            found = str(_year(match[3]))
        else:
            number = 10 + _DIGITS[match["plan"] or match["full"]]
            found = f"{_BEFORE_FIRST + 5 * number}-{_BEFORE_FIRST + 5 * number + 4}"
    return found


def _year(text: str) -> int:
    return int(text) if text.isdigit() and text.isascii() else int("".join(str(_DIGITS[c]) for c in text))


def said_in(text: str, places: Sequence[str]) -> Iterator[Said]:
    """
    Yield the pieces of a text that say how much, and the sentences that name a place and say what is done there.

    Parameters
    ----------
    text
        The text of a plan, a paragraph a line.
    places
        Names of places that count.
    """
    named = [p for p in places if len(p) >= 2]
    heads = ["", "", ""]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    title = next((y for line in lines[:_TITLE] if "-" in (y := years(line)) and not _NO_TITLE.search(line)), "")
    for number, line in enumerate(lines, 1):
        if _is_heading(line, heads) or not re.search("[^\\W\\d_]{2}", line):  # a cell of a table: a number alone
            continue
        for sentence in filter(None, map(str.strip, re.split(r"(?<=[。！？!?；;])", line))):
            section = "".join(heads)
            period = of_head if "-" in (of_head := years(section)) else title  # never another sentence's
            before, whole, wished = "", years(sentence), any(w in sentence for w in _WISHED)
            some = False
            for words in _pieces(sentence):
                found = tuple(quantities(words))
                before = years(words) or before
                if found:
                    some = True
                    yield Said(words, sentence, section, number, found, before or whole or period, wished)
            if not some and any(p in sentence for p in named):
                yield Said(sentence.strip(_ENDS), sentence, section, number, (), before or period, wished)


def cells_alone(text: str) -> list[tuple[int, int]]:
    """
    Return where the cells of a table stand one in a line, as first and last line (from 1): there nobody can say which number is whose.

    Parameters
    ----------
    text
        As in `said_in`, which leaves the numbers of such lines out.
    """
    found: list[tuple[int, int]] = []
    run: list[tuple[int, bool]] = []  # number of a short line; whether it is a number alone
    for number, line in enumerate([*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), "。"], 1):
        cell = line.strip().translate(_HALF)
        if not cell:
            continue
        if len(cell) <= _CELL and not re.search("[。！？!?；;]", cell):
            run.append((number, bool(re.search(r"\d", cell)) and not re.search("[^\\W\\d_]{2}", cell)))
            continue
        if len(run) >= _CELLS and sum(alone for _, alone in run) >= _NUMBERS:
            found.append((run[0][0], run[-1][0]))
        run = []
    return found


def _pieces(sentence: str) -> Iterator[str]:
    """Yield the pieces of a sentence between commas; not those of a number, nor inside quotation marks and brackets."""
    depth, begin = 0, 0
    for i, c in enumerate(sentence):
        depth += (c in "（(“‘「《") - (c in "）)”’」》")
        thousands = c == "," and sentence[i - 1 : i].isdigit() and re.match(r"\d{3}(?!\d)", sentence[i + 1 : i + 5])
        if depth <= 0 and c in "，,；;" and not thousands:
            if piece := sentence[begin:i].strip():
                yield piece
            begin = i + 1
    if piece := sentence[begin:].strip(_ENDS):
        yield piece


def _is_heading(line: str, heads: list[str]) -> bool:
    """Whether a line is a heading; then it is noted: chapter, part, and what is below."""
    match = _HEADING.match(line.strip().rstrip("：:"))
    if match is None or len(match["title"]) > 40 or not (match["title"].strip() or match["panel"]):
        return False
    title = match["title"].strip(" 　、")
    if (match["third"] or match["fourth"]) and (quantities(title) or re.search("[，,]", title)):
        return False  # a numbered item, not a heading
    mark = match["chapter"] or match["big"]
    if mark:
        heads[:] = [f"{mark}{'' if match['big'] else ' '}{title}" if match["chapter"] else f"{mark}、{title}", "", ""]
    elif match["small"] or match["panel"]:
        own = f"({match['small']}){title}" if match["small"] else f"{match['panel']}{title}"
        heads[1:] = [own, ""]
    else:
        heads[2] = f"{match['third'] or match['fourth']}.{title}"
    return True

"""
What a mark of secrecy says: level and term, in every usual spelling; whatever else it is counts as the strictest.

Standard library only, and no import of a sibling: `run.py` reads this file before anything is installed.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

#: Levels, the strictest last. From the third on nothing leaves without clearance.
PUBLIC, INTERNAL, CONFIDENTIAL, SECRET, TOP_SECRET = range(5)

#: Words as they stand after `_plain`, and the level each means. Not "open" but unsaid for whom: internal.
WORDS = {
    **dict.fromkeys(("公开", "可公开", "主动公开", "对外公开", "社会公开", "已公开", "公开资料", "公开数据"), PUBLIC),
    **dict.fromkeys(("public", "open", "publicdata", "opendata"), PUBLIC),
    **dict.fromkeys(("内部", "内部资料", "内部文件", "内部数据", "内部材料", "内部信息", "内部公开"), INTERNAL),
    **dict.fromkeys(("内部使用", "仅限内部使用", "仅供内部使用", "限内部使用", "供内部使用", "仅内部使用"), INTERNAL),
    **dict.fromkeys(("内部掌握", "内部资料注意保管", "内部资料注意保存", "内部参考", "仅供内部参考"), INTERNAL),
    **dict.fromkeys(("不公开", "非公开", "不予公开", "不对外公开", "依申请公开", "暂不公开"), INTERNAL),
    **dict.fromkeys(("非密", "非涉密", "不涉密", "无密级", "unclassified"), INTERNAL),
    **dict.fromkeys(("internal", "internaluse", "internaluseonly", "forinternaluse", "forinternaluseonly"), INTERNAL),
    **dict.fromkeys(("notpublic", "nonpublic", "official", "officialuseonly", "forofficialuseonly"), INTERNAL),
    **dict.fromkeys(("秘密", "涉密", "密", "国家秘密", "工作秘密", "商业秘密", "商密", "普通商密"), CONFIDENTIAL),
    **dict.fromkeys(("confidential", "classified", "restricted", "strictlyconfidential"), CONFIDENTIAL),
    **dict.fromkeys(("机密", "核心商密", "secret", "highlyconfidential", "highlyclassified"), SECRET),
    **dict.fromkeys(("绝密", "topsecret"), TOP_SECRET),
}
#: What is longer than so many characters is no mark, whatever it says, and is not looked through for one.
LONGEST = 500
#: Traditional characters of those words and of terms.
_SIMPLE = str.maketrans("機絕絶內資開長個級祕對會僅參無數據訊啟後", "机绝绝内资开长个级秘对会仅参无数据讯启后")
#: What stands between level and term.
_STARS = "★☆⭐✩✪✫✬✭✮✯✰⋆*＊"
_FRAMES = {"Ps", "Pe", "Pi", "Pf", "Pd", "Pc"}
_POINTS = "\"'.,:;、。·"
_DIGITS = r"[0-9〇零一二三四五六七八九十百两廿卅]+"
_TERM = re.compile(
    rf"(?:长期|永久|解密前|公布前|公开前|启用前|longterm|permanent|indefinite(?:ly)?"
    rf"|(?:保密)?(?:期限?)?(?:{_DIGITS}(?:周?年|个?月|天|日|years?|y|months?|days?)){{1,3}}"
    r"|(?:至|到|until)?[0-9]{4}年(?:[0-9]{1,2}月(?:[0-9]{1,2}日)?)?(?:前|止)?|(?:至|到|until)[0-9]{8})"
)
#: A level with star or term is a mark wherever it stands in a text, and so is the highest in English; a star may come first.
_WORD = "绝密|机密|秘密|topsecret|secret|confidential|classified"
_WITHIN = re.compile(
    rf"({_WORD})(?:级|件)?(?:\*|{_TERM.pattern})|\*({_WORD})(?:级|件)?(?![^\W\d])|(topsecret)", re.UNICODE
)
#: In what stands above or over something, a title or a name, these count within another word too, unless it says that there are none.
_NAMED = re.compile("(?<![不非无含除去脱解保])(绝密|机密|国家秘密)")
#: English words that are a mark where they stand alone in capitals, or whole.
_ENGLISH = {"secret", "confidential", "classified", "topsecret", "strictlyconfidential", "highlyconfidential"}
#: What parts the words of a title or of the name of a file.
_GAPS = re.compile(r"[\s_\-—－,，;；:：.。、/\\|·()（）\[\]【】《》]+")
#: Tables within tables: nobody writes more of them.
_DEEPEST = 30
#: Before and after the level: 密级：机密, 机密级, 机密件.
_AROUND = re.compile(r"(?:密级为?|保密级别|秘密等级|级别|level|classification)?(.*?)(?:级|级别|件|文件)?")


class Mark(NamedTuple):
    """A mark of secrecy as read: its level, its term ("" where none is said), whether it was understood, and as written."""

    level: int
    term: str
    understood: bool
    text: str

    @property
    def secret(self) -> bool:
        """Whether nothing may leave without clearance."""
        return self.level >= CONFIDENTIAL


#: What counts for a layer that nobody has marked.
UNMARKED = Mark(INTERNAL, "", True, "")
#: Stands for the folder itself among its layers.
WHOLE = "整个目录"


def read_mark(said: object) -> Mark:
    """
    Return what a mark of secrecy says.

    Parameters
    ----------
    said
        The value of `secrecy` as it stands in a manifest, of whatever type.

    Returns
    -------
    mark
        `understood` is False, and the level the strictest, for what is no text, blank, misspelt or contradicts itself.
    """
    if isinstance(said, str) and len(said) <= LONGEST:
        return _read_text(said)
    return Mark(
        TOP_SECRET, "", False, " ".join(said[:LONGEST].split())[:40] if isinstance(said, str) else repr(said)[:40]
    )


@lru_cache(maxsize=4096)  # every file that is written asks for the marks of the whole manifest
def _read_text(said: str) -> Mark:
    text = " ".join(said.split())
    unclear = Mark(TOP_SECRET, "", False, text[:40])
    word, star, term = _plain(said).strip("*").partition("*")
    term = term.replace("*", "")
    level = _level(word)
    if level is None and not star:  # 机密10年, secret 10 years
        for cut in range(1, len(word)):
            level = _level(word[:cut]) if _TERM.fullmatch(word[cut:]) else None
            if level is not None:
                word, term = word[:cut], word[cut:]
                break
    if level is None or (term and (level < CONFIDENTIAL or not _TERM.fullmatch(term))):
        return unclear
    return Mark(level, term, True, text)


@lru_cache(maxsize=8192)  # the names of a manifest are asked about before each file is written
def _plain(said: str) -> str:
    """Return a mark without what spellings differ in: width, case, spaces, brackets, points, traditional characters."""
    text = "".join("*" if c in _STARS else c for c in unicodedata.normalize("NFKC", said).casefold())
    # spaces, control characters, combining marks, brackets, quotes and dashes go; a question mark or a stroke says something
    kept = (c for c in text if unicodedata.category(c)[0] not in "ZCM" and unicodedata.category(c) not in _FRAMES)
    kept = (c for c in kept if c not in _POINTS)
    return "".join(kept).translate(_SIMPLE)


def _level(word: str) -> int | None:
    if word in WORDS:
        return WORDS[word]
    found = _AROUND.fullmatch(word)
    return WORDS.get(found[1]) if found else None


def marks_of(manifest: Mapping[str, object]) -> dict[str, Mark]:
    """
    Return the mark of every layer that a manifest declares; a layer without one has the folder's.

    The folder's own stands under `WHOLE` where no layer has taken it and it is secret, and so does whatever looks like a
    mark under a misspelt name: it counts as the strictest.
    """
    own = read_mark(manifest["secrecy"]) if "secrecy" in manifest else None
    declared = manifest.get("layers")
    layers: Mapping[str, object] = declared if isinstance(declared, Mapping) else {}
    found, taken = {}, False
    for name, entry in layers.items():
        if isinstance(entry, Mapping) and "secrecy" in entry:
            found[str(name)] = read_mark(entry["secrecy"])
        else:
            found[str(name)] = own or UNMARKED
            taken = True
        if isinstance(entry, Mapping):
            strays = [text for _, text in strays_of(entry, found[str(name)].level)]
            if strays:
                found[str(name)] = Mark(TOP_SECRET, "", False, strays[0])
    if own is not None and own.secret and not taken:
        found[WHOLE] = own
    for _, text in strays_of(manifest, (own or UNMARKED).level):
        found[WHOLE] = Mark(TOP_SECRET, "", False, text)
    return found


def levels_of(manifest: Mapping[str, object], layers: Iterable[str]) -> dict[str, int]:
    """Return the level of each layer, be it declared or not: the folder's where it has none of its own."""
    own = read_mark(manifest["secrecy"]) if "secrecy" in manifest else UNMARKED
    marks = marks_of(manifest)
    return {layer: marks.get(layer, own).level for layer in layers}


def secret_words(text: str) -> Mark | None:
    """Return the strictest mark of secrecy in a text: a word of it that is nothing else, or a level with star or term."""
    if not _worth_reading(text):
        return None
    marks = [mark for mark in map(read_mark, (text, *_GAPS.split(text))) if _is_unmistakable(mark)]
    marks += _within(text)
    return max(marks, key=lambda mark: mark.level, default=None)


def title_mark(text: str) -> Mark | None:
    """
    Return the strictest mark of secrecy in what stands above something: a title, the label of a plan, the name of a place.

    As `secret_words`; and 机密 counts within another word too (机密工程), and Confidential as a word.
    """
    found = secret_words(text)
    if found is not None or not _worth_reading(text):
        return found
    if named := _NAMED.search(_plain(text)):
        return Mark(WORDS[named[1]], "", True, named[1])
    words = [read_mark(part) for part in _GAPS.split(text) if _plain(part) in ("confidential", "classified")]
    return words[0] if words else None


def _worth_reading(text: str) -> bool:
    """Whether a text can hold a mark at all: nearly none does, and this is quick."""
    low = text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return "密" in low or "sec" in low or "confid" in low or "classif" in low


def starred(text: str) -> Mark | None:
    """Return the strictest mark in a text that is one wherever it stands: a level with star or term (机密★10年), top secret."""
    return max(_within(text), key=lambda mark: mark.level, default=None) if _worth_reading(text) else None


def _within(text: str) -> list[Mark]:
    found = _WITHIN.finditer(_plain(text))
    return [Mark(WORDS[m[1] or m[2] or m[3]], "", True, m[0].replace("*", "★")[:40]) for m in found]


def secret_cells(column: str, cells: Iterable[object], *, known: bool = False) -> Iterator[tuple[int, Mark]]:
    """
    Yield which cells of a column say that their row is secret, and how.

    In a column called like a mark (密级, secrecy) whatever is neither open nor internal; in another that no layer knows what can be
    nothing else; in one that is `known` to mean something else (a name) only a level with star or term.
    """
    named = not known and re.search("密级|保密|涉密|secre", _plain(column)) is not None
    said = [(cell, "" if cell is None else str(cell).strip()) for cell in cells]
    if not named and not _worth_reading("\n".join(text for _, text in said)):  # of nearly all columns at once
        return
    for at, (cell, text) in enumerate(said):
        if text in ("", "nan", "NaN", "NaT", "<NA>"):
            continue
        mark = read_mark(cell) if named else starred(text) if known else secret_words(text)
        if mark is not None and mark.secret:
            yield at, mark


def _is_unmistakable(mark: Mark) -> bool:
    """Whether it is a mark of secrecy wherever it stands: Chinese and more than the one sign 密, with a term, or in capitals."""
    plain = _plain(mark.text).strip("*")
    shouted = mark.text.isupper() and plain in _ENGLISH
    return mark.understood and mark.secret and (("密" in plain and len(plain) > 1) or bool(mark.term) or shouted)


def strays_of(table: Mapping[str, object], level: int = INTERNAL) -> list[tuple[str, str]]:
    """
    Return what looks like a mark of secrecy under another name than `secrecy` in one table: its key, and how to print it.

    Names and free text say nothing new where the table itself is marked with a `level` as strict as theirs.
    """
    return [(str(k), _shown(k, v)) for k, v in table.items() if k not in _KNOWN and _like_a_mark(str(k), v, level)]


def _shown(key: object, value: object) -> str:
    try:
        return f"{key} = {str(value)[:40]}"
    except RecursionError:  # tables within tables
        return f"{key} = …"


#: Names that may stand in a manifest, and say nothing of secrecy themselves though they sound like it.
_KNOWN = {"secrecy", "secret_outputs", "renewal_outputs", "layers"}


def _like_a_mark(key: str, value: object, level: int, depth: int = 0) -> bool:
    if depth > _DEEPEST or _called_like_a_mark(key):
        return True
    if isinstance(value, str):
        return _says_a_mark(key, value, level)
    if isinstance(value, list):
        return any(_like_a_mark(key, inner, level, depth + 1) for inner in value)
    inside = value.items() if isinstance(value, Mapping) else ()
    return any(_like_a_mark(str(name), inner, level, depth + 1) for name, inner in inside)


@lru_cache(maxsize=4096)
def _says_a_mark(key: str, value: str, level: int) -> bool:
    """Whether a text says a mark, found once: every file that is written asks it of the whole manifest."""
    if key in _NAMES or key in _FREE:
        mark = title_mark(value) if key in _NAMES else secret_words(value)
        return mark is not None and mark.level > level
    mark = read_mark(value)
    # of what nobody understands, one of the three levels by name is enough: 机密（待核）
    return (mark.understood and mark.secret) or re.search("绝密|机密|国家秘密|topsecret", _plain(value)) is not None


@lru_cache(maxsize=4096)
def _called_like_a_mark(key: str) -> bool:
    plain = _plain(key)
    if "密级" in plain or "保密" in plain or "涉密" in plain or re.search("secre|classif|confid", plain):
        return True
    return difflib.SequenceMatcher(None, plain, "secrecy").ratio() > 0.7


#: Names, in which such a word may stand for something else; and free text, in which one may be spoken of.
_NAMES = {"name", "file"}
_FREE = {"source", "licence", "note", "credit", "publisher", "survey_note", "made_by", "scenario"}


def is_cleared(manifest: Mapping[str, object]) -> bool:
    """Return whether somebody has cleared outputs by name (`secret_outputs`), and every mark is understood."""
    return _is_said(manifest.get("secret_outputs")) and all(mark.understood for mark in marks_of(manifest).values())


def _is_said(said: object) -> bool:
    """Return whether a cell says who agreed, and when: neither blank nor a refusal."""
    plain = _plain(said) if isinstance(said, str) else ""
    return bool(plain) and plain not in {"0", "no", "none", "false", "n"} and plain[0] not in "未不否无待"


def renewal_is_confirmed(manifest: Mapping[str, object]) -> bool:
    """
    Return whether somebody has confirmed that parcels and plans may go into what is handed on (`renewal_outputs`, who and when).

    They are internal by default: a meeting page leaves them out, a copy for another computer is refused. A public edition never has any.
    """
    return _is_said(manifest.get("renewal_outputs"))


def renewal_is_shown(manifest: Mapping[str, object]) -> bool:
    """Return whether a paper of a district may name its parcels: somebody has confirmed it, or it is of a plan that was asked for."""
    return renewal_is_confirmed(manifest) or bool(manifest.get("scenario"))

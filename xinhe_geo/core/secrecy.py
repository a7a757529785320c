"""Which layers are secret, what outputs carry their mark, and what may not be written at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import pandas as pd

from .errors import Problem, SourceError
from .schema import LAYERS, layer_name
from .secrecy_marks import (
    UNMARKED,
    WHOLE,
    Mark,
    is_cleared,
    levels_of,
    marks_of,
    read_mark,
    secret_cells,
    strays_of,
    title_mark,
)
from .sentences import say, thing

# --- what may leave the house ---------------------------------------------------------------------------------------

#: Fewer people (or households) than this could be recognised.
SMALL = 10


def secret_layers(manifest: Mapping[str, object]) -> dict[str, str]:
    """
    Return the layers a manifest marks as secret, and how it says so; the whole folder's mark counts for each.

    A mark that nobody can read counts as the strictest, and says that it could not be read.
    """
    return {name: _shown(mark) for name, mark in marks_of(manifest).items() if mark.secret}


def _shown(mark: Mark) -> str:
    return mark.text if mark.understood else say("读不懂的“{0}”（按绝密）", mark.text)


def strictness(manifest: Mapping[str, object]) -> int:
    """Return the level of the strictest layer, from 0 (public) to 4 (top secret)."""
    return max((mark.level for mark in marks_of(manifest).values()), default=UNMARKED.level)


def strictest(manifest: Mapping[str, object]) -> str:
    """Return the strictest secret mark of a manifest's layers; "" where none is secret."""
    marks = [mark for mark in marks_of(manifest).values() if mark.secret]
    return _shown(max(marks, key=lambda mark: mark.level)) if marks else ""


def secrecy_problems(manifest: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return what nobody can read of a manifest's marks: field, problem, remedy."""
    found = []
    own = read_mark(manifest["secrecy"]) if "secrecy" in manifest else UNMARKED
    tables: list[tuple[str, object]] = [("", manifest)]
    layers = manifest.get("layers")
    tables += [(f"layers.{name}.", entry) for name, entry in layers.items()] if isinstance(layers, Mapping) else []
    for at, table in tables:
        if not isinstance(table, Mapping):
            continue
        mark = read_mark(table["secrecy"]) if "secrecy" in table else own
        if "secrecy" in table and not mark.understood:
            found.append((f"{at}secrecy", say("密级读不懂：{0}；按绝密对待", mark.text or say("空白")), say(_REMEDY)))
        for key, text in strays_of(table, mark.level):
            found.append((f"{at}{key}", say("像是密级，但写错了名称：{0}；按绝密对待", text), say(_REMEDY)))
    cleared = manifest.get("secret_outputs", "")
    if not isinstance(cleared, str):
        found.append(
            (
                "secret_outputs",
                say("不是文字：{0}", cleared),
                say('写 secret_outputs = "核准人 日期"，没有核准就删去这一行'),
            )
        )
    return found


_REMEDY = '写 secrecy = "公开"、"内部"、"秘密"、"机密★10年"、"绝密★长期" 之一；不知道就问保密员'


def rows_above(frame: pd.DataFrame, known: Iterable[str], level: int) -> list[tuple[str, int, int, str]]:
    """
    Return the columns by which rows say that they are more secret than their layer.

    Parameters
    ----------
    frame
        Rows as they were read.
    known
        Columns that mean something else: in them only a level with star or term counts (机密★10年).
    level
        Of the layer, as the manifest says.

    Returns
    -------
    found
        Column, the first row of it, how many there are, and the strictest of their marks as it stands there.
    """
    found, known = [], set(known)
    for j, name in enumerate(frame.columns):
        column = frame.iloc[:, j]
        if name == "geometry" or pd.api.types.is_numeric_dtype(column.dtype):
            continue
        cells = secret_cells(str(name), column.tolist(), known=name in known)
        above = [(at, m) for at, m in cells if m.level > level]
        if above:
            found.append(
                (str(name), above[0][0], len(above), _shown(max((m for _, m in above), key=lambda m: m.level)))
            )
    return found


def refuse_above(manifest: Mapping[str, object], layer: str, said: Iterable[object], file: str) -> None:
    """
    Stop before rows that are marked as secret come into a layer that is less so: nobody would know it of them any more.

    Parameters
    ----------
    said
        Marks as they stand in the file.

    Raises
    ------
    SourceError
        Naming the strictest of them, and what to do.
    """
    level = levels_of(manifest, [layer])[layer]
    marks = [m for m in map(read_mark, said) if m.level > level]
    if marks:
        label = layer_name(layer) if layer in LAYERS else layer
        shown = _shown(max(marks, key=lambda m: m.level))
        raise SourceError(
            say(
                "{0}：里面标着 {1}，图层 {2} 没有标到这一级。先在 district.toml 的 [layers.{3}] 写 secrecy（各行里最高的密级），或只交没有密级的行",
                file,
                shown,
                label,
                layer,
            )
        )


#: Texts that somebody has typed and that may come into what is made: options of a command.
_TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


@contextmanager
def having_typed(texts: Iterable[str]) -> Iterator[None]:
    """Note what somebody has typed: where it is marked more strictly than a district, nothing is made of that within."""
    before = _TYPED.set((*_TYPED.get(), *texts))
    try:
        yield
    finally:
        _TYPED.reset(before)


def refuse_titles(manifest: Mapping[str, object], texts: Iterable[str], where: str) -> None:
    """
    Stop where a title, a label or a name is marked more strictly than the district is: nobody would know it of what is made.

    Parameters
    ----------
    texts
        What would be printed.
    where
        What they stand in, for the message: it does not repeat them.

    Raises
    ------
    SourceError
        Naming the strictest mark, and what to do.
    """
    marks = [mark for text in texts if (mark := title_mark(text)) is not None]
    worst = max(marks, key=lambda mark: mark.level, default=None)
    if worst is not None and worst.level > strictness(manifest):
        raise SourceError(
            say(
                "{0}里写着密级 {1}，district.toml 没有标到这一级，什么也没有写出。先在 district.toml 写 secrecy（最高的密级），或去掉这几个字",
                thing(where),
                worst.text,
            )
        )


def guarded_problems(problems: Iterable[Problem], manifest: Mapping[str, object]) -> list[Problem]:
    """Return problems as they may be printed: without what a secret layer says, unless its outputs are cleared."""
    secret = {} if is_cleared(manifest) else secret_layers(manifest)
    hidden = {p for p in LAYERS if p in secret or WHOLE in secret}
    return [p._replace(problem=say(_HIDDEN)) if p.layer in hidden and p.row else p for p in problems]


_HIDDEN = "这一格不对；图层有密级，核准输出（secret_outputs）后才显示内容"


def keeping(manifest: Mapping[str, object]) -> str:
    """Return the words that say how whatever is made of a district is to be kept: as a secret, or as internal."""
    mark = strictest(manifest)
    return say("{0} 按保密规定保管", mark) if mark else say("内部资料 注意保管")


def refuse_secret(manifest: Mapping[str, object], layers: Iterable[str], doing: str) -> None:
    """
    Stop an output that would carry a secret layer out of the house.

    Raises
    ------
    SourceError
        Naming every such layer. Example: ``图层 设施 的密级是 秘密，不能导出 DXF``
    """
    secret = secret_layers(manifest)
    named = [say("{0} 的密级是 {1}", layer_name(n) if n in LAYERS else n, secret[n]) for n in layers if n in secret]
    if named:
        raise SourceError(
            say(
                "图层 {0}，不能{1}。去掉这个图层，或由有权的人核定密级后改 district.toml",
                say("；").join(named),
                thing(doing),
            )
        )


def refuse_leaving(manifest: Mapping[str, object], doing: str) -> None:
    """
    Stop what goes to others by its nature (public edition, drawing, download) where any layer is secret, cleared or not.

    Raises
    ------
    SourceError
        Naming every such layer; or what has been typed is marked, and the district is not (`having_typed`).
    """
    refuse_secret(manifest, secret_layers(manifest), doing)
    refuse_titles(manifest, _TYPED.get(), "输入的文字")


def refuse_uncleared(manifest: Mapping[str, object], doing: str) -> None:
    """
    Stop whatever is made from a district with a secret layer, unless its manifest says who cleared that (`secret_outputs`).

    The one gate of everything that is written, shown in a page or printed with names and numbers: the strictest layer
    decides, whichever layers are in it, because what is derived can be worked back. What goes to others by its nature is
    refused all the same: `refuse_leaving`.

    Raises
    ------
    SourceError
        Naming every such layer.
    """
    if not is_cleared(manifest):
        refuse_leaving(
            manifest,
            say('{0}（只在涉密机上用，经核准可在 district.toml 写 secret_outputs = "核准人 日期"）', thing(doing)),
        )
    refuse_titles(manifest, _TYPED.get(), "输入的文字")


def suppressed(counts: pd.Series, *, fewer_than: int = SMALL) -> pd.Series:
    """
    Return counts of people or households as an output that leaves the house may show them.

    Parameters
    ----------
    counts
        Numbers, one for each place; missing ones stay missing.
    fewer_than
        Numbers from 1 to below this become missing. 0 stays: nobody can be recognised in it.

    Returns
    -------
    counts
        The same index, `Float64`; print a missing one as "少于 10".

    Notes
    -----
    A single hidden number beside a printed total could be worked out: print totals of groups only, or round them.
    """
    number = pd.to_numeric(counts, errors="coerce").astype("Float64")
    return number.mask(((number > 0) & (number < fewer_than)).fillna(False))

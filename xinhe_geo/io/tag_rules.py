"""Which tags of a map make which kind of facility, and put what into which layer: tables, read as rules."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..core import LAYERS, SourceError, apart, bundled_folder, language, say
from .incoming import decoded_csv

Tags = Mapping[str, str]


class TagRule(NamedTuple):
    """One row of `osm_tags.csv`: every condition of `tags` holds, and no alternative of `not_tags`."""

    name: str
    kind: str
    tags: tuple[tuple[str, tuple[str, ...]], ...]
    not_tags: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]
    note: str

    def matches(self, tags: Tags) -> bool:
        """Return whether an object with these tags is of this kind."""
        return _holds(self.tags, tags) and not any(_holds(alternative, tags) for alternative in self.not_tags)


def _holds(conditions: Iterable[tuple[str, tuple[str, ...]]], tags: Tags) -> bool:
    for key, patterns in conditions:
        value = tags.get(key)
        if value is None or not any(_like(value, pattern) for pattern in patterns):
            return False
    return True


def _like(value: str, pattern: str) -> bool:
    """Compare with one value of a rule; `*` is any text, `[..]` one of a range of characters."""
    plain = "*" not in pattern and "[" not in pattern
    return value == pattern if plain else fnmatch.fnmatchcase(value, pattern)


def read_tag_rules(path: str | Path | None = None) -> list[TagRule]:
    """
    Read the table that says which OSM tags make which kind; the first rule that matches an object decides.

    Parameters
    ----------
    path
        A CSV with the columns of the layer `osm_tags`; None reads the bundled one. `tags` is `key=value`, joined by
        `&`; several values by `|`; `*` stands for any text, alone or inside a value. `not_tags` likewise, with `;`
        between alternatives any one of which excludes.

    Raises
    ------
    SourceError
        ``osm_tags.csv 第 park-1 行 tags：“leisure” 里没有等号。写成 key=value``
    """
    file = Path(path) if path is not None else bundled_table("osm_tags")
    if not file.is_file():
        raise SourceError(say("文件不存在：{0}。这是 OSM 标签对照表（列：id, kind, tags, not_tags, note）", file.name))
    return rules_from(read_csv(file), file.name)


def bundled_table(table: str) -> Path:
    """Return the path of a table that comes with the program."""
    return bundled_folder() / LAYERS["osm_tags"].folder / f"{table}.csv"


def rules_from(table: pd.DataFrame, file: str) -> list[TagRule]:
    """Return the rules of a table; its file is named where a row is wrong."""
    missing = [c for c in ("id", "kind", "tags") if c not in table.columns]
    if missing:
        raise SourceError(say("{0}：缺少列 {1}。照自带的 {0} 补上", file, say("、").join(missing)))
    table = table.reindex(columns=["id", "kind", "tags", "not_tags", "note"]).astype("str").fillna("")
    rules = []
    for row in table.itertuples(index=False):
        where = say("{0} 第 {1} 行", file, row.id)
        tags = _conditions(str(row.tags), f"{where} tags")
        alternatives = [part for part in str(row.not_tags).split(";") if part.strip()]
        banned = tuple(_conditions(part, f"{where} not_tags") for part in alternatives)
        rules.append(TagRule(str(row.id), str(row.kind), tags, banned, str(row.note)))
    return rules


def layer_rules() -> dict[str, list[tuple[str, TagRule]]]:
    """
    Return which tags put an area, line or point into which layer other than the facilities.

    The rules are the bundled `osm_layers.csv`, per form in the table's order; `kind` of a rule is the table's `value`:
    the type of a barrier, or what sort of home it is. The first rule that matches decides for its layer; an object may
    be in several layers.
    """
    file = bundled_table("osm_layers")
    table = read_csv(file).rename(columns={"value": "kind"})
    forms: dict[str, list[tuple[str, TagRule]]] = {"area": [], "line": [], "point": []}
    for form, layer, rule in zip(table["form"], table["layer"], rules_from(table, file.name), strict=True):
        forms[str(form)].append((str(layer), rule))
    return forms


def _conditions(text: str, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for part in text.split("&"):
        key, equals, values = part.partition("=")
        if not equals or not key.strip() or not values.strip():
            raise SourceError(say("{0}：“{1}”里没有等号或缺了一边。写成 key=value，多个用 & 连接", where, part))
        found.append((key.strip(), tuple(v.strip() for v in values.split("|"))))
    return tuple(found)


def labels_of(rules: Sequence[TagRule]) -> dict[str, str]:
    """Return the kinds the rules make, in the table's order, with their names."""
    table = read_csv(bundled_table("kinds")).set_index("kind")
    known = table["label" if language() == "zh" else "label_en"].fillna(table["label"]).to_dict()
    kinds = dict.fromkeys(rule.kind for rule in rules)
    unknown = sorted(set(kinds) - set(known))
    if unknown:
        raise SourceError(
            say("OSM 标签对照表里有类别表没有的类别：{0}。先在 kinds.csv 里加上，或改对照表", say("、").join(unknown))
        )
    return {kind: str(known[kind]) for kind in kinds}


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV as text, as Excel writes them: UTF-8 with or without BOM or GB18030; comma, semicolon or tab."""
    return apart(_read_csv, path)


def _read_csv(path: Path) -> pd.DataFrame:
    text, separator = decoded_csv(path)
    try:
        table = pd.read_csv(
            StringIO(text), sep=separator, dtype="str", keep_default_na=False, na_values=[""], skip_blank_lines=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SourceError(say("{0}：不是能读的 CSV 表（{1}）。第一行写列名，每行列数一致", path.name, error)) from error
    table.columns = [str(c).strip() for c in table.columns]
    return table.dropna(how="all")  # the index still tells the line

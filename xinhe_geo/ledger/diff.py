"""What changed since an earlier run: which inputs, which parameters, which rows, by that run's own record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..access import facility_changes, people_told
from ..core import (
    LAYERS,
    SourceError,
    amount,
    language,
    layer_name,
    per_cent,
    read_json,
    refuse_titles,
    say,
    speaking,
    strictest,
    word,
)
from ..district import District
from .ledger import UNMEASURED, beyond, canonical
from .metrics.base import measure_rows, number_text

#: The records of a whole report and of the ledger alone.
RECORDS = ("run.json", "ledger.json")
COLUMNS = ("part", "id", "label", "before", "after")
#: Numbers are kept to as many digits; smaller differences are none.
DIGITS = 9

Record = Mapping[str, Any]


def named_in_record(district: District) -> dict[str, str]:
    """Return what a record calls a district: name, code, CRS, and its mark of secrecy where it has one."""
    mark = strictest(district.manifest)
    own = {"name": district.name, "code": district.code, "crs": district.crs}
    return {**own, "secrecy": mark} if mark else own


def ledger_record(district: District, table: pd.DataFrame | None) -> dict[str, Any]:
    """
    Return what a later run compares itself with: district, parameters, inputs with hashes, value and verdict of each row.

    Parameters
    ----------
    table
        Result of `ledger`; None for a district without its own plan.
    """
    rows: dict[str, Any] = {}
    if table is not None:
        known = {str(m["measure"]): m for m in measure_rows(district)}
        with speaking(
            "zh"
        ):  # a record is in Chinese, whatever language its ledger was shown in: the next one is compared with it
            others = beyond(district)
        for part in (canonical(table).droplevel("commitment"), others):
            for key, row in part.iterrows():
                value = None if math.isnan(row["value"]) else round(float(row["value"]), DIGITS)
                own = known.get(str(key), {"label": UNMEASURED, "unit": ""})
                rows[str(key)] = {"label": own["label"], "value": value, "unit": own["unit"], "verdict": row["verdict"]}
    return {
        "district": named_in_record(district),
        "parameters": {
            "year": district.year,
            "community_list_year": district.list_year,
            "planned": district.with_planned,
            "scenario": str(district.manifest.get("scenario", "")),
        },
        "inputs": {
            str(name): {"file": row["file"], "from": row["from"], "sha256": row["sha256"]}
            for name, row in district.files.iterrows()
        },
        "ledger": rows,
    }


def read_record(path: str | Path) -> Record:
    """
    Return the record of an earlier run.

    Parameters
    ----------
    path
        `run.json` or `ledger.json`, or the folder it lies in.

    Raises
    ------
    SourceError
        No such file, or not such a record.
    """
    asked = Path(path)
    found = asked
    if asked.is_dir():
        found = next((asked / name for name in RECORDS if (asked / name).is_file()), asked / RECORDS[0])
    if not found.is_file():
        where = (
            say("文件夹 {0} 里没有 {1}", asked.name, found.name)
            if asked.is_dir()
            else say("文件不存在：{0}", asked.name)
        )
        raise SourceError(say("没有上次的运行记录（{0}）；--since 后面写上次输出里的 run.json", where))
    try:
        record = read_json(found)
        sound = isinstance(record, dict) and all(
            isinstance(record[k], dict) for k in ("district", "parameters", "inputs")
        )
    except (ValueError, KeyError, OSError):
        sound = False
    if not sound:
        raise SourceError(say("{0} 不是本工具的运行记录；--since 后面写上次输出里的 run.json", found.name))
    if not isinstance(record.get("ledger"), dict):
        raise SourceError(
            say("{0} 里没有核对表的结果（出自更早的版本）；先用现在的版本把上次的数据再运行一遍", found.name)
        )
    return dict(record)


def changes(now: Record, before: Record, district: District | None = None) -> pd.DataFrame:
    """
    Say what differs between two records.

    Parameters
    ----------
    now, before
        The records.
    district
        Of `now`: where the earlier record is of another year, each facility that opened, closed, moved or got another name
        since stands there, with the homes and people it changes something for.

    Returns
    -------
    changes
        One row per difference, parameters first, then inputs, facilities, headlines of the brief (where both records have them),
        then rows of the ledger; none whose digits as printed are equal. Columns `part` (参数, 数据, 设施, 指标, 结果), `id`,
        `label`, `before`, `after` (in words; empty where it was not there).

    Raises
    ------
    SourceError
        The records are of two different districts, or the earlier one is of what is more secret than this one.
    """
    here, there = now["district"], before["district"]
    if (here.get("code") or here.get("name")) != (there.get("code") or there.get("name")):
        raise SourceError(say("上次的记录是{0}的，这次是{1}，不能相比", there.get("name", ""), here.get("name", "")))
    refuse_titles(
        {"secrecy": here["secrecy"]} if "secrecy" in here else {}, [str(there.get("secrecy", ""))], "上次的记录"
    )
    found = (
        *(_parameters(now, before), _inputs(now, before), _facilities(district, before)),
        *(_headlines(now, before), _rows(now, before)),
    )
    rows = [row for part in found for row in part if row[3] != row[4]]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="object")


_PARAMETERS = {
    "year": "数据年份",
    "community_list_year": "社区名录年份",
    "planned": "到期的规划设施算开放",
    "preset": "口径",
    "scenario": "方案",
}


def _parameters(now: Record, before: Record) -> Iterator[tuple[str, ...]]:
    for key, label in _PARAMETERS.items():
        if key not in before["parameters"] or key not in now["parameters"]:
            continue  # the ledger alone has no preset
        old, new = before["parameters"][key], now["parameters"][key]
        if old != new:
            yield "参数", key, label, _words(old), _words(new)


def _words(value: object) -> str:
    return {True: "是", False: "否"}[value] if isinstance(value, bool) else str(value)


def _inputs(now: Record, before: Record) -> Iterator[tuple[str, ...]]:
    old, new = before["inputs"], now["inputs"]
    for name in [*(n for n in LAYERS if n in old or n in new), *sorted((set(old) | set(new)) - set(LAYERS))]:
        a, b = old.get(name), new.get(name)
        if (a or {}).get("sha256") != (b or {}).get("sha256"):
            label = LAYERS[name].label if name in LAYERS else name
            yield "数据", name, label, _file(a), _file(b)


def _file(entry: Mapping[str, str] | None) -> str:
    return "" if entry is None else f"{entry.get('file', '')}（{str(entry.get('sha256', ''))[:8]}）"


def _facilities(district: District | None, before: Record) -> Iterator[tuple[str, ...]]:
    """Yield what each facility that is not what it was in the year of the earlier record changes for whom."""
    then = before["parameters"]
    if district is None or not isinstance(then.get("year"), int) or then["year"] == district.year:
        return
    earlier = district.at(then["year"], planned=bool(then.get("planned")), communities=district.list_year)
    for key, row in facility_changes(earlier, district).iterrows():
        name = str(key) if pd.isna(row["name"]) else str(row["name"])
        old, new = _became(row)
        yield "设施", str(key), name, old, f"{new}{say('：')}{_for_whom(row)}"


def _became(row: pd.Series) -> tuple[str, str]:
    """Return what a facility was, and what became of it."""
    if row["change"] == "opened":
        return "", say("新开")
    if row["change"] == "closed":
        return say("开放"), say("停用")
    if row["change"] == "moved":
        return say("开放"), say("搬迁 {0} 米", amount(row["metres"]))
    if row["change"] == "redrawn":
        return say("开放"), say("范围改动，最远 {0} 米", amount(row["metres"]))
    return str(row["name_before"]), say("改名")


def _for_whom(row: pd.Series) -> str:
    """Return which homes a facility brings into reach or puts out of it, and how many people."""
    if pd.isna(row["rule"]):
        return say("这一类没有领头规则，不评价")
    if row["known"] is not True:
        return word("数据不足")
    most = say("最多 ") if row["at_most"] else ""
    aged = row["counted"] == "people_60plus"
    told = [
        say(words, say("、").join(homes), most + people_told(people, aged=aged))
        for words, homes, people in (
            ("{0} 改为可达（{1}）", row["homes_gain"], row["people_gain"]),
            ("{0} 不再可达（{1}）", row["homes_lose"], row["people_lose"]),
        )
        if homes
    ]
    if row["homes_other"]:
        told.append(say("{0} 改去别处，仍可达", say("、").join(row["homes_other"])))
    return say("；").join(told) or say("没有小区因此变化")


def _headlines(now: Record, before: Record) -> Iterator[tuple[str, ...]]:
    old, new = before.get("results", {}), now.get("results", {})
    for key in [k for k in new if k in old]:
        if _moved(old[key].get("value"), new[key].get("value")):
            label = str(new[key].get("label", ""))
            yield "指标", str(key), label, _headline(old[key]), _headline(new[key])


def _headline(entry: Mapping[str, Any]) -> str:
    """Return what a record says of a headline: its sentence, which is Chinese, or else its number."""
    value = entry.get("value")
    if language() == "zh":
        return str(entry.get("headline", ""))
    return word("数据不足") if value is None else per_cent(float(value))


def _rows(now: Record, before: Record) -> Iterator[tuple[str, ...]]:
    old, new = before["ledger"], now["ledger"]
    for key in [*new, *(k for k in old if k not in new)]:
        a, b = old.get(key), new.get(key)
        if a is None or b is None or a.get("verdict") != b.get("verdict") or _moved(a.get("value"), b.get("value")):
            yield "结果", str(key), str((b or a or {}).get("label", "")), _result(a), _result(b)


def _moved(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is not b
    return bool(abs(a - b) > 2 * 10.0**-DIGITS * max(1.0, abs(a), abs(b)))


def _result(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    value = row.get("value")
    number = "" if value is None or not np.isfinite(value) else number_text(float(value), str(row.get("unit", "")))
    return "　".join(part for part in (number, str(row.get("verdict", ""))) if part)


def changes_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the changes in the language that is spoken; what an earlier record said of its own is Chinese, word by word put over."""
    if language() == "zh":
        return table

    def over(text: str) -> str:
        return "　".join(" ".join(word(piece) for piece in part.split(" ")) for part in text.split("　"))

    label = [layer_name(r.id) if r.id in LAYERS else word(r.label) for r in table.itertuples(index=False)]
    both = {c: [over(str(v)) for v in table[c]] for c in ("part", "before", "after")}
    return table.assign(label=label, **both)


def since_sheet(table: pd.DataFrame) -> pd.DataFrame:
    """Return 与上次相比 under Chinese headers, for the workbook."""
    names = {"part": "什么", "id": "编号", "label": "名称", "before": "上次", "after": "这次"}
    return (
        changes_shown(table).rename(columns=names)
        if len(table)
        else pd.DataFrame({"说明": [say("数据、参数和结果都没有变化。")]})
    )

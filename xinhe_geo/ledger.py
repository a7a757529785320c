"""
The plan's promises, one by one: what was promised, where things stand, who is missing out, what would close it.

Everything that belongs to a plan stands in tables: `commitments.csv` (what it says, word for word), `measures.csv` (how each
promise is measured: a metric bound by its name, with plain parameters), `contradictions.csv`, and the yearly figures people
type in (`series.csv`). Here are only the metrics, few and general, and the rules for verdicts:

- 达标, 部分达标, 未达标 only against a number that the plan or a verified standard states;
- 报现状（原文无量化目标） where there is none, 参考值（未核） where the standard was not verified;
- 数据不足 names exactly what is missing, 待填 waits for a figure that somebody has to type in;
- 演示值（不作结论） overrides them all as soon as one schematic or synthetic row was used, and says how many of how many.
"""

from __future__ import annotations

import html
import importlib.resources
import math
import os
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from .coverage import SHARE_TOLERANCE, TOLERANCE_MIN, presence
from .district import District
from .errors import DataError, EnvironmentProblem, Problem, UnknownNameError, problems_table
from .layers import BASES, BASIS_LABELS, DEMONSTRATION, LAYERS
from .reach import facility_doors, hinge, home_points
from .values import METHOD_LABELS, METHODS, TOLERANCE_M, Rule

MET, PARTLY, UNMET = "达标", "部分达标", "未达标"
REPORTED, UNVERIFIED = "报现状（原文无量化目标）", "参考值（未核）"
NO_DATA, TO_FILL, DEMONSTRATED = "数据不足", "待填", "演示值（不作结论）"
#: Every verdict, the worst news first.
VERDICTS = (UNMET, PARTLY, MET, REPORTED, UNVERIFIED, DEMONSTRATED, NO_DATA, TO_FILL)

COLUMNS = (
    "label", "value", "unit", "target", "operator", "target_text", "verdict", "role", "metric", "scope", "method", "how",
    "formula", "parameters", "basis", "demonstration", "needs", "text", "gap", "fix", "low_other", "high_other", "inputs",
    "rule", "quote", "section", "category", "spatial_unit", "binding", "year", "standard", "contradiction",
)  # fmt: skip

#: Per metric: its name in words, and its formula in words.
FORMULAS: Mapping[str, tuple[str, str]] = {
    "communities_with": ("有设施的社区", "界内有 1 处以上开放设施的社区数（按社区去重）÷ 社区总数"),
    "communities_without": ("缺设施的社区", "社区总数 − 界内有 1 处以上开放设施的社区数"),
    "coverage": ("可达份额", "Σ（小区的分母 × 小区内在限值以内的居住点份额）÷ Σ 小区的分母"),
    "completeness": ("配套齐全度", "Σ（小区的分母 × 限时内走得到的类别数 ÷ 类别总数）÷ Σ 小区的分母"),
    "count": ("个数", "范围内开放设施（或图层要素）的个数"),
    "kinds_present": ("有的类别数", "范围内有 1 处以上开放设施的类别数"),
    "area": ("面积", "范围内图层要素的面积之和（投影坐标系，重叠只计一次）"),
    "topology": ("图形关系", "两个图层的面在投影坐标系里求交、求差后的面积之比"),
    "near": ("两类相邻", "沿街步行距离在限值以内有邻近类别的设施数 ÷ 设施总数"),
    "along": ("沿线", "线的限距以内的设施数，或有绿带的线长 ÷ 线长，或相邻可步行穿越点的最大间距"),
    "in_gap": ("落在缺口里", "最近的小区缺至少一类设施的地点数 ÷ 地点总数"),
    "difference": ("两组之差", "第一组的加权平均 − 第二组的加权平均（百分点）"),
    "gini": ("基尼系数", "Σi Σj pi·pj·|ai − aj| ÷ (2·ā)，p 为人口份额，a 为小区的可达水平"),
    "theil": ("泰尔指数", "Σ pi·(ai ÷ ā)·ln(ai ÷ ā)，并分成组间与组内两部分"),
    "per_thousand": ("人均规模", "Σ 规模 ÷ 人口 × 每多少人"),
    "per_communities": ("按社区数配置", "应有 = 社区数 ÷ 每处服务的社区数，向上取整；缺口 = 应有 − 现有"),
    "attribute": ("设施属性", "范围内开放设施的属性值，与数比较"),
    "mix": ("用地混合熵", "−Σ p·ln p ÷ ln K，p 为各类用地的面积份额，K 为全图的类数"),
    "series": ("台账指标", "逐年填报的数：取最近一年，或累计相加，与目标年的数比较"),
    "missing": ("现有数据量不出", "—"),
}
#: What a metric cannot do without: layers, and columns of its row.
_LAYERS_OF: Mapping[str, tuple[str, ...]] = {
    "communities_with": ("communities", "facilities"),
    "communities_without": ("communities", "facilities"),
    "coverage": ("homes", "facilities", "streets"),
    "completeness": ("homes", "facilities", "streets"),
    "kinds_present": ("facilities",),
    "near": ("homes", "facilities", "streets"),  # the wall of a compound is part of the way
    "in_gap": ("homes", "facilities", "streets"),
    "difference": ("homes", "facilities", "streets"),
    "gini": ("homes", "facilities", "streets"),
    "theil": ("homes", "facilities", "streets"),
    "per_thousand": ("homes", "facilities"),
    "per_communities": ("communities", "facilities"),
    "attribute": ("facilities",),
    "series": ("series",),
}
_COLUMNS_OF: Mapping[str, tuple[str, ...]] = {
    "communities_with": ("kinds",),
    "communities_without": ("kinds",),
    "coverage": ("rule",),
    "completeness": ("kinds", "minutes"),
    "kinds_present": ("kinds",),
    "area": ("layer",),
    "topology": ("layer", "other_layer", "relation"),
    "near": ("kinds", "near_kinds", "metres"),
    "along": ("relation", "lines", "codes"),
    "in_gap": ("layer", "kinds", "minutes"),
    "difference": ("group", "codes"),
    "per_thousand": ("kinds", "field", "per"),
    "per_communities": ("kinds", "low", "high"),
    "attribute": ("kinds", "field"),
    "mix": ("layer", "field"),
    "series": ("series",),
    "missing": ("lacks",),
}
_SCOPE_LAYERS = {
    "district": "district", "zone": "zones", "area": "areas", "community": "communities", "parcel": "parcels", "home": "homes",
}  # fmt: skip
#: Metrics that take the whole district for all its homes or communities, whatever its outline.
_WHOLE_DISTRICT = (
    "coverage", "completeness", "in_gap", "difference", "gini", "theil", "communities_with", "communities_without", "mix",
)  # fmt: skip
#: Layers that change a walk where there are any: a walk does without them, and rests on them.
_ON_THE_WAY = ("gates", "entrances", "barriers")
#: Metrics that some of is better than none of.
_IN_PARTS = ("communities_with", "coverage", "completeness", "count", "kinds_present", "near", "along", "area")
_WEIGHTS = {
    "people": ("常住人口", "人"),
    "people_60plus": ("60岁及以上人口", "位60岁及以上老人"),
    "households": ("户数", "户"),
    "area_m2": ("居住用地", "m² 居住用地"),
    "homes": ("小区数", "个小区"),
}
_WORDS = {
    "plan": "规划原文",
    "standard": "标准",
    "reference": "参考线",
    "any": "任一",
    "all": "都要",
    ">=": "≥",
    "<=": "≤",
    "==": "＝",
}
_SIGNS = {">=": "≥", "<=": "≤", "==": "＝"}
#: How many places a gap names before it says "and so on".
NAMED_AT_MOST = 8

Measure = Mapping[str, Any]


class _Found(NamedTuple):
    """What a metric found: the value, what it counted in words, and which rows of which layers it touched."""

    value: float
    said: str
    touched: Mapping[str, pd.Series]
    gap: str = ""
    fix: str = ""
    low: float = math.nan  # the same number by other methods
    high: float = math.nan
    target: float = math.nan  # replaces the number of the table
    waits: str = ""  # what still has to be typed in
    note: str = ""  # what was left out of the number


class _Lacks(Exception):
    """Something a measure cannot do without; the message names it."""


# --- the ledger ------------------------------------------------------------------------------------------------------


def ledger(district: District) -> pd.DataFrame:
    """
    Evaluate every commitment of the plan by every one of its measures.

    Returns
    -------
    table
        MultiIndex (commitment, measure), in the order of `commitments.csv` and `measures.csv`. Columns:

        `label` what is measured, `value` and `unit` (shares in per cent), `target` (the number compared with, missing where
        there is none), `operator`, `target_text`, `verdict` (one of `VERDICTS`), `role` ("own" decides, "beside" does not),
        `metric`, `scope`, `method`, `how` (one sentence), `formula` (in words), `parameters`;
        `basis` (weakest basis among the rows used), `demonstration` ("社区 13 处中 13 处为示意"), `needs` (what is missing),
        `text` (the number and its verdict in a sentence), `gap`, `fix`, `low_other` and `high_other` (the same number by other
        methods), `inputs` (file, hash, date, basis of each layer), `rule`;
        `quote`, `section`, `category`, `spatial_unit`, `binding`, `year`, `standard`, `contradiction`.

        A commitment without a measure has one row whose measure is its own id: 数据不足.

    Raises
    ------
    DataError
        Rows of the tables that contradict themselves: see `measure_problems`.
    """
    _refuse_bad_rows(district)
    commitments = _commitments(district)
    measures = [m for m in _measures(district) if m["commitment"]]
    rows = []
    for code in commitments.index:
        own = [m for m in measures if m["commitment"] == code] or [_unmeasured(str(code))]
        rows += [_row(district, m, commitments.loc[code]) for m in own]
    index = ["commitment", "measure"]
    table = pd.DataFrame(rows, columns=[*index, *COLUMNS]) if rows else pd.DataFrame(columns=[*index, *COLUMNS])
    return table.set_index(index)


def beyond(district: District) -> pd.DataFrame:
    """
    Evaluate the measures that belong to no commitment: standards beyond the plan.

    Returns
    -------
    table
        Index measure; columns as `ledger`. A standard judges only where it was read (`confidence`).
    """
    table: pd.DataFrame = _once(district, "beyond", lambda: _beyond(district))
    return table.copy(deep=False)


def _beyond(district: District) -> pd.DataFrame:
    _refuse_bad_rows(district)
    blank = pd.Series("", index=["quote", "section", "category", "spatial_unit", "binding", "year"])
    rows = [_row(district, m, blank) for m in _measures(district) if not m["commitment"]]
    return pd.DataFrame(rows, columns=["measure", *COLUMNS]).set_index("measure")


def left_out(district: District) -> pd.DataFrame:
    """Return what the plan says and the ledger does not follow up: index id; quote, section, category, target, unit, note."""
    table = _table(district, "commitments")
    return table[(table["kind"] == "left_out").to_numpy()].drop(columns=["kind", "binding", "year"]).fillna("")


def verdicts(table: pd.DataFrame) -> pd.Series:
    """
    Put the verdicts of each commitment's own measures together.

    Returns
    -------
    verdicts
        Index commitment. One demonstration value makes a demonstration; something unmet or partly met beside something met is
        部分达标; otherwise what is missing or still to be typed in, otherwise what they all say.
    """
    own = table[(table["role"] == "own").to_numpy()]
    return own.groupby(level="commitment", sort=False)["verdict"].agg(_together)


def _together(said: pd.Series) -> str:
    have = set(said)
    for verdict in (DEMONSTRATED, PARTLY):
        if verdict in have:
            return verdict
    judged = have & {MET, UNMET}
    if len(judged) == 2:
        return PARTLY
    if UNMET in judged:
        return UNMET
    order = (NO_DATA, TO_FILL, MET, UNVERIFIED, REPORTED)
    return next(v for v in order if v in have)


def explain(table: pd.DataFrame, row: str | tuple[str, str]) -> str:
    """
    Say where a number comes from: inputs (file, hash, date, basis), measure, parameters, formula, verdict.

    Parameters
    ----------
    table
        Result of `ledger` or `beyond`.
    row
        A measure ("S17.people"), a commitment ("S17": all its measures), or an index pair.

    Raises
    ------
    UnknownNameError
        No such row.
    """
    if isinstance(row, tuple):
        row = row[-1]
    measures = table.index.get_level_values("measure")
    chosen = table[(measures == row)]
    if chosen.empty and "commitment" in table.index.names:
        chosen = table[(table.index.get_level_values("commitment") == row)]
    if chosen.empty:
        known = [*dict.fromkeys(table.index.get_level_values(0)), *measures]
        raise UnknownNameError("核对表的行", row, list(dict.fromkeys(str(k) for k in known)))
    parts = [_explained(str(key[-1] if isinstance(key, tuple) else key), line) for key, line in chosen.iterrows()]
    return "\n\n".join(parts)


def _explained(key: str, row: pd.Series) -> str:
    lines = [f"{key}　{row['label']}"]
    if row["quote"]:
        lines.append(f"原文：{_quoted(row['quote'])}（{row['section']}）")
    number = _number(float(row["value"]), str(row["unit"])) if np.isfinite(row["value"]) else "—"
    lines += [
        f"数值：{number}　目标：{row['target_text'] or '原文没有数'}　判定：{row['verdict']}",
        f"一句话：{row['text']}",
    ]
    for label, column in (
        ("怎么量", "how"), ("算法", "method"), ("公式", "formula"), ("参数", "parameters"), ("差距", "gap"), ("怎么补", "fix"),
        ("缺", "needs"), ("数据情况", "demonstration"), ("出处", "standard"), ("原文矛盾", "contradiction"),
    ):  # fmt: skip
        if row[column]:
            lines.append(f"{label}：{row[column]}")
    if np.isfinite(row["low_other"]):
        lines.append(f"换算法：{row['low_other']:.1f}—{row['high_other']:.1f} {row['unit']}")
    lines.append("输入：")
    lines += [f"  {line}" for line in str(row["inputs"]).split("\n") if line]
    return "\n".join(lines)


# --- tables in -------------------------------------------------------------------------------------------------------


def _table(district: District, name: str) -> pd.DataFrame:
    table: pd.DataFrame = _once(district, ("table", name), lambda: district.rows[name])
    return table


def _commitments(district: District) -> pd.DataFrame:
    table = _table(district, "commitments")
    return table[(table["kind"] == "commitment").to_numpy()].drop(columns="kind").fillna("")


def _measures(district: District) -> list[dict[str, Any]]:
    """Return the rows of `measures.csv` as plain values: missing text is empty, a missing number is NaN."""
    table = _table(district, "measures").reset_index()
    types = {c.name: c.type for c in LAYERS["measures"].names.values()}
    rows: list[dict[str, Any]] = []
    for record in table.to_dict("records"):
        rows.append(
            {
                str(k): ("" if pd.isna(v) else str(v))
                if types[str(k)] == "text"
                else math.nan
                if pd.isna(v)
                else float(v)
                for k, v in record.items()
            }
        )
    return rows


def _unmeasured(code: str) -> dict[str, Any]:
    """Return the measure of a commitment that nobody has said how to measure."""
    row: dict[str, Any] = {c.name: math.nan if c.type != "text" else "" for c in LAYERS["measures"].names.values()}
    row |= {
        "measure": code,
        "commitment": code,
        "label": "没有量法",
        "metric": "missing",
        "role": "own",
        "scope": "district",
    }
    row |= {"lacks": f"量法表里没有 {code} 的行", "text": "量法表里补一行"}
    return row


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def measure_problems(district: District) -> pd.DataFrame:
    """
    Return what is wrong between the cells of the ledger's tables; single cells are judged when the folder is opened.

    Columns as `check`: severity, layer, file, row, field, problem, remedy.
    """
    shapes = {name for name, layer in LAYERS.items() if layer.geometry}
    known = {
        "kinds": set(district.kinds.index), "near_kinds": set(district.kinds.index), "also_rules": set(district.rules.index),
        "layer": shapes, "other_layer": shapes, "needs": set(LAYERS),
    }  # fmt: skip
    found = [p for m in _measures(district) for p in _measure_problems(district, m, known)]
    codes = set(_commitments(district).index)
    for key, touches in _table(district, "contradictions")["touches"].dropna().items():
        found += [
            _problem(district, "contradictions", str(key), "touches", f"没有登记承诺“{code}”", "写已登记的编号")
            for code in _list(str(touches))
            if code not in codes
        ]
    return problems_table(found)


def _problem(district: District, layer: str, row: str, field: str, problem: str, remedy: str) -> Problem:
    return Problem("error", layer, str(district.files.loc[layer, "file"]), row, field, problem, remedy)


def _measure_problems(district: District, m: Measure, known: Mapping[str, set[str]]) -> Iterator[Problem]:
    labels = LAYERS["measures"].names
    for field, problem, remedy in (*_names_unknown(m, known), *_cells_missing(m), *_targets_wrong(district, m)):
        said = problem.replace("{}", labels[field].label)
        yield _problem(district, "measures", str(m["measure"]), field, said, remedy)


def _names_unknown(m: Measure, known: Mapping[str, set[str]]) -> Iterator[tuple[str, str, str]]:
    for field, names in known.items():
        for name in _list(m[field]):
            if name not in names:
                yield field, f"{{}}：没有“{name}”", "改成已有的名称，多个用 ; 隔开"


def _cells_missing(m: Measure) -> Iterator[tuple[str, str, str]]:
    for field in _COLUMNS_OF.get(m["metric"], ()):
        if m[field] == "" or pd.isna(m[field]):
            yield field, f"算法 {m['metric']} 必须填（{{}}）", "填上这一格"
    if m["metric"] in ("completeness", "in_gap", "difference", "gini", "theil") and not (m["rule"] or m["kinds"]):
        yield "kinds", f"算法 {m['metric']} 要有类别或规则", "填上 kinds 和 minutes，或填 rule"
    holder = {"mix": m["layer"], "attribute": "facilities", "per_thousand": "facilities"}.get(m["metric"], "")
    if holder in LAYERS and m["field"] not in (
        *LAYERS[holder].names,
        *(["count"] if m["metric"] == "per_thousand" else []),
    ):
        yield "field", f"{LAYERS[holder].label}没有“{m['field']}”这一列", f"可选：{'、'.join(LAYERS[holder].names)}"
    if m["scope"] != "district" and not m["codes"]:
        yield "codes", f"范围是 {m['scope']}，没有写编号", "写编号或名称，多个用 ; 隔开"
    if m["scope"] == "line" and not m["lines"]:
        yield "lines", "范围是线，没有写线在哪个图层", "写 named_roads、water 或 barriers"


def _targets_wrong(district: District, m: Measure) -> Iterator[tuple[str, str, str]]:
    if m["operator"] and not m["target_from"]:
        yield "target_from", "有目标，没有写出自哪里", "写 plan、standard 或 reference"
    for field in {">=": ("low",), "<=": ("high",), "==": ("low",), "between": ("low", "high")}.get(m["operator"], ()):
        if pd.isna(m[field]) and not m["target_series"]:
            yield field, f"比较是 {m['operator']}，没有写{{}}", "填上这个数，或写目标所在的台账指标"
    if m["low"] > m["high"]:
        yield "low", f"下限 {m['low']:g} 大于上限 {m['high']:g}", "核对两列"
    if m["commitment"] and m["commitment"] not in _commitments(district).index:
        yield "commitment", f"“{m['commitment']}”登记为没有逐条核的表述", "改成已登记的承诺编号，或改登记"


def _refuse_bad_rows(district: District) -> None:
    problems = measure_problems(district)
    if len(problems):
        raise DataError(problems, district.folder.name)


# --- one row ---------------------------------------------------------------------------------------------------------


def _row(district: District, m: Measure, promise: pd.Series) -> dict[str, Any]:
    """Evaluate one measure; whatever it lacks is named instead."""
    needs = ""
    try:
        _require_layers(district, m)
        found = _METRICS[str(m["metric"])](district, m)
    except _Lacks as lack:
        needs, found = str(lack), _Found(math.nan, "", {})
    needs = needs or found.waits or found.note
    rule = district.rule(m["rule"]) if m["rule"] else None
    target = found.target if np.isfinite(found.target) else _target(m)
    weak = _demonstration(found.touched)
    confidences = {district.rule(name).confidence for name in (m["rule"], *_list(m["also_rules"])) if name}
    verdict = _verdict(m, found, target, confidences | {m["confidence"]}, bool(weak))
    label, formula = FORMULAS[str(m["metric"])]
    method = f"{label}（{METHOD_LABELS[rule.method]}）" if rule and m["metric"] == "coverage" else label
    target_text = _target_text(m, target)
    return {
        "commitment": m["commitment"], "measure": m["measure"], "label": m["label"], "value": found.value, "unit": m["unit"],
        "target": target if m["operator"] else math.nan, "operator": m["operator"], "target_text": target_text,
        "verdict": verdict, "role": m["role"], "metric": m["metric"], "scope": _scope_text(district, m), "method": method,
        "how": m["text"], "formula": formula, "parameters": _parameters(district, m), "basis": _weakest(found.touched),
        "demonstration": weak, "needs": needs, "text": _sentence(m, found, verdict, target_text, needs, weak),
        "gap": found.gap, "fix": found.fix or _fix_for(m, needs), "low_other": found.low, "high_other": found.high,
        "inputs": _inputs(district, m), "rule": m["rule"], **{k: promise[k] for k in _PROMISE},
        "standard": m["standard"] or (rule.basis_text if rule else ""),
        "contradiction": _contradictions(district, str(m["commitment"])),
    }  # fmt: skip


_PROMISE = ("quote", "section", "category", "spatial_unit", "binding", "year")


def _target(m: Measure) -> float:
    if m["metric"] == "per_communities" or not m["operator"]:
        return math.nan
    return float(m["high"] if m["operator"] == "<=" else m["low"])


def _target_text(m: Measure, target: float) -> str:
    if not m["operator"] or not np.isfinite(target):
        return ""
    if m["operator"] == "between":
        return f"{m['low']:g}—{m['high']:g} {m['unit']}".strip()
    return f"{_SIGNS[m['operator']]} {target:g} {m['unit']}".strip()


def _verdict(m: Measure, found: _Found, target: float, confidences: set[str], is_demonstration: bool) -> str:
    """Judge a value; `confidences` are those of the standard and of every rule that made the number."""
    if found.waits:
        return TO_FILL
    if not np.isfinite(found.value):
        return NO_DATA
    if is_demonstration:
        return DEMONSTRATED
    if not m["operator"] or m["target_from"] == "reference" or not np.isfinite(target):
        return REPORTED
    if confidences & {"recalled", "second_hand"} or (m["target_from"] == "standard" and m["confidence"] != "read"):
        return UNVERIFIED
    if _holds(m, found.value, target):
        return MET
    in_parts = m["metric"] in _IN_PARTS or (m["metric"] == "series" and m["aggregate"] == "sum")
    return PARTLY if in_parts and m["operator"] == ">=" and found.value > 0 else UNMET


def _holds(m: Measure, value: float, target: float) -> bool:
    """Return whether a value meets its target; shares carry rounding in the last bits."""
    slack = 1e-9 * max(1.0, abs(target))
    if m["operator"] == ">=":
        return value >= target - slack
    if m["operator"] == "<=":
        return value <= target + slack
    if m["operator"] == "==":
        return abs(value - target) <= slack
    return bool(m["low"] - slack <= value <= m["high"] + slack)


def _sentence(m: Measure, found: _Found, verdict: str, target_text: str, needs: str, weak: str) -> str:
    """Say number, target, verdict and, where nothing may be concluded, why, in one sentence that names its measure."""
    if verdict == NO_DATA:
        return f"{m['label']}：数据不足：{needs}"
    number = _number(found.value, str(m["unit"])) if np.isfinite(found.value) else ""
    parts = [part for part in (number, found.said) if part]
    against = {"reference": "参考线", "standard": "标准"}.get(m["target_from"], "目标")
    parts += [f"{against} {target_text}"] if target_text else []
    if verdict == TO_FILL:
        parts.append(f"待填：{needs}")
    else:
        parts.append(f"{verdict}：{weak}" if weak else verdict)
    return f"{m['label']}：" + "；".join(parts)


def _fix_for(m: Measure, needs: str) -> str:
    if not needs:
        return ""
    return f"填报{needs}" if m["metric"] == "series" and m["series"] in needs else f"补齐数据：{needs}"


def _number(value: float, unit: str) -> str:
    digits = (
        0 if value == round(value) or abs(value) >= 1000 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    )
    return f"{value:,.{digits}f} {unit}".strip()


def _named(names: Iterable[object]) -> str:
    words = [str(n) for n in names]
    more = f" 等 {len(words)} 处" if len(words) > NAMED_AT_MOST else ""
    return "、".join(words[:NAMED_AT_MOST]) + more


def _kind_names(district: District, kinds: Iterable[str], joint: str = "、") -> str:
    labels = district.kinds["label"]
    return joint.join(str(labels.get(k, k)) for k in kinds)


def _contradictions(district: District, code: str) -> str:
    table = _table(district, "contradictions")
    rows = [
        f"{key}：{row['issue']}处理：{row['handling']}"
        for key, row in table.fillna("").iterrows()
        if code and code in _list(str(row["touches"]))
    ]
    return "\n".join(rows)


# --- what a row rests on ---------------------------------------------------------------------------------------------


def _layers_for(m: Measure) -> list[str]:
    """Return the layers and tables a measure cannot do without, in the order of their declaration."""
    names = {*_LAYERS_OF.get(m["metric"], ()), *_list(m["needs"])}
    names |= {n for n in (m["layer"], m["other_layer"]) if n}
    if m["metric"] == "count" and not m["layer"]:
        names.add("facilities")
    if m["metric"] == "area" and m["per"] > 0:
        names.add("homes")
    if m["metric"] == "along" and m["relation"] != "length":
        names.add("facilities" if m["relation"] == "facilities" else "streets")
    if m["metric"] == "topology" or m["metric"] in ("series", "missing", "per_communities"):
        return [n for n in LAYERS if n in names]
    if m["scope"] == "line":
        names.add(m["lines"])
    elif m["scope"] != "district" or m["metric"] not in _WHOLE_DISTRICT:
        names.add(_SCOPE_LAYERS[m["scope"]])
    if m["group"]:
        names.add(_SCOPE_LAYERS[m["group"]])
    return [n for n in LAYERS if n in names]


def _require_layers(district: District, m: Measure) -> None:
    have = _once(district, "declared", lambda: frozenset(district.rows))
    missing = [n for n in _layers_for(m) if n not in have]
    if missing:
        words = "、".join(f"{LAYERS[n].label}（layers.{n}）" for n in missing)
        raise _Lacks(f"缺图层或表：{words}")


def _touch(district: District, layer: str, rows: Iterable[object] | None = None) -> dict[str, pd.Series]:
    """Return the basis of the rows of a layer that a number rests on; where there are none, the basis of the layer."""
    basis = district.basis(layer)
    if rows is not None:
        basis = basis[basis.index.isin(list(rows))]
    if basis.empty:
        default = str(district.manifest["layers"].get(layer, {}).get("basis", "derived"))
        basis = pd.Series([default], index=[""])
    return {layer: basis}


def _walk(district: District) -> dict[str, pd.Series]:
    """Return the basis of what every walk rests on: streets, and gates, entrances and barriers where there are any."""
    way = [n for n in ("streets", *_ON_THE_WAY) if n in district.layers and len(district.layers[n])]
    return {layer: basis for name in way for layer, basis in _touch(district, name).items()}


def _demonstration(touched: Mapping[str, pd.Series]) -> str:
    """Say how much of the input is schematic or synthetic: "社区 13 处中 13 处为示意"; empty where none is."""
    parts = []
    for layer, basis in touched.items():
        weak = basis[basis.isin(DEMONSTRATION)]
        if len(weak):
            words = "、".join(BASIS_LABELS[b] for b in DEMONSTRATION if (weak == b).any())
            counted = "" if list(basis.index) == [""] else f" {len(basis):,} 处中 {len(weak):,} 处"
            parts.append(f"{LAYERS[layer].label}{counted}为{words}")
    return "；".join(parts)


def _weakest(touched: Mapping[str, pd.Series]) -> str:
    have = {b for basis in touched.values() for b in basis}
    return next((b for b in reversed(BASES) if b in have), "")


#: Columns that are said elsewhere in the row.
_TOLD = (
    "measure", "commitment", "label", "metric", "role", "text", "unit", "standard", "confidence", "lacks", "needs", "scope", "codes",
)  # fmt: skip


def _parameters(district: District, m: Measure) -> str:
    """Return the filled parameters of a measure in words."""
    parts = [f"范围 {_scope_text(district, m)}"]
    for name, column in LAYERS["measures"].names.items():
        value = m[name]
        if name in _TOLD or value == "" or pd.isna(value):
            continue
        if name in ("kinds", "near_kinds"):
            shown = _kind_names(district, _list(value))
        elif name == "rule":
            rule = district.rule(value)
            walker = district.profile(rule.profile)
            shown = (
                f"{rule.label}（{METHOD_LABELS[rule.method]}，{rule.metres:g} m / {rule.minutes:g} 分钟，"
                f"{walker.label} {walker.speed_m_s:g} m/s）"
            )
        elif name == "weight":
            shown = _WEIGHTS[value][0]
        elif name in ("layer", "other_layer", "lines"):
            shown = LAYERS[value].label
        elif name == "profile":
            walker = district.profile(value)
            shown = f"{walker.label} {walker.speed_m_s:g} m/s"
        else:
            shown = _WORDS.get(value, value) if isinstance(value, str) else f"{value:g}"
        parts.append(f"{column.label} {shown}{column.unit and ' ' + column.unit}")
    parts.append(f"数据年份 {district.year}，社区名录 {district.list_year} 年")
    return "；".join(parts)


def _scope_text(district: District, m: Measure) -> str:
    if m["scope"] == "district":
        return "全街道"
    layer = m["lines"] if m["scope"] == "line" else _SCOPE_LAYERS[m["scope"]]
    frame = district.layers.get(layer)
    names = pd.Series(dtype="str") if frame is None else frame["name"]
    names = names[~names.index.duplicated()]
    words = [str(names.get(c, c)) for c in _list(m["codes"])]
    near = f" {m['metres']:g} m 以内" if m["scope"] in ("line", "parcel", "home") and m["metres"] > 0 else ""
    return f"{LAYERS[layer].label}：{'、'.join(words)}{near}"


def _inputs(district: District, m: Measure) -> str:
    """Return one line per file a row rests on: layer, file, hash, date, basis, source."""
    lines = []
    tables = ["commitments", "measures", *(["rules", "profiles"] if m["rule"] else [])]
    own = _layers_for(m)
    own += [n for n in _ON_THE_WAY if {"homes", "streets"} <= set(own) and n in district.layers]
    for name in dict.fromkeys([*own, *tables]):
        if name not in district.files.index:
            lines.append(f"{LAYERS[name].label}｜没有声明")
            continue
        file, said = district.files.loc[name], district.manifest["layers"].get(name, {})
        parts = [LAYERS[name].label, str(file["file"]), f"sha256 {str(file['sha256'])[:16]}", str(said.get("date", ""))]
        parts += [BASIS_LABELS.get(str(said.get("basis", "")), ""), str(file["from"]), str(said.get("source", ""))]
        lines.append("｜".join(p for p in parts if p))
    return "\n".join(lines)


# --- scopes ----------------------------------------------------------------------------------------------------------


def _pick(district: District, layer: str, codes: str) -> gpd.GeoDataFrame:
    """Return the rows of a layer whose key or name is asked for; all where nothing is."""
    frame = district.layers[layer]
    if not codes:
        return frame
    wanted = _list(codes)
    names = set(frame["name"].dropna())
    missing = [c for c in wanted if c not in frame.index and c not in names]
    # phases of an estate are built one after the other: those that stand are taken
    if missing and not (layer == "homes" and len(missing) < len(wanted)):
        when = f"（{district.list_year} 年名录）" if layer == "communities" else ""
        raise _Lacks(f"{LAYERS[layer].label}{when}里没有“{'、'.join(missing)}”")
    return frame[frame.index.isin(wanted) | frame["name"].isin(wanted).to_numpy()]


def _scope_rows(district: District, m: Measure) -> tuple[str, gpd.GeoDataFrame]:
    layer = m["lines"] if m["scope"] == "line" else _SCOPE_LAYERS[m["scope"]]
    return layer, _pick(district, layer, m["codes"] if m["scope"] != "district" else "")


def _scope_shape(district: District, m: Measure) -> tuple[shapely.Geometry, dict[str, pd.Series]]:
    """Return the outline of a measure's scope, widened by `metres` around lines, parcels and homes."""
    layer, rows = _scope_rows(district, m)
    shape = shapely.union_all(rows.geometry.array)
    if m["scope"] in ("line", "parcel", "home") and m["metres"] > 0:
        shape = shapely.buffer(shape, m["metres"])
    return shape, _touch(district, layer, rows.index)


def _homes_in(district: District, m: Measure) -> tuple[gpd.GeoDataFrame, dict[str, pd.Series]]:
    """Return the homes of a measure's scope, and the basis of what says so."""
    homes = district.layers["homes"]
    touched: dict[str, pd.Series] = {}
    if m["scope"] in ("zone", "area", "community"):
        layer, rows = _scope_rows(district, m)
        homes = homes[district.groups[m["scope"]].reindex(homes.index).isin(rows.index).to_numpy()]
        touched = _touch(district, layer, rows.index)
    elif m["scope"] == "home" and not m["metres"] > 0:
        homes = _pick(district, "homes", m["codes"])
    elif m["scope"] != "district":
        shape, touched = _scope_shape(district, m)
        spots = homes.geometry.array if m["scope"] == "line" else shapely.point_on_surface(homes.geometry.array)
        homes = homes[shapely.intersects(shape, spots)]
    if homes.empty:
        raise _Lacks(f"{_scope_text(district, m)}里没有 {district.year} 年的小区")
    return homes, {**_touch(district, "homes", homes.index), **touched}


def _facilities_of(district: District, kinds: Sequence[str]) -> dict[str, pd.Series]:
    facilities = district.layers["facilities"]
    return _touch(district, "facilities", facilities.index[facilities["kind"].isin(kinds)])


def _surveyed(district: District, kinds: Iterable[str]) -> list[str]:
    """Return the kinds that were surveyed, or of which something is known at all."""
    known = district.surveyed_kinds | set(district.layers["facilities"]["kind"])
    return [k for k in kinds if k in known]


def _require_survey(district: District, kinds: Sequence[str], *, every: bool = False) -> None:
    have = _surveyed(district, kinds)
    if not have or (every and len(have) < len(kinds)):
        raise _Lacks(f"没有调查过{_kind_names(district, [k for k in kinds if k not in have])}")


def _open_places(district: District, m: Measure, kinds: Sequence[str]) -> tuple[gpd.GeoDataFrame, dict[str, pd.Series]]:
    """Return the open facilities of some kinds inside a measure's scope, opened no earlier than its `since`."""
    _require_survey(district, kinds)
    shape, touched = _scope_shape(district, m)
    places = district.open_facilities
    assert places is not None  # the layer was asked for before
    places = places[places["kind"].isin(kinds).to_numpy()]
    if m["since"] == m["since"]:
        places = places[(places["since"].fillna(-1) >= m["since"]).to_numpy(dtype=bool)]
    return places[shapely.intersects(shape, places.geometry.array)], {**_facilities_of(district, kinds), **touched}


def _planned(district: District, kinds: Sequence[str], shape: shapely.Geometry | None = None) -> gpd.GeoDataFrame:
    """Return planned facilities that are not counted as open, whatever their year: a plan is for later."""
    places = gpd.GeoDataFrame(_table(district, "facilities"))
    due = places["since"].notna() & (places["since"].fillna(0) <= district.year) & district.with_planned
    places = places[(places["kind"].isin(kinds) & (places["state"] == "planned") & ~due).to_numpy(dtype=bool)]
    return places if shape is None else places[shapely.intersects(shape, places.geometry.array)]


def _planned_text(places: gpd.GeoDataFrame) -> str:
    if places.empty:
        return ""
    words = [
        f"{name if isinstance(name, str) else key}{'' if pd.isna(year) else f'（{int(year)} 年）'}"
        for key, name, year in zip(places.index, places["name"], places["since"], strict=True)
    ]
    return f"已有规划点位：{_named(words)}"


# --- metrics: places -------------------------------------------------------------------------------------------------


def _communities_with(district: District, m: Measure) -> _Found:
    """How many communities have one of the kinds (or all of them); each counts once however many it has."""
    kinds = _list(m["kinds"])
    _require_survey(district, kinds, every=m["combine"] == "all")
    matrix = _once(district, "presence", lambda: presence(district))
    own = matrix.reindex(columns=kinds, fill_value=0) > 0
    has = own.all(axis=1) if m["combine"] == "all" else own.any(axis=1)
    touched = _facilities_of(district, kinds)
    has = has[has.index.isin(_communities_in(district, m, touched))]
    touched |= _touch(district, "communities", has.index)
    names = district.layers["communities"]["name"]
    lacking = [names.get(c, c) for c in has.index[~has]]
    joint = "和" if m["combine"] == "all" else "或"
    what = _kind_names(district, kinds, joint)
    counted = f"{len(has)} 个社区（{district.list_year} 年名录）中 {int(has.sum())} 个有"
    without = m["metric"] == "communities_without"
    value = float(len(lacking) if without else has.mean() * 100 if m["unit"] == "%" else has.sum())
    gap = f"缺 {len(lacking)} 个社区：{_named(lacking)}" if lacking else ""
    return _Found(value, counted, touched, gap, _fill_communities(district, kinds, has, what) if lacking else "")


def _communities_in(district: District, m: Measure, touched: dict[str, pd.Series]) -> pd.Index:
    """Return the communities of a measure's scope: named themselves, or well inside it."""
    communities = district.layers["communities"]
    if m["scope"] == "district":
        return communities.index
    if m["scope"] == "community":
        return _pick(district, "communities", m["codes"]).index
    shape, outline = _scope_shape(district, m)
    touched |= outline
    inside = shapely.intersects(shape, shapely.point_on_surface(communities.geometry.array))
    if not inside.any():
        raise _Lacks(f"{_scope_text(district, m)}里没有社区")
    return communities.index[inside]


def _fill_communities(district: District, kinds: Sequence[str], has: pd.Series, what: str) -> str:
    """Say what would close the gap: one place in each community that lacks one; planned places there are named."""
    planned = _planned(district, kinds)
    there = district.locate(planned)["community"] if len(planned) else pd.Series(dtype="str")
    due = planned[there.isin(has.index[~has]).to_numpy(dtype=bool)] if len(planned) else planned
    text = f"每个缺的社区补 1 处{what}，共 {int((~has).sum())} 处"
    said = _planned_text(due)
    return f"{text}；{said}" if said else text


def _count(district: District, m: Measure) -> _Found:
    """How many places of some kinds, or rows of a layer, are in the scope."""
    if m["layer"]:
        layer = str(m["layer"])
        frame = district.layers[layer]
        shape, touched = _scope_shape(district, m)
        rows = frame[shapely.intersects(shape, shapely.point_on_surface(frame.geometry.array))]
        value, what = float(len(rows)), LAYERS[layer].label
        return _Found(value, f"{_scope_text(district, m)}里有 {len(rows)} 处{what}", {**_touch(district, layer), **touched},
                      _short_of(m, value))  # fmt: skip
    kinds = _list(m["kinds"]) or list(district.kinds.index)
    places, touched = _open_places(district, m, kinds)
    value = float(len(places))
    said = f"{_scope_text(district, m)}里开放 {len(places)} 处" + (f"：{_place_names(places)}" if len(places) else "")
    gap = _short_of(m, value)
    due = _planned_text(_planned(district, kinds, _scope_shape(district, m)[0])) if gap else ""
    return _Found(value, said, touched, gap, due)


def _place_names(places: gpd.GeoDataFrame) -> str:
    return _named(n if isinstance(n, str) else k for k, n in zip(places.index, places["name"], strict=True))


def _short_of(m: Measure, value: float) -> str:
    target = _target(m)
    if m["operator"] in (">=", "between", "==") and value < target:
        return f"还差 {_number(target - value, str(m['unit']))}"
    above = m["high"] if m["operator"] == "between" else target
    if m["operator"] in ("<=", "between", "==") and value > above:
        return f"超出 {_number(value - above, str(m['unit']))}"
    return ""


def _kinds_present(district: District, m: Measure) -> _Found:
    """How many of the kinds the scope has at least one of."""
    kinds = _list(m["kinds"])
    asked = _surveyed(district, kinds)
    places, touched = _open_places(district, m, kinds)
    have = [k for k in asked if (places["kind"] == k).any()]
    lacking = [k for k in asked if k not in have]
    value = len(have) / len(asked) * 100 if m["unit"] == "%" else float(len(have))
    gap = f"缺：{_kind_names(district, lacking)}" if lacking else ""
    fix = (
        f"配建{_kind_names(district, lacking)}；{_planned_text(_planned(district, lacking, _scope_shape(district, m)[0]))}".rstrip(
            "；"
        )
        if lacking
        else ""
    )
    said = f"{_scope_text(district, m)}：{len(asked)} 类中有 {len(have)} 类"
    return _Found(value, said, touched, gap, fix, note=_unsurveyed(district, kinds))


def _unsurveyed(district: District, kinds: Sequence[str]) -> str:
    missing = [k for k in kinds if k not in _surveyed(district, kinds)]
    return f"没有调查过、未计入：{_kind_names(district, missing)}" if missing else ""


def _near(district: District, m: Measure) -> _Found:
    """Which places of some kinds have one of other kinds within a walk along the streets."""
    kinds, others = _list(m["kinds"]), _list(m["near_kinds"])
    _require_survey(district, others)
    places, touched = _open_places(district, m, kinds)
    everywhere = district.open_facilities
    assert everywhere is not None
    targets = everywhere[everywhere["kind"].isin(others).to_numpy()]
    touched |= {**_facilities_of(district, [*kinds, *others]), **_walk(district)}
    if places.empty:
        raise _Lacks(f"{_scope_text(district, m)}里没有开放的{_kind_names(district, kinds)}，无从比较")
    metres = _walk_between(district, places, targets)
    near = metres <= m["metres"] + TOLERANCE_M
    value = float(near.mean() * 100 if m["unit"] == "%" else near.sum())
    names = places["name"].where(places["name"].notna(), places.index)
    order = metres[near].sort_values(kind="stable").index
    words = [f"{names[k]}（{metres[k]:,.0f} m）" for k in order]
    said = f"{len(places)} 处中 {int(near.sum())} 处的 {m['metres']:g} m 内有{_kind_names(district, others, '或')}"
    return _Found(value, said + (f"：{_named(words)}" if words else ""), touched,
                  f"还没有的：{_named(names[~near])}" if (~near).any() else "",
                  "由近到远先作试点" if words else "")  # fmt: skip


def _walk_between(district: District, places: gpd.GeoDataFrame, targets: gpd.GeoDataFrame) -> pd.Series:
    """Return metres along the streets from each place to its nearest target; missing where there is no way."""
    nothing = pd.Series(np.nan, index=places.index)
    if targets.empty:
        return nothing
    ends = [facility_doors(district, frame) for frame in (places, targets)]
    doors, goals = (frame[(frame["edge"] >= 0).to_numpy()].reset_index(drop=True) for frame in ends)
    if doors.empty or goals.empty:
        return nothing
    found = district.network.search(doors, goals)
    metres = pd.Series(found["cost"].to_numpy(dtype=float)).groupby(doors["place"].to_numpy()).min()
    return metres.reindex(places.index)


def _attribute(district: District, m: Measure) -> _Found:
    """The largest, smallest or summed attribute of the open facilities of some kinds."""
    kinds, field = _list(m["kinds"]), str(m["field"])
    places, touched = _open_places(district, m, kinds)
    what = _kind_names(district, kinds, "或")
    if places.empty:
        raise _Lacks(f"{_scope_text(district, m)}里没有开放的{what}，没有属性可比")
    values = pd.to_numeric(places[field], errors="coerce").dropna()
    label = LAYERS["facilities"].names[field].label
    if values.empty:
        raise _Lacks(f"缺{what}的{label}（facilities 的 {field} 列，{len(places)} 处都没有填）")
    value = float(getattr(values, m["aggregate"] if m["aggregate"] in ("max", "min", "sum") else "max")())
    blank = len(places) - len(values)
    names = places["name"].where(places["name"].notna(), places.index)
    said = "、".join(f"{names[k]} {_number(float(v), str(m['unit']))}" for k, v in values.head(NAMED_AT_MOST).items())
    note = f"{blank} 处没有填{label}" if blank else ""
    return _Found(value, said, touched, _short_of(m, value), _planned_text(_planned(district, kinds)), note=note)


def _per_thousand(district: District, m: Measure) -> _Found:
    """Capacity (or number) of some kinds per so many people of the scope."""
    kinds, field, weight = _list(m["kinds"]), str(m["field"]), str(m["weight"] or "people")
    homes, touched = _homes_in(district, m)
    people = _weight_of(homes, weight)
    places, more = _open_places(district, m, kinds)
    touched |= more
    sizes = pd.Series(1.0, index=places.index) if field == "count" else pd.to_numeric(places[field], errors="coerce")
    what = _kind_names(district, kinds, "或")
    if sizes.isna().any():
        label = LAYERS["facilities"].names[field].label
        raise _Lacks(
            f"缺{what}的{label}（facilities 的 {field} 列，{len(sizes)} 处中 {int(sizes.isna().sum())} 处没有填）"
        )
    total, base = float(sizes.sum()), float(people.sum())
    value = total / base * m["per"]
    size = "" if field == "count" else f"共 {_number(total, '')}"
    said = f"{len(places)} 处{size}，{_WEIGHTS[weight][0]} {_number(base, '')}"
    short = _target(m) * base / m["per"] - total
    gap = f"按 {_target(m):g} 计还差 {math.ceil(short - 1e-9):,}" if m["operator"] == ">=" and short > 1e-9 else ""
    return _Found(value, said, touched, gap, _planned_text(_planned(district, kinds)) if gap else "")


def _per_communities(district: District, m: Measure) -> _Found:
    """How many places there should be where each serves `low` to `high` communities, against how many there are."""
    kinds = _list(m["kinds"])
    _require_survey(district, kinds)
    places = district.open_facilities
    assert places is not None
    places = places[places["kind"].isin(kinds).to_numpy()]
    communities = district.layers["communities"]
    inside = district.locate(places)["community"].notna().to_numpy()
    value, n = float(inside.sum()), len(communities)
    few, many = math.ceil(n / m["high"]), math.ceil(n / m["low"])
    short = f"还差 {few - value:.0f}—{many - value:.0f} 处" if value < few else f"还差 0—{many - value:.0f} 处"
    said = f"{n} 个社区（{district.list_year} 年名录），每 {m['low']:g}—{m['high']:g} 个 1 处，应有 {few}—{many} 处，现有 {value:.0f} 处"
    touched = {**_touch(district, "communities"), **_facilities_of(district, kinds)}
    fix = _planned_text(_planned(district, kinds)) if value < many else ""
    return _Found(value, said, touched, short if value < many else "", fix, target=float(few))


# --- metrics: homes --------------------------------------------------------------------------------------------------


def _once(district: District, key: Hashable, make: Callable[[], Any]) -> Any:
    """Return a table derived from this district, made once."""
    if ("ledger", key) not in district.memo:
        district.memo["ledger", key] = make()
    return district.memo["ledger", key]


def _points_within(district: District, rule: Rule, method: str) -> pd.Series:
    """Return which points of `home_points` get to any of the rule's kinds within its limit; index point."""
    table = hinge(district, rule.kinds, profile=rule.profile)
    if method == "walk_min":
        within = table["minutes"] <= rule.minutes + TOLERANCE_MIN
    else:
        within = table["metres" if method == "network_m" else "straight_metres"] <= rule.metres + TOLERANCE_M
    return within.groupby(level="point").any()


def _served(district: District, rules: Sequence[Rule], method: str = "") -> pd.Series:
    """Return the share (0-1) of each home that meets all rules, by their own methods or by one method; index home."""

    def make() -> pd.Series:
        points = home_points(district)
        within = np.ones(len(points), dtype=bool)
        for rule in rules:
            within &= _points_within(district, rule, method or rule.method).reindex(points.index).to_numpy(dtype=bool)
        return _share_of_points(points, within.astype(float))

    served: pd.Series = _once(district, ("served", tuple(rules), method), make)
    return served


def _share_of_points(points: gpd.GeoDataFrame, values: np.ndarray) -> pd.Series:
    share = (points["weight"] * values).groupby(points["home"].to_numpy()).sum()
    return share.where(share < 1 - SHARE_TOLERANCE, 1.0)


def _weight_of(homes: gpd.GeoDataFrame, weight: str) -> pd.Series:
    """Return what each home counts; unknown stays unknown, and all unknown is 数据不足."""
    if weight == "homes":
        return pd.Series(1.0, index=homes.index)
    values = homes.geometry.area if weight == "area_m2" else homes[weight].astype("float64")
    values = values.where(values > 0) if weight == "area_m2" else values
    if not values.sum() > 0:
        column = "homes 画成面" if weight == "area_m2" else f"homes 的 {weight} 列"
        raise _Lacks(f"缺{_WEIGHTS[weight][0]}（{column}）")
    return values


def _mean(values: pd.Series, weights: pd.Series) -> float:
    both = values.notna() & weights.notna()
    return float((values[both] * weights[both]).sum() / weights[both].sum())


def _coverage(district: District, m: Measure) -> _Found:
    """Share of people (or land, homes) within the limit of a rule, or of several at once, by the rule's own method."""
    rules = [district.rule(name) for name in (m["rule"], *_list(m["also_rules"]))]
    for rule in rules:
        _require_survey(district, rule.kinds)
    homes, touched = _homes_in(district, m)
    first = "people" if rules[0].denominator == "community" else rules[0].denominator
    weight = str(m["weight"] or first)
    weights = _weight_of(homes, weight)
    served = _served(district, rules).reindex(homes.index)
    others = [_mean(_served(district, rules, method).reindex(homes.index), weights) * 100 for method in METHODS]
    kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    value = _mean(served, weights) * 100
    limit = "、".join(dict.fromkeys(_limit(district, rule) for rule in rules))
    said = f"{limit}可达{_WEIGHTS[weight][0]}的份额，共 {_number(float(weights.sum()), _WEIGHTS[weight][1])}"
    unknown = int(weights.isna().sum())
    note = f"{unknown} 处小区的{_WEIGHTS[weight][0]}不详、未计入" if unknown else ""
    missed = (weights * (1.0 - served)).dropna()
    gap = _missed(homes, missed, weight)
    fix = (
        f"在缺口最大的小区附近增设{_kind_names(district, kinds, '或')}，或增开出入口；候选位置用选址计算" if gap else ""
    )
    return _Found(value, said, touched, gap, fix, min(others), max(others), note=note)


def _limit(district: District, rule: Rule) -> str:
    if rule.method == "walk_min":
        return f"按{district.profile(rule.profile).label}的速度 {rule.minutes:g} 分钟"
    return f"{METHOD_LABELS[rule.method]} {rule.metres:g} 米"


def _missed(homes: gpd.GeoDataFrame, missed: pd.Series, weight: str) -> str:
    """Say how many are not served, and where most of them are."""
    total = float(missed.sum())
    if total <= SHARE_TOLERANCE:
        return ""
    most = missed[missed > SHARE_TOLERANCE].sort_values(ascending=False, kind="stable")
    names = homes["name"].where(homes["name"].notna(), homes.index)
    unit = _WEIGHTS[weight][1]
    words = [f"{names[k]}" if weight == "homes" else f"{names[k]} {v:,.0f}" for k, v in most.items()]
    return f"{_number(round(total, 1), unit)}不可达，在 {len(most)} 个小区：{_named(words)}"


def _reached(district: District, kinds: Sequence[str], minutes: float, profile: str) -> pd.DataFrame:
    """Return, per point and kind, whether a walk of so many minutes gets there."""
    table = hinge(district, kinds, profile=profile)["minutes"].unstack("kind").droplevel("home")[list(kinds)]
    return (table <= minutes + TOLERANCE_MIN).reindex(home_points(district).index)


def _level(district: District, m: Measure) -> tuple[pd.Series, list[str], pd.DataFrame]:
    """Return how well each home is served (0-1), by a rule or by the share of kinds within a walk; kinds; per point."""
    if m["rule"]:
        rules = [district.rule(name) for name in (m["rule"], *_list(m["also_rules"]))]
        for rule in rules:
            _require_survey(district, rule.kinds)
        kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
        return _served(district, rules), kinds, pd.DataFrame()
    asked = _list(m["kinds"])
    _require_survey(district, asked, every=m["combine"] == "all")
    kinds = _surveyed(district, asked)
    has = _reached(district, kinds, m["minutes"], m["profile"] or _first_profile(district))
    values = has.all(axis=1) if m["combine"] == "all" else has.mean(axis=1)
    return _share_of_points(home_points(district), values.to_numpy(dtype=float)), kinds, has


def _first_profile(district: District) -> str:
    """Return the walker that stands first in `profiles.csv`: who walks where a row does not say."""
    return str(district.profiles.index[0])


def _completeness(district: District, m: Measure) -> _Found:
    """Mean share of kinds within a walk (or the share that has them all), over the homes of the scope."""
    level, kinds, has = _level(district, m)
    homes, touched = _homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = _weight_of(homes, weight)
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    value = _mean(level.reindex(homes.index), weights) * 100
    points = home_points(district)
    per_kind = {
        k: _mean(_share_of_points(points, has[k].to_numpy(dtype=float)).reindex(homes.index), weights) for k in has
    }
    lacking = sorted((share, k) for k, share in per_kind.items() if share < 1 - SHARE_TOLERANCE)
    labels = district.kinds["label"]
    gap = "最缺：" + _named(f"{labels[k]}（可达 {share:.0%}）" for share, k in lacking) if lacking else ""
    walker = district.profile(m["profile"] or _first_profile(district))
    what = "各类齐全的份额" if m["combine"] == "all" else "平均齐全度"
    said = f"按{walker.label}的速度 {m['minutes']:g} 分钟，{len(kinds)} 类，按{_WEIGHTS[weight][0]}加权的{what}"
    fix = f"先补{labels[lacking[0][1]]}：可达份额最低" if lacking else ""
    return _Found(value, said, touched, gap, fix, note=_unsurveyed(district, _list(m["kinds"])))


def _difference(district: District, m: Measure) -> _Found:
    """Weighted mean of the first group less that of the second, in percentage points."""
    level, kinds, _ = _level(district, m)
    homes = district.layers["homes"]
    layer = _SCOPE_LAYERS[str(m["group"])]
    groups = district.groups[str(m["group"])].reindex(homes.index)
    rows = _pick(district, layer, m["codes"])
    weight = str(m["weight"] or "people")
    weights = _weight_of(homes, weight)
    means, names = [], []
    for code in _list(m["codes"])[:2]:
        one = _pick(district, layer, code)
        own = groups.isin(one.index)
        if not weights[own].sum() > 0:
            raise _Lacks(f"缺{_WEIGHTS[weight][0]}：{one['name'].iloc[0]}里没有")
        means.append(_mean(level.reindex(homes.index)[own], weights[own]) * 100)
        names.append(str(one["name"].iloc[0]))
    counted = homes.index[groups.isin(rows.index)]
    touched = {**_touch(district, "homes", counted), **_touch(district, layer, rows.index)}
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    value = means[0] - means[1]
    said = f"{names[0]} {means[0]:.1f} %，{names[1]} {means[1]:.1f} %"
    worse = names[0] if value < 0 else names[1]
    gap = f"{worse}低 {abs(value):.1f} 个百分点" if abs(value) > 0.05 else ""
    return _Found(
        value, said, touched, gap, f"先补{worse}的缺项" if gap else "", note=_unsurveyed(district, _list(m["kinds"]))
    )


def _inequality(district: District, m: Measure) -> _Found:
    """Gini or Theil of how well homes are served, people-weighted; Theil split between and within groups."""
    level, kinds, _ = _level(district, m)
    homes, touched = _homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = _weight_of(homes, weight)
    values = level.reindex(homes.index)
    known = weights.notna() & (weights > 0)
    values, weights = values[known], weights[known]
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    said = f"按{_WEIGHTS[weight][0]}加权，{len(values)} 个小区；0 为人人一样"
    note = _unsurveyed(district, _list(m["kinds"]))
    if m["metric"] == "gini":
        return _Found(gini(values, weights), said, touched, note=note)
    groups = None
    if m["group"]:
        groups = district.groups[str(m["group"])].reindex(values.index).fillna("")
        touched |= _touch(district, _SCOPE_LAYERS[str(m["group"])])
    parts = theil(values, weights, groups)
    split = f"，其中组间 {parts['between']:.4f}，组内 {parts['within']:.4f}" if groups is not None else ""
    return _Found(float(parts["total"]), said + split, touched, note=note)


def gini(values: pd.Series, weights: pd.Series) -> float:
    """
    Return the weighted Gini coefficient: half the mean absolute difference over the mean.

    ``G = sum_ij p_i p_j |a_i - a_j| / (2 mean)`` with population shares `p`; 0 where all are alike; missing where the mean is 0.
    With equal weights it is ``inequality.gini.Gini``.
    """
    order = np.argsort(np.asarray(values, dtype=float), kind="stable")
    a = np.asarray(values, dtype=float)[order]
    p = np.asarray(weights, dtype=float)[order]
    p = p / p.sum()
    mean = float((p * a).sum())
    if mean <= 0:
        return math.nan
    # sorted, the sum over pairs is one pass: each value times (people below it - people above it)
    below = np.cumsum(p) - p
    return float((p * a * (2 * below + p - 1)).sum() / mean)


def theil(values: pd.Series, weights: pd.Series, groups: pd.Series | None = None) -> pd.Series:
    """
    Return the weighted Theil index and its parts.

    ``T = sum_i p_i (a_i / mean) ln(a_i / mean)``; 0 ln 0 is 0. With groups, `between` is the same sum over group means and
    `within` the rest, so that they add up to `total` (Theil 1967; as ``inequality.theil.TheilD``).

    Returns
    -------
    parts
        Index total, between, within; all missing where the mean is 0.
    """
    a, p = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    total = _theil(a, p)
    label = np.zeros(len(a)) if groups is None else np.asarray(groups)
    table = pd.DataFrame({"group": label, "p": p, "pa": p * a}).groupby("group", sort=True).sum()
    table = table[(table["p"] > 0).to_numpy()]
    between = _theil((table["pa"] / table["p"]).to_numpy(), table["p"].to_numpy())
    return pd.Series({"total": total, "between": between, "within": total - between})


def _theil(a: np.ndarray, p: np.ndarray) -> float:
    p = p / p.sum()
    mean = float((p * a).sum())
    if mean <= 0:
        return math.nan
    ratio = a / mean
    return float((p * ratio * np.log(np.where(ratio > 0, ratio, 1.0))).sum())


def _in_gap(district: District, m: Measure) -> _Found:
    """How many places of a layer lie by a home that lacks at least one of the kinds within a walk."""
    layer = str(m["layer"])
    spots = district.layers[layer]
    level, kinds, has = _level(district, {**m, "combine": "all"})
    homes = district.layers["homes"]
    if spots.empty:
        raise _Lacks(f"{LAYERS[layer].label}图层里没有要素")
    _, nearest = homes.sindex.nearest(shapely.point_on_surface(spots.geometry.array), return_all=False)
    own = homes.index[nearest]
    lacking = (level.reindex(own) < 1 - SHARE_TOLERANCE).to_numpy()
    by_home = has.astype(float).groupby(home_points(district)["home"]).mean().reindex(own)
    wanted = by_home.lt(0.5).sum().sort_values(ascending=False, kind="stable")
    touched = {**_touch(district, layer), **_touch(district, "homes", own), **_walk(district)}
    touched |= _facilities_of(district, kinds)
    value = float(lacking.mean() * 100 if m["unit"] == "%" else lacking.sum())
    labels = district.kinds["label"]
    words = [f"{labels[k]}（{n} 处）" for k, n in wanted.items() if n > 0]
    gap = f"这些地方可补：{_named(words)}" if words else ""
    return _Found(value, f"{len(spots)} 处中 {int(lacking.sum())} 处挨着缺配套的小区", touched, gap, gap)


# --- metrics: shapes -------------------------------------------------------------------------------------------------


def _area(district: District, m: Measure) -> _Found:
    """Area of a layer's rows in the scope, in the unit of the row; per person where `per` is given."""
    layer = str(m["layer"])
    same = _SCOPE_LAYERS.get(str(m["scope"])) == layer
    rows = _pick(district, layer, m["codes"]) if same else district.layers[layer]
    shape = shapely.union_all(rows.geometry.array)
    touched = _touch(district, layer, rows.index)
    if not same:
        outline, more = _scope_shape(district, m)
        shape, touched = shapely.intersection(shape, outline), {**touched, **more}
    value = float(shape.area) / {"km²": 1e6, "公顷": 1e4}.get(str(m["unit"]), 1.0)
    said = f"{len(rows)} 处{LAYERS[layer].label}合计 {_number(shape.area, 'm²')}"
    if m["per"] > 0:
        homes, more = _homes_in(district, m)
        people = float(_weight_of(homes, str(m["weight"] or "people")).sum())
        value, touched = value / people * m["per"], {**touched, **more}
        said += f"，{_WEIGHTS[str(m['weight'] or 'people')][0]} {_number(people, '')}"
    return _Found(value, said, touched, _short_of(m, value))


def _topology(district: District, m: Measure) -> _Found:
    """How the rows of one layer lie to those of another: inside, north of, covered, overlapping, tiling, straddling."""
    layer, other = str(m["layer"]), str(m["other_layer"])
    rows = _pick(district, layer, m["codes"])
    others = _pick(district, other, m["other_codes"])
    touched = {**_touch(district, layer, rows.index), **_touch(district, other, others.index)}
    own, whole = shapely.union_all(rows.geometry.array), shapely.union_all(others.geometry.array)
    names = f"{LAYERS[layer].label} {len(rows)} 处", f"{LAYERS[other].label} {len(others)} 处"
    relation = str(m["relation"])
    if relation == "straddle":
        return _straddle(rows, others, touched, m)
    overlap = _ground(rows.geometry.area.sum() - own.area)
    outside = _ground(shapely.difference(whole, own).area)
    if relation == "north_of":
        north = shapely.intersection(own, _north_of(whole, own))
        rest = _ground(own.area - north.area)
        value = (1 - rest / own.area) * 100
        said = f"{names[0]}中在线以北的面积份额"
    elif relation == "inside":
        rest = _ground(shapely.difference(own, whole).area)
        value, said = (1 - rest / own.area) * 100, f"{names[0]}落在{names[1]}以内的面积份额"
    elif relation == "covered":
        value, rest, said = (1 - outside / whole.area) * 100, outside, f"{names[1]}被{names[0]}盖住的面积份额"
    elif relation == "overlap":
        value, rest, said = (
            overlap / whole.area * 100,
            overlap,
            f"{names[0]}互相重叠的面积占{LAYERS[other].label}的份额",
        )
    else:
        rest = outside + overlap
        value, said = (
            rest / whole.area * 100,
            f"{names[0]}拼{names[1]}：缝 {_number(outside, 'm²')}，叠 {_number(overlap, 'm²')}",
        )
    rest = _ground(rest)
    gap = f"不合的面积 {_number(rest, 'm²')}" if rest > 0 else ""
    return _Found(value, said, touched, gap, "核对两个图层的界线" if gap else "")


def _ground(area: float) -> float:
    """Return an area; less than a square metre is the rounding of coordinates."""
    return float(area) if area >= 1.0 else 0.0


def _straddle(rows: gpd.GeoDataFrame, others: gpd.GeoDataFrame, touched: dict[str, pd.Series], m: Measure) -> _Found:
    """How many rows lie in more than one row of the other layer (slivers of less than 1 % of the row are drawing errors)."""
    i, j = others.sindex.query(rows.geometry.array, predicate="intersects")
    shared = shapely.area(
        shapely.intersection(np.asarray(rows.geometry.array)[i], np.asarray(others.geometry.array)[j])
    )
    enough = shared > 0.01 * rows.geometry.area.to_numpy()[i]
    counts = np.bincount(i[enough], minlength=len(rows))
    across = rows[counts > 1]
    said = f"{len(rows)} 处中 {len(across)} 处跨界"
    return _Found(float(len(across)), said, touched, f"跨界：{_place_names(across)}" if len(across) else "",
                  "按界线拆开" if len(across) else "")  # fmt: skip


def _north_of(line: shapely.Geometry, around: shapely.Geometry) -> shapely.Geometry:
    """Return the ground north of a line that runs roughly west to east, its ends drawn out due west and due east."""
    merged = shapely.line_merge(shapely.union_all(line))
    parts = [shapely.get_coordinates(part) for part in shapely.get_parts(merged)]
    parts = [part if part[0, 0] <= part[-1, 0] else part[::-1] for part in parts]
    path = np.concatenate(sorted(parts, key=lambda part: float(part[0, 0])))
    west, _, east, north = shapely.total_bounds([line, around]) + np.array([-1.0, -1.0, 1.0, 1.0])
    ring = [(west, path[0, 1]), *map(tuple, path), (east, path[-1, 1]), (east, north), (west, north)]
    return shapely.make_valid(shapely.Polygon(ring))


def _along(district: District, m: Measure) -> _Found:
    """What lies along a line: places within a distance, how much of it is accompanied, how far apart it can be crossed."""
    layer, rows = str(m["lines"]), _pick(district, str(m["lines"]), m["codes"])
    touched = _touch(district, layer, rows.index)
    line = shapely.union_all(rows.geometry.array)
    if line.area > 0:
        line = shapely.boundary(line)
    where = _scope_text(district, {**m, "scope": "line", "metres": math.nan})
    if m["relation"] == "facilities":
        return _along_places(district, m, line, touched)
    if m["relation"] == "length":
        other = str(m["layer"])
        company = shapely.union_all(district.layers[other].geometry.array)
        near = shapely.buffer(company, max(m["metres"], 0.0), quad_segs=32)
        part = float(shapely.intersection(line, near).length)
        said = f"{where}全长 {_number(line.length, 'm')}，其中 {_number(part, 'm')} 的 {m['metres']:g} m 内有{LAYERS[other].label}"
        rest = line.length - part
        gap = f"还有 {_number(rest, 'm')} 没有" if rest > 1.0 else ""
        return _Found(
            part / line.length * 100, said, {**touched, **_touch(district, other)}, gap, "补连断开的段" if gap else ""
        )
    gaps, crossings = _crossings(line, district.layers["streets"])
    said = f"{where}全长 {_number(line.length, 'm')}，可步行穿越 {crossings} 处"
    gap = f"最长的一段 {_number(max(gaps), 'm')} 过不去"
    return _Found(max(gaps), said, {**touched, **_touch(district, "streets")}, gap, "在最长的一段中间增加过街桥或通道")


def _along_places(district: District, m: Measure, line: shapely.Geometry, touched: dict[str, pd.Series]) -> _Found:
    kinds = _list(m["kinds"])
    _require_survey(district, kinds)
    places = district.open_facilities
    assert places is not None
    places = places[places["kind"].isin(kinds).to_numpy()]
    if places.empty:
        raise _Lacks(f"没有开放的{_kind_names(district, kinds)}，无从比较")
    metres = shapely.distance(line, places.geometry.array)
    near = metres <= m["metres"] + TOLERANCE_M
    value = float(near.mean() * 100 if m["unit"] == "%" else near.sum())
    names = places["name"].where(places["name"].notna(), places.index)
    words = [f"{name}（{d:,.0f} m）" for name, d in zip(names, metres, strict=True)]
    said = f"{len(places)} 处中 {int(near.sum())} 处在 {m['metres']:g} m 以内：{_named(words)}"
    return _Found(value, said, {**touched, **_facilities_of(district, kinds)}, _short_of(m, value))


def _crossings(line: shapely.Geometry, streets: gpd.GeoDataFrame) -> tuple[list[float], int]:
    """Return how far apart a line can be crossed on foot (its ends count as barriers' ends), and how often."""
    gaps, crossings = [], 0
    for part in shapely.get_parts(shapely.line_merge(line)):
        hit = streets.geometry.array[streets.sindex.query(part, predicate="intersects")]
        spots = shapely.get_parts(shapely.point_on_surface(shapely.get_parts(shapely.intersection(part, hit))))
        spots = spots[~shapely.is_empty(spots)]
        at = np.unique(np.round(shapely.line_locate_point(part, spots), 3)) if len(spots) else np.empty(0)
        gaps += list(np.diff(np.concatenate([[0.0], at, [part.length]])))
        crossings += len(at)
    return gaps, crossings


def _mix(district: District, m: Measure) -> _Found:
    """Entropy of land uses in the scope: 0 where there is one use, 1 where all uses of the layer have equal shares."""
    layer, field = str(m["layer"]), str(m["field"])
    frame = district.layers[layer]
    shapes, touched = frame.geometry.array, _touch(district, layer)
    if m["scope"] != "district":
        outline, more = _scope_shape(district, m)
        shapes, touched = shapely.intersection(shapes, outline), {**touched, **more}
    area = pd.Series(shapely.area(shapes), index=frame.index).groupby(frame[field]).sum()
    if not area.sum() > 0 or len(area) < 2:
        raise _Lacks(f"{_scope_text(district, m)}里{LAYERS[layer].label}不到两类")
    share = (area / area.sum())[area > 0]
    value = float(-(share * np.log(share)).sum() / np.log(len(area)))
    most = share.sort_values(ascending=False, kind="stable").head(4)
    return _Found(value, "、".join(f"{k} {v:.0%}" for k, v in most.items()), touched)


# --- metrics: what people type in ------------------------------------------------------------------------------------


def _series(district: District, m: Measure) -> _Found:
    """A yearly figure: the latest, or the sum since the plan began, against the number of the target year."""
    own = _figures(district, str(m["series"]))
    since = int(m["since"]) if m["since"] == m["since"] else int(own["year"].min()) if len(own) else district.year
    until = int(m["until"]) if m["until"] == m["until"] else int(own["year"].max()) if len(own) else district.year
    filled = own[own["year"].between(since, until).to_numpy()].set_index("year")["value"].sort_index()
    target = _typed_target(district, m, until)
    ask = f"台账填报表 {m['series']} 的 {since}—{until} 年"
    if filled.empty:
        return _Found(math.nan, "", _touch(district, "series"), waits=ask, target=target)
    touched = _touch(district, "series", own.index)
    value = float(filled.iloc[-1] if m["aggregate"] in ("", "latest") else getattr(filled, m["aggregate"])())
    last = int(filled.index[-1])
    blank = [y for y in range(since, until + 1) if y not in filled.index]
    to_fill = blank if m["aggregate"] == "sum" else [y for y in blank if y > last]
    goal = target if np.isfinite(target) else _target(m)
    said = f"已填到 {last} 年" + (
        f"，{_path_text(district, m, value, last, since, until, goal)}" if last < until else ""
    )
    waits = f"台账填报表 {m['series']} 的 {'、'.join(map(str, to_fill))} 年" if to_fill else ""
    return _Found(value, said, touched, _short_of({**m, "low": goal, "high": goal}, value), waits=waits, target=target)


def _figures(district: District, indicator: str) -> pd.DataFrame:
    """Return the filled rows of one indicator; a year filled twice is 数据不足."""
    table = _table(district, "series")
    own = table[((table["indicator"] == indicator) & table["value"].notna()).to_numpy()]
    twice = own["year"][own["year"].duplicated()]
    if len(twice):
        raise _Lacks(f"台账填报表 {indicator} 的 {int(twice.iloc[0])} 年填了两次，不知取哪一个")
    return own.astype({"year": "int64"})


def _typed_target(district: District, m: Measure, year: int) -> float:
    """Return the target that was handed down and typed in, where the plan states none."""
    if not m["target_series"]:
        return math.nan
    own = _figures(district, str(m["target_series"]))
    own = own[(own["year"] == year).to_numpy()]
    return float(own["value"].iloc[0]) if len(own) else math.nan


def _path_text(district: District, m: Measure, value: float, last: int, since: int, until: int, goal: float) -> str:
    """Say where a straight path to the target would be by now."""
    if not np.isfinite(goal) or until < since:
        return f"{until} 年到期"
    base = 0.0
    if m["aggregate"] != "sum":
        before = _figures(district, str(m["series"])).set_index("year")["value"]
        base = float(before.get(since - 1, goal))
    due = base + (goal - base) * (last - since + 1) / (until - since + 1)
    on_path = value >= due - 1e-9 if m["operator"] != "<=" else value <= due + 1e-9
    return f"按直线进度应为 {_number(due, str(m['unit']))}，{'达到' if on_path else '落后于'}进度，{until} 年到期"


def _missing(district: District, m: Measure) -> _Found:
    """Nothing here can measure it: the row says what is needed."""
    raise _Lacks(f"缺{m['lacks']}")


_METRICS: Mapping[str, Callable[[District, Measure], _Found]] = {
    "communities_with": _communities_with,
    "communities_without": _communities_with,
    "coverage": _coverage,
    "completeness": _completeness,
    "count": _count,
    "kinds_present": _kinds_present,
    "area": _area,
    "topology": _topology,
    "near": _near,
    "along": _along,
    "in_gap": _in_gap,
    "difference": _difference,
    "gini": _inequality,
    "theil": _inequality,
    "per_thousand": _per_thousand,
    "per_communities": _per_communities,
    "attribute": _attribute,
    "mix": _mix,
    "series": _series,
    "missing": _missing,
}


# --- the workbook ----------------------------------------------------------------------------------------------------

TASKS_SHEET = "任务分解表"
#: What a 街道 fills in by hand; kept from one run to the next.
USER_COLUMNS = ("责任科室", "配合单位", "年度节点", "进度", "佐证材料")
_HEADER_ROW = 2
_COLOURS = {
    MET: "#D5EBDD", PARTLY: "#FBEBC8", UNMET: "#F6D6CF", REPORTED: "#E3ECF3", UNVERIFIED: "#E9E4F1", DEMONSTRATED: "#F5E6D6",
    NO_DATA: "#E6E6E6", TO_FILL: "#FFF8D6",
}  # fmt: skip
_ROLES = {"own": "决定判定", "beside": "并列"}


def ledger_workbook(
    district: District, table: pd.DataFrame, path: str | Path, *, earlier: str | Path | None = None
) -> None:
    """
    Write 规划目标落实核对表.xlsx.

    Parameters
    ----------
    table
        Result of `ledger`.
    path
        The file to write; it is swapped in when complete.
    earlier
        The workbook of an earlier run, whose 任务分解表 keeps what was filled in by hand; by default the one at `path`.

    Raises
    ------
    EnvironmentProblem
        The earlier workbook cannot be read (what was filled in would be lost), or the file cannot be written.
    """
    import xlsxwriter

    path = Path(path)
    filled = read_tasks(path if earlier is None else Path(earlier))
    fresh = path.with_name(f".{path.name}.part")
    # A fixed creation time, and no text of the data ever becomes a formula or a link.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with xlsxwriter.Workbook(str(fresh), options) as book:
            created = datetime(district.year, 1, 1, tzinfo=UTC)
            book.set_properties({"title": f"{district.name} 规划目标落实核对表", "created": created})
            for name, rows, note, frozen in _sheets(district, table, filled):
                _write_sheet(book, name, rows, note, frozen)
        os.replace(fresh, path)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        fresh.unlink(missing_ok=True)
        raise EnvironmentProblem(f"写 {path.name} 时出错：若它正被 Excel 打开，请关闭后重试") from error


def read_tasks(path: Path) -> pd.DataFrame:
    """
    Return what was filled in by hand in the 任务分解表 of an earlier workbook.

    Returns
    -------
    filled
        Index commitment, columns `USER_COLUMNS`; empty where there is no such file or sheet.

    Raises
    ------
    EnvironmentProblem
        The file is there and cannot be read.
    """
    import openpyxl

    nothing = pd.DataFrame(columns=list(USER_COLUMNS), index=pd.Index([], name="commitment"), dtype="object")
    if not path.is_file():
        return nothing
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decorations that are not read
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            rows = list(book[TASKS_SHEET].iter_rows(values_only=True)) if TASKS_SHEET in book.sheetnames else []
    except Exception as error:  # a damaged file fails in many ways; what was typed into it must not be lost
        raise EnvironmentProblem(f"读不出 {path.name} 里已填的任务分解表，没有覆盖它；请先另存或移走") from error
    head = next((i for i, row in enumerate(rows) if row and row[0] == "编号"), None)
    if head is None:
        return nothing
    names = [str(v) for v in rows[head]]
    frame = pd.DataFrame(rows[head + 1 :], columns=names).dropna(subset=["编号"])
    frame = frame.reindex(columns=["编号", *USER_COLUMNS]).astype("object").drop_duplicates("编号").set_index("编号")
    frame.index = frame.index.astype("str").rename("commitment")
    return frame[frame.notna().any(axis=1)]


def _sheets(
    district: District, table: pd.DataFrame, filled: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, str, tuple[int, int]]]:
    """Yield (sheet name, rows under Chinese headers, a note, frozen columns and rows)."""
    top = _HEADER_ROW + 1
    foot = _foot(district)
    yield "核对表", _check_sheet(table.reset_index()), foot, (top, 2)
    yield "专栏1", _panel_sheet(district, table), "实际值填在 ledger/series.csv；空格为待填，不是 0", (top, 2)
    yield TASKS_SHEET, _task_sheet(table, filled), "右边五列由街道填写；再次运行时保留", (top, 2)
    note = "不属于规划承诺的标准；只有读到正文的标准才作判定"
    yield "标准之外", _check_sheet(beyond(district).reset_index()), note, (top, 2)
    rows = left_out(district).reset_index()
    names = {
        "id": "编号",
        "quote": "原文",
        "section": "章节",
        "category": "类别",
        "target": "目标",
        "unit": "单位",
        "note": "没有逐条核的原因",
    }
    yield (
        "未列入的表述",
        rows[list(names)].rename(columns=names),
        f"{table.index.get_level_values(0).nunique()} 条不是全部：原文还有下列表述",
        (top, 1),
    )
    rows = _table(district, "contradictions").fillna("").reset_index()
    names = {"id": "编号", "issue": "矛盾", "quote_a": "原文一", "section_a": "章节一", "quote_b": "原文二", "section_b": "章节二",
             "handling": "处理", "touches": "涉及"}  # fmt: skip
    yield "原文矛盾", rows[list(names)].rename(columns=names), "并列，不代为取舍", (top, 1)
    yield "来源", _source_sheet(district), foot, (top, 1)


def _foot(district: District) -> str:
    mark = "演示数据，不作任何结论。" if district.is_demonstration else ""
    scenario = f"，方案：{district.manifest['scenario']}" if district.manifest.get("scenario") else ""
    credit = str(district.manifest.get("credit", ""))
    return f"{mark}{district.name}，数据年份 {district.year}，社区名录 {district.list_year} 年{scenario}。{credit}"


def _check_sheet(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.assign(role=rows["role"].map(_ROLES))
    names = {
        "commitment": "承诺", "quote": "原文", "section": "章节", "category": "类别", "binding": "属性", "spatial_unit": "空间范围",
        "label": "量什么", "role": "地位", "value": "数值", "unit": "单位", "target_text": "目标", "verdict": "判定", "gap": "差距",
        "fix": "怎么补", "needs": "缺什么", "low_other": "换算法最低", "high_other": "换算法最高", "how": "怎么量", "method": "算法",
        "parameters": "参数", "demonstration": "数据情况", "standard": "出处", "contradiction": "原文矛盾", "text": "一句话",
        "measure": "编号",
    }  # fmt: skip
    kept = [c for c in names if c in rows.columns and not (c == "commitment" and (rows[c] == "").all())]
    if (rows["quote"] == "").all():
        kept = [
            "measure",
            *[c for c in kept if c not in ("measure", "quote", "section", "category", "binding", "spatial_unit")],
        ]
    return rows[kept].rename(columns=names)


def _panel_sheet(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """The indicators with an attribute (约束性, 预期性): typed-in figures by year, target, and what the map gives."""
    own = table[((table["binding"] != "") & (table["role"] == "own")).to_numpy()]
    figures = district.rows.get("series", pd.DataFrame(columns=["indicator", "year", "value"]))
    figures = figures[figures["value"].notna().to_numpy()].drop_duplicates(["indicator", "year"], keep=False)
    typed = {str(m["commitment"]): m for m in reversed(_measures(district)) if m["series"] and m["role"] == "own"}
    asked = [m[end] for m in typed.values() for end in ("since", "until") if np.isfinite(m[end])]
    years = [int(y) for y in (*figures["year"], *asked)] or [district.year]
    rows = []
    for code, mine in own.groupby(level="commitment", sort=False):
        m = typed.get(str(code), {"series": str(code), "target_series": ""})
        by_year = figures[(figures["indicator"] == m["series"]).to_numpy()].set_index("year")["value"]
        handed = figures[(figures["indicator"] == m["target_series"]).to_numpy()]["value"]
        targets = [*mine["target"].dropna(), *handed]
        first = mine.iloc[0]
        row: dict[str, object] = {"编号": code, "指标": first["quote"], "属性": first["binding"], "单位": first["unit"]}
        row |= {str(year): float(by_year.get(year, math.nan)) for year in range(min(years), max(years) + 1)}
        row |= {"目标": float(targets[-1]) if targets else _promised(district, str(code))}
        row |= {"判定": _together(mine["verdict"]), "说明": "；".join(mine["text"])}
        rows.append(row)
    return pd.DataFrame(rows) if rows else pd.DataFrame({"说明": ["承诺表里没有写属性的指标"]})


def _promised(district: District, code: str) -> str:
    """Return the target in the plan's own words, where it is not a number."""
    return str(_commitments(district).loc[code, "target"])


def _task_sheet(table: pd.DataFrame, filled: pd.DataFrame) -> pd.DataFrame:
    together = verdicts(table)
    rows = []
    for code, verdict in together.items():
        own = table.loc[[code]]
        first, decides = own.iloc[0], own[(own["role"] == "own").to_numpy()]
        row = {
            "编号": code,
            "原文": first["quote"],
            "章节": first["section"],
            "年份": first["year"],
            "空间范围": first["spatial_unit"],
        }
        row |= {"属性": first["binding"], "判定": verdict, "现状": "\n".join(decides["text"])}
        row["差距"] = "\n".join(dict.fromkeys(g for g in decides["gap"] if g))
        row["怎么补"] = "\n".join(dict.fromkeys(f for f in decides["fix"] if f))
        rows.append(row)
    for code in filled.index.difference(together.index):
        rows.append({"编号": code, "原文": "（承诺表里已没有这一条，保留已填的内容）"})
    frame = pd.DataFrame(rows).set_index("编号")
    return frame.join(filled.reindex(frame.index)).reset_index()


def _source_sheet(district: District) -> pd.DataFrame:
    rows = []
    for name, file in district.files.iterrows():
        said = district.manifest["layers"].get(name, {})
        rows.append(
            {
                "图层或表": LAYERS[str(name)].label, "文件": file["file"], "出自": file["from"],
                "依据类型": BASIS_LABELS.get(str(said.get("basis", "")), ""), "来源": str(said.get("source", "")),
                "许可": str(said.get("licence", "")), "日期": str(said.get("date", "")), "SHA-256": file["sha256"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


_WIDE = {"原文": 42, "怎么量": 46, "差距": 46, "怎么补": 36, "一句话": 60, "说明": 60, "现状": 56, "参数": 50, "原文矛盾": 50, "公式": 40,
         "数据情况": 40, "缺什么": 30, "量什么": 26, "出处": 30, "矛盾": 50, "处理": 50, "原文一": 36, "原文二": 36, "来源": 50,
         "没有逐条核的原因": 60, "SHA-256": 66, "判定": 22, "指标": 30, "年度节点": 22, "佐证材料": 26, "文件": 30}  # fmt: skip


def _write_sheet(book: Any, name: str, rows: pd.DataFrame, note: str, frozen: tuple[int, int]) -> None:
    """Write one sheet: title, note, header, rows coloured by verdict, frozen panes, filter, print setup."""
    sheet = book.add_worksheet(name)
    wrap = {"text_wrap": True, "valign": "top"}
    head = book.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True, "valign": "vcenter"})
    plain = book.add_format(wrap)
    mine = book.add_format({**wrap, "bg_color": "#FFFDF0", "border": 1, "border_color": "#D9D2B8"})
    coloured = {
        verdict: book.add_format({**wrap, "bg_color": colour, "bold": True}) for verdict, colour in _COLOURS.items()
    }
    sheet.write_string(0, 0, name, book.add_format({"bold": True, "font_size": 14}))
    sheet.write_string(1, 0, note, book.add_format({"italic": True, "font_color": "#666666"}))
    first = _HEADER_ROW + 1
    for j, column in enumerate(rows.columns):
        sheet.write_string(_HEADER_ROW, j, str(column), head)
        sheet.set_column(j, j, _WIDE.get(str(column), 12))
        number = book.add_format({**wrap, "num_format": "#,##0.##"})
        for i, value in enumerate(rows[column]):
            style = coloured.get(str(value), plain) if column == "判定" else mine if column in USER_COLUMNS else plain
            _write_cell(sheet, first + i, j, value, style, number if style is plain else style)
    if "目标" in rows.columns and any(str(column).isdigit() for column in rows.columns):
        _charts(book, sheet, name, rows, first)
    sheet.freeze_panes(*frozen)
    if len(rows):
        sheet.autofilter(_HEADER_ROW, 0, _HEADER_ROW + len(rows), len(rows.columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEADER_ROW)
    sheet.set_footer("&L" + note.replace("&", "&&")[:200] + "&R&P / &N")


def _write_cell(sheet: Any, i: int, j: int, value: object, style: Any, number: Any) -> None:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        sheet.write_blank(i, j, None, style)
    elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
        sheet.write_number(i, j, float(value), number)
    elif isinstance(value, datetime):
        sheet.write_string(i, j, value.date().isoformat(), style)
    else:
        sheet.write_string(i, j, str(value)[:32_000], style)


def _charts(book: Any, sheet: Any, name: str, rows: pd.DataFrame, first: int) -> None:
    """Draw a small line per indicator with at least two years filled in, below the table."""
    years = [j for j, column in enumerate(rows.columns) if str(column).isdigit()]
    drawn = 0
    for i in range(len(rows)):
        if rows.iloc[i, years].notna().sum() < 2:
            continue
        chart = book.add_chart({"type": "line"})
        chart.add_series(
            {
                "name": [name, first + i, 1],
                "categories": [name, first - 1, years[0], first - 1, years[-1]],
                "values": [name, first + i, years[0], first + i, years[-1]],
                "marker": {"type": "circle"},
            }
        )
        chart.set_title({"name": str(rows["指标"].iloc[i]), "name_font": {"size": 10}})
        chart.set_legend({"none": True})
        chart.set_size({"width": 360, "height": 200})
        across, down = drawn % 3, drawn // 3
        sheet.insert_chart(first + len(rows) + 1 + 11 * down, 1, chart, {"x_offset": 370 * across})
        drawn += 1


# --- the page --------------------------------------------------------------------------------------------------------

_PAGE_STYLE = """
.tools { position: sticky; top: 0; z-index: 2; background: var(--paper); padding: 10px 0; display: flex; flex-wrap: wrap; gap: 10px; }
.tools select, .tools input, .tools button { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: #fff; }
.promise { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; break-inside: avoid; }
.promise > summary { display: grid; grid-template-columns: 3.2em 1fr auto; gap: 4px 12px; align-items: start; padding: 10px 14px; color: var(--ink); }
.promise > summary > .state { grid-column: 2 / 4; font-size: 13.5px; color: var(--quiet); }
.promise .inside { padding: 0 14px 12px; }
.verdict { border-radius: 4px; padding: 2px 8px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.facts { display: grid; grid-template-columns: 5.5em 1fr; gap: 2px 10px; font-size: 13.5px; margin: 6px 0; }
.facts dt { color: var(--quiet); } .facts dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
.measure { border-top: 1px dashed var(--line); padding-top: 8px; margin-top: 8px; } .measure.beside h3 { font-weight: 400; }
.hidden { display: none; }
@media print { .tools { display: none; } .promise { border-color: #999; } details.promise { display: block; } }
"""
_PAGE_SCRIPT = """
(function () {
  'use strict';
  var rows = Array.prototype.slice.call(document.querySelectorAll('.promise'));
  var by = { category: 'category', place: 'place', verdict: 'verdict' };
  var text = document.getElementById('find'), count = document.getElementById('count');
  function chosen(id) { return document.getElementById(id).value; }
  function apply() {
    var shown = 0, words = text.value.trim().toLowerCase();
    rows.forEach(function (row) {
      var keep = Object.keys(by).every(function (id) {
        var value = chosen(id);
        return !value || row.dataset[by[id]].split(';').indexOf(value) >= 0;
      }) && (!words || row.textContent.toLowerCase().indexOf(words) >= 0);
      row.classList.toggle('hidden', !keep);
      if (keep) { shown += 1; }
    });
    count.textContent = shown + ' / ' + rows.length;
  }
  Object.keys(by).forEach(function (id) { document.getElementById(id).addEventListener('change', apply); });
  text.addEventListener('input', apply);
  document.getElementById('all').addEventListener('click', function () {
    var open = rows.some(function (row) { return !row.open && !row.classList.contains('hidden'); });
    rows.forEach(function (row) { row.open = open; });
  });
  window.addEventListener('beforeprint', function () { rows.forEach(function (row) { row.open = true; }); });
  if (location.hash) { var own = document.getElementById(location.hash.slice(1)); if (own) { own.open = true; } }
  apply();
}());
"""


def ledger_page(district: District, table: pd.DataFrame, *, maps: Mapping[str, str] | None = None) -> str:
    """
    Return `ledger.html`: one file that loads nothing, a promise per row, to walk down in a meeting.

    Parameters
    ----------
    table
        Result of `ledger`.
    maps
        Per rule, the address of its evidence map, relative to the page.
    """
    e = html.escape
    style = importlib.resources.files(__package__ or "xinhe_geo").joinpath("web/brief.css").read_text("utf-8")
    together = verdicts(table)
    promises = "".join(
        _promise(district, code, table.loc[[code]], verdict, maps or {}) for code, verdict in together.items()
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    mark = f'<p class="demo">{e(_foot(district))}</p>' if district.is_demonstration else ""
    counts = together.value_counts()
    chips = " ".join(_chip(v, f" {counts[v]}") for v in VERDICTS if v in counts.index)
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{e(district.name)} 规划目标落实核对表</title>
<style>{style}{_PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>{e(district.name)} 规划目标落实核对表</h1>
<p class="line">{len(together)} 条承诺　数据年份：{district.year}　社区名录：{district.list_year} 年</p>
{mark}
<p>{chips}</p>
</header>
<div class="tools">{_tools(table, together)}</div>
<main>
{promises}
{_beyond_section(district)}
{_left_out_section(district)}
</main>
<footer><p>{e(_foot(district))}</p></footer>
<script>{_PAGE_SCRIPT}</script>
</body>
</html>
"""


def _chip(verdict: str, more: str = "") -> str:
    return (
        f'<span class="verdict" style="background:{_COLOURS.get(verdict, "#eee")}">{html.escape(verdict + more)}</span>'
    )


def _option(value: str) -> str:
    return f'<option value="{html.escape(value)}">{html.escape(value)}</option>'


def _tools(table: pd.DataFrame, together: pd.Series) -> str:
    first = table.groupby(level="commitment", sort=False).first()
    categories = dict.fromkeys(c for cell in first["category"] for c in _list(cell))
    places = dict.fromkeys(c for cell in first["spatial_unit"] for c in _list(cell))
    choices = (
        ("category", "全部类别", categories),
        ("place", "全部范围", places),
        ("verdict", "全部判定", [v for v in VERDICTS if v in set(together)]),
    )
    selects = "".join(
        f'<select id="{name}" aria-label="{label}"><option value="">{label}</option>'
        + "".join(_option(v) for v in values)
        + "</select>"
        for name, label, values in choices
    )
    find = '<input id="find" type="search" placeholder="找字" aria-label="找字">'
    return f'{selects}{find}<button id="all" type="button">全部展开/收起</button><span id="count"></span>'


def _promise(district: District, code: str, rows: pd.DataFrame, verdict: str, maps: Mapping[str, str]) -> str:
    e, first = html.escape, rows.iloc[0]
    own = rows[(rows["role"] == "own").to_numpy()]
    state = "<br>".join(e(text) for text in own["text"])
    facts = {
        "章节": first["section"],
        "类别": first["category"],
        "属性": first["binding"],
        "年份": first["year"],
        "范围": first["spatial_unit"],
    }
    facts["原文矛盾"] = first["contradiction"]
    measures = "".join(_measure(str(key[-1]), row, maps) for key, row in rows.iterrows())
    data = f'data-category="{e(first["category"])}" data-place="{e(first["spatial_unit"])}" data-verdict="{e(verdict)}"'
    return (
        f'<details class="promise" id="{e(code)}" {data}><summary><b>{e(code)}</b><span>{e(_quoted(first["quote"]))}</span>{_chip(verdict)}'
        f'<span class="state">{state}</span></summary><div class="inside">{_facts(facts)}{measures}</div></details>'
    )


def _measure(key: str, row: pd.Series, maps: Mapping[str, str]) -> str:
    e = html.escape
    number = _number(float(row["value"]), str(row["unit"])) if np.isfinite(row["value"]) else "—"
    other = f"{row['low_other']:.1f}—{row['high_other']:.1f} {row['unit']}" if np.isfinite(row["low_other"]) else ""
    facts = {
        "数值": number, "目标": row["target_text"], "换算法": other, "差距": row["gap"], "怎么补": row["fix"], "缺": row["needs"],
        "怎么量": row["how"], "公式": row["formula"], "参数": row["parameters"], "出处": row["standard"], "数据情况": row["demonstration"],
        "输入": row["inputs"],
    }  # fmt: skip
    link = f'<p><a href="{e(maps[row["rule"]])}">证据图</a></p>' if row["rule"] in maps else ""
    return (
        f'<section class="measure {e(row["role"])}"><h3>{e(row["label"])} {_chip(row["verdict"])} '
        f'<span class="small">{e(key)}　{_ROLES.get(row["role"], "")}</span></h3>{_facts(facts)}{link}</section>'
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(str(v))}</dd>" for k, v in facts.items() if v)
    return f'<dl class="facts">{rows}</dl>'


def _beyond_section(district: District) -> str:
    e, table = html.escape, beyond(district)
    if table.empty:
        return ""
    rows = "".join(
        f"<tr><td>{e(r.label)}</td><td>{e(r.text)}</td><td>{e(r.gap)}</td><td>{e(r.how)}</td><td>{e(r.standard)}</td></tr>"
        for r in table.itertuples()
    )
    head = "<th>指标</th><th>现状</th><th>差距</th><th>怎么量</th><th>出处</th>"
    return f'<section><h2>标准之外</h2><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>'


def _left_out_section(district: District) -> str:
    e, table = html.escape, left_out(district)
    if table.empty:
        return ""
    rows = "".join(
        f"<tr><td>{e(str(r.Index))}</td><td>{e(_quoted(r.quote))}</td><td>{e(r.section)}</td><td>{e(r.note)}</td></tr>"
        for r in table.itertuples()
    )
    head = "<th>编号</th><th>原文</th><th>章节</th><th>没有逐条核的原因</th>"
    return (
        f"<section><h2>原文还有、这里没有逐条核的 {len(table)} 处</h2>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _quoted(text: str) -> str:
    """Return words of the plan in quotation marks; quotations inside them get single ones."""
    return "“" + text.replace("“", "‘").replace("”", "’") + "”"

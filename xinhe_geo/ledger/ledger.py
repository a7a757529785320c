"""
The plan's promises, one by one: what was promised, where things stand, who is missing out, what would close it.

Everything that belongs to a plan stands in tables: `commitments.csv` (what it says, word for word), `measures.csv` (how each
promise is measured: a metric bound by its name, with plain parameters), `contradictions.csv`, and the yearly figures people
type in (`series.csv`). The metrics stand in
`metrics.registry`; here are the rules for verdicts:

- 达标, 部分达标, 未达标 only against a number that the plan or a verified standard states;
- 报现状（原文无量化目标） where there is none, 参考值（未核） where the standard was not verified;
- 数据不足 names exactly what is missing, 待填 waits for a figure that somebody has to type in;
- 演示值（不作结论） overrides them all as soon as one schematic or synthetic row was used, and says how many of how many.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..access import COUNT
from ..core import (
    LAYERS,
    METHOD_LABELS,
    DataError,
    Problem,
    UnknownNameError,
    cell,
    counted,
    keeping,
    language,
    layer_name,
    listed,
    named_by_homes,
    problems_table,
    say,
    speaking,
    well_called,
    word,
    work,
)
from ..district import District, Named, column_name, credit_of, list_told, must_be_district, year_told
from .claims import MEASURED, claims, claims_of, claims_with, facts_of
from .metrics.base import (
    SIGNS,
    UNITS,
    WEIGHTS,
    Found,
    Lacks,
    Measure,
    bases_of,
    demonstration,
    inputs,
    measure_rows,
    number_text,
    once,
    parameters,
    rows_of,
    scope_text,
    slack_of,
    stated,
    target_of,
    weakest,
)
from .metrics.registry import METRICS, evaluate, kept
from .rows_told import rows_told

MET, PARTLY, UNMET = "达标", "部分达标", "未达标"
REPORTED, UNVERIFIED = "报现状（原文无量化目标）", "参考值（未核）"
NO_DATA, TO_FILL, DEMONSTRATED = "数据不足", "待填", "演示值（不作结论）"
#: Every verdict, the worst news first.
VERDICTS = (UNMET, PARTLY, MET, REPORTED, UNVERIFIED, DEMONSTRATED, NO_DATA, TO_FILL)

COLUMNS = (
    "label",
    "value",
    "unit",
    "target",
    "operator",
    "target_text",
    "verdict",
    "role",
    "metric",
    "scope",
    "method",
    "how",
    "formula",
    "parameters",
    "basis",
    "demonstration",
    "needs",
    "text",
    "gap",
    "gap_size",
    "gap_of",
    "gap_basis",
    "fix",
    "low_other",
    "high_other",
    "inputs",
    "rule",
    "quote",
    "section",
    "category",
    "spatial_unit",
    "binding",
    "year",
    "standard",
    "contradiction",
    "claims",
    "unmeasured",
    "plan_says",
)

#: What each verdict is painted with, on screen and in Excel.
COLOURS = {
    MET: "#D5EBDD",
    PARTLY: "#FBEBC8",
    UNMET: "#F6D6CF",
    REPORTED: "#E3ECF3",
    UNVERIFIED: "#E9E4F1",
    DEMONSTRATED: "#F5E6D6",
    NO_DATA: "#E6E6E6",
    TO_FILL: "#FFF8D6",
}
#: The label of a commitment that nobody has said how to measure.
UNMEASURED = "没有量法"
#: Whether a measure decides or stands beside.
ROLES = {"own": "决定判定", "beside": "并列"}


# --- the ledger ------------------------------------------------------------------------------------------------------


@named_by_homes
def ledger(district: District, *, lang: str = "zh") -> pd.DataFrame:
    """
    Evaluate every commitment of the plan by every one of its measures.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    lang
        "zh" or "en". In English everything is but the words of the plan, names of places, sources, and the cells of tables
        that have no English beside them (`label_en`, `text_en` and `lacks_en` in `measures.csv`).

    Returns
    -------
    table
        MultiIndex (commitment, measure), in the order of `commitments.csv` and `measures.csv`. Columns:

        `label` what is measured, `value` and `unit` (shares in per cent), `target` (the number compared with, missing where
        there is none), `operator`, `target_text`, `verdict` (one of `xinhe_geo.ledger.VERDICTS`), `role` ("own" decides, "beside" does not),
        `metric`, `scope`, `method`, `how` (one sentence), `formula` (in words), `parameters`;
        `basis` (weakest basis among the rows used), `demonstration` ("社区 13 处中 13 处为示意"), `needs` (what is missing),
        `text` (the number and its verdict in a sentence), `gap`; `gap_size`, how many people (or whatever counts) it is about,
        `gap_of` what that is, with its unit ("常住人口（人）"), `gap_basis` what it rests on (数据不足 where nobody knows);
        `fix`, `low_other` and `high_other` (the same number by other methods), `inputs` (file, hash, date, basis of each layer), `rule`;
        `quote`, `section`, `category`, `spatial_unit`, `binding`, `year`, `standard`, `contradiction`; `claims` ("3 项要求，量了 2
        项": what the promise says, taken apart, and how much of it its rows measure), `unmeasured` (the rest, a line each, and
        why), `plan_says` (what the plan itself states of what this row measures).

        A commitment without a measure has one row whose measure is its own id: 数据不足.

    Raises
    ------
    DataError
        Rows of the tables that contradict themselves: see `xinhe_geo.ledger.ledger.measure_problems`.
    UnknownNameError
        Another language.
    ValueError
        No district.
    """
    must_be_district(district)
    with speaking(lang):
        table = once(district, ("evaluated", lang), lambda: _evaluated(district))
        return table.assign(verdict=[say(v) for v in table["verdict"]])


def _evaluated(district: District) -> pd.DataFrame:
    _refuse_bad_rows(district)
    commitments: dict[Hashable, Any] = once(
        district, "promised", lambda: promises(district).to_dict("index"), ("commitments",)
    )
    measures = [m for m in measure_rows(district) if m["commitment"]]
    rows = []
    with work(say("核对规划目标"), len(commitments)) as step:
        for code, promise in commitments.items():
            step(str(code))
            own = [m for m in measures if m["commitment"] == code]
            rows += [_kept_row(district, m, promise) for m in own or [_unmeasured(str(code))]]
    index = ["commitment", "measure"]
    figures: dict[str, set[str]] = {str(row["commitment"]): set() for row in rows}
    for row in rows:
        if not math.isnan(row["value"]):
            figures[str(row["commitment"])].add(str(row["measure"]))
    said = {code: claims_with(district, code, known) for code, known in figures.items()}
    rows = [{**row, **dict(zip(("claims", "unmeasured"), said[str(row["commitment"])], strict=True))} for row in rows]
    return pd.DataFrame(rows, columns=[*index, *COLUMNS]).set_index(index)


def keep_evaluated(district: District, table: pd.DataFrame) -> None:
    """Keep a ledger of a district that another process has evaluated, row by row: plans ask for it again."""
    lang, known = spoken(table), canonical(table)
    for (code, measure), row in zip(known.index, known.to_dict("records"), strict=True):
        once(district, ("row", measure, lang), lambda: {"commitment": code, "measure": measure, **row})  # noqa: B023
    once(district, ("evaluated", lang), lambda: known)


def beyond(district: District) -> pd.DataFrame:
    """
    Evaluate the measures that belong to no commitment: standards beyond the plan.

    Returns
    -------
    table
        Index measure; columns as `ledger`. A standard judges only where it was read (`confidence`).
    """
    return once(district, ("beyond", language()), lambda: _beyond(district)).copy(deep=False)


def _beyond(district: District) -> pd.DataFrame:
    _refuse_bad_rows(district)
    blank = dict.fromkeys(_PROMISE, "")
    rows = [_row(district, m, blank) for m in measure_rows(district) if not m["commitment"]]
    return pd.DataFrame(rows, columns=["measure", *COLUMNS]).set_index("measure")


def left_out(district: District) -> pd.DataFrame:
    """Return what the plan says and the ledger does not follow up: index id; quote, section, category, target, unit, note."""
    table = rows_of(district, "commitments")
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
    with speaking(spoken(table)):
        known = canonical(table)
        own = known[(known["role"] == "own").to_numpy()]
        found = own.groupby(level="commitment", sort=False)["verdict"].agg(together)
        return found.map(say).astype(found.dtype)


def spoken(table: pd.DataFrame) -> str:
    """Return the language a ledger was evaluated in, by its verdicts."""
    return "en" if len(table) and not set(table["verdict"]) & set(VERDICTS) else "zh"


def canonical(table: pd.DataFrame) -> pd.DataFrame:
    """Return a ledger whose verdicts are `VERDICTS`, whatever language its sentences are in."""
    if spoken(table) == "zh":
        return table
    with speaking("en"):
        known = {say(verdict): verdict for verdict in VERDICTS}
    return table.assign(verdict=[known[v] for v in table["verdict"]])


def together(said: pd.Series) -> str:
    """Put several verdicts together into one, as `verdicts` says."""
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


@well_called
def explain(table: pd.DataFrame, row: Named) -> str:
    """
    Say where a number comes from: of the ledger inputs (file, hash, date, basis), measure, parameters, formula, verdict.

    Parameters
    ----------
    table
        Result of `ledger` or `xinhe_geo.ledger.beyond`; or of `coverage`, `gaps`, `headlines`, `summary`, `sites`, `curve`, `within` …: what its row
        says, in sentences where it has any, then column by column.
    row
        A measure ("S17.people"), a commitment ("S17": all its measures), or an index pair. Of another table: its index, or one
        level of it, its name, or the row itself.

    Returns
    -------
    text
        Lines in the language of the table, a block per measure; nothing is hidden that the number was made from.

    Raises
    ------
    UnknownNameError
        No such row.
    ValueError
        No table.
    """
    if not isinstance(table, pd.DataFrame) or "measure" not in table.index.names:
        return rows_told(table, row)
    if isinstance(row, pd.Series):
        row = row.name
    if isinstance(row, tuple):
        row = row[-1]
    measures = table.index.get_level_values("measure")
    chosen = table[(measures == row)]
    if chosen.empty and "commitment" in table.index.names:
        chosen = table[(table.index.get_level_values("commitment") == row)]
    if chosen.empty:
        known = [*dict.fromkeys(table.index.get_level_values(0)), *measures]
        raise UnknownNameError("核对表的行", row, list(dict.fromkeys(str(k) for k in known)))
    with speaking(spoken(table)):
        parts = [_explained(str(key[-1] if isinstance(key, tuple) else key), line) for key, line in chosen.iterrows()]
    return "\n\n".join(parts)


def _explained(key: str, row: pd.Series) -> str:
    lines = [say("{0}\u3000{1}", key, row["label"])]
    if row["quote"]:
        lines.append(say("原文：{0}（{1}）", quoted(row["quote"]), row["section"]))
    number = number_text(float(row["value"]), str(row["unit"])) if np.isfinite(row["value"]) else "—"
    lines += [
        say("数值：{0}\u3000目标：{1}\u3000判定：{2}", number, row["target_text"] or say("原文没有数"), row["verdict"]),
        say("一句话：{0}", row["text"]),
    ]
    for label, column in (
        (say("怎么量"), "how"),
        (say("算法"), "method"),
        (say("公式"), "formula"),
        (say("参数"), "parameters"),
        (say("差距"), "gap"),
        (say("怎么补"), "fix"),
        (say("缺什么"), "needs"),
        (say("数据情况"), "demonstration"),
        (say("出处"), "standard"),
        (say("原文矛盾"), "contradiction"),
        (say("原文的要求"), "claims"),
        (say("没有量的要求"), "unmeasured"),
        (say("规划自述"), "plan_says"),
    ):
        if row[column]:
            lines.append(say("{0}：{1}", label, row[column]))
    if np.isfinite(row["low_other"]):
        lines.append(say("换算法：{0:.1f}—{1:.1f} {2}", row["low_other"], row["high_other"], row["unit"]))
    lines.append(say("输入："))
    lines += [f"  {line}" for line in str(row["inputs"]).split("\n") if line]
    return "\n".join(lines)


def foot(district: District) -> str:
    """Return the line that stands below every sheet and page: how it is to be kept, whose data, which years, a demonstration or not."""
    mark = say("演示数据，不作任何结论。") if district.is_demonstration else ""
    mark += borrowed_plan(district)
    mark += say("{0}。", keeping(district.manifest))
    scenario = say("，方案：{0}", district.manifest["scenario"]) if district.manifest.get("scenario") else ""
    return say(
        "{0}{1}，数据年份 {2}{3}{4}。{5}",
        mark,
        district.name,
        year_told(district),
        list_told(district),
        scenario,
        credit_of(district),
    )


def has_own_plan(district: District) -> bool:
    """A folder without its own commitments has no plan here: the bundled one is another district's."""
    return district.has_own_plan


def borrowed_plan(district: District, lang: str | None = None) -> str:
    """Say that the promises are another district's, where the folder has none of its own; "" where it has."""
    if has_own_plan(district):
        return ""
    if lang is not None:
        with speaking(lang):
            return borrowed_plan(district)
    return say(
        "本街道目录没有自己的规划目标（standards/commitments.csv），下面逐条核的是随程序的另一个街道的规划，判定不是对本街道的评价。"
    )


def quoted(text: str) -> str:
    """Return words of the plan in quotation marks; quotations inside get single ones, brackets cut off by a table's cell are closed."""
    return "“" + text.replace("“", "‘").replace("”", "’") + ")" * (text.count("(") - text.count(")")) + "”"


# --- tables in -------------------------------------------------------------------------------------------------------


def promises(district: District) -> pd.DataFrame:
    """Return the registered commitments: index id, columns of `commitments.csv` without `kind`; blanks are empty text."""

    def make() -> pd.DataFrame:
        table = rows_of(district, "commitments")
        return table[(table["kind"] == "commitment").to_numpy()].drop(columns="kind").fillna("")

    return once(district, "promises", make, ("commitments",)).copy(deep=False)


def last_year(district: District) -> int | None:
    """Return the year in which most promises of a plan are due, which is the plan's last; None where they name no years."""
    found = [re.findall(r"(?<!\d)(?:19|20|21)\d\d(?!\d)", str(cell)) for cell in promises(district)["year"]]
    ends = pd.Series([max(map(int, years)) for years in found if years], dtype="int64").value_counts()
    return None if ends.empty else int(max(ends.index[(ends == ends.max()).to_numpy()]))


def _unmeasured(code: str) -> dict[str, Any]:
    """Return the measure of a commitment that nobody has said how to measure."""
    row: dict[str, Any] = {c.name: math.nan if c.type != "text" else "" for c in LAYERS["measures"].names.values()}
    row |= {
        "measure": code,
        "commitment": code,
        "label": say(UNMEASURED),
        "metric": "missing",
        "role": "own",
        "scope": "district",
    }
    row |= {"lacks": say("量法表里没有 {0} 的行", code), "text": say("量法表里补一行")}
    return row


def measure_problems(district: District) -> pd.DataFrame:
    """
    Return what is wrong between the cells of the ledger's tables; single cells are judged when the folder is opened.

    Columns as `check`: severity, layer, file, row, field, problem, remedy.
    """
    shapes = {name for name, layer in LAYERS.items() if layer.geometry}
    known = {
        "kinds": set(district.kinds.index),
        "near_kinds": set(district.kinds.index),
        "also_rules": set(district.rules.index),
        "layer": shapes,
        "other_layer": shapes,
        "needs": set(LAYERS),
        "decay": set(rows_of(district, "decays")["decay"]),
    }
    codes = set(promises(district).index)
    found = [p for m in measure_rows(district) for p in _measure_problems(district, m, known, codes)]
    for key, touches in rows_of(district, "contradictions")["touches"].dropna().items():
        found += [
            _problem(
                district, "contradictions", str(key), "touches", say("没有登记目标“{0}”", code), say("写已登记的编号")
            )
            for code in listed(str(touches))
            if code not in codes
        ]
    measures = set(rows_of(district, "measures").index)
    for key, row in claims(district).iterrows():
        found += [_problem(district, "claims", str(key), *what) for what in _claim_wrong(row, codes, measures)]
    return problems_table(found)


def _claim_wrong(row: pd.Series, codes: set[str], measures: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with one claim: field, problem, remedy."""
    if row["commitment"] not in codes:
        yield "commitment", say("没有登记目标“{0}”", row["commitment"]), say("写已登记的编号")
    for name in listed(row["measures"]):
        if name not in measures:
            yield "measures", say("没有量法“{0}”", name), say("写 measures.csv 里的编号，多个用 ; 隔开")
    if (row["status"] == MEASURED) != bool(row["measures"]):
        yield "measures", say("写了已量，没有写量法；或写了量法，又写没有量"), say("核对 status 和 measures")
    if row["status"] != MEASURED and not row["reason"]:
        yield "reason", say("没有写为什么没有量"), say("写一句原因")


def _problem(district: District, layer: str, row: str, field: str, problem: str, remedy: str) -> Problem:
    return Problem("error", layer, str(district.files.loc[layer, "file"]), row, field, problem, remedy)


def _measure_problems(
    district: District, m: Measure, known: Mapping[str, set[str]], codes: set[str]
) -> Iterator[Problem]:
    for field, problem, remedy in (*_names_unknown(m, known), *_cells_missing(m), *_targets_wrong(m, codes)):
        yield _problem(district, "measures", str(m["measure"]), field, problem, remedy)


def _names_unknown(m: Measure, known: Mapping[str, set[str]]) -> Iterator[tuple[str, str, str]]:
    for field, names in known.items():
        for name in listed(m[field].replace("|", ";") if field == "kinds" else m[field]):
            if name not in names:
                yield (
                    field,
                    say("{0}：没有“{1}”", column_name("measures", field), name),
                    say("改成已有的名称，多个用 ; 隔开"),
                )


def _cells_missing(m: Measure) -> Iterator[tuple[str, str, str]]:
    own = METRICS[m["metric"]]
    for field in own.columns:
        if m[field] == "" or pd.isna(m[field]):
            yield field, say("算法 {0} 必须填（{1}）", m["metric"], column_name("measures", field)), say("填上这一格")
    if own.rule_or_kinds and not (m["rule"] or m["kinds"]):
        yield "kinds", say("算法 {0} 要有类别或规则", m["metric"]), say("填上 kinds 和 minutes，或填 rule")
    typed = m["metric"] == "mix" or (m["metric"] == "area" and m["field"])
    holder = m["layer"] if typed else "facilities" if own.sized else ""
    if holder in LAYERS and m["field"] not in (
        *LAYERS[holder].names,
        *([COUNT] if own.sized and m["metric"] != "attribute" else []),
    ):
        yield (
            "field",
            say("{0}没有“{1}”这一列", layer_name(holder), m["field"]),
            say("可选：{0}", say("、").join(LAYERS[holder].names)),
        )
    if "|" in m["kinds"] and not own.in_classes:
        yield (
            "kinds",
            say("算法 {0} 不逐类计，不能用 |", m["metric"]),
            say("用 ; 隔开；| 只用于 {0}", say("、").join(name for name, other in METRICS.items() if other.in_classes)),
        )
    if m["metric"] == "change" and m.get("changed", {}).get("metric") in ("change", "series", "missing"):
        yield "of", say("{0}：填报的指标和变化本身不能再算变化", column_name("measures", "of")), say("换成按图量的一行")
    if m["metric"] == "change" and not m["scenario"] and pd.isna(m["since"]):
        yield "since", say("没有写与哪一年比，也没有写方案"), say("填上基期年份，或填 scenario")
    if m["metric"] == "capacity" and not (m["norm"] > 0 and m["per"] > 0):
        yield "norm", say("{0}和每多少人要大于 0", column_name("measures", "norm")), say("写大于 0 的数")
    if m["scope"] != "district" and not m["codes"]:
        yield "codes", say("范围是 {0}，没有写编号", m["scope"]), say("写编号或名称，多个用 ; 隔开")
    if m["scope"] == "line" and not m["lines"]:
        yield "lines", say("范围是线，没有写线在哪个图层"), say("写 named_roads、water 或 barriers")


def _targets_wrong(m: Measure, codes: set[str]) -> Iterator[tuple[str, str, str]]:
    if m["operator"] and not m["target_from"]:
        yield "target_from", say("有目标，没有写出自哪里"), say("写 plan、standard 或 reference")
    for field in {">=": ("low",), "<=": ("high",), "==": ("low",), "between": ("low", "high")}.get(m["operator"], ()):
        if pd.isna(m[field]) and not m["target_series"]:
            yield (
                field,
                say("比较是 {0}，没有写{1}", m["operator"], column_name("measures", field)),
                say("填上这个数，或写目标所在的台账指标"),
            )
    if m["low"] > m["high"]:
        yield "low", say("下限 {0:g} 大于上限 {1:g}", m["low"], m["high"]), say("核对两列")
    if m["commitment"] and m["commitment"] not in codes:
        yield "commitment", say("“{0}”登记为没有逐条核的表述", m["commitment"]), say("改成已登记的目标编号，或改登记")


#: The tables that are held against each other.
_CHECKED = ("commitments", "measures", "claims", "contradictions", "kinds", "rules", "decays")


def _refuse_bad_rows(district: District) -> None:
    problems = once(district, f"problems {language()}", lambda: measure_problems(district), _CHECKED)
    if len(problems):
        raise DataError(problems, district.folder.name)


# --- one row ---------------------------------------------------------------------------------------------------------


def _kept_row(district: District, m: Measure, promise: Mapping[str, Any]) -> dict[str, Any]:
    return kept(district, m, "row", lambda where: _row(where, m, promise))


def _row(district: District, m: Measure, promise: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate one measure; whatever it lacks is named instead."""
    needs = ""
    try:
        found = evaluate(district, m)
    except Lacks as lack:
        needs, found = str(lack), Found(math.nan, "", {})
    needs = needs or found.waits or found.note
    rule = district.rule(m["rule"]) if m["rule"] else None
    target = found.target if np.isfinite(found.target) else target_of(m)
    bases = bases_of(district, found.touched)
    weak = demonstration(bases)
    confidences = {district.rule(name).confidence for name in (m["rule"], *listed(m["also_rules"])) if name}
    verdict = _verdict(m, found, target, confidences | {m["confidence"]}, bool(weak))
    how = METRICS[str(m["metric"])]
    label, formula = say(how.label), say(how.formula)
    method = say("{0}（{1}）", label, say(METHOD_LABELS[rule.method])) if rule and m["metric"] == "coverage" else label
    target_text = _target_text(m, target)
    said, unmeasured = claims_of(district, str(m["commitment"])) if m["commitment"] else ("", "")
    return {
        "commitment": m["commitment"],
        "measure": m["measure"],
        "label": cell(m, "label"),
        "value": found.value,
        "unit": word(str(m["unit"])),
        "target": target if m["operator"] else math.nan,
        "operator": m["operator"],
        "target_text": target_text,
        "verdict": verdict,
        "role": m["role"],
        "metric": m["metric"],
        "scope": scope_text(district, m),
        "method": method,
        "how": cell(m, "text"),
        "formula": formula,
        "parameters": parameters(district, m),
        "basis": weakest(bases),
        "demonstration": weak,
        "needs": needs,
        "text": _sentence(m, found, verdict, target_text, needs, weak),
        "gap": found.gap,
        **_gap_of(found),
        "fix": found.fix or _fix_for(m, needs),
        "low_other": found.low,
        "high_other": found.high,
        "inputs": inputs(district, m),
        "rule": m["rule"],
        **{k: promise[k] for k in _PROMISE},
        "standard": m["standard"] or (rule.basis_text if rule else ""),
        "contradiction": _contradictions(district, str(m["commitment"])),
        "claims": said,
        "unmeasured": unmeasured,
        "plan_says": facts_of(district, str(m["measure"])),
    }


def by_promise(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of what `ledger` returns, promise by promise, each with its `measure`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for (code, measure), row in zip(table.index, table.to_dict("records"), strict=True):
        found.setdefault(str(code), []).append({**row, "measure": measure})
    return found


def told_of(rows: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    """
    Return what rows of one promise say in a column, each once; where several of them speak, each after the label of its measure.

    Parameters
    ----------
    rows
        Rows of one promise (`by_promise`).
    column
        "gap" or "fix".
    """
    own = [row for row in rows if row[column] != ""]
    if len(rows) < 2:
        return [row[column] for row in own]
    return list(dict.fromkeys(say("{0}：{1}", row["label"], row[column]) for row in own))


def _gap_of(found: Found) -> dict[str, Any]:
    """Return who the gap is about, where it is about anybody."""
    if found.short is None:
        return {"gap_size": math.nan, "gap_of": "", "gap_basis": ""}
    size, weight, basis = found.short
    return {
        "gap_size": size,
        "gap_of": say("{0}（{1}）", say(WEIGHTS[weight][0]), say(UNITS[weight])),
        "gap_basis": basis or say(NO_DATA),
    }


_PROMISE = ("quote", "section", "category", "spatial_unit", "binding", "year")


def _target_text(m: Measure, target: float) -> str:
    if not m["operator"] or not np.isfinite(target):
        return ""
    if m["operator"] == "between":
        return say("{0}—{1} {2}", stated(m["low"]), stated(m["high"]), word(m["unit"])).strip()
    return f"{word(SIGNS[m['operator']])} {stated(target)} {counted(target, word(m['unit']))}".strip()


def _verdict(m: Measure, found: Found, target: float, confidences: set[str], is_demonstration: bool) -> str:
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
    return judged(m, found.value, target)


def judged(m: Measure, value: float, target: float | None = None) -> str:
    """Return 达标, 部分达标 or 未达标 for a value against a number, by default the row's own."""
    if _holds(m, value, target_of(m) if target is None else target):
        return MET
    in_parts = METRICS[m["metric"]].in_parts or (m["metric"] == "series" and m["aggregate"] == "sum")
    return PARTLY if in_parts and m["operator"] == ">=" and value > 0 else UNMET


def _holds(m: Measure, value: float, target: float) -> bool:
    """Return whether a value meets its target; shares carry rounding in the last bits."""
    slack = slack_of(m, target)
    if m["operator"] == ">=":
        return value >= target - slack
    if m["operator"] == "<=":
        return value <= target + slack
    if m["operator"] == "==":
        return abs(value - target) <= slack
    return bool(m["low"] - slack <= value <= m["high"] + slack)


def _sentence(m: Measure, found: Found, verdict: str, target_text: str, needs: str, weak: str) -> str:
    """Say number, target, verdict and, where nothing may be concluded, why, in one sentence that names its measure."""
    if verdict == NO_DATA:
        return say("{0}：数据不足：{1}", cell(m, "label"), needs)
    number = number_text(found.value, str(m["unit"])) if np.isfinite(found.value) else ""
    number = f"+{number}" if m["metric"] == "change" and found.value > 0 else number  # which way it went
    parts = [part for part in (number, found.said) if part]
    against = {"reference": say("参考线 {0}", target_text), "standard": say("标准 {0}", target_text)}
    parts += [against.get(m["target_from"], say("目标 {0}", target_text))] if target_text else []
    if verdict == TO_FILL:
        parts.append(say("待填：{0}", needs))
    else:
        parts.append(say("{0}：{1}", say(verdict), weak) if weak else say(verdict))
    return say("{0}：{1}", cell(m, "label"), say("；").join(parts))


def _fix_for(m: Measure, needs: str) -> str:
    if not needs:
        return ""
    if m["measure"] == m["commitment"]:  # nobody has said how to measure it (`_unmeasured`)
        return say(
            "说怎么量它：python run.py rules export 写出口径工作簿，在“{0}”一页给 {1} 补一行（照已有的行写算法、类别和达标的数），rules import 导回",
            layer_name("measures"),
            m["commitment"],
        )
    return (
        say("填报{0}", needs)
        if m["metric"] == "series" and m["series"] in needs
        else say("补齐数据：{0}", needs.removeprefix(say("缺")))
        if not needs.startswith(say("没有调查过"))
        else say("先调查{0}", needs.removeprefix(say("没有调查过")))
    )


def _contradictions(district: District, code: str) -> str:
    def make() -> list[tuple[object, dict[str, Any], list[str]]]:
        rows = rows_of(district, "contradictions").fillna("").to_dict("index")
        return [(key, row, listed(str(row["touches"]))) for key, row in rows.items()]

    return "\n".join(
        say("{0}：{1}处理：{2}", key, row["issue"], row["handling"])
        for key, row, touched in once(district, "contradictions", make, ("contradictions",))
        if code and code in touched
    )

"""
What each promise says, taken apart: object, direction, how much, where, by when, in the plan's own words.

A claim is measured by rows of `measures.csv`, or it says why not: nobody has written a standard, or data like these can never
say. A fact is what the plan states of its own time; it stands beside the figure and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..core import CLAIM_LABELS, DIRECTIONS, cell, language, listed, say, word
from ..district import District
from .metrics.base import in_words, once, rows_of

MEASURED = "measured"


#: What claims rest on.
_TABLES = ("claims", "commitments")


def claims(district: District) -> pd.DataFrame:
    """
    Return the claims and facts of the plan: those of the table that stands with the commitments.

    A folder that has commitments of its own, and no claims, has none: the bundled ones are another plan's.

    Returns
    -------
    table
        Index claim; columns of `claims.csv`, blanks are empty text.
    """

    def make() -> pd.DataFrame:
        table, files = rows_of(district, "claims").fillna(""), district.files["from"]
        about_this = table["commitment"].isin(rows_of(district, "commitments").index).any()
        # A folder's own claims are all its own matter: one that names no commitment is to be told, not left out.
        whose = files.get("claims")
        return table if whose == files.get("commitments") and (about_this or whose == "本目录") else table[:0]

    return once(district, "claims", make, _TABLES).copy(deep=False)


def claims_of(district: District, commitment: str) -> tuple[str, str]:
    """Return how many claims of a promise are measured, in words, and those that are not, one a line with the reason; "" where it has none."""
    return once(
        district, ("claims", commitment, language()), lambda: _claims_of(_said(district, "claim", commitment)), _TABLES
    )


def claims_with(district: District, commitment: str, figures: set[str]) -> tuple[str, str]:
    """Return `claims_of`, where a claim is measured only if one of its measures has a figure: what waits to be typed in has none."""
    key = ("claims", commitment, frozenset(figures), language())
    return once(district, key, lambda: _claims_of(_said(district, "claim", commitment), figures), _TABLES)


def _said(district: District, kind: str, about: str) -> list[dict[str, Any]]:
    """Return the claims of a commitment, or the facts of a measure."""

    def make() -> dict[tuple[str, str], list[dict[str, Any]]]:
        found = dict[tuple[str, str], list[dict[str, Any]]]()
        for row in claims(district).to_dict("records"):
            for name in [row["commitment"]] if row["kind"] == "claim" else dict.fromkeys(listed(row["measures"])):
                found.setdefault((row["kind"], name), []).append(row)
        return found

    return once(district, "claims by what they are about", make, _TABLES).get((kind, about), [])


def _claims_of(own: list[dict[str, Any]], figures: set[str] | None = None) -> tuple[str, str]:
    if not own:
        return "", ""

    def is_measured(row: Mapping[str, Any]) -> bool:
        return row["status"] == MEASURED and (figures is None or not figures.isdisjoint(listed(row["measures"])))

    rest = [row for row in own if not is_measured(row)]
    lines = [
        say(
            "{0}（{1}）：{2}，{3}",
            cell(row, "object"),
            row["words"],
            say(CLAIM_LABELS[row["status"]]),
            cell(row, "reason") if row["status"] != MEASURED else say("还没有数"),
        )
        for row in rest
    ]
    return say("{0} 项要求，量了 {1} 项", len(own), len(own) - len(rest)), "\n".join(lines)


def facts_of(district: District, measure: str) -> str:
    """Return what the plan itself states of what a row measures: "规划自述：14 家（2020，“全街14家老人家食堂正常开业”）"; "" where nothing."""
    return once(district, ("facts", measure, language()), lambda: _facts_of(_said(district, "fact", measure)), _TABLES)


def _facts_of(facts: list[dict[str, Any]]) -> str:
    told = []
    for row in facts:
        joint = " " if row["quantity"][-1:].isascii() or language() != "zh" else ""
        what = f"{cell(row, 'object')} {row['quantity']}{joint}{word(row['unit'])}".strip()
        told.append(say("{0}（{1} 年，“{2}”）", what, row["year"], row["words"]))
    return say("规划自述：{0}", in_words(told)) if told else ""


def claims_sheet(district: District) -> pd.DataFrame:
    """Return all claims for people: one a row, under Chinese headers, with what measures them or why nothing does."""
    names = {
        "claim": "编号",
        "commitment": "任务",
        "kind": "说的是",
        "object": "对象",
        "direction": "方向",
        "quantity": "数量",
        "unit": "单位",
        "place": "地点",
        "year": "年份",
        "baseline": "基期",
        "words": "原文",
        "status": "量得出吗",
        "measures": "量法",
        "reason": "为什么没有量",
    }
    rows = claims(district).reset_index()
    shown = {
        "kind": [say("要求") if kind == "claim" else say("自述的现状") for kind in rows["kind"]],
        "object": [cell(row, "object") for _, row in rows.iterrows()],
        "unit": rows["unit"].map(word),
        "direction": [say(DIRECTIONS[d]) for d in rows["direction"]],
        "status": [say(CLAIM_LABELS[s]) for s in rows["status"]],
        "measures": rows["measures"].str.replace(";", "、"),
        "reason": [cell(row, "reason") for _, row in rows.iterrows()],
    }
    return rows.assign(**shown)[list(names)].rename(columns=names)

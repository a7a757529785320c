"""What the page of a live map shows of an answer, in numbers and words: headline, counters, who gains and loses, who is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import shapely

from ..access import EXACT, basis_text, bound_of, limit_text, usable_denominator
from ..core import DENOMINATOR_LABELS, amount, per_cent, rounded, say, signed
from ..district import conflicts, of_list, rule_name, year_told
from .live_model import Answer, LiveModel
from .meeting import numbered_codes

COUNTED = ("people", "people_60plus", "area_m2", "homes")
#: How a count is printed: word, factor, digits.
UNITS = {
    "people": ("人", 1.0, 0),
    "people_60plus": ("人", 1.0, 0),
    "area_m2": ("公顷", 1e-4, 1),
    "homes": ("个小区", 1.0, 1),
}
MARK = "演示值（不作结论）"
NO_DATA = "数据不足"
#: Homes listed as gaps and as gaining or losing; the map shows all.
LISTED = 12
#: Shares that differ by less are equal.
SAME_SHARE = 1e-9


def state_of(model: LiveModel, chosen: str = "") -> tuple[dict[str, Any], list[bytes]]:
    """Return everything the page shows, as plain values, and the arrays per home."""
    answer = model.count(model.plan)
    shown = LiveNumbers(model, answer)
    facilities = model.facilities(model.plan)
    changed = changes(model)
    number = {kind: i for i, kind in enumerate(model.kinds)}
    place = {f["id"]: i for i, f in enumerate(facilities)}
    own = next((f for f in facilities if f["id"] == chosen and f["serves"]), None)
    listed = [{k: v for k, v in f.items() if k != "place"} | {"kind": number[f["kind"]]} for f in facilities]
    rule = model.rule
    content = {
        "title": f"{model.district.name}　{rule_name(model.district, model.rule)}",
        "kind": model.kind,
        "line": _line(model),
        "profile": "" if model.own_profile else model.walker.name,
        "minutes": model.asked_minutes,
        "rule": {
            "metric": model.rule.metric,
            "method": model.rule.method,
            "metres": model.rule.metres,
            "minutes": model.rule.minutes,
            "profile": model.walker.name,
            "kinds": list(model.rule.kinds),
        },
        "unit": say("分钟") if model.rule.method == "walk_min" else say("米"),
        "headline": shown.headline(),
        "table": shown.table(),
        "effects": shown.effects(),
        "gaps": shown.gaps(),
        "facilities": listed,
        "key": "|".join([rule.name, rule.method, rule.metric, model.walker.name, f"{rule.minutes:g}"]),
        "mark": "" if shown.denominator is None or not model.weak else say(MARK),
        "changes": changed,
        "warnings": warnings(model),
        "undo": bool(model.past),
        "redo": bool(model.future),
        "reset": bool(changed),
        "chosen": chosen if chosen in place else "",
        "doors": [] if own is None else _doors(own["place"].doors),
    }
    nearest = np.array([place.get(label, -1) if isinstance(label, str) else -1 for label in answer.nearest])
    share, cost = answer.share, answer.cost
    if shown.mapped:  # none on the map is not none
        known = (share >= 1 - SAME_SHARE) | (share > model.before + SAME_SHARE)
        share, cost = np.where(known, share, np.nan), np.where(known, cost, np.nan)
    arrays = [share, model.before, cost, nearest.astype("<i4"), answer.has.astype("u1")]
    return content, [np.ascontiguousarray(a).tobytes() for a in arrays]


class LiveNumbers:
    """The numbers of one answer beside those of today, as the page shows them."""

    def __init__(self, model: LiveModel, answer: Answer) -> None:
        self.model, self.answer = model, answer
        self.now, self.was = self.totals(answer.share), self.totals(model.before)
        self.mapped = bound_of(model.district, model.rule.kinds) != EXACT
        self.denominator = usable_denominator(model.rule.denominator, self.now["whole"])
        rules = model.district.rules
        theirs = set(rules["profile"][rules["denominator"].eq("people_60plus")])
        self.elderly = model.rule.method != "walk_min" or model.rule.metric == "presence" or model.walker.name in theirs

    def totals(self, share: np.ndarray) -> dict[str, dict[str, float]]:
        """Return known and served totals and shares: of the whole, and by zone."""
        groups = {"whole": np.ones(len(share), dtype=bool)}
        zone = self.model.facts["zone"].to_numpy(dtype=object)
        groups |= {code["id"]: zone == code["id"] for code in self.model.zones}
        found: dict[str, dict[str, float]] = {}
        for group, chosen in groups.items():
            row: dict[str, float] = {}
            for column in COUNTED:
                value = self.model.facts[column].to_numpy(dtype=float)
                known = chosen & np.isfinite(value) & np.isfinite(share)
                row[column] = float(value[known].sum()) if known.any() else np.nan
                row[f"{column}_served"] = float((value[known] * share[known]).sum()) if known.any() else np.nan
                row[f"{column}_share"] = row[f"{column}_served"] / row[column] if row[column] > 0 else np.nan
            found[group] = row
        return found

    def headline(self) -> dict[str, Any]:
        """Return what the map says in one number: under the plan, today, and the difference."""
        rule, answer, base, denominator = self.model.rule, self.answer, self.model.base, self.denominator
        if denominator is None or not np.isfinite(answer.share).any():
            return {
                "what": rule_name(self.model.district, rule),
                "big": say(NO_DATA),
                "delta": say("没有调查过这类设施，或缺人口和用地"),
                "note": "",
                "now": 0,
                "was": 0,
            }
        if rule.metric == "presence":
            have, had, of = int(answer.has.sum()), int(base.has.sum()), len(self.model.areas)
            areas = {code["id"]: code["name"] for code in numbered_codes(self.model.district, "communities")}
            lacking = [areas[code] for code, there in zip(self.model.areas, answer.has, strict=True) if not there]
            return {
                "what": say("{0} 个社区{1}中有", of, of_list(self.model.district)),
                "big": say("{0} 个", have),
                "now": have / of if of else 0,
                "was": had / of if of else 0,
                "delta": say("与现状相同") if have == had else say("现状 {0} 个，{1} 个", had, signed(have - had, 0)),
                "note": say("全部都有")
                if not lacking
                else say("其余有没有不知道")
                if self.mapped
                else say("缺：{0}", say("、").join(lacking)),
            }
        row, old = self.now["whole"], self.was["whole"]
        share, before = row[f"{denominator}_share"], old[f"{denominator}_share"]
        unit, factor, digits = UNITS[denominator]
        what, unit = say(DENOMINATOR_LABELS.get(denominator, "小区数")), say(unit)
        known = row[denominator] * factor
        out = known - row[f"{denominator}_served"] * factor
        served = rounded(known, digits) - rounded(out, digits)  # the three agree
        note = say("可达 {0}／{1} {2}", amount(served, digits), amount(known, digits), unit)
        if self.mapped:
            note += say("；没有查全：受益为至多，走不到的不等于没有")
        else:
            note += say("，还在服务范围外 {0} {1}", amount(out, digits), unit)
        blank = int(self.model.facts[denominator].isna().sum())
        note += say("；另有 {0} 个小区不详，未计入", blank) if blank else ""
        return {
            "what": say("{0}可达{1}", limit_text(self.model.district, rule, self.model.walker), what),
            "big": per_cent(share),
            "now": share,
            "was": before if np.isfinite(before) else 0,
            "note": note,
            "delta": say("与现状相同")
            if abs(share - before) < 5e-5
            else say("现状 {0}，{1} 个百分点", per_cent(before), signed(100 * (share - before))),
        }

    def table(self) -> list[list[str]]:
        """Return the counters: label, today, plan, change."""
        rows, was, now = [], self.was, self.now
        labels = [("people", "常住人口"), ("people_60plus", "60岁及以上"), ("area_m2", "居住用地"), ("homes", "小区")]
        for column, label in labels:
            if column != "people_60plus" or self.elderly:
                rows.append(_counter(say(label), was["whole"], now["whole"], column))
        if self.model.areas:
            have, had, of = int(self.answer.has.sum()), int(self.model.base.has.sum()), len(self.model.areas)
            rows.append([say("有设施的社区"), f"{had}/{of}", f"{have}/{of}", signed(have - had, 0, say(" 个"))])
        column = "people_60plus" if self.denominator == "people_60plus" else "people"
        word = "60+" if column == "people_60plus" else say("人口")
        for code in self.model.zones:
            rows.append(_counter(say("{0}{1}", code["name"], word), was[code["id"]], now[code["id"]], column))
        return rows

    def effects(self) -> dict[str, Any]:
        """Return who gains and who loses: people, 60+, and the homes with the most people first."""
        change = np.nan_to_num(self.answer.share - self.model.before)
        found: dict[str, Any] = {}
        for side, more in (("gain", change), ("lose", -change)):
            part = np.where(more > SAME_SHARE, more, 0.0)
            people = np.nan_to_num(self.model.facts["people"].to_numpy(dtype=float)) * part
            homes = np.flatnonzero(part)
            order = homes[np.lexsort((homes, -people[homes]))]
            counted = ("people", "people_60plus") if self.elderly else ("people",)
            sums = {column: self._known(column, part) for column in counted}
            found[side] = {**sums, "homes": order.tolist()}
        return found

    def _known(self, column: str, part: np.ndarray) -> float | None:
        """Add up what is known of a part of each home; None where of none, or of none that is concerned, it is known."""
        amounts = self.model.facts[column].to_numpy(dtype=float)
        own = (amounts * part)[part > 0]
        unknown = np.isnan(amounts).all() or (len(own) and np.isnan(own).all())
        return None if unknown else float(np.nansum(own))

    def gaps(self) -> dict[str, Any]:
        """Return who is left out: totals, and the homes with the most such people first."""
        column = "people_60plus" if self.model.rule.denominator == "people_60plus" else "people"
        if self.mapped:  # who is left out nobody knows
            return {
                "people": 0.0,
                "people_before": 0.0,
                "homes": 0,
                "homes_before": 0,
                "rows": [],
                "who": "",
                "unknown": True,
            }
        left = np.where(self.answer.share < 1 - SAME_SHARE, 1.0 - self.answer.share, 0.0)
        had = np.where(self.model.before < 1 - SAME_SHARE, 1.0 - self.model.before, 0.0)
        people = np.nan_to_num(self.model.facts[column].to_numpy(dtype=float))
        homes = np.flatnonzero(left > 0)
        order = homes[np.lexsort((homes, -(people * left)[homes]))][:LISTED]
        unit, digits = ("分钟", 1) if self.model.rule.method == "walk_min" else ("米", 0)
        rows = []
        for home in order:
            far = self.answer.unserved_cost[home]
            rows.append(
                {
                    "home": int(home),
                    "people": self._known(column, np.where(np.arange(len(left)) == home, left, 0.0)),
                    "far": f"{amount(far, digits)} {say(unit)}" if np.isfinite(far) else say("走不到"),
                }
            )
        return {
            "people": self._known(column, left),
            "people_before": self._known(column, had),
            "homes": len(homes),
            "homes_before": int((had > 0).sum()),
            "rows": rows,
            "who": say("60岁及以上") if column == "people_60plus" else "",
        }


def _counter(label: str, was: Mapping[str, float], now: Mapping[str, float], column: str) -> list[str]:
    unit, factor, digits = UNITS[column]
    change = (now[f"{column}_served"] - was[f"{column}_served"]) * factor
    return [
        label,
        per_cent(was[f"{column}_share"]),
        per_cent(now[f"{column}_share"]),
        signed(change, digits, f" {say(unit)}", unknown="—"),
    ]


def _line(model: LiveModel) -> list[str]:
    """Return what every number carries: method, limit, walker, denominator, year, basis."""
    rule = model.rule
    limit = say("按社区计（界内有即算）")
    if rule.metric != "presence":
        limit = limit_text(model.district, rule, model.walker)
    denominator, year = say(DENOMINATOR_LABELS[rule.denominator]), year_told(model.district)
    words = [say("标准 {0}", limit), say("分母 {0}", denominator), say("数据年份 {0}", year)]
    if rule.method == "walk_min" and rule.metric == "reach":
        words.insert(1, say("步速 {0:g} 米/秒", model.walker.speed_m_s))
    if model.district.manifest.get("scenario"):
        words.append(say("在方案“{0}”之上", model.district.manifest["scenario"]))
    return [*words, rule.basis_text, *filter(None, [basis_text(model.district, rule)])]


def warnings(model: LiveModel) -> list[str]:
    """Say where the plan contradicts itself or the district: its numbers are counted all the same."""
    if not changes(model):
        return []
    found = conflicts(model.scenario("live", "活地图方案"), model.district)
    return [say("方案有冲突，未解决：{0}", problem) for problem in dict.fromkeys(found["problem"])]


def changes(model: LiveModel) -> list[dict[str, str]]:
    """Return what the plan does, in words."""
    rows = []
    for label, edit in model.plan["edits"].items():
        words = [say("纳入规划设施")] if edit.get("open") else []
        if edit.get("closed"):
            words = [say("撤除")]
        elif "xy" in edit:
            start = shapely.get_coordinates(shapely.point_on_surface(model.frame.geometry[label]))[0]
            words.append(say("移动 {0:,.0f} 米", float(np.hypot(*(np.array(edit["xy"]) - start)))))
        rows.append({"id": str(label), "name": model.names[label], "what": say("，").join(words)})
    return rows + [{"id": new["id"], "name": new["name"], "what": say("新增")} for new in model.plan["added"]]


def _doors(doors: pd.DataFrame) -> list[list[float]]:
    """Return edge, metres along it and metres to it of the doors that lead to a street."""
    own = doors[(doors["edge"] >= 0).to_numpy()]
    return [[int(e), float(a), float(m)] for e, a, m in zip(own["edge"], own["at_m"], own["access_m"], strict=True)]

"""What each facility that opened, closed, moved or was renamed between two years changes, and for whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from ..district import SPOT_M, District, moved_m
from .bounds import EXACT
from .coverage import coverage
from .effects import known_sum
from .home_shares import SHARE_TOLERANCE

#: What can become of a facility.
OPENED, CLOSED, MOVED_AWAY, REDRAWN, RENAMED = "opened", "closed", "moved", "redrawn", "renamed"
COLUMNS = (
    *("change", "kind", "name", "name_before", "metres", "rule", "known", "at_most"),
    *("homes_gain", "homes_lose", "homes_other", "people_gain", "people_lose", "counted"),
)


def facility_changes(before: District, after: District) -> pd.DataFrame:
    """
    Say, facility by facility, what became of it and which homes that brings into reach or puts out of it.

    Parameters
    ----------
    before, after
        The same district in two years, or in two states.

    Returns
    -------
    table
        Index facility, by kind and key. `change` (opened, closed, moved, redrawn: its outline, renamed), `kind`, `name`,
        `name_before`, `metres` (how far it moved, or whatever of its outline moved most), `rule` (the one that leads for its kind;
        missing where none does), `known` (whether that rule can be counted),
        `at_most` (the kind was only seen on a map, so that homes may have another), `homes_gain`, `homes_lose` (names of homes
        whose nearest it is now, or was, and whose share in reach rose, or fell), `homes_other` (whose nearest it was, and which
        now go elsewhere and reach it as before), `people_gain`, `people_lose` (missing where nobody knows), `counted` (who they are:
        people, or people_60plus where the rule counts these). A home is counted with one facility only: the nearest; another name
        changes nothing for anybody.
    """
    old, new = before.open_facilities, after.open_facilities
    if old is None or new is None:
        return pd.DataFrame(columns=list(COLUMNS))
    rows: list[dict[str, object]] = []
    for key in sorted({*old.index, *new.index}, key=str):
        was, now = (frame.loc[key] if key in frame.index else None for frame in (old, new))
        row = _changed(was, now)
        if row is not None:
            rows.append({"facility": key, **row})
    table = pd.DataFrame(rows, columns=["facility", *COLUMNS[:5]]).set_index("facility")
    table["rule"] = [_leading(after, str(kind)) for kind in table["kind"]]
    effects = [
        _effect(before, after, str(rule), table["change"][table["rule"] == rule])
        for rule in table["rule"].dropna().unique()
    ]
    found = pd.concat(effects) if effects else pd.DataFrame(columns=list(COLUMNS[6:]))
    return table.join(found).reindex(columns=list(COLUMNS)).sort_values("kind", kind="stable")


def _changed(was: pd.Series | None, now: pd.Series | None) -> dict[str, object] | None:
    """Return what became of a facility; None where nothing did."""
    row = was if now is None else now
    assert row is not None
    told = {
        "kind": row["kind"],
        "name": row["name"],
        "name_before": None if was is None else was["name"],
        "metres": np.nan,
    }
    if was is None or now is None:
        return {"change": OPENED if was is None else CLOSED, **told}
    away = moved_m(was.geometry, now.geometry)
    if away > SPOT_M:
        overlap = bool(shapely.intersects(was.geometry, now.geometry))
        return {"change": REDRAWN if overlap else MOVED_AWAY, **told, "metres": away}
    if pd.notna(was["name"]) and pd.notna(now["name"]) and was["name"] != now["name"]:
        return {"change": RENAMED, **told}
    return None


def _leading(district: District, kind: str) -> str | None:
    """Return the rule that leads for a kind."""
    rule = district.kinds["rule"].get(kind)
    return None if rule is None or pd.isna(rule) else str(rule)


def _effect(before: District, after: District, rule: str, became: pd.Series) -> pd.DataFrame:
    """Return whom each of the facilities of a rule brings into reach, or puts out of it; `became`: what each became."""
    a, b = (coverage(d, rules=[rule]).xs(rule, level="rule") for d in (before, after))
    later = b[["served", "facility", "bound"]].rename(columns={"served": "served_after", "facility": "facility_after"})
    counted = "people_60plus" if (a["denominator"] == "people_60plus").any() else "people"
    both = a[["served", "facility", "name", counted]].join(later, how="inner")
    known = bool(both["served"].notna().any() and both["served_after"].notna().any())
    change = (both["served_after"].fillna(0.0) - both["served"].fillna(0.0)).astype("float64")
    gains, loses = change > SHARE_TOLERANCE, change < -SHARE_TOLERANCE
    rows = []
    for key, change_of in became.items():
        was, now = ((both[of] == key) & (change_of != RENAMED) for of in ("facility", "facility_after"))
        won, lost = gains & now, loses & was
        other = was & ~now & ~gains & ~loses & (both["served"] > 0)
        rows.append(
            {
                "facility": key,
                "known": known,
                "at_most": bool((both["bound"] != EXACT).any()),
                **{f"homes_{n}": _names(both[m]) for n, m in (("gain", won), ("lose", lost), ("other", other))},
                "people_gain": known_sum(change.where(won, 0.0), both[counted]),
                "people_lose": known_sum((-change).where(lost, 0.0), both[counted]),
                "counted": counted,
            }
        )
    return pd.DataFrame(rows).set_index("facility")


def _names(homes: pd.DataFrame) -> tuple[str, ...]:
    return tuple(str(key) if pd.isna(name) else str(name) for key, name in homes["name"].items())

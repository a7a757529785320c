"""Add a receipt, or a page of them, up again: `python readd.py FILE [FIGURE]`. Needs Python alone, not what wrote it."""

import json
import sys
from math import dist, fsum, inf, nan
from pathlib import Path


class Number(float):  # a share is 100 % (or 0 %) only where it is all (or nothing)
    def __format__(self, form):
        least = 10.0 ** -(int(form[1:-1]) + 2) if form.endswith("%") and 1e-9 < self < 1 - 1e-9 else 0.0
        return format(min(max(float(self), least), 1 - least) if least else float(self), form)


def shares(receipt):  # of each home: its points within every walk's limit (or, on average, within how many of them)
    tests, levels = {}, {}
    for walk in receipt["walks"]:
        at, buffer = {door: (row[-1], 0.0) for door, row in walk["doors"].items()}, walk["method"] == "buffer"
        unit = 1.0 if walk["method"] == "network_m" else walk["speed_m_s"] * 60
        for step, (_, metres, wait, onward) in walk["steps"].items():  # what is onward comes first
            at[step] = at[onward][0] + metres, at[onward][1] + wait
        for home, point, x, y, _, before, _, part, wait, onward in walk["points"]:
            metres, waits = at.get(onward, (inf, 0.0))
            cost = (metres + before + part) / unit + waits + wait  # metres along the street, or minutes with the waits
            cost = dist((x, y), walk["doors"][onward][1:]) if buffer and onward else cost
            tests.setdefault((home, point), []).append(cost <= walk["limit"] + walk["tolerance"])
    for (home, _), own in tests.items():
        levels.setdefault(home, []).append(sum(own) / len(own) if receipt["combine"] == "mean" else float(all(own)))
    return {home: fsum(own) / len(own) for home, own in levels.items()}


def figures(receipt):
    homes, rows, how, times = (receipt.get(*key) for key in (("homes", {}), ("rows", []), ("how",), ("times", 1.0)))
    if "before" in receipt:  # two states or groups: the difference, and who of the homes in both gains or loses
        a, b = (figures(receipt[side]) for side in ("before", "after"))
        people = {home: row[2] for home, row in receipt["before"].get("homes", {}).items() if row[2] is not None}
        moved = [(b["own"][h] - s) * people[h] for h, s in a["own"].items() if h in b["own"] and h in people]
        gain, lose = (fsum(max(sign * m, 0.0) for m in moved) for sign in (1, -1))
        found = {"before": a["value"], "after": b["value"], "value": Number(times * (b["value"] - a["value"]))}
        return found | {"gain": gain, "lose": lose, "own": {}}
    has = {r[0]: r[2] is not None and (r[2] <= r[3] if how.startswith("within") else r[2] > 0) for r in rows}
    own = shares(receipt) if how == "walks" else {h: float(has[row[1]]) for h, row in homes.items() if row[1] in has}
    parts = [(r[3], r[2]) for r in rows if r[2] is not None] or [(homes[h][1], own[h]) for h in own if homes[h][1]]
    total, weight, n = fsum(v for _, v in parts), fsum(w for w, _ in parts) or nan, sum(has.values())
    low, high = (most((v for _, v in parts), default=nan) for most in (min, max))
    found = {"has": n, "lacks": len(rows) - n, "share": n / (len(rows) or nan), "sum": total, "max": high}
    found |= {"walks": fsum(w * v for w, v in parts) / weight, "per": total / weight, "min": low}
    lost = [fsum((1 - own[h]) * (homes[h][k] or 0.0) for h in own) for k in (1, 2) if how == "walks"]
    return {"value": Number(found.get(how.split()[-1], nan) * times), "n": n, "of": len(rows), "lost": lost, "own": own}


if __name__ == "__main__":
    text, told = Path(sys.argv[1]).read_text("utf-8"), []
    read = json.loads(text.partition('<script type="application/json">')[2].partition("</script")[0] or text)
    for part in [p for p in (read, *read.get("also", [])) if sys.argv[2:] in ([], [p.get("figure")])]:
        found = figures(part)
        told += [(part["label"], what, form.format(**found), printed) for what, form, printed in part["printed"]]
    print(*("\t".join(row[:3]) for row in told), sep="\n")
    sys.exit(any(text != printed for *_, text, printed in told))

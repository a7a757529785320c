"""Add a receipt, or a page of them, up again: `python readd.py FILE [FIGURE]`. Needs Python alone, not what wrote it."""

import json
import sys
from decimal import ROUND_HALF_UP, Decimal
from math import dist, fsum, inf, nan
from pathlib import Path


class Number(float):  # halves go up, of fifteen digits; a share is 100 % (or 0 %) only where it is all (or nothing)
    def __format__(self, form):
        step = Decimal(1).scaleb(-int(form[:-1].rpartition(".")[2]) - 2 * form.endswith("%"))
        value = Decimal(f"{float(self):.15g}").quantize(step, ROUND_HALF_UP)
        part = form.endswith("%") and 1e-9 < self < 1 - 1e-9
        return format(min(max(value, step), 1 - step) if part else value or abs(value), form).replace("-", "−")


def shares(receipt):  # of each home: its points within every walk's limit (or, on average, within how many of them)
    tests, levels = {}, {}
    for walk in receipt["walks"]:
        doors, buffer = walk["doors"], walk["method"] == "buffer"
        at = {door: (row[-1], 0.0) for door, row in doors.items()}
        unit = 1.0 if walk["method"] == "network_m" else walk["speed_m_s"] * 60
        for step, (_, metres, wait, onward) in walk["steps"].items():  # what is onward comes first
            at[step] = at[onward][0] + metres, at[onward][1] + wait
        for home, point, x, y, _, before, _, part, wait, onward in walk["points"]:
            far, waits = at.get(onward, (inf, 0.0))  # metres along the street, or minutes with the waits
            cost = dist((x, y), doors[onward][1:]) if buffer and onward else (far + before + part) / unit + waits + wait
            tests.setdefault((home, point), []).append(cost <= walk["limit"] + walk["tolerance"])
    for (home, _), own in tests.items():
        levels.setdefault(home, []).append(sum(own) / len(own) if receipt["combine"] == "mean" else float(all(own)))
    return {home: fsum(own) / len(own) for home, own in levels.items()}


def figures(receipt):
    homes, rows, how, times = (receipt.get(*key) for key in (("homes", {}), ("rows", []), ("how",), ("times", 1.0)))
    if "before" in receipt:  # two states or groups: the difference, and who of the homes in both gains or loses
        a, b = (figures(receipt[side]) for side in ("before", "after"))
        old, value = receipt["before"].get("homes", {}), Number(times * (b["value"] - a["value"]))
        both = [(b["own"][h] - s, old[h][2] or 0.0) for h, s in a["own"].items() if h in b["own"]]
        gain, lose = (Number(fsum(max(sign * m, 0.0) * n for m, n in both)) for sign in (1, -1))
        return {"before": a["value"], "after": b["value"], "value": value, "gain": gain, "lose": lose, "own": {}}
    has = {r[0]: r[2] is not None and (r[2] <= r[3] if how.startswith("within") else r[2] > 0) for r in rows}
    own = shares(receipt) if how == "walks" else {h: float(has[row[1]]) for h, row in homes.items() if row[1] in has}
    parts = [(r[3], r[2]) for r in rows if r[2] is not None] or [(homes[h][1], own[h]) for h in own if homes[h][1]]
    total, weight, n = fsum(v for _, v in parts), fsum(w for w, _ in parts) or nan, sum(has.values())
    found = {most.__name__: most((v for _, v in parts), default=nan) for most in (min, max)}
    found |= {"has": n, "lacks": len(rows) - n, "share": n / (len(rows) or nan), "sum": total}
    found |= {"walks": fsum(w * v for w, v in parts) / weight, "per": total / weight}
    lost = [Number(fsum((1 - own[h]) * (homes[h][k] or 0.0) for h in own)) for k in (1, 2) if how == "walks"]
    return {"value": Number(found.get(how.split()[-1], nan) * times), "n": n, "of": len(rows), "lost": lost, "own": own}


if __name__ == "__main__":
    text, told = Path(sys.argv[1]).read_text("utf-8"), []
    read = json.loads(text.partition('<script type="application/json">')[2].partition("</script")[0] or text)
    for part in [p for p in (read, *read.get("also", [])) if sys.argv[2:] in ([], [p.get("figure")])]:
        told += [(part["label"], *one[:1], one[1].format(**figures(part)), one[2]) for one in part["printed"]]
    print(*("\t".join(row[:3]) for row in told), sep="\n")
    sys.exit(any(text != printed for *_, text, printed in told))

"""Add a receipt up again and print its figures: `python readd.py RECEIPT.json`. Needs Python alone, not what wrote it."""

import json
import math
import sys
from pathlib import Path


def cost(walk, row, memo):  # of a point's walk: straight metres, metres along the street, or minutes with the waits
    _, _, x, y, _, before, _, part, wait, onward = row
    if onward is None or walk["method"] == "buffer":
        return math.inf if onward is None else math.dist((x, y), walk["doors"][onward][1:])
    chain = []
    while onward in walk["steps"] and onward not in memo:
        chain.append(onward)
        onward = walk["steps"][onward][-1]
    metres, waits = memo[onward] if onward in memo else (walk["doors"][onward][-1], 0.0)
    for step in reversed(chain):
        memo[step] = metres, waits = metres + walk["steps"][step][1], waits + walk["steps"][step][2]
    metres, waits = metres + before + part, waits + wait
    return metres if walk["method"] == "network_m" else metres / walk["speed_m_s"] / 60 + waits


def shares(receipt):  # of each home: its points within every walk's limit (or, on average, within how many of them)
    tests, levels = {}, {}
    for walk in receipt["walks"]:
        memo, most = {}, walk["limit"] + walk["tolerance"]
        for row in walk["points"]:
            tests.setdefault((row[0], row[1]), []).append(cost(walk, row, memo) <= most)
    for (home, _), own in tests.items():
        levels.setdefault(home, []).append(sum(own) / len(own) if receipt["combine"] == "mean" else float(all(own)))
    return {home: math.fsum(own) / len(own) for home, own in levels.items()}


def figures(receipt):
    homes, rows, how = receipt.get("homes", {}), receipt.get("rows", []), receipt["how"]
    if how == "change":
        people = {home: row[2] for home, row in receipt["before"]["homes"].items()}
        a, b = (figures(receipt[side]) for side in ("before", "after"))
        moved = [(b["own"][h] - s) * people[h] for h, s in a["own"].items() if h in b["own"] and people[h] is not None]
        gain, lose = (math.fsum(max(sign * m, 0.0) for m in moved) for sign in (1, -1))
        return {"before": a["value"], "after": b["value"], "gain": gain, "lose": lose}
    numbers, has = [row[2] for row in rows], {row[0]: float(row[2] > 0) for row in rows}
    n, total, weight = sum(has.values()), math.fsum(numbers), math.fsum(row[3] for row in rows)
    own = shares(receipt) if how == "walks" else {h: has[row[1]] for h, row in homes.items() if row[1] in has}
    parts = [(row[3], row[2]) for row in rows] or [(v, own[h]) for h, (_, v, _) in homes.items() if v is not None]
    simple = {"mean": math.fsum(v * s for v, s in parts) / (math.fsum(v for v, _ in parts) or math.nan)}
    simple |= {"walks": simple["mean"], "has": n, "lacks": len(rows) - n, "has share": n / (len(rows) or math.nan)}
    simple |= {"count": len(rows), "sum": total, "per": total / (weight or math.nan)}
    simple |= {"max": max(numbers, default=math.nan), "min": min(numbers, default=math.nan)}
    missed = math.fsum(row[2] * (1 - own[h]) for h, row in homes.items() if row[2] is not None and h in own)
    return {"value": simple[how] * receipt["times"], "n": int(n), "of": len(rows), "missed": missed, "own": own}


if __name__ == "__main__":
    read = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    found = {} if read["how"] == "stated" else figures(read)
    again = [(what, form.format(**found), printed) for what, form, printed in read["printed"]]
    print(*("\t".join((read["figure"], *told[:2])) for told in again), sep="\n")
    sys.exit(any(text != printed for _, text, printed in again))
